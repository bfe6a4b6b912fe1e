"""Every end acts as it is written: at zero, at equality, with either sign, on either side, at the first reading.

On a capacitor of 1 F behind 10 ohm, read without noise once a second: at 10 mA the voltage is 0.1 V from that at rest
at once, and 10 mV further every second. Held 0.1 V away from it, the current is 10 mA exp(-t / 10 s). What is due is
worked out by hand.
"""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from tests.stack.reference.stack import Laboratory, Seen

from galvanode.errors import InvalidInput

HEAD = """
version: 2
title: One end
safety: {voltage: {min: -4 V, max: 6 V}, check_every: 1 s}
method:
"""


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    return Laboratory(tmp_path_factory.mktemp("ends"))


def _run(laboratory: Laboratory, method: str, start: float = 3.0) -> Seen:
    """Carry out items, one a line; blocks inside them are indented as YAML wants it."""
    return laboratory.run(HEAD + "".join(f"  {line}\n" for line in method.strip("\n").splitlines()), start)


UP, DOWN = "constant_current: {current: 10 mA", "constant_current: {current: -10 mA"
CHARGE, DISCHARGE = "charge: {current: 10 mA", "discharge: {current: 10 mA"
REST, HOLD_UP, HOLD_DOWN = "rest: {", "constant_voltage: {voltage: 3.1 V", "constant_voltage: {voltage: 2.9 V"
LONG = "for: 20 s"


def _reached(energy_j: float, volts: float, slope: float) -> float:
    """Seconds after which 10 mA at so many V, which change by ``slope`` V/s, have done that work."""
    return (math.sqrt(volts**2 + 200 * slope * energy_j) - volts) / slope


def _late(end: str) -> float:
    """Seconds by which an end may be late: an energy is foretold from the last reading."""
    return 5e-3 if "energy" in end else 1e-5


