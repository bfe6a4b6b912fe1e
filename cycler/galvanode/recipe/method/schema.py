"""The JSON Schema of a recipe (draft 2020-12), for completion and squiggles in an editor.

Pydantic makes it of the models that the compiler reads; here are the texts inside them, which it cannot know: values
with units, conditions, the one verb of an item. What a schema cannot say (limits of the cell, what a name stands for)
``galvanode check`` does.
"""

from __future__ import annotations

import json
from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core import core_schema

from galvanode.document import Section
from galvanode.recipe.language import patterns
from galvanode.recipe.language.known import DETECTORS, MEASURED
from galvanode.recipe.language.values import C_RATE, NUMBER, POTENTIAL, VOLTAGES, expected_words
from galvanode.recipe.method.model import LABEL, RecipeText, model_of, words
from galvanode.units import DIMENSIONS

Json = dict[str, Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_EXAMPLES = {NUMBER: "0.5", POTENTIAL: "4.22 V vs Li+/Li", C_RATE: "0.2C"}


def recipe_schema() -> Json:
    """Return the schema of a whole recipe."""
    items = {word: model_of(word) for word in words()}
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in items.values()]
    _, made = models_json_schema([(RecipeText, "validation"), *models], schema_generator=_Generator)
    defined = made["$defs"]
    whole = defined.pop(RecipeText.__name__)
    item = _item({word: defined.pop(model.__name__) for word, model in items.items()})
    found = {**whole, "$defs": {**defined, **_values(), **_conditions(), **_parameters(), "item": item}}
    return {"$schema": _DRAFT, "title": "Galvanode recipe", **_referring(found)}


def schema_text() -> str:
    """Return the schema as the published file has it, in ASCII: every console can show it."""
    return json.dumps(recipe_schema(), indent=2) + "\n"


