"""A program comes out of the other process as it went in, and the event loop does not notice."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

import pytest

from galvanode.engine.admission import Offer
from galvanode.engine.compiling import ApartCompiler, compile_submission, let_go, put_together, taken_apart
from galvanode.engine.contract import Submit
from galvanode.errors import InvalidInput, Refused
from galvanode.instrument.roles import Capabilities
from galvanode.recipe.program import Program

CELL = """
name: Cell
area: 1 cm^2
electrolyte_thickness: 1 mm
temperature: 25 degC
stack_pressure: unknown
envelope: {voltage: {min: -5 V, max: 5 V}, current: {max: 0.1 A}}
"""
OFFER = Offer(Capabilities(frozenset({"rest", "current", "voltage"}), (-21.0, 21.0), (-1.05, 1.05), 0.02), None, False)


def submission(method: str) -> Submit:
    recipe = f"title: T\nmethod:\n{method}"
    return Submit(channel="ch", recipe=recipe, recipe_name="r.yaml", cell=CELL, cell_name="c.yaml")


def steps(count: int) -> str:
    return "".join(f"  - plate: {{current: 0.{number % 9 + 1} mA, for: {number + 1} s}}\n" for number in range(count))


@pytest.fixture
async def compiler() -> AsyncIterator[ApartCompiler]:
    apart = ApartCompiler()
    yield apart
    await apart.close()


@pytest.mark.parametrize("count", [1, 24, 25, 26, 130])
async def test_a_program_is_put_together_as_it_was_compiled(count: int):
    compiled = compile_submission(submission(steps(count)), OFFER)
    assert await put_together(compiled.parts) == Program.model_validate_json(compiled.text)
    assert await put_together(taken_apart(compiled.text)) == Program.model_validate_json(compiled.text)


async def test_a_recipe_is_compiled_in_another_process(compiler: ApartCompiler):
    compiled = await compiler.compile(submission(steps(3)), OFFER)
    assert compiled == compile_submission(submission(steps(3)), OFFER)
    assert await compiler.take_apart(compiled.text) == compiled.parts


async def test_what_is_refused_there_keeps_its_place(compiler: ApartCompiler):
    with pytest.raises(InvalidInput) as invalid:
        await compiler.compile(submission("  - rset: {for: 1 s}\n"), OFFER)
    assert str(invalid.value).startswith("r.yaml:3:")
    with pytest.raises(Refused) as refused:
        await compiler.compile(submission("  - chamber: {set: 30 degC}\n"), OFFER)
    assert str(refused.value) == "r.yaml:3: this channel has no chamber"


async def test_a_stored_program_of_another_version_is_refused(compiler: ApartCompiler):
    with pytest.raises(ValueError, match="format"):
        await compiler.take_apart('{"format": 1, "title": "T"}')


async def test_the_event_loop_goes_on_while_a_large_program_is_put_together():
    parts = compile_submission(submission(steps(2000)), OFFER).parts
    turns: list[float] = []

    async def look() -> None:
        while True:
            turns.append(time.thread_time())
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    program = await put_together(parts)
    instructions = list(program.instructions)
    del program
    await let_go(instructions)
    looking.cancel()
    assert instructions == []
    waits = [later - earlier for earlier, later in itertools.pairwise(turns)]
    assert max(waits) < 0.05, f"the loop stood still for {max(waits):.3f} s of processor time"