# Step, voltage of the cell before it, its end, s after which it ends; None if it must not end before its time.
ENDS = [
    # Voltage: upwards through zero, on either side, whatever the sign of the limit
    (UP, -0.15, "voltage >= 0 V", 5),
    (UP, -0.15, "voltage > 0 V", 5),
    (UP, -0.15, "voltage >= 0 mV", 5),
    (UP, -0.15, "voltage >= -0.03 V", 2),
    (UP, -0.15, "voltage >= 0.03 V", 8),
    (UP, -0.15, "voltage >= -0.05 V", 0),
    (UP, -0.15, "voltage <= -0.05 V", 0),
    (UP, -0.15, "voltage <= 0 V", 0),
    (UP, -0.15, "voltage <= -0.051 V", None),
    (UP, -0.15, "voltage >= 0.2 V", None),
    (UP, -0.1, "voltage >= 0 V", 0),
    (UP, -0.1, "voltage <= 0 V", 0),
    # downwards
    (DOWN, 0.15, "voltage <= 0 V", 5),
    (DOWN, 0.15, "voltage < 0 V", 5),
    (DOWN, 0.15, "voltage <= -0.04 V", 9),
    (DOWN, 0.15, "voltage >= 0.05 V", 0),
    (DOWN, 0.15, "voltage >= 0.051 V", None),
    (DOWN, 3.0, "voltage <= 2.85 V", 5),
    (CHARGE, -0.15, "voltage >= 0 V", 5),
    (DISCHARGE, 0.15, "voltage <= 0 V", 5),
    # between two polls: the nearer it comes the sooner it is looked at, by half the way and at last by 50 ms
    (UP, 3.0, "voltage >= 3.145 V", 4.5375),
    (DOWN, 3.0, "voltage <= 2.8549 V", 4.54625),
    # Current: its sign counts
    (UP, 3.0, "current >= 10 mA", 0),
    (UP, 3.0, "current <= 10 mA", 0),
    (UP, 3.0, "current >= 0 mA", 0),
    (UP, 3.0, "current <= 0 mA", None),
    (UP, 3.0, "current <= -10 mA", None),
    (DOWN, 3.0, "current <= -10 mA", 0),
    (DOWN, 3.0, "current >= -10 mA", 0),
    (DOWN, 3.0, "current <= 0 A", 0),
    (DOWN, 3.0, "current >= 0 A", None),
    (DOWN, 3.0, "current >= 10 mA", None),
    (REST, 3.0, "current >= 0 mA", 0),
    (REST, 3.0, "current <= 0 mA", 0),
    (REST, 3.0, "current > 1 µA", None),
    (HOLD_UP, 3.0, "current <= 5 mA", 7),
    (HOLD_UP, 3.0, "current <= 0 mA", None),
    (HOLD_UP, 3.0, "current >= 5 mA", 0),
    (HOLD_DOWN, 3.0, "current >= -5 mA", 7),
    (HOLD_DOWN, 3.0, "current <= 5 mA", 0),
    (HOLD_DOWN, 3.0, "current >= 0 mA", None),
    # its magnitude
    (DOWN, 3.0, "current_magnitude >= 10 mA", 0),
    (DOWN, 3.0, "abs(current) >= 10 mA", 0),
    (DOWN, 3.0, "abs(current) < 9 mA", None),
    (HOLD_DOWN, 3.0, "current_magnitude <= 5 mA", 7),
    (HOLD_DOWN, 3.0, "abs(current) <= 5 mA", 7),
    (HOLD_UP, 3.0, "abs(current) <= 0 mA", None),
    (REST, 3.0, "current_magnitude <= 0 mA", 0),
    (REST, 3.0, "current_magnitude >= 0 mA", 0),
    # inside a discharge, a current counts without its sign
    (DISCHARGE, 3.0, "current >= 10 mA", 0),
    (DISCHARGE, 3.0, "current <= 9 mA", None),
    # per area (1 cm^2) and as a rate (1C is 1 mA)
    (HOLD_UP, 3.0, "current_density <= 5 mA/cm^2", 7),
    (HOLD_DOWN, 3.0, "current_density >= -5 mA/cm^2", 7),
    (HOLD_UP, 3.0, "current <= 5C", 7),
    # Power: of the current's sign
    (DOWN, 3.0, "power >= -28.55 mW", 5),
    (DOWN, 3.0, "power <= 0 mW", 0),
    (DOWN, 3.0, "power >= 0 mW", None),
    (UP, 3.0, "power >= 31.35 mW", 4),
    (DOWN, 0.15, "power >= 0 mW", 5),
    (UP, -0.15, "power >= 0 W", 5),
    (REST, 3.0, "power >= 0 W", 0),
    (REST, 3.0, "power <= 0 W", 0),
    (DOWN, 3.0, "abs(power) <= 28.55 mW", 5),
    # Charge: counts up from 0 in magnitude, and is hit between two polls
    (UP, 3.0, "charge >= 0 mC", 0),
    (UP, 3.0, "charge > 0 mAh", 0),
    (REST, 3.0, "charge >= 0 mC", 0),
    (REST, 3.0, "charge >= 1 mC", None),
    (UP, 3.0, "charge >= 25 mC", 2.5),
    (DOWN, 3.0, "charge >= 25 mC", 2.5),
    (DISCHARGE, 3.0, "capacity > 25 mC", 2.5),
    (UP, 3.0, "charge >= 10 mC", 1),
    (UP, 3.0, "areal_charge >= 0.01 mAh/cm^2", 3.6),
    (UP, 3.0, "areal_capacity >= 0 mAh/cm^2", 0),
    (DOWN, 3.0, "specific_charge >= 1 mAh/g", 3.6),
    (DOWN, 3.0, "specific_capacity >= 0 mAh/g", 0),
    # Energy: in magnitude, and looked at when the power of the last reading reaches it
    (UP, 3.0, "energy >= 0 J", 0),
    (UP, 3.0, "energy >= 60 mJ", _reached(0.060, 3.1, 0.01)),
    (DOWN, 3.0, "energy >= 60 mJ", _reached(0.060, 2.9, -0.01)),
    (UP, -3.0, "energy >= 60 mJ", _reached(0.060, 2.9, -0.01)),
    (REST, 3.0, "energy >= 0 mWh", 0),
    (REST, 3.0, "energy >= 1 mJ", None),
    (UP, 3.0, "areal_energy >= 0.016 mWh/cm^2", _reached(0.0576, 3.1, 0.01)),
    (UP, 3.0, "specific_energy >= 1.6 mWh/g", _reached(0.0576, 3.1, 0.01)),
    # Voltage below its highest and above its lowest
    (DOWN, 3.0, "voltage_drop >= 0 V", 0),
    (DOWN, 3.0, "voltage_drop >= 35 mV", 4),
    (DOWN, 3.0, "voltage_drop >= 40 mV", 4),
    (DOWN, 3.0, "voltage_drop >= 30 mV", 3),
    (UP, 3.0, "voltage_drop >= 1 mV", None),
    (UP, 3.0, "voltage_rise >= 0 V", 0),
    (UP, 3.0, "voltage_rise >= 35 mV", 4),
    (UP, 3.0, "voltage_rise >= 30 mV", 3),
    (UP, 3.0, "voltage_rise >= 40 mV", 4),
    (DOWN, 3.0, "voltage_rise >= 1 mV", None),
    (UP, -0.15, "voltage_rise >= 45 mV", 5),
    # Slopes: over the last ten readings, or over a time
    (UP, 3.0, "dV/dt >= 9 mV/s", 9),
    (UP, 3.0, "dV/dt >= 0 mV/s", 9),
    (UP, 3.0, "dV/dt <= 0 mV/s", None),
    (DOWN, 3.0, "dV/dt <= -9 mV/s", 9),
    (DOWN, 3.0, "dV/dt <= 0 mV/s", 9),
    (DOWN, 3.0, "dV/dt >= 0 mV/s", None),
    (DOWN, 3.0, "dV/dt <= -9 mV/s over 3 s", 3),
    (DOWN, 3.0, "abs(dV/dt) >= 9 mV/s over 3 s", 3),
    (REST, 3.0, "dV/dt >= 0 mV/s", 9),
    (REST, 3.0, "dV/dt <= 0 mV/s", 9),
    (REST, 3.0, "abs(dV/dt) <= 0 mV/s over 4 s", 4),
    (REST, 3.0, "abs(dV/dt) <= 1 mV/min over 4 s", 4),
    (UP, 3.0, "dI/dt >= 0 mA/s over 2 s", 2),
    (HOLD_DOWN, 3.0, "dI/dt >= 0.5 mA/s over 2 s", 2),
    (HOLD_UP, 3.0, "dI/dt >= -0.5 mA/s over 2 s", 8),
    # Time, with something else
    (UP, 3.0, "time >= 0 s and voltage >= 3.1 V", 0),
    (UP, 3.0, "voltage >= 3 V and time >= 2.5 s", 2.5),
    (UP, 3.0, "voltage >= 3.15 V and time <= 5 s", 5),
    (UP, 3.0, "voltage >= 3.15 V and time < 4 s", None),
    (UP, 3.0, "voltage >= 3.15 V or time >= 2.5 s", 2.5),
    # And, or, brackets
    (UP, 3.0, "voltage >= 3.12 V and charge >= 35 mC", 3.5),
    (UP, 3.0, "voltage >= 3.12 V or charge >= 35 mC", 2),
    (UP, 3.0, "(voltage >= 3.12 V or charge >= 35 mC) and current <= 0 mA", None),
    (UP, 3.0, "current <= 0 mA and voltage >= 3.12 V or charge >= 35 mC", 3.5),
    # A sum on the right, worked out when the step begins
    (UP, 3.0, "voltage >= 3 V + 0.14 V", 4),
    (UP, 3.0, "charge >= 2 * 10 mC + 5 mC", 2.5),
    (UP, 3.0, "charge >= 10 mA * 2.5 s", 2.5),
    (UP, -0.15, "voltage >= 3 V - 3 V", 5),
]


