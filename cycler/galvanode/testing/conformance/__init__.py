"""What the engine relies on in every driver, tried at the driver's simulated instrument with its faults.

A package that brings an instrument family has it tried by pytest in three lines:

    from galvanode.testing.conformance import conformance_of
    from galvanode_acme import FAMILY

    TestAcme100 = conformance_of(FAMILY)

Nothing of an instrument is assumed but its role; what a test must know besides are the family's ``Facts``.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any

from galvanode.instrument.family import Family
from galvanode.instrument.scpi import ScpiInstrument
from galvanode.testing.conformance.analyzer import AnalyzerConformance
from galvanode.testing.conformance.chamber import ChamberConformance
from galvanode.testing.conformance.cycler import CyclerConformance
from galvanode.testing.conformance.scpi import ScpiConformance
from galvanode.testing.conformance.sequencer import SequencerConformance
from galvanode.testing.conformance.unit import UnitConformance

_SUITES: dict[str, type[UnitConformance]] = {
    "cycler": CyclerConformance,
    "analyzer": AnalyzerConformance,
    "chamber": ChamberConformance,
    "sequencer": SequencerConformance,
}


def conformance_of(family: Family) -> type[UnitConformance]:
    """Return the tests of a family's role, as a class that pytest collects under a name with ``Test``."""
    bases: list[type] = [_SUITES[family.role]]
    driver: Any = family.load_driver()
    if issubclass(driver, ScpiInstrument):
        bases.insert(0, ScpiConformance)
    made: Any = type(f"Test_{family.name}", tuple(bases), {"family": family})
    for name, test in inspect.getmembers(made, inspect.iscoroutinefunction):
        if name.startswith("test_"):
            setattr(made, name, _on_a_loop(test))
    return made


def _on_a_loop(test: Callable[..., Any]) -> Callable[..., None]:
    """Return a test that pytest runs without a plugin for asynchronous ones."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.run(test(*arguments, **named))

    return run
