"""Reading a recipe: a file or a text becomes a ``Recipe``, or one clear error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from galvanode.document import Document, parse_document, read_document, validate
from galvanode.errors import InvalidInput
from galvanode.library import library
from galvanode.recipe.language.migrate import migrated
from galvanode.recipe.language.parameter import Parameter
from galvanode.recipe.language.shelf import Shelf
from galvanode.recipe.method.model import RecipeText


@dataclass(frozen=True, eq=False)
class Recipe:
    """A validated recipe that still knows the line of everything it says."""

    document: Document
    text: RecipeText
    shelf: Shelf
    """The recipes that it may call and the profiles that it may name."""

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

    def find(self, name: str) -> Recipe | None:
        """Return the recipe that it calls by that name; None where there is none. Raises ``InvalidInput``."""
        file = f"{name}.yaml"
        try:
            text = self.shelf.beside(file)
        except ValueError as problem:
            raise InvalidInput(f"the file{problem}", source=file) from None
        if text is not None:
            source = file if self.shelf.folder is None else str(self.shelf.folder / file)
            return _recipe(parse_document(text, source), self.shelf)
        path = library() / file
        return read_recipe(path) if path.is_file() else None


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from a YAML file. It may name what lies beside it and what the library has.

    Raises ``InvalidInput`` with file, line and column.
    """
    return _recipe(read_document(path), Shelf(path.parent))


def parse_recipe(text: str, source: str, files: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe from YAML text; ``source`` names it in errors. Raises ``InvalidInput``.

    ``files`` are the texts of what it may name, by name; what the library has it may name anyway.
    """
    return _recipe(parse_document(text, source), Shelf(None, files))


def _recipe(document: Document, shelf: Shelf) -> Recipe:
    document = migrated(document)
    return Recipe(document, validate(document, RecipeText), shelf)