@pytest.mark.parametrize(("step", "start", "end", "after"), ENDS, ids=[f"{s} {e} from {v}" for s, v, e, _ in ENDS])
def test_a_step_ends_when_its_end_holds(laboratory: Laboratory, step: str, start: float, end: str, after: float | None):
    body = f'{step}{"" if step == REST else ", "}{LONG}, until: "{end}"}}'
    seen = _run(laboratory, f"- {body}", start)
    assert seen.state == "completed"
    (one,) = seen.steps
    due = 20.0 if after is None else float(after)
    assert one.ended == pytest.approx(due, abs=_late(end))
    reason = "for 20 s" if after is None else end
    assert one.reason.replace(" ", "") == reason.replace(" ", "")
    if step in (UP, CHARGE):
        assert one.charged == pytest.approx(0.01 * one.ended, abs=1e-7)
    if step in (DOWN, DISCHARGE):
        assert one.discharged == pytest.approx(0.01 * one.ended, abs=1e-7)


# What an end says of time: the end's mapping, s after which the step ends and what the reason has, state of the run
VOLTAGE = "voltage >= 3.15 V"
TIMED = [
    # debounce: held at every reading for so long, whatever the poll
    ("when: voltage >= 3.15 V, held_for: 0 s", 5, "voltage", "completed"),
    ("when: voltage >= 3.15 V, held_for: 2 s", 7, "voltage", "completed"),
    ("when: voltage >= 3.15 V, held_for: 2.5 s", 7.5, "voltage", "completed"),
    ("when: voltage >= 3.1 V, held_for: 2 s", 2, "voltage", "completed"),
    ("when: voltage >= 3.15 V and voltage <= 3.17 V, held_for: 2 s", 7, "voltage", "completed"),
    ("when: voltage >= 3.15 V and voltage <= 3.16 V, held_for: 2 s", 20, "for 20 s", "completed"),
    ("when: charge >= 25 mC, held_for: 1 s", 3.5, "charge", "completed"),
    # must not happen before
    ("when: voltage >= 3.15 V, not_before: 5 s", 5, "voltage", "completed"),
    ("when: voltage >= 3.15 V, not_before: 0 s", 5, "voltage", "completed"),
    ("when: voltage >= 3.15 V, not_before: 6 s", 5, "too early", "failed"),
    ("when: voltage >= 3.15 V, not_before: 6 s, otherwise: next", 5, "too early", "completed"),
    ("when: voltage >= 3.15 V, not_before: 6 s, otherwise: end", 5, "too early", "completed"),
    ("when: voltage >= 3.1 V, not_before: 1 s", 0, "too early", "failed"),
    ("when: voltage >= 3.15 V, not_before: 6 s, held_for: 2 s", 7, "voltage", "completed"),
    # must happen by
    ("when: voltage >= 3.15 V, by: 5 s", 5, "voltage", "completed"),
    ("when: voltage >= 3.15 V, by: 6 s", 5, "voltage", "completed"),
    ("when: voltage >= 3.15 V, by: 4.5 s", 4.5, "not within", "failed"),
    ("when: voltage >= 3.15 V, by: 4.5 s, otherwise: next", 4.5, "not within", "completed"),
    ("when: voltage >= 3.15 V, by: 6 s, held_for: 2 s", 6, "not within", "failed"),
    ("when: voltage >= 3.15 V, by: 7 s, held_for: 2 s", 7, "voltage", "completed"),
    ("when: voltage >= 3.15 V, not_before: 2 s, by: 6 s", 5, "voltage", "completed"),
    # what it leads to
    ("when: voltage >= 3.15 V, then: next", 5, "voltage", "completed"),
    ("when: voltage >= 3.15 V, then: end", 5, "voltage", "completed"),
    ("when: voltage >= 3.15 V, then: fail", 5, "voltage", "failed"),
    ("when: voltage >= 0 V, then: fail", 0, "voltage", "failed"),
]


