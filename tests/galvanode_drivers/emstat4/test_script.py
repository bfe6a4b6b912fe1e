"""Scripts for tasks: numbers without loss, ranges, cut-offs, refusals before anything is sent."""

from __future__ import annotations

import itertools
import math
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from galvanode.instrument.roles import Envelope, OutOfRange
from galvanode.instrument.tasks import (
    Cutoff,
    HoldCurrent,
    HoldVoltage,
    Impedance,
    OpenCircuit,
    Sweep,
)
from galvanode_drivers.emstat4.protocol import MODELS, Model, decode
from galvanode_drivers.emstat4.script import SAFE, Plan, literal, write
from galvanode_simulator.methodscript import Machine, Value, parse
from galvanode_simulator.methodscript import literal as meaning

HR, LR, PICO, NEXUS = (MODELS[key] for key in ("es4_hr", "es4_lr", "espico", "nexus1"))
ENVELOPE = Envelope(-2.0, 5.0, 0.1)
TASKS = [
    OpenCircuit(10.0, 0.5),
    HoldCurrent(-2.5e-3, 10.0, 0.5),
    HoldVoltage(0.0, 0.01, 10.0, 0.5),
    Sweep((0.0, 1.0), 0.01, 0.001, 0.01),
    Sweep((0.0, 1.0, -1.0, 0.0), 0.01, 0.001, 0.01, cycles=3),
    Sweep((0.0, 1.0, -1.0, 0.5, 0.0), 0.01, 0.003, 0.01, cycles=2),
    Impedance("potentiostatic", 1e5, 0.1, 61, 0.01, 0.0, 0.001),
    Impedance("galvanostatic", 1e5, 0.1, 61, 1e-4, -1e-3, 0.01),
]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (6.0, "6"),
        (1.5, "1500m"),
        (-0.5, "-500m"),
        (1e-4, "100u"),
        (200e3, "200k"),
        (1e6, "1M"),
        (0.30000000000000004, "300m"),
        (2.01e-3, "2010u"),
        (1 / 3, "333333333n"),
    ],
)
def test_a_number_is_an_integer_with_a_prefix(value: float, text: str):
    assert literal(value) == text


@given(st.integers(-(2**31) + 1, 2**31 - 1), st.integers(-18, 9))
def test_no_digit_is_lost_of_what_can_be_written(digits: int, exponent: int):
    value = float(f"{digits}e{exponent - exponent % 3}")
    assert meaning(literal(value)) == value


@given(st.floats(1e-8, 1e9), st.sampled_from([1, -1]))
def test_nine_digits_are_kept_of_any_number(magnitude: float, sign: int):
    assert meaning(literal(sign * magnitude)) == pytest.approx(sign * magnitude, rel=5e-7)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e20])
def test_what_is_no_number_is_refused(value: float):
    with pytest.raises(OutOfRange):
        literal(value)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
@pytest.mark.parametrize("model", [HR, LR, NEXUS], ids=lambda model: model.name)
def test_a_script_is_well_formed_and_switches_the_cell_off(task: Any, model: Any):
    plan = write(task, (Cutoff("voltage", ">=", 0.0),), ENVELOPE, model)
    program = parse(plan.script)
    assert [statement.name for statement in program.on_finished] == ["cell_off"]
    assert all(len(line) < 256 and line.strip() for line in plan.script)
    on = [n for n, line in enumerate(plan.script) if line.strip() == "cell_on"]
    assert all(any(line.startswith("set_") for line in plan.script[:n]) for n in on)


def test_the_script_that_makes_safe_switches_off_before_anything_else_can_fail():
    parse(SAFE)
    assert next(line for line in SAFE if not line.startswith(("var", "set_pgstat_chan"))) == "cell_off"


@pytest.mark.parametrize(
    ("value", "written"), [(0.0, "0"), (-0.25, "-250m"), (4.2, "4200m"), (1e-9, "1n"), (-1.23456789, "-1234567890n")]
)
@pytest.mark.parametrize(("quantity", "name"), [("voltage", "potential"), ("current", "current")])
@pytest.mark.parametrize("comparison", ["<=", ">="])
def test_a_cut_off_stands_in_the_loop_with_its_value(
    value: float, written: str, quantity: Any, name: str, comparison: Any
):
    plan = write(HoldCurrent(1e-3, 10.0, 0.5), (Cutoff(quantity, comparison, value),), ENVELOPE, HR)
    assert f"if {name} {comparison} {written}" in [line.strip() for line in plan.script]
    assert plan.ends[0] == (Cutoff(quantity, comparison, value), None)


