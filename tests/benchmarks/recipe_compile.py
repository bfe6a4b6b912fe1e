"""What reading and compiling a recipe costs, against making the same program from plain data.

    python -m tests.benchmarks.recipe_compile [--profile]

Everything is measured in one process and one run, so the ratios hold on any machine. The floor is pydantic, which
makes the program's models from the data that they were dumped to: less a compiler cannot do.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable
from typing import NamedTuple

from galvanode import yaml_text
from galvanode.cell import parse_cell
from galvanode.recipe import compile_recipe, parse_recipe
from galvanode.recipe.program import Program

CELL = """\
name: Li | LLZTO | Li
area: 1 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
nominal_capacity: 2 mAh
envelope: {voltage: {min: -5 V, max: 5 V}, current: {max: 50 mA}}
"""
STEPS = 10_000


def _plate(number: int) -> str:
    return f"- plate: {{current_density: 0.{number % 9 + 1} mA/cm^2, for: {number + 1} s, until: voltage >= 4 V}}\n"


def expanded() -> str:
    """A hundred steps a hundred times."""
    block = "".join(f"      {_plate(number)}" for number in range(100))
    return f"title: Expanded\nmethod:\n  - times: {STEPS // 100}\n    repeat:\n{block}"


def arithmetic() -> str:
    """A ladder of ten thousand values with arithmetic in its step, looked at for every value."""
    return (
        f"title: Arithmetic\nmethod:\n  - ladder: {{i: {{from: 1 uA, to: {STEPS} uA, by: 1 uA}}}}\n"
        "    repeat: [constant_current: {current: $i * 2, for: 1 s, until: voltage >= 3 V and charge >= 1 uAh}]\n"
    )


def called() -> str:
    """A hundred calls of a recipe of a hundred steps."""
    return "title: Called\nmethod:\n" + "  - call: block\n" * (STEPS // 100)


def flat() -> str:
    """Ten thousand steps written out."""
    return "title: Flat\nmethod:\n" + "".join(f"  {_plate(number)}" for number in range(STEPS))


def _files() -> dict[str, str]:
    text = "title: Block\nmethod:\n" + "".join(f"  {_plate(number)}" for number in range(STEPS // 100))
    return {"block.yaml": text}


class Cost(NamedTuple):
    """Seconds of processor time."""

    yaml_s: float
    read_s: float
    """YAML included."""
    compile_s: float
    floor_s: float

    @property
    def total_s(self) -> float:
        """Reading and compiling together."""
        return self.read_s + self.compile_s


def _timed(action: Callable[[], object]) -> float:
    """The fastest of three: the others were disturbed."""
    times: list[float] = []
    for _ in range(3):
        began = time.process_time()
        action()
        times.append(time.process_time() - began)
    return min(times)


def cost(text: str) -> Cost:
    """Measure one recipe."""
    cell, files = parse_cell(CELL, "cell"), _files()
    recipe = parse_recipe(text, "recipe", files)
    data = compile_recipe(recipe, cell).model_dump()
    return Cost(
        _timed(lambda: yaml_text.load(text, "recipe")),
        _timed(lambda: parse_recipe(text, "recipe", files)),
        _timed(lambda: compile_recipe(recipe, cell)),
        _timed(lambda: Program.model_validate(data)),
    )


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--profile", action="store_true", help="profile the flat recipe")
    if arguments.parse_args().profile:
        profiler = cProfile.Profile()
        profiler.runcall(lambda: compile_recipe(parse_recipe(flat(), "recipe"), parse_cell(CELL, "cell")))
        pstats.Stats(profiler).sort_stats("tottime").print_stats(30)
        return
    print(f"{STEPS:,} steps  {'YAML':>8} {'read':>8} {'compile':>8} {'total':>8} {'floor':>8}  compile/floor")
    for make in (expanded, arithmetic, called, flat):
        found = cost(make())
        numbers = " ".join(f"{part:8.3f}" for part in (found.yaml_s, found.read_s, found.compile_s, found.total_s))
        ratio = found.compile_s / found.floor_s
        print(f"{make.__name__:12} {numbers} {found.floor_s:8.3f}  {ratio:13.1f}")


if __name__ == "__main__":
    main()