@pytest.mark.parametrize(("end", "after", "reason", "state"), TIMED, ids=[row[0] for row in TIMED])
def test_what_an_end_says_of_time_is_kept(laboratory: Laboratory, end: str, after: float, reason: str, state: str):
    seen = _run(laboratory, f"- constant_current: {{current: 10 mA, for: 20 s, until: {{{end}}}}}")
    assert seen.state == state
    (one,) = seen.steps
    assert one.ended == pytest.approx(after, abs=1e-5)
    assert one.reason.startswith(reason)
    assert one.charged == pytest.approx(0.01 * after, abs=1e-7)


def test_a_time_of_zero_is_one_reading(laboratory: Laboratory):
    seen = _run(laboratory, "- rest: {for: 0 s}\n- constant_current: {current: 10 mA, for: 0 s}\n- rest: {for: 1 s}")
    assert seen.state == "completed"
    assert [step.ended - step.started for step in seen.steps] == pytest.approx([0, 0, 1])
    assert [step.reason for step in seen.steps] == ["for 0 s", "for 0 s", "for 1 s"]
    assert [len(step.times) for step in seen.steps] == [1, 1, 2]
    assert seen.charged == pytest.approx(0, abs=1e-12)


def test_a_current_of_zero_is_held(laboratory: Laboratory):
    seen = _run(laboratory, "- constant_current: {current: 0 mA, for: 3 s, until: voltage <= 0 V}")
    (one,) = seen.steps
    assert one.reason == "for 3 s"
    assert one.currents == [0.0] * 4
    assert seen.cell_voltage == 3.0


