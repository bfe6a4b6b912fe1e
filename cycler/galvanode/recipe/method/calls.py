"""Recipes that a recipe calls: found by name, never in a circle, not too deep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from galvanode.document import did_you_mean, label
from galvanode.recipe.method.model import AnyItem, CallItem, Item, SetItem, StepItem, blocks_of
from galvanode.recipe.method.reader import Recipe
from galvanode.yaml_text import DocumentPath

MAX_DEPTH = 4
"""Recipes inside one another, the outermost not counted."""
_Name = tuple[Recipe, str]


@dataclass(frozen=True)
class Calls:
    """The recipes that a recipe calls, and those that they call."""

    found: Mapping[_Name, Recipe]

    def __getitem__(self, called: _Name) -> Recipe:
        return self.found[called]

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """Every one of them, once."""
        return tuple(dict.fromkeys(self.found.values()))


def resolve(recipe: Recipe) -> Calls:
    """Return the recipes that are called. Raises ``InvalidInput``: at the call, or inside the recipe that it calls."""
    found: dict[_Name, Recipe] = {}
    _follow(recipe, (), {}, found)
    return Calls(found)


def _follow(recipe: Recipe, above: tuple[str, ...], read: dict[str, Recipe], found: dict[_Name, Recipe]) -> None:
    for item, path in items_of(recipe):
        if not isinstance(item, CallItem):
            continue
        name, at = item.call.recipe, called_at(recipe, path)
        if (recipe, name) in found:
            continue
        called = recipe.find(name)
        if called is None:
            hint = did_you_mean(name, (Path(name).stem for name in recipe.shelf.names(".yaml")))
            said = f"{label(at)} is '{name}', which is no recipe beside this one or in the library{hint}"
            raise recipe.document.error(at, said)
        source = called.document.source
        called = read.setdefault(source, called)
        if source in above or source == recipe.document.source:
            circle = " calls ".join(f"'{Path(one).name}'" for one in (*above, recipe.document.source, source))
            raise recipe.document.error(at, f"{label(at)} is '{name}', which leads back to itself: {circle}")
        if len(above) == MAX_DEPTH:
            said = f"is '{name}', a call inside {MAX_DEPTH} others; expected at most {MAX_DEPTH} inside one another"
            raise recipe.document.error(at, f"{label(at)} {said}")
        found[recipe, name] = called
        _follow(called, (*above, recipe.document.source), read, found)


def files_beside(recipe: Recipe) -> dict[str, str]:
    """Return the files beside a recipe that it or what it calls names: recipes and profiles.

    Raises ``InvalidInput`` and ``ValueError`` for what cannot be read; ``recipe.shelf.used`` has those before it.
    """
    for one in (recipe, *resolve(recipe).recipes):
        for item, _ in items_of(one):
            for name in item.verb.files() if isinstance(item, StepItem) else ():
                one.shelf.beside(name)
    return recipe.shelf.used


def called_at(recipe: Recipe, path: DocumentPath) -> DocumentPath:
    """Return where a call, the item at ``path``, names its recipe."""
    at = (*path, "call")
    return at if isinstance(recipe.document.at(at), str) else (*at, "recipe")


def items_of(recipe: Recipe) -> Iterator[tuple[AnyItem, DocumentPath]]:
    """Yield every item of a recipe's method with its path, those inside blocks too, in the order of the text."""
    yield from _items(recipe.text.method, ("method",))


def _items(items: list[Item], path: DocumentPath) -> Iterator[tuple[AnyItem, DocumentPath]]:
    for index, item in enumerate(items):
        at = (*path, index)
        yield item, at
        for key, block in blocks_of(item):
            yield from _items(block, (*at, key))


def assigned_in(recipe: Recipe) -> frozenset[str]:
    """Return the variables that a recipe itself sets or asks for, not those of the recipes that it calls."""
    names: set[str] = set()
    for item, _ in items_of(recipe):
        if isinstance(item, SetItem):
            names.update(item.assigned)
        elif isinstance(item, StepItem):
            names.update(item.verb.sets())
    return frozenset(names)