def test_the_envelope_stands_in_every_loop_with_a_margin_for_noise():
    for task in TASKS:
        script = "\n".join(write(task, (), ENVELOPE, HR).script)
        for bound in ("potential >= 5005m", "potential <= -2005m", "current >= 101m", "current <= -101m"):
            assert script.count(bound) == script.count("meas_loop_")


def test_a_current_limit_is_a_range_and_a_cut_off():
    plan = write(HoldVoltage(1.0, 0.002, 10.0, 0.5), (), ENVELOPE, HR)
    assert "set_autoranging ba 1n 2m" in plan.script
    lines = [line.strip() for line in plan.script]
    assert "elseif current >= 2m" in lines
    assert "elseif current <= -2m" in lines


def test_a_limit_beyond_the_instrument_is_the_instruments_own():
    assert "set_autoranging ba 1n 200m" in write(HoldVoltage(1.0, 1.05, 10.0, 0.5), (), ENVELOPE, HR).script


def carried_out(task: Any, model: Model = HR) -> tuple[Plan, list[float], list[float]]:
    """A plan, the times of the samples that its script sends, and how long each measurement took, s."""
    plan = write(task, (), ENVELOPE, model)
    apertures: list[float] = []

    def measure(kind: str, aperture: float) -> Value:
        apertures.append(aperture)
        return Value(0.0, kind)

    held_current, on = isinstance(task, HoldCurrent), not isinstance(task, OpenCircuit)
    unit = Mock(galvanostat=held_current, cell_is_on=on, freeze_time=False, measure=measure)
    unit.set_point.return_value = Value(0.0, "da")
    lines: list[str] = []
    machine = Machine(parse(plan.script), unit, lines.append)
    for time in machine.run():
        machine.state.now = time
    times = [item.value for line in lines if line.startswith("P") for item in decode(line) if item.kind == "eb"]
    return plan, times, apertures


COMMANDS_S = 2e-3
"""More than the commands of a task take that come between two measurement loops."""


@settings(max_examples=30)
@given(st.sampled_from(["open circuit", "current", "voltage"]), st.floats(0.02, 100.0), st.floats(0.2, 40.0))
@example("current", 0.1, 10.0)
@example("voltage", 1.0, 25.0)
@example("open circuit", 3.0, 1.0)
@example("current", 8.0, 112.5)
def test_what_is_held_is_sampled_at_its_start_after_each_interval_and_at_its_very_end(
    what: str, interval: float, intervals: float
):
    duration = interval * intervals
    plan, times, apertures = carried_out(
        {
            "open circuit": OpenCircuit(duration, interval),
            "current": HoldCurrent(0.01, duration, interval),
            "voltage": HoldVoltage(1.0, 0.05, duration, interval),
        }[what]
    )
    assert len(times) == plan.samples
    assert times[0] <= 0.02 + COMMANDS_S
    assert max(apertures) <= 1.0 + 1e-6  # cut-offs are looked at this often, whatever is sent
    count = math.ceil(intervals - 1e-6)
    grid = [duration * n / count for n in range(1, count + 1)]
    assert times[-count:] == pytest.approx(grid, rel=1e-5, abs=COMMANDS_S)
    assert len(times) <= count + 1


@pytest.mark.parametrize("cycles", [1, 3])
@pytest.mark.parametrize("vertices", [(0.0, 0.5), (0.0, 0.5, 0.0), (0.0, 0.5, -0.5, 0.2, 0.0)])
def test_a_sweep_is_sampled_at_its_start(vertices: tuple[float, ...], cycles: int):
    plan, times, _ = carried_out(Sweep(vertices, 0.01, 0.05, 0.01, cycles))
    assert len(times) == plan.samples
    assert times[0] <= 0.02
    assert times[1] == pytest.approx(5.0, abs=0.02)


def test_samples_that_are_close_have_none_beside_them():
    _, times, _ = carried_out(HoldCurrent(0.01, 0.05, 0.01))
    assert times == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.05], abs=1e-3)


