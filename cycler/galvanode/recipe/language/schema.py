"""The JSON Schema of a recipe (draft 2020-12), for completion and squiggles in an editor.

The keys come from the models that the compiler reads, so that the two cannot part; a key without words here is a fault
that a test finds. What a schema cannot say (limits of the cell, what a name stands for) ``galvanode check`` does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from galvanode.recipe.language import bodies, patterns
from galvanode.recipe.language.bodies import DRIVES
from galvanode.recipe.language.known import ANALYSES, DETECTORS, MEASURED
from galvanode.recipe.language.model import LABEL
from galvanode.recipe.language.values import C_RATE, NUMBER, POTENTIAL, VOLTAGES, expected_words
from galvanode.units import DIMENSIONS

VERSION = 2
"""Of the recipe language."""

Json = dict[str, Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_EXAMPLES = {NUMBER: "0.5", POTENTIAL: "4.22 V vs Li+/Li", C_RATE: "0.2C"}


def recipe_schema() -> Json:
    """Return the schema of a whole recipe."""
    return {
        "$schema": _DRAFT,
        "title": "Galvanode recipe",
        "description": "A recipe of Galvanode, version 2 of the language. See docs/how-to/write-a-recipe.md.",
        "type": "object",
        "properties": {
            "version": {
                "description": "Version of the recipe language; 1 where it is missing.",
                "type": "integer",
                "minimum": 1,
                "maximum": VERSION,
            },
            "title": _text("What the recipe is called."),
            "description": _text("What it is for, and where it comes from."),
            "example_cell": _text("Cell of the library that 'galvanode check' takes when none is given."),
            "parameters": {
                "description": "What may be set when the recipe is run, each with a default: '$name' in the method.",
                "type": "object",
                "propertyNames": {"pattern": f"^{patterns.NAME}$"},
                "additionalProperties": _ref("parameter"),
            },
            "safety": _ref("safety", "Limits that trip the run; inside the cell's envelope."),
            "record": _ref("record", "Which readings become samples. Without it every reading does."),
            "analysis": {
                "description": "Figures that are worked out from the run's data.",
                "type": "array",
                "items": {"enum": list(ANALYSES)},
                "uniqueItems": True,
            },
            "method": {"description": "The steps, in their order.", "$ref": "#/$defs/items"},
        },
        "required": ["title", "method"],
        "additionalProperties": False,
        "$defs": {**_values(), **_shared(), **_steps(), **_control()},
    }


def schema_text() -> str:
    """Return the schema as the published file has it, in ASCII: every console can show it."""
    return json.dumps(recipe_schema(), indent=2) + "\n"


def _text(description: str) -> Json:
    return {"description": description, "type": "string", "minLength": 1}


def _ref(name: str, description: str = "") -> Json:
    return {"description": description, "$ref": f"#/$defs/{name}"} if description else {"$ref": f"#/$defs/{name}"}


# --- values ----------------------------------------------------------------------------------------------------


def _value(*dimensions: str) -> Json:
    """Return what a value of one of these dimensions looks like."""
    kinds: list[str] = ["string"]
    if NUMBER in dimensions or "fraction" in dimensions:
        kinds.append("number")
    due = expected_words(dimensions[0])
    return {
        "description": f"{due[0].upper()}{due[1:]}; or '$name', or arithmetic with names and quantities.",
        "type": kinds if len(kinds) > 1 else kinds[0],
        "pattern": patterns.value(*dimensions),
        "examples": [_EXAMPLES.get(dimension) or DIMENSIONS[dimension].example for dimension in dimensions],
        # Not of the draft: what Visual Studio Code says instead of showing the pattern.
        "patternErrorMessage": f"Expected {due}, '$name' or arithmetic.",
    }


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
"""Definition -> the dimensions of its values."""


def _values() -> Json:
    found = {name: _value(*dimensions) for name, dimensions in _MAY_BE.items()}
    found["any"] = {
        "description": "A number, a quantity such as '30 min', '$name', or arithmetic.",
        "type": ["string", "number"],
        "minLength": 1,
    }
    found["count"] = {
        "description": "A whole number, 1 or more; or the '$name' of one.",
        "type": ["integer", "string"],
        "minimum": 1,
        "pattern": rf"^\s*(?:{patterns.ARITHMETIC})\s*$",
    }
    return found


_OPEN_CIRCUIT = {"const": "open_circuit", "description": "The rest voltage, measured when the step begins."}


def _or_open_circuit(name: str) -> Json:
    return {"anyOf": [_OPEN_CIRCUIT, _ref(name)]}


# --- what several steps share ----------------------------------------------------------------------------------


def _window(low: Json, high: Json, *required: str) -> Json:
    return _closed({"min": low, "max": high}, required)


def _closed(properties: Json, required: Iterable[str] = ()) -> Json:
    found: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": list(required)} if list(required) else {})


def _shared() -> Json:
    return {
        "parameter": {
            "anyOf": [
                _ref("any"),
                _closed(
                    {
                        "default": _ref("any", "What is taken if nothing else is said; gives the dimension."),
                        "min": _ref("any", "The least that it may be set to."),
                        "max": _ref("any", "The most that it may be set to."),
                    },
                    ["default"],
                ),
            ]
        },
        "safety": _model(bodies.Safety, _SAFETY),
        "record": _model(bodies.RecordWhen, _RECORD),
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
        "detector": {
            "description": "A detector with its options.",
            "type": "object",
            "properties": {
                name: _closed({key: _ref(_OPTIONS[option.dimension]) for key, option in options.items()})
                for name, options in DETECTORS.items()
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        },
        "action": {
            "description": "What happens then: 'next' (the step or block is over), 'break' out of the repeat, 'goto' a"
            " label, 'end' the run, 'fail' it.",
            "type": "string",
            "pattern": rf"^\s*(?:next|break|end|fail|goto\s+{_LABEL})\s*$",
            "examples": ["next", "break", "goto name", "end", "fail"],
        },
        "end": {
            "anyOf": [
                _ref("condition"),
                _ref("detector"),
                _closed(
                    {
                        "when": {"anyOf": [_ref("condition"), _ref("detector")]},
                        "then": _ref("action", "What happens when it holds; 'next' if nothing is said."),
                        "held_for": _ref("time", "It must have held at every reading for so long."),
                        "not_before": _ref("time", "If it holds sooner after the beginning: 'otherwise'."),
                        "by": _ref("time", "If it has not held so long after the beginning: 'otherwise'."),
                        "otherwise": _ref("action", "What happens if it comes too soon or not in time; 'fail'."),
                    },
                    ["when"],
                ),
            ]
        },
        "ends": {
            "description": "What ends it: one condition, or a list of which any does.",
            "anyOf": [_ref("end"), {"type": "array", "items": _ref("end"), "minItems": 1}],
        },
    }


_LABEL = LABEL.pattern
_OPTIONS = {"fraction": "fraction", NUMBER: "number", "time": "time", "voltage": "voltage_change"}
_INTERVAL = "Seconds between two of them, such as '10 s'."

_SAFETY: Json = {
    "voltage": {
        "description": "At the terminals.",
        **_window(_ref("voltage"), _ref("voltage")),
        "minProperties": 1,
    },
    "current": {
        "description": "'max' alone bounds either sign.",
        **_window(_ref("current"), _ref("current"), "max"),
    },
    "current_density": {
        "description": "Of either sign; instead of 'current'.",
        **_closed({"max": _ref("current_density")}, ["max"]),
    },
    "temperature": {
        "description": "Needs a chamber on the channel.",
        **_window(_ref("temperature"), _ref("temperature")),
        "minProperties": 1,
    },
    "check_every": _ref("time", "The longest time between two readings; 10 s if nothing is said."),
}
_RECORD: Json = {
    "every": _ref("time", "After so long."),
    "voltage_change": _ref("voltage_change", "After so much of a change."),
    "current_change": _ref("current", "After so much of a change."),
    "charge_change": _ref("charge", "After so much charge has passed, of either sign."),
    "burst": {
        "description": "In quick succession at the beginning of every step.",
        **_closed(
            {"every": _ref("time", "Between readings, 1 ms or more."), "for": _ref("time", "For so long.")},
            ["every", "for"],
        ),
    },
}


# --- steps -----------------------------------------------------------------------------------------------------

STEPS: dict[str, tuple[type[BaseModel], str]] = {
    "rest": (bodies.Rest, "Open circuit; the voltage is measured."),
    "constant_current": (bodies.ConstantCurrent, "A current with its sign: positive charges."),
    "plate": (bodies.Plate, "A positive current, given in magnitude."),
    "strip": (bodies.Strip, "A negative current, given in magnitude."),
    "constant_power": (bodies.ConstantPower, "A power with its sign: positive charges."),
    "constant_resistance": (bodies.ConstantResistance, "A load that the cell discharges through."),
    "constant_voltage": (bodies.ConstantVoltage, "A voltage at the terminals; also for a DC polarisation."),
    "charge": (bodies.Charge, "A charge by C-rate, current or power; with 'then_hold' a CC-CV."),
    "discharge": (bodies.Discharge, "A discharge by C-rate, current, power or through a load."),
    "sweep": (bodies.Sweep, "Linear sweep voltammetry."),
    "cyclic_voltammetry": (bodies.CyclicVoltammetry, "From the start through the vertices and back."),
    "impedance": (bodies.Impedance, "A spectrum from a high frequency to a low one."),
    "profile": (bodies.Profile, "A current or a power that changes with time, from a CSV file or from points."),
    "operator": (bodies.Operator, "Make the cell safe and wait until somebody has answered."),
    "chamber": (bodies.Chamber, "Set the chamber's temperature, and wait until it is stable if wanted."),
}
"""Verb -> what stands inside it, and what it does."""

_ANYWHERE: Json = {
    "name": _text("What the step is called in the run's tables."),
    "instrument": {
        "description": "Which of the channel's instruments carries it out; any that can, if nothing is said.",
        "enum": ["cycler", "analyzer"],
    },
    "safety": _ref("safety", "Tighter limits for this step."),
    "record": _ref("record", "What this step records; what it does not mention stays."),
    "for": _ref("time", "How long at most."),
    "until": _ref("ends"),
    "current": _ref("current"),
    "current_density": _ref("current_density"),
    "rate": _ref("rate"),
    "power": _ref("power"),
    "resistance": _ref("resistance"),
    "voltage": _ref("voltage"),
    "current_limit": _ref("current", "The most that it may draw; without it, what the cell's envelope allows."),
}
_SCAN: Json = {
    "from": {"description": "Where it begins; the rest voltage if nothing is said.", **_or_open_circuit("voltage")},
    "to": _ref("voltage", "Where it ends."),
    "rate": _ref("scan_rate"),
    "step": _ref("voltage_change", "Between samples; '1 mV' if nothing is said."),
    "vertices": {
        "description": "The voltages that it turns round at.",
        "type": "array",
        "items": _ref("voltage"),
        "minItems": 1,
        "maxItems": 100,
    },
    "cycles": _ref("count", "How often all of it is run through."),
    "ir_correction": {
        "description": "Make up for the voltage drop over a resistance, or a share of it.",
        **_closed(
            {
                "resistance": _ref("resistance", "From a spectrum of this cell."),
                "share": _ref("fraction", "At most 100 %, which is taken if nothing is said."),
            },
            ["resistance"],
        ),
    },
}
_ONLY_IN: dict[type[BaseModel], Json] = {
    bodies.Charge: {
        "then_hold": {
            "description": "Hold the voltage that ended the step, at no more than its current.",
            **_closed({"for": _ANYWHERE["for"], "until": _ref("ends")}),
            "anyOf": [{"required": ["for"]}, {"required": ["until"]}],
        }
    },
    bodies.Sweep: _SCAN,
    bodies.CyclicVoltammetry: _SCAN,
    bodies.Impedance: {
        "kind": {"enum": ["potentiostatic", "galvanostatic"], "default": "potentiostatic"},
        "from": _ref("frequency", "The highest."),
        "to": _ref("frequency", "The lowest."),
        "points_per_decade": _ref("count", "10 if nothing is said; 100 at most."),
        "amplitude": _ref("voltage_or_current", "rms; '10 mV' if nothing is said, a current if galvanostatic."),
        "bias": {"description": "Open circuit if nothing is said.", **_or_open_circuit("voltage_or_current")},
        "averages": _ref("count", "How often the whole spectrum is measured; 100 at most."),
    },
    bodies.Profile: {
        "file": {
            "description": "CSV file beside the recipe or in the library: columns 'time_s' and 'current_A' or"
            " 'power_W', other units after the '_'.",
            "type": "string",
            "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_. -]*\.[cC][sS][vV]$",
        },
        "points": {
            "description": "Times and values; each holds until the next one's time, and the last one is the end.",
            "type": "array",
            "items": {
                "type": "array",
                "prefixItems": [_ref("time"), _ref("current_or_power")],
                "minItems": 2,
                "maxItems": 2,
            },
            "minItems": 2,
        },
        "quantity": {"description": "Which column, where the file has both.", "enum": ["current", "power"]},
        "scale": _ref("number", "What all values are multiplied with."),
    },
    bodies.Operator: {
        "message": _text("What is to be done, or asked."),
        "asks": {
            "description": "What the answer is; a confirmation if nothing is said.",
            "enum": ["confirmation", "number", "photo"],
            "default": "confirmation",
        },
        "name": {"description": "Variable that the number becomes.", "type": "string", "pattern": f"^{patterns.NAME}$"},
        "default": _ref("any", "Gives the number's dimension, and is what a dry run answers."),
        "min": _ref("any", "The least that is accepted."),
        "max": _ref("any", "The most that is accepted."),
        "within": _ref("time", "The run fails without an answer; without it the cell waits for as long as it takes."),
    },
    bodies.Chamber: {
        "set": _ref("temperature"),
        "until": {"description": "Wait until it is.", "const": "stable"},
        "band": _ref("temperature", "To either side, in K; '0.5 K' if nothing is said."),
        "for": _ref("time", "How long without a break inside the band; '30 min' if nothing is said."),
        "within": _ref("time", "The run fails if it is not stable by then; '4 h' if nothing is said."),
    },
}


def _steps() -> Json:
    return {f"step_{verb}": {"description": words} | _body(model) for verb, (model, words) in STEPS.items()}


def _body(model: type[BaseModel]) -> Json:
    own = next((found for known, found in _ONLY_IN.items() if issubclass(model, known)), {})
    found = _model(model, _ANYWHERE | own)
    rules: list[Json] = []
    if issubclass(model, bodies.StepBody):
        rules.append({"anyOf": [{"required": ["for"]}, {"required": ["until"]}]})
    drives = [key for key in DRIVES if key in found["properties"] and key not in found.get("required", ())]
    if drives:
        rules.append({"oneOf": [{"required": [key]} for key in drives]})
    if model is bodies.Profile:
        rules.append({"oneOf": [{"required": ["file"]}, {"required": ["points"]}]})
    if model is bodies.Operator:
        about = ["name", "default", "min", "max"]
        rules.append(
            {
                "if": {"properties": {"asks": {"const": "number"}}, "required": ["asks"]},
                "then": {"required": ["name", "default"]},
                "else": {"not": {"anyOf": [{"required": [key]} for key in about]}},
            }
        )
    if model is bodies.Chamber:
        rules.append({"dependentRequired": {key: ["until"] for key in ("band", "for", "within")}})
    return found | ({"allOf": rules} if rules else {})


def _model(model: type[BaseModel], words: Json) -> Json:
    """Return the schema of a mapping with the keys of a model."""
    keys = {info.alias or name: info for name, info in _fields(model).items()}
    return _closed({key: words[key] for key in keys}, [key for key, info in keys.items() if info.is_required()])


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return model.model_fields


# --- control ---------------------------------------------------------------------------------------------------

_BESIDE = {
    "repeat": ("times", "ladder", "for", "stop_when", "name"),
    "group": ("for", "stop_when", "safety", "record", "name"),
    "if": ("then", "else"),
}
"""Block -> the keys that may stand beside it."""


def _control() -> Json:
    verbs = {verb: _ref(f"step_{verb}") for verb in STEPS} | _blocks()
    beside: Json = {
        "label": {"description": "Where a 'goto' leads.", "type": "string", "pattern": f"^{_LABEL}$"},
        "times": _ref("count", "How often the block runs; at every value, beside a ladder."),
        "ladder": _ref("ladder"),
        "for": _ref("time", "A repeat ends with the turn that reaches it; a group ends at once."),
        "stop_when": _ref("ends", "What ends the block, at any reading inside it."),
        "safety": _ref("safety", "Tighter limits for this group."),
        "record": _ref("record", "What this group records; what it does not mention stays."),
        "name": _text("What the block is called."),
        "then": _ref("items", "What is done if the condition holds."),
        "else": _ref("items", "What is done if it does not."),
    }
    return {
        "items": {"type": "array", "items": _ref("item"), "minItems": 1},
        "item": {
            "anyOf": [
                {
                    "enum": ["break", "end", "fail"],
                    "description": "Leave the repeat; complete the run; end it as failed.",
                },
                {
                    "type": "object",
                    "properties": verbs | beside,
                    "additionalProperties": False,
                    "oneOf": [{"required": [verb]} for verb in verbs],
                    "allOf": [_only_beside(key) for key in beside if key != "label"],
                },
            ]
        },
        "ladder": {
            "description": "Variables that take one value after the other, together.",
            "type": "object",
            "propertyNames": {"pattern": f"^{patterns.NAME}$"},
            "minProperties": 1,
            "additionalProperties": {
                "anyOf": [
                    {"type": "array", "items": _ref("any"), "minItems": 1},
                    _closed({"from": _ref("any"), "to": _ref("any"), "by": _ref("any")}, ["from", "to", "by"]),
                    _closed(
                        {"from": _ref("any"), "to": _ref("any"), "factor": _ref("number")}, ["from", "to", "factor"]
                    ),
                    _closed(
                        {"from": _ref("any"), "to": _ref("any"), "points_per_decade": _ref("count")},
                        ["from", "to", "points_per_decade"],
                    ),
                ]
            },
        },
    }


def _only_beside(key: str) -> Json:
    """Return the rule that a key stands beside a block that knows it."""
    blocks = [block for block, keys in _BESIDE.items() if key in keys]
    return {"if": {"required": [key]}, "then": {"anyOf": [{"required": [block]} for block in blocks]}}


def _blocks() -> Json:
    return {
        "repeat": _ref("items", "A block that is repeated: 'times', over a 'ladder', 'for' a time, until 'stop_when'."),
        "group": _ref("items", "A block that is gone through once, with ends, limits or records of its own."),
        "if": {
            "description": "A condition, looked at once; what was measured is that of the step that has just ended.",
            "type": "string",
            "maxLength": 500,
            "pattern": patterns.test(),
            "examples": ["charge >= 1 mAh", "$cycles >= 3 and retention <= 80 %"],
        },
        "set": {
            "description": "Variables, and what they become: '$name', arithmetic, or what was measured in the step that"
            f" has just ended: {', '.join(MEASURED)}.",
            "type": "object",
            "propertyNames": {"pattern": f"^{patterns.NAME}$"},
            "minProperties": 1,
            "additionalProperties": _ref("any"),
        },
        "call": {
            "description": "Another recipe, beside this one or in the library, by its plain name.",
            "anyOf": [
                {"type": "string", "pattern": "^[a-z0-9-]+$"},
                _closed(
                    {
                        "recipe": {"type": "string", "pattern": "^[a-z0-9-]+$"},
                        "with": {
                            "description": "Its parameters, and what they are set to.",
                            "type": "object",
                            "propertyNames": {"pattern": f"^{patterns.NAME}$"},
                            "additionalProperties": _ref("any"),
                        },
                    },
                    ["recipe"],
                ),
            ],
        },
        "goto": {
            "description": "Go on at the item with this 'label', in this block or in one around it.",
            "anyOf": [
                {"type": "string", "pattern": f"^{_LABEL}$"},
                _closed(
                    {
                        "label": {"type": "string", "pattern": f"^{_LABEL}$"},
                        "at_most": _ref("count", "How often; once more fails the run. 10,000 if nothing is said."),
                    },
                    ["label"],
                ),
            ],
        },
        **{
            word: {"description": f"{words} With a text that says why.", "type": "string", "minLength": 1}
            for word, words in (
                ("break", "Leave the innermost repeat."),
                ("end", "Complete the run."),
                ("fail", "End the run as failed."),
            )
        },
    }