def test_a_voltage_of_zero_is_held(laboratory: Laboratory):
    seen = _run(laboratory, "- constant_voltage: {voltage: 0 V, for: 20 s, until: current >= -5 mA}", 0.1)
    (one,) = seen.steps
    assert one.ended == pytest.approx(7)
    assert one.voltages == [0.0] * 8
    assert one.currents[0] == pytest.approx(-0.01)


@pytest.mark.parametrize(
    ("duration", "charge", "reason"),
    [(5, 50, "for 5 s"), (6, 50, "charge >= 50 mC"), (6, 55, "voltage >= 3.15 V"), (6, 45, "charge >= 45 mC")],
)
def test_of_several_ends_the_first_that_holds_is_the_reason(
    laboratory: Laboratory, duration: int, charge: int, reason: str
):
    """After 5 s all of them hold at once: then it is the first in the recipe's order."""
    until = f"[charge >= {charge} mC, voltage >= 3.15 V]"
    seen = _run(laboratory, f"- constant_current: {{current: 10 mA, for: {duration} s, until: {until}}}")
    assert seen.steps[0].reason == reason


@pytest.mark.parametrize("wait", ["1.5 s", "3 s"])
def test_a_condition_that_lapses_starts_its_debounce_anew(laboratory: Laboratory, wait: str):
    """At 10 mA the voltage is above 3.05 V, at rest it is not."""
    seen = _run(
        laboratory,
        f"""
- group:
    - repeat:
        - constant_current: {{current: 10 mA, for: 2 s}}
        - rest: {{for: 0 s}}
      times: 3
  stop_when: {{when: voltage >= 3.08 V, held_for: {wait}}}
""",
    )
    if wait == "1.5 s":
        assert [step.name for step in seen.steps] == ["constant_current"]
        assert seen.steps[0].ended == pytest.approx(1.5)
    else:
        assert len(seen.steps) == 6
    assert seen.state == "completed"


def test_a_condition_that_holds_over_two_steps_is_debounced_over_both(laboratory: Laboratory):
    seen = _run(
        laboratory,
        """
- group:
    - constant_current: {current: 10 mA, for: 2 s}
    - constant_current: {current: 11 mA, for: 2 s}
    - constant_current: {current: 12 mA, for: 20 s}
  stop_when: {when: voltage >= 3.08 V, held_for: 7 s}
""",
    )
    assert [step.ended for step in seen.steps] == pytest.approx([2, 4, 7])
    assert seen.steps[-1].reason.startswith("voltage >= 3.08 V")


