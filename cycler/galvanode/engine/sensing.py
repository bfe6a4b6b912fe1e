"""What a program asks to be watched must be measured on its channel: a limit without a sensor protects nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from galvanode.document import parse_document
from galvanode.engine.admission import Offer
from galvanode.errors import InvalidInput, Refused
from galvanode.quantities import BY_NAME
from galvanode.recipe.formula import parts
from galvanode.recipe.operand import Operand, Result
from galvanode.recipe.program import (
    AllOf,
    AnyOf,
    Assign,
    Branch,
    Condition,
    Instruction,
    Loop,
    Program,
    Step,
    Test,
    Window,
)
from galvanode.units import expected


def refuse_unmeasured(program: Program, offer: Offer, recipe: tuple[str, str], cell: tuple[str, str]) -> None:
    """Refuse limits and ends about what nothing on the channel measures. Raises ``Refused`` with their place.

    ``recipe`` and ``cell`` are each a name and the text: one of them says what cannot be watched.
    """
    _refuse_auxiliaries(program, offer, recipe)
    if offer.chamber:
        return
    _refuse_limits(program, recipe, cell)
    for instruction in program.instructions:
        for line, said in _about(instruction, _is_temperature):
            raise Refused(
                f"'{said}' is about the temperature, and the channel has no sensor for it; "
                "give the channel a 'chamber' in the bench file",
                Path(recipe[0]).name,
                line,
            )


def _refuse_limits(program: Program, recipe: tuple[str, str], cell: tuple[str, str]) -> None:
    line_of_step = _first_limited(program)
    if program.safety.temperature == Window() and line_of_step is None:
        return
    said = "limits the temperature, and the channel has no sensor for it"
    way = "give the channel a 'chamber' in the bench file, or take the limit out"
    line = _line(cell, ("envelope", "temperature"))
    if line is not None:
        raise Refused(f"the cell's envelope {said}; {way}", Path(cell[0]).name, line)
    line = _line(recipe, ("safety", "temperature")) or line_of_step
    raise Refused(f"'safety' {said}; {way}", Path(recipe[0]).name, line)


def _refuse_auxiliaries(program: Program, offer: Offer, recipe: tuple[str, str]) -> None:
    there = {item.name: item.dimension for item in offer.auxiliaries}
    for name, dimension in program.auxiliaries.items():
        if there.get(name) == dimension:
            continue
        known = ", ".join(there) or "nothing beside voltage and current"
        said = f"the recipe asks for the auxiliary reading {name!r}, {expected(dimension)}; the channel reads {known}"
        raise Refused(said, Path(recipe[0]).name, _first_about(name, program, recipe))


def _first_limited(program: Program) -> int | None:
    """The line of the first step that has limits of temperature; None where none has."""
    steps = (item for item in program.instructions if isinstance(item, Step))
    return next((step.line for step in steps if step.limits.temperature != Window()), None)


def _first_about(name: str, program: Program, recipe: tuple[str, str]) -> int | None:
    """The line that first limits an auxiliary reading or asks for it; None in a called recipe."""
    line = _line(recipe, ("safety", "auxiliary", name))
    if line is not None:
        return line
    for item in program.instructions:
        if isinstance(item, Step) and name in item.limits.auxiliary:
            return item.line
        for line, _ in _about(item, lambda asked: asked == name):
            return line
    return None


def _about(instruction: Instruction, meant: Callable[[str], bool]) -> Iterator[tuple[int, str]]:
    """Yield line and words of what an instruction asks of the quantities that are meant."""
    match instruction:
        case Step(until=ends, line=line) | Loop(stop_when=ends, line=line):
            yield from ((line, end.text) for end in ends if _asks(end.test, meant))
        case Branch(test=test, text=text, line=line) if _asks(test, meant):
            yield line, text
        case Assign(value=value, name=name, text=text, line=line) if _uses(value, meant):
            yield line, f"{name}: {text}"
        case _:
            return


def _asks(test: Test, meant: Callable[[str], bool]) -> bool:
    if isinstance(test, AllOf | AnyOf):
        return any(_asks(part, meant) for part in test.of)
    if not isinstance(test, Condition):
        return False
    return meant(test.quantity) or _uses(test.value, meant) or _uses(test.subject, meant)


def _uses(operand: Operand | None, meant: Callable[[str], bool]) -> bool:
    return any(isinstance(part, Result) and meant(part.quantity) for part in parts(operand))


def _is_temperature(name: str) -> bool:
    """Tell whether a quantity is the temperature at the cell, or its slope; an auxiliary reading is another."""
    quantity = BY_NAME.get(name)
    return quantity is not None and "temperature" in (quantity.name, quantity.slope_of)


def _line(file: tuple[str, str], path: tuple[str, ...]) -> int | None:
    """The line of a key in a YAML file; None where the file has no such key."""
    name, text = file
    try:
        document = parse_document(text, name)
        return None if document.at(path) is None else document.place(path, key=True)[0]
    except (InvalidInput, KeyError, TypeError):
        return None
