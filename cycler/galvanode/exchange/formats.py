"""From a text in one format to a text in another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, get_args

from galvanode.cell import CellUnderTest
from galvanode.errors import InvalidInput
from galvanode.exchange.leaving import Leaving
from galvanode.exchange.pybamm_export import pybamm_from_recipe
from galvanode.exchange.pybamm_import import recipe_from_pybamm
from galvanode.exchange.unicycler_export import unicycler_from_recipe
from galvanode.exchange.unicycler_import import recipe_from_unicycler
from galvanode.recipe import Recipe, parse_recipe

Format = Literal["galvanode", "unicycler", "pybamm"]
FORMATS: tuple[Format, ...] = get_args(Format)

_RECIPE = re.compile(r"^(version|title|description|parameters|safety|record|method)\s*:", re.MULTILINE)
_EXPERIMENT = re.compile(
    r"\s*(?:#[^\n]*\n\s*)*(?:(?:Charge|Discharge|Hold|Rest|Run)\b|[\[(]|import\s|pybamm\.|[A-Za-z_]\w*\s*=)",
    re.IGNORECASE,
)


def format_of(text: str) -> Format | None:
    """Return the format that a text can only be of; None where that cannot be told."""
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("{"):
        return "unicycler"
    recipe, experiment = _RECIPE.search(text) is not None, _EXPERIMENT.match(text) is not None
    if recipe == experiment:
        return None
    return "galvanode" if recipe else "pybamm"


def imported(text: str, source: str, is_: Format, cell: CellUnderTest | None, leaving: Leaving) -> str:
    """Return a text of any format as the YAML of a recipe. Raises ``InvalidInput``."""
    match is_:
        case "unicycler":
            return recipe_from_unicycler(text, source, cell, leaving)
        case "pybamm":
            return recipe_from_pybamm(text, source, cell)
        case "galvanode":
            return text


def exported(
    recipe: Recipe, to: Format, cell: CellUnderTest | None, parameters: Mapping[str, str], leaving: Leaving
) -> str:
    """Return a recipe as a text of another format. Raises ``InvalidInput`` with the line of what cannot be said."""
    match to:
        case "unicycler":
            return unicycler_from_recipe(recipe, cell, parameters, leaving)
        case "pybamm":
            return pybamm_from_recipe(recipe, cell, parameters, leaving)
        case "galvanode":
            raise InvalidInput("is a recipe already; expected another format to convert it to")


def convert(
    text: str,
    source: str,
    is_: Format,
    to: Format,
    *,
    cell: CellUnderTest | None = None,
    parameters: Mapping[str, str] | None = None,
    leaving: Leaving | None = None,
) -> str:
    """Return a text of one format as one of another, by way of a recipe; ``source`` names it in errors.

    ``cell`` and ``parameters`` are those of the recipe. Raises ``InvalidInput`` with the place of the first thing
    that cannot be read or said; ``leaving`` notes what was left out instead.
    """
    leaving = leaving or Leaving()
    if is_ == to:
        raise InvalidInput(f"is {is_} already; expected another format to convert it to", source=source)
    recipe = imported(text, source, is_, cell, leaving)
    if to == "galvanode":
        return recipe
    name = source if is_ == "galvanode" else f"{source} (as a recipe)"
    return exported(parse_recipe(recipe, name), to, cell, parameters or {}, leaving)