# Body of a repeat, what stops it, turns that are carried out
CYCLE = ("- constant_current: {current: 10 mA, for: 5 s}", "- constant_current: {current: -10 mA, for: 4 s}")
TURNS = [
    (CYCLE, "cycle >= 1", 1),
    (CYCLE, "cycle >= 3", 3),
    (CYCLE, "cycle > 3", 3),
    (CYCLE, "cycle >= 0", 1),
    (CYCLE, "charge_capacity >= 0 mAh", 1),
    (CYCLE, "charge_capacity <= 0 mAh", 6),
    (CYCLE, "charge_capacity <= 49 mC", 6),
    (CYCLE, "charge_capacity <= 50 mC", 1),
    (CYCLE, "charge_capacity >= 50 mC", 1),
    (CYCLE, "discharge_capacity >= 40 mC", 1),
    (CYCLE, "discharge_capacity <= 40 mC", 1),
    (CYCLE, "discharge_capacity <= 0 mC", 6),
    (CYCLE[:1], "discharge_capacity <= 0 mC", 1),
    (CYCLE[:1], "discharge_capacity >= 0 mC", 1),
    (CYCLE, "coulombic_efficiency <= 80 %", 1),
    (CYCLE, "coulombic_efficiency >= 80 %", 1),
    (CYCLE, "coulombic_efficiency <= 79.9 %", 6),
    (CYCLE[:1], "coulombic_efficiency <= 0 %", 1),
    (CYCLE[1:], "coulombic_efficiency >= 0 %", 6),
    (CYCLE, "retention <= 99.9 %", 6),
    (CYCLE, "retention >= 99.9 %", 2),
    (CYCLE, "retention >= 99.9 % of cycle 3", 4),
    (CYCLE, "cycle >= 2 and coulombic_efficiency <= 80 %", 2),
]


@pytest.mark.parametrize(("body", "end", "turns"), TURNS, ids=[f"{e}, {len(b)} steps" for b, e, _ in TURNS])
def test_a_repeat_ends_when_a_turn_has_brought_what_is_waited_for(
    laboratory: Laboratory, body: tuple[str, ...], end: str, turns: int
):
    lines = "".join(f"    {line}\n" for line in body)
    seen = _run(laboratory, f"- repeat:\n{lines}  times: 6\n  stop_when: {end}\n- rest: {{for: 1 s}}")
    assert seen.state == "completed"
    assert len(seen.steps) == turns * len(body) + 1


@pytest.mark.parametrize(("end", "turns"), [("<= 80 %", 2), (">= 80 %", 2), ("<= 79.9 %", 5), ("< 80 % of cycle 2", 5)])
def test_a_repeat_ends_when_its_discharge_has_come_down_to_that_share(laboratory: Laboratory, end: str, turns: int):
    """10 mA for 4 s in the first turn, 8 mA in all others: 80 %."""
    head = HEAD.replace("method:", "parameters: {i: {default: 10 mA}}\nmethod:")
    recipe = f"""  - repeat:
      - constant_current: {{current: 10 mA, for: 4 s}}
      - strip: {{current: $i, for: 4 s}}
      - set: {{i: 8 mA}}
    times: 5
    stop_when: retention {end}
"""
    seen = laboratory.run(head + recipe)
    assert seen.state == "completed"
    assert len(seen.steps) == 2 * turns


# What is measured in a step, asked afterwards
ASKED = [
    ("voltage >= 3.15 V", True),
    ("voltage <= 3.15 V", True),
    ("voltage > 3.16 V", False),
    ("3.15 V <= voltage", True),
    ("0 V <= voltage", True),
    ("0 V >= voltage", False),
    ("current >= 10 mA", True),
    ("current <= 0 mA", False),
    ("charge >= 50 mC", True),
    ("charge <= 50 mC", True),
    ("charge < 49 mC", False),
    ("time >= 5 s", True),
    ("time <= 5 s", True),
    ("time >= 5.1 s", False),
    ("charge / time >= 9.9 mA", True),
    ("energy >= 0 J", True),
    ("power >= 31.4 mW and power <= 31.6 mW", True),
    ("voltage_rise >= 49 mV", True),
    ("voltage_drop <= 0 V", True),
    ("$zero >= 0 V", True),
    ("$zero <= 0 V", True),
    ("$zero >= voltage", False),
    ("abs($zero - voltage) >= 3.15 V", True),
    ("$zero - 1 V <= -1 V", True),
]