@given(
    st.lists(st.integers(-40, 40), min_size=2, max_size=6).filter(
        lambda v: all(a != b for a, b in itertools.pairwise(v))
    ),
    st.floats(0.002, 1.0),
)
def test_a_sweep_reaches_every_vertex(tenths: list[int], step: float):
    vertices = tuple(n / 10 for n in tenths)
    plan = write(Sweep(vertices, 0.01, step, 0.01), (), Envelope(-5, 5, 0.1), HR)
    loops = [line.split() for line in plan.script if "meas_loop_lsv" in line or "meas_loop_cv" in line]
    if loops[0][0] == "meas_loop_cv":
        return
    assert len(loops) == len(vertices) - 1
    for (start, end), words in zip(itertools.pairwise(vertices), loops, strict=True):
        begin, last, by = (meaning(text) for text in words[3:6])
        assert last == end
        assert by <= step * (1 + 1e-6)
        steps = abs(last - begin) / by
        assert steps == pytest.approx(round(steps), abs=1e-3)
        assert begin in (start, pytest.approx(start + math.copysign(by, end - start), abs=1e-6))


@pytest.mark.parametrize(
    ("task", "model"),
    [
        (HoldVoltage(6.01, 0.01, 1.0, 0.5), HR),
        (HoldVoltage(3.01, 0.01, 1.0, 0.5), LR),
        (HoldVoltage(-1.3, 0.001, 1.0, 0.5), PICO),
        (HoldVoltage(math.nan, 0.01, 1.0, 0.5), HR),
        (HoldVoltage(1.0, 0.0, 1.0, 0.5), HR),
        (HoldVoltage(1.0, math.nan, 1.0, 0.5), HR),
        (HoldCurrent(0.21, 1.0, 0.5), HR),
        (HoldCurrent(-0.031, 1.0, 0.5), LR),
        (HoldCurrent(math.inf, 1.0, 0.5), HR),
        (HoldCurrent(1e-3, 1.0, 0.5), PICO),
        (OpenCircuit(0.0, 0.5), HR),
        (OpenCircuit(math.inf, 0.5), HR),
        (OpenCircuit(1.0, 0.0), HR),
        (OpenCircuit(1.0, 1e-4), HR),
        (OpenCircuit(1e-3, 1.0), HR),
        (Sweep((0.0,), 0.01, 0.001, 0.01), HR),
        (Sweep((0.0, 0.0), 0.01, 0.001, 0.01), HR),
        (Sweep((0.0, 7.0), 0.01, 0.001, 0.01), HR),
        (Sweep((0.0, 1.0), 0.0, 0.001, 0.01), HR),
        (Sweep((0.0, 1.0), 0.01, -0.001, 0.01), HR),
        (Sweep((0.0, 1.0), 100.0, 0.001, 0.01), HR),
        (Sweep((0.0, 1.0), 0.01, 0.001, 0.01, cycles=0), HR),
        (Impedance("potentiostatic", 3e5, 1.0, 10, 0.01, 0.0, 0.001), HR),
        (Impedance("potentiostatic", 1e5, 0.01, 10, 0.01, 0.0, 0.001), PICO),
        (Impedance("potentiostatic", 1.0, 1e5, 10, 0.01, 0.0, 0.001), HR),
        (Impedance("potentiostatic", 1e5, math.nan, 10, 0.01, 0.0, 0.001), HR),
        (Impedance("potentiostatic", 1e5, 1.0, 1, 0.01, 0.0, 0.001), HR),
        (Impedance("potentiostatic", 1e5, 1.0, 10, 0.0, 0.0, 0.001), HR),
        (Impedance("potentiostatic", 1e5, 1.0, 10, 0.95, 0.0, 0.001), HR),
        (Impedance("galvanostatic", 1e5, 1.0, 10, 0.15, 0.0, 0.1), HR),
        (Impedance("galvanostatic", 1e5, 1.0, 10, 1e-4, 0.0, 0.001), PICO),
    ],
)
def test_what_the_instrument_cannot_do_is_refused(task: Any, model: Any):
    with pytest.raises(OutOfRange):
        write(task, (), ENVELOPE, model)


def test_a_cut_off_that_never_acts_is_refused():
    with pytest.raises(OutOfRange):
        write(OpenCircuit(1.0, 0.5), (Cutoff("voltage", ">=", math.nan),), ENVELOPE, HR)
