"""Reading a recipe: a file or a text becomes a ``Recipe``, or one clear error."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from galvanode.document import Document, parse_document, read_document, validate
from galvanode.recipe.model import RecipeText
from galvanode.recipe.parameter import Parameter


@dataclass(frozen=True, eq=False)
class Recipe:
    """A validated recipe that still knows the line of everything it says."""

    document: Document
    text: RecipeText

    @property
    def title(self) -> str:
        """What the recipe calls itself."""
        return self.text.title

    @property
    def description(self) -> str:
        """Empty where the recipe has none."""
        return self.text.description

    @property
    def parameters(self) -> dict[str, Parameter]:
        """What may be set when the recipe is run."""
        return dict(self.text.parameters)

    @property
    def analyses(self) -> tuple[str, ...]:
        """Names of the analyses it asks for."""
        return self.text.analysis


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from a YAML file. Raises ``InvalidInput`` with file, line and column."""
    return _recipe(read_document(path))


def parse_recipe(text: str, source: str) -> Recipe:
    """Read a recipe from YAML text; ``source`` names it in errors. Raises ``InvalidInput``."""
    return _recipe(parse_document(text, source))


def _recipe(document: Document) -> Recipe:
    return Recipe(document, validate(document, RecipeText))