@pytest.mark.parametrize(("test", "holds"), ASKED, ids=[row[0] for row in ASKED])
def test_a_branch_is_taken_as_the_step_before_it_says(laboratory: Laboratory, test: str, holds: bool):
    head = HEAD.replace("method:", "parameters: {zero: {default: 0 V}}\nmethod:")
    recipe = f"""
  - constant_current: {{current: 10 mA, for: 5 s}}
  - if: "{test}"
    then:
      - rest: {{for: 1 s}}
    else:
      - rest: {{for: 2 s}}
"""
    seen = laboratory.run(head.rstrip("\n") + recipe)
    assert seen.steps[1].reason == ("for 1 s" if holds else "for 2 s")


@pytest.mark.parametrize(("before", "time"), [("0.3 s", "0.1 s"), ("1.1 s", "1.3 s"), ("2.7 s", "0.7 s")])
@pytest.mark.parametrize("sign", ["<=", ">="])
def test_what_was_waited_for_is_equal_to_what_was_measured(laboratory: Laboratory, before: str, time: str, sign: str):
    """Though both are sums: of times that are no round numbers in binary, and of charges between readings."""
    seen = _run(
        laboratory,
        f"""
- constant_current: {{current: 1 mA, for: {before}}}
- constant_current: {{current: 1 mA, for: {time}}}
- if: "time {sign} {time}"
  then:
    - constant_current: {{current: 1 mA, until: charge >= 3.7 mC}}
    - if: "charge {sign} 3.7 mC"
      then:
        - rest: {{for: 1 s}}
""",
    )
    assert seen.steps[-1].name == "rest"


def test_a_branch_before_anything_was_measured_is_refused(laboratory: Laboratory):
    with pytest.raises(InvalidInput, match="the step before"):
        _run(laboratory, "- if: voltage >= 0 V\n  then:\n    - rest: {for: 1 s}\n- rest: {for: 2 s}")


@pytest.mark.parametrize("quantity", ["charge", "energy", "time"])
def test_what_a_block_is_limited_to_counts_over_its_steps_and_no_others(laboratory: Laboratory, quantity: str):
    """10 mA at 3.1 V and more: 100 mC in 10 s are 310 mJ and a bit.

    3 s at 3.155 V and 3 s at 2.955 V are 183.3 mJ; the third step has the rest.
    """
    limit = {"charge": "100 mC", "energy": "0.313 J", "time": "10 s"}[quantity]
    end = f"for: {limit}" if quantity == "time" else f"stop_when: {quantity} >= {limit}"
    seen = _run(
        laboratory,
        f"""
- constant_current: {{current: 10 mA, for: 4 s}}
- group:
    - constant_current: {{current: 10 mA, for: 3 s}}
    - constant_current: {{current: -10 mA, for: 3 s}}
    - constant_current: {{current: 10 mA, for: 30 s}}
  {end}
- rest: {{for: 1 s}}
""",
    )
    assert seen.state == "completed"
    durations = [step.ended - step.started for step in seen.steps]
    last = _reached(0.313 - 0.1833, 3.14, 0.01) if quantity == "energy" else 4
    assert durations == pytest.approx([4, 3, 3, last, 1], abs=_late(quantity))


@pytest.mark.parametrize("limit", ["charge >= 0 mC", "energy >= 0 mJ", "charge > 0 mC"])
def test_a_block_that_is_limited_to_nothing_is_left_at_once(laboratory: Laboratory, limit: str):
    seen = _run(
        laboratory,
        f"""
- constant_current: {{current: 10 mA, for: 2 s}}
- constant_current: {{current: -10 mA, for: 1 s}}
- group:
    - rest: {{for: 3 s}}
  stop_when: {limit}
- rest: {{for: 1 s}}
""",
    )
    assert [step.ended - step.started for step in seen.steps] == pytest.approx([2, 1, 0, 1])


# --- records -----------------------------------------------------------------------------------------------------