class _Generator(GenerateJsonSchema):
    """Pydantic's own, for people: no titles, no null for what may be left out, and the rules of each section."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> Json:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Json:
        found, default = self.generate_inner(schema["schema"]), schema.get("default")
        return {**found, "default": default} if isinstance(default, str) and default else found

    def model_schema(self, schema: core_schema.ModelSchema) -> Json:
        found = super().model_schema(schema)
        found.pop("title", None)
        model = cast("type[BaseModel]", schema["cls"])
        rules = model.rules() if issubclass(model, Section) else []
        return {**found, **({"allOf": rules} if rules else {})}


def _referring(node: Any) -> Any:
    """Return a schema in which what is ``described`` elsewhere is referred to."""
    if isinstance(node, list):
        return [_referring(value) for value in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    found = {key: _referring(value) for key, value in cast("Json", node).items()}
    named = found.get("described")
    if isinstance(named, str):
        del found["described"]
        found["$ref"] = f"#/$defs/{named}"
    return found


def _described(name: str, words_: str = "") -> Json:
    return {"description": words_, "described": name} if words_ else {"described": name}


def _closed(properties: Json, *required: str) -> Json:
    found: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": list(required)} if required else found


# --- items -----------------------------------------------------------------------------------------------------


def _item(models: dict[str, Json]) -> Json:
    """Return the schema of an item: the keys of all of them, one word, and beside it what that one knows."""
    properties: Json = {}
    knowing: dict[str, list[str]] = {}
    """Key that is no word -> the words that it may stand beside."""
    for word, model in models.items():
        for key, found in model["properties"].items():
            if key not in models:
                knowing.setdefault(key, []).append(word)
            if key == word or key not in models:
                properties.setdefault(key, found)
    whole = {
        "type": "object",
        "properties": {word: properties[word] for word in models} | {key: properties[key] for key in knowing},
        "additionalProperties": False,
        "oneOf": [{"required": [word]} for word in models],
        "allOf": [
            {"if": {"required": [key]}, "then": {"anyOf": [{"required": [word]} for word in beside]}}
            for key, beside in knowing.items()
            if len(beside) < len(models)
        ],
    }
    bare = {
        "enum": ["break", "end", "fail"],
        "description": "Leave the repeat; complete the run; end it as failed.",
    }
    return {"anyOf": [bare, whole]}


# --- values ----------------------------------------------------------------------------------------------------

_MAY_BE: dict[str, tuple[str, ...]] = {
    "voltage": VOLTAGES,
    "voltage_change": ("voltage",),
    "current": ("current",),
    "current_density": ("current_density",),
    "rate": (C_RATE,),
    "power": ("power",),
    "resistance": ("resistance",),
    "time": ("time",),
    "charge": ("charge",),
    "temperature": ("temperature",),
    "frequency": ("frequency",),
    "scan_rate": ("scan_rate",),
    "fraction": ("fraction",),
    "number": (NUMBER,),
    "voltage_or_current": (*VOLTAGES, "current"),
    "current_or_power": ("current", "current_density", "power"),
}
"""What a value is described as -> the dimensions that it may have."""


def _values() -> Json:
    found = {name: _value(*dimensions) for name, dimensions in _MAY_BE.items()}
    rest = {"const": "open_circuit", "description": "The rest voltage, measured when the step begins."}
    return {
        **found,
        "any": {
            "description": "A number, a quantity such as '30 min', '$name', or arithmetic.",
            "type": ["string", "number"],
            "minLength": 1,
        },
        "count": {
            "description": "A whole number, 1 or more; or the '$name' of one.",
            "type": ["integer", "string"],
            "minimum": 1,
            "pattern": rf"^\s*(?:{patterns.ARITHMETIC})\s*$",
        },
        "start_voltage": {"anyOf": [rest, _described("voltage")]},
        "bias": {"anyOf": [rest, _described("voltage_or_current")]},
        "points": {
            "type": "array",
            "items": {
                "type": "array",
                "prefixItems": [_described("time"), _described("current_or_power")],
                "minItems": 2,
                "maxItems": 2,
            },
            "minItems": 2,
        },
    }


def _value(*dimensions: str) -> Json:
    """Return what a value of one of these dimensions looks like."""
    due = expected_words(dimensions[0])
    numeric = NUMBER in dimensions or "fraction" in dimensions
    return {
        "description": f"{due[0].upper()}{due[1:]}; or '$name', or arithmetic with names and quantities.",
        "type": ["string", "number"] if numeric else "string",
        "pattern": patterns.value(*dimensions),
        "examples": [_EXAMPLES.get(dimension) or DIMENSIONS[dimension].example for dimension in dimensions],
        # Not of the draft: what Visual Studio Code says instead of showing the pattern.
        "patternErrorMessage": f"Expected {due}, '$name' or arithmetic.",
    }


def _parameters() -> Json:
    start = {"from": _described("any"), "to": _described("any")}
    ways = {"by": "any", "factor": "number", "points_per_decade": "count"}
    return {
        "parameter": {
            "anyOf": [
                _described("any"),
                _closed(
                    {
                        "default": _described("any", "What is taken if nothing else is said; gives the dimension."),
                        "min": _described("any", "The least that it may be set to."),
                        "max": _described("any", "The most that it may be set to."),
                    },
                    "default",
                ),
            ]
        },
        "ladder": {
            "type": "object",
            "propertyNames": {"pattern": f"^{patterns.NAME}$"},
            "minProperties": 1,
            "additionalProperties": {
                "anyOf": [
                    {"type": "array", "items": _described("any"), "minItems": 1},
                    *(_closed({**start, way: _described(kind)}, *start, way) for way, kind in ways.items()),
                ]
            },
        },
    }


# --- conditions ------------------------------------------------------------------------------------------------

_OPTIONS = {"fraction": "fraction", NUMBER: "number", "time": "time", "voltage": "voltage_change"}


def _conditions() -> Json:
    return {
        "condition": {
            "description": "A comparison such as 'voltage >= 4.2 V', several with 'and' and 'or', or a detector.",
            "type": "string",
            "maxLength": 500,
            "pattern": patterns.condition(),
            "examples": ["voltage >= 4.2 V", "current <= 0.05C and time >= 1 min", "short_circuit"],
            "patternErrorMessage": (
                f"Expected a comparison such as 'voltage >= 4.2 V', of one of: {', '.join(MEASURED)}; or a detector:"
                f" {', '.join(DETECTORS)}."
            ),
        },
        "test": {
            "description": "A condition, looked at once; what was measured is that of the step that has just ended.",
            "type": "string",
            "maxLength": 500,
            "pattern": patterns.test(),
            "examples": ["charge >= 1 mAh", "$cycles >= 3 and retention <= 80 %"],
        },
        "detector": {
            "description": "A detector with its options.",
            **_closed(
                {
                    name: _closed({key: _described(_OPTIONS[option.dimension]) for key, option in options.items()})
                    for name, options in DETECTORS.items()
                }
            ),
            "minProperties": 1,
            "maxProperties": 1,
        },
        "action": {
            "description": "What happens then: 'next' (the step or block is over), 'break' out of the repeat, 'goto' a"
            " label, 'end' the run, 'fail' it.",
            "type": "string",
            "pattern": rf"^\s*(?:next|break|end|fail|goto\s+{LABEL.pattern})\s*$",
            "examples": ["next", "break", "goto name", "end", "fail"],
        },
        "end": {
            "anyOf": [
                _described("condition"),
                _described("detector"),
                _closed(
                    {
                        "when": {"anyOf": [_described("condition"), _described("detector")]},
                        "then": _described("action", "What happens when it holds; 'next' if nothing is said."),
                        "held_for": _described("time", "It must have held at every reading for so long."),
                        "not_before": _described("time", "If it holds sooner after the beginning: 'otherwise'."),
                        "by": _described("time", "If it has not held so long after the beginning: 'otherwise'."),
                        "otherwise": _described("action", "What happens if it comes too soon or not in time; 'fail'."),
                    },
                    "when",
                ),
            ]
        },
        "ends": {
            "description": "What ends it: one condition, or a list of which any does.",
            "anyOf": [_described("end"), {"type": "array", "items": _described("end"), "minItems": 1}],
        },
    }
