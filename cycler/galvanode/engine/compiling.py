"""From a submission to a program: compiled and admitted elsewhere, put together here in slices.

A program of twenty thousand steps takes seconds to compile and most of a second to validate: the event loop that
watches cells must not stand still for either.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, TypeVar

from pydantic import TypeAdapter

from galvanode.cell import CellUnderTest, parse_cell
from galvanode.engine.admission import Offer, admit
from galvanode.engine.contract import Submit
from galvanode.engine.sensing import refuse_unmeasured
from galvanode.engine.workbench import Workbench
from galvanode.recipe.program import Instruction, Program

_SLICE = 25
"""Instructions that are put together at once, about a millisecond's work."""
_LOOP_FOR_S = 0.004
"""Real seconds after which others get their turn."""
_LARGE = 1000
"""Instructions from which on a program is left out of the garbage collector's rounds: one would take a second."""

_FORGOTTEN_AFTER_S = 2.0
"""Real seconds after which nobody refers to a run that has ended."""
_SHORT = 50_000
"""Characters of a stored program below which it is no work to read it."""

_T = TypeVar("_T")

_INSTRUCTIONS: TypeAdapter[tuple[Instruction, ...]] = TypeAdapter(tuple[Instruction, ...])


@dataclass(frozen=True)
class Parts:
    """A program in slices of JSON."""

    head: bytes
    """The program without its instructions."""
    slices: tuple[bytes, ...]
    large: bool


@dataclass(frozen=True)
class Compiled:
    """A program that its channel can carry out, as it comes out of the other process."""

    parts: Parts
    text: str
    """The program as it is stored."""
    cell: CellUnderTest


def compile_submission(request: Submit, offer: Offer) -> Compiled:
    """Compile a recipe for a cell and a channel. Raises ``InvalidInput`` and ``Refused`` with their places."""
    from galvanode.recipe import compile_recipe, parse_recipe  # here: where it is done, and nowhere else

    cell = parse_cell(request.cell, request.cell_name)
    recipe = parse_recipe(request.recipe, request.recipe_name, request.files)
    program = compile_recipe(recipe, cell, request.parameters)
    if not offer.alone:
        admit(program, offer, request.recipe_name)
    refuse_unmeasured(program, offer, (request.recipe_name, request.recipe), (request.cell_name, request.cell))
    return Compiled(_parts(program), program.model_dump_json(), cell)


def taken_apart(program_json: str) -> Parts:
    """Return a stored program in slices. Raises ``ValueError`` for one of another version."""
    return _parts(Program.model_validate_json(program_json))


def get_ready() -> None:
    """Import what compiling needs."""
    import_module("galvanode.recipe.method.compiler")


def _parts(program: Program) -> Parts:
    instructions = program.instructions
    slices = (instructions[start : start + _SLICE] for start in range(0, len(instructions), _SLICE))
    head = program.model_copy(update={"instructions": ()}).model_dump_json().encode()
    return Parts(head, tuple(_INSTRUCTIONS.dump_json(part) for part in slices), len(instructions) >= _LARGE)


async def put_together(parts: Parts) -> Program:
    """Make the program; the event loop goes on meanwhile."""
    instructions: list[Instruction] = []
    collects = parts.large and gc.isenabled()
    if collects:
        gc.disable()
    try:
        async for part in _with_breaks(parts.slices):
            instructions += _INSTRUCTIONS.validate_json(part)
        program = Program.model_validate_json(parts.head).model_copy(update={"instructions": tuple(instructions)})
    finally:
        if collects:
            gc.freeze()  # a program has no cycles: it goes when nobody refers to it any more
            gc.enable()
    return program


async def let_go(instructions: list[Instruction]) -> None:
    """Give a program's memory back bit by bit, once whoever had it has forgotten it: at once takes a quarter second."""
    if len(instructions) < _LARGE:
        return
    await asyncio.sleep(_FORGOTTEN_AFTER_S)
    async for _ in _with_breaks(range(0, len(instructions), _SLICE)):
        del instructions[-_SLICE:]


async def _with_breaks(items: Iterable[_T]) -> AsyncIterator[_T]:
    began = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - began > _LOOP_FOR_S:
            await asyncio.sleep(0)
            began = time.perf_counter()


class Compiler(Protocol):
    """Where submissions are compiled."""

    async def warm_up(self) -> None:
        """Get ready before anybody waits. Raises ``WorkLost``."""
        ...

    async def compile(self, request: Submit, offer: Offer) -> Compiled:
        """Compile a submission. Raises ``InvalidInput``, ``Refused``, ``WorkLost``."""
        ...

    async def take_apart(self, program_json: str) -> Parts:
        """Take a stored program apart. Raises ``ValueError``, ``WorkLost``."""
        ...

    async def close(self) -> None:
        """Give thread or process back."""
        ...


class BesideCompiler:
    """Compiles in a thread: enough where simulated time stands still meanwhile."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compile")

    async def warm_up(self) -> None:
        """A thread is always ready."""

    async def compile(self, request: Submit, offer: Offer) -> Compiled:
        """Compile a submission. Raises ``InvalidInput``, ``Refused``."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, compile_submission, request, offer)

    async def take_apart(self, program_json: str) -> Parts:
        """Take a stored program apart. Raises ``ValueError``."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, taken_apart, program_json)

    async def close(self) -> None:
        """Give the thread back."""
        self._thread.shutdown()


class ApartCompiler:
    """Compiles in a process of its own, for an engine that serves instruments in real time."""

    def __init__(self) -> None:
        self._workbench = Workbench()

    async def warm_up(self) -> None:
        """Start the process before anybody waits for it."""
        await self._workbench.do(get_ready)

    async def compile(self, request: Submit, offer: Offer) -> Compiled:
        """Compile a submission. Raises ``InvalidInput``, ``Refused``, ``WorkLost``."""
        return await self._workbench.do(compile_submission, request, offer)

    async def take_apart(self, program_json: str) -> Parts:
        """Take a stored program apart. Raises ``ValueError``, ``WorkLost``."""
        if len(program_json) < _SHORT:
            return taken_apart(program_json)
        return await self._workbench.do(taken_apart, program_json)

    async def close(self) -> None:
        """End the process."""
        await self._workbench.close()