RECORDED = """
version: 2
title: Records
safety: {voltage: {min: -4 V, max: 6 V}, check_every: %s}
record:
  {every: 2 s, voltage_change: 17 mV, current_change: 1.3 mA, charge_change: 33 mC, burst: {every: 100 ms, for: 1 s}}
method:
  - rest: {for: 4.5 s}
  - constant_current: {current: 10 mA, for: 12.25 s}
  - constant_voltage: {voltage: 3.1 V, for: 15 s}
  - constant_current:
      current: -5 mA
      for: 20 s
      record: {every: 3 s, charge_change: 1 mC, burst: {every: 250 ms, for: 500 ms}}
  - rest: {for: 0 s}
"""


@pytest.mark.parametrize("poll", ["0.3 s", "1 s", "10 s"])
def test_of_several_records_at_once_none_is_lost_and_none_is_doubled(laboratory: Laboratory, poll: str):
    seen = laboratory.run(RECORDED % poll)
    assert seen.state == "completed"
    assert seen.indices == list(range(1, len(seen.indices) + 1))
    for step in seen.steps:
        lasts = step.ended - step.started
        assert all(later - earlier > 1e-5 for earlier, later in pairwise(step.times))
        assert step.times[0] == pytest.approx(0, abs=1e-5)
        assert step.times[-1] == pytest.approx(lasts, abs=1e-5)
        own = step.step_id == 4
        burst, until, every = (0.25, 0.5, 3.0) if own else (0.1, 1.0, 2.0)
        due = [burst * n for n in range(round(until / burst) + 1)] + [every * n for n in range(20)]
        for time in due:
            if time <= lasts + 1e-9:
                assert any(abs(time - at) < 1e-5 for at in step.times), f"no sample at {time} s of step {step.step_id}"


def test_a_charge_that_is_recorded_is_recorded_when_it_has_passed(laboratory: Laboratory):
    seen = laboratory.run(RECORDED % "10 s")
    (discharge,) = [step for step in seen.steps if step.step_id == 4]
    passed = [time * 0.005 for time in discharge.times]
    assert max(later - earlier for earlier, later in pairwise(passed)) <= 1.001e-3
    assert len(passed) <= 100 + 3 + 8


@pytest.mark.parametrize(("change", "step", "expected"), [
    ("voltage_change: 25 mV", "constant_current: {current: 10 mA, for: 12 s}", [0, 3, 6, 9, 12]),
    ("voltage_change: 25 mV", "constant_current: {current: -10 mA, for: 12 s}", [0, 3, 6, 9, 12]),
    ("current_change: 1.9 mA", "constant_voltage: {voltage: 3.1 V, for: 20 s}", [0, 3, 6, 11, 20]),
    ("current_change: 1.9 mA", "constant_voltage: {voltage: 2.9 V, for: 20 s}", [0, 3, 6, 11, 20]),
    ("charge_change: 25 mC", "constant_current: {current: 10 mA, for: 8 s}", [0, 2.5, 5, 7.5, 8]),
    ("charge_change: 25 mC", "constant_current: {current: -10 mA, for: 8 s}", [0, 2.5, 5, 7.5, 8]),
    ("every: 1.5 s", "rest: {for: 5 s}", [0, 1.5, 3, 4.5, 5]),
    ("every: 100 s", "rest: {for: 5 s}", [0, 5]),
    ("every: 3 s, burst: {every: 0.5 s, for: 1.2 s}", "rest: {for: 5 s}", [0, 0.5, 1, 1.2, 3, 5]),
    ("burst: {every: 0.5 s, for: 1 s}", "rest: {for: 5 s}", [0, 0.5, 1, 2, 3, 4, 5]),
])  # fmt: skip
def test_each_record_alone_keeps_what_it_says(laboratory: Laboratory, change: str, step: str, expected: list[float]):
    recipe = HEAD.replace("method:", f"record: {{{change}}}\nmethod:") + f"  - {step}\n"
    (one,) = laboratory.run(recipe).steps
    assert one.times == pytest.approx(expected, abs=1e-5)
