"""Steps whose set point the host works out (power, load, profile, iR correction), and what is recorded when."""

from __future__ import annotations

from typing import Any

import pytest
from tests.galvanode.engine import test_other_steps as other
from tests.galvanode.engine.test_run import after, finish, make, program, step, when

from galvanode.instrument.links.base import LinkTimeout
from galvanode.instrument.reading import Reading
from galvanode.recipe import drives
from galvanode.recipe.operand import Formula, Variable
from galvanode.recipe.program import EndLoop, Limits, Loop, Record, Window


async def test_a_power_is_held_while_the_voltage_changes():
    run, cycler = make(program(step("power", -2e-3, until=(after(100.0),), poll_s=1.0)))
    cycler.voltage = lambda: 2.0 - 0.01 * cycler.clock.now()
    rows = await finish(run)
    assert run.state == "completed"
    powers = [row[2] * row[3] for row in rows[1:]]
    assert all(power == pytest.approx(-2e-3, rel=0.02) for power in powers)
    assert run.position.discharge_energy_j == pytest.approx(0.2, rel=0.01)
    assert run.position.charge_c == 0.0


async def test_a_load_discharges_by_the_voltage_there_is():
    run, cycler = make(program(step("resistance", 500.0, until=(when("voltage", "<=", 1.0),), poll_s=1.0)))
    cycler.voltage = lambda: 2.0 - 0.01 * cycler.clock.now()
    rows = await finish(run)
    assert run.state == "completed"
    assert all(row[3] == pytest.approx(-row[2] / 500, rel=0.02) for row in rows)


async def test_no_voltage_makes_no_power_and_too_large_a_current_is_never_sent():
    run, cycler = make(program(step("power", 1e-3, until=(after(100.0),))))
    cycler.voltage = lambda: 0.0
    await finish(run)
    assert run.state == "tripped"
    assert "no current makes" in (run.end_reason or "")
    tight = Limits(voltage=Window(min=-5, max=5), current=Window(min=-0.01, max=0.01))
    run, cycler = make(program(step("power", -15e-3, until=(after(1000.0),), limits=tight)))
    cycler.voltage = lambda: 2.0 - 0.01 * cycler.clock.now()
    await finish(run)
    assert run.state == "tripped"
    assert "outside the limits of its current" in (run.end_reason or "")
    sent = [abs(float(call.split()[1])) for call in cycler.calls if call.startswith("current")]
    assert max(sent) <= 0.01
    assert not cycler.on


async def test_a_profile_changes_exactly_on_time_and_counts_every_piece():
    plan = drives.Profile(quantity="current", times=(0.0, 2.5, 4.0, 7.25), values=(0.001, -0.002, 0.0, 0.0))
    run, cycler = make(program(step(plan, until=(), poll_s=10.0, record=Record(every_s=10.0))))
    commit_rows = await finish(run)
    assert run.state == "completed"
    assert run.position.charge_c == pytest.approx(0.001 * 2.5, rel=1e-6)
    assert run.position.discharge_c == pytest.approx(0.002 * 1.5, rel=1e-6)
    assert run.position.test_time_s == pytest.approx(7.25, abs=1e-3)
    assert commit_rows[-1][0] == pytest.approx(7.25, abs=1e-3)
    assert [call for call in cycler.calls if call.startswith("current")] == [
        "current 0.001",
        "current -0.002",
        "current 0",
    ]


async def test_a_profile_ends_early_where_a_condition_says_so():
    plan = drives.Profile(quantity="power", times=(0.0, 50.0, 100.0), values=(1e-3, 2e-3, 0.0))
    ends = (when("energy", ">=", 0.06),)
    run, cycler = make(program(step(plan, until=ends, poll_s=0.5)))
    cycler.voltage = lambda: 2.0
    await finish(run)
    assert run.state == "completed"
    assert run.position.test_time_s == pytest.approx(55.0, abs=0.6)


async def test_a_sweep_corrects_for_the_drop_over_a_resistance():
    plan = drives.Sweep(vertices=(0.0, 1.0), rate=0.1, step=0.1, compensated=50.0)
    run, cycler = make(program(step(plan, until=(), limits=other.SAFE)))
    await finish(run)
    assert run.state == "completed"
    sent = [float(call.split()[1]) for call in cycler.calls if call.startswith("voltage")]
    # FakeCycler is 100 ohm: what is applied is the target and half of the voltage applied before.
    expected, last = [], 0.0
    for n in range(11):
        last = 0.1 * n + 50.0 * last / 100
        expected.append(last)
    assert sent == pytest.approx(expected, abs=1e-4)


async def test_a_correction_never_leaves_the_limits_of_the_voltage():
    plan = drives.Sweep(vertices=(0.0, 1.0), rate=0.1, step=0.1, compensated=99.0)
    tight = Limits(voltage=Window(min=-1.2, max=1.2))
    run, cycler = make(program(step(plan, until=(), limits=tight)))
    await finish(run)
    assert run.state == "tripped"
    assert max(float(call.split()[1]) for call in cycler.calls if call.startswith("voltage")) <= 1.2


async def test_a_spectrum_is_measured_as_often_as_it_is_averaged():
    plan = drives.Impedance(
        control="potentiostatic",
        frequency_max=1e5,
        frequency_min=1,
        points_per_decade=1,
        amplitude=0.01,
        averages=3,
        bias=0.0,
    )
    run, _, analyzer = other.make(program(step(plan, until=(), limits=other.SAFE)))
    commit = await other.finish(run)
    assert run.state == "completed"
    assert analyzer.calls.count("start Impedance") == 3
    assert len(commit.samples) == 18
    assert run.position.step_count == 1
    times = [row[0] for row in commit.samples]
    assert times == sorted(times)


# --- what is recorded when -------------------------------------------------------------------------------------


def _times(rows: list[tuple[Any, ...]]) -> list[float]:
    return [round(row[7], 6) for row in rows]


async def test_a_burst_records_closely_after_the_transition_and_as_usual_later():
    record = Record(every_s=10.0, burst_every_s=0.25, burst_for_s=1.0)
    run, _ = make(program(step(until=(after(25.0),), record=record, poll_s=5.0)))
    assert _times(await finish(run)) == pytest.approx([0, 0.25, 0.5, 0.75, 1.0, 10.0, 20.0, 25.0], abs=1e-3)


async def test_a_change_of_charge_is_recorded_when_it_has_passed():
    run, _ = make(program(step(until=(after(10.0),), record=Record(charge_change=0.003), poll_s=50.0)))
    assert _times(await finish(run)) == pytest.approx([0, 3.0, 6.0, 9.0, 10.0], abs=1e-3)


async def test_several_reasons_for_one_record_make_one_sample():
    record = Record(
        every_s=2.0, voltage_change=0.2, charge_change=0.002, current_change=1e-9, burst_every_s=1.0, burst_for_s=2.0
    )
    run, cycler = make(program(step(until=(after(6.0),), record=record, poll_s=1.0)))
    cycler.voltage = lambda: 0.1 * cycler.clock.now()
    rows = await finish(run)
    times = _times(rows)
    assert times == pytest.approx([0, 1, 2, 4, 6], abs=1e-3)
    assert len(set(times)) == len(times)
    assert [row[13] for row in rows] == [1, 2, 3, 4, 5]


async def test_a_lost_answer_in_a_sweep_is_asked_for_again():
    plan = drives.Sweep(vertices=(0.0, 1.0), rate=0.1, step=0.1)
    run, cycler = make(program(step(plan, until=(), limits=other.SAFE)))
    cycler.script[3] = LinkTimeout("no answer")
    await finish(run)
    assert run.state == "completed"
    assert run.position.samples == 11


async def test_a_sweep_whose_current_is_limited_says_so_once():
    plan = drives.Sweep(vertices=(0.0, 1.0), rate=0.1, step=0.1)
    run, cycler = make(program(step(plan, until=(), limits=other.SAFE)))
    for read in (4, 5, 6):
        cycler.script[read] = Reading(0.1 + 0.01 * read, 0.05, float(read), True, None)
    run.start()
    await run.finished.wait()
    commit = run.take_commit()
    assert commit is not None
    assert [event.kind for event in commit.events].count("limited") == 1


async def test_a_ladder_leads_a_sweep_through_several_rates():
    plan = drives.Sweep(vertices=(0.0, 1.0), rate=Variable(name="rate"), step=0.1)
    rates = Loop(loop_id="l", turns=2, ladder={"rate": (0.1, 0.2)}, counts_cycles=True, end=2, line=1)
    run, _ = make(program(rates, step(plan, until=(), limits=other.SAFE), EndLoop(start=0)))
    await finish(run)
    assert run.state == "completed"
    assert run.position.test_time_s == pytest.approx(11.0 + 5.5, abs=1e-3)


@pytest.mark.parametrize("rate", [0.0, -0.1])
async def test_a_sweep_without_a_rate_fails(rate: float):
    plan = drives.Sweep(vertices=(0.0, 1.0), rate=Formula(op="*", of=(rate, 1.0)), step=0.1)
    run, cycler = make(program(step(plan, until=(), limits=other.SAFE)))
    await finish(run)
    assert run.state == "failed"
    assert "must be above 0" in (run.end_reason or "")
    assert not [call for call in cycler.calls if call.startswith("voltage")]


@pytest.mark.parametrize("slope", [-0.01, 0.01, 0.0])
async def test_an_energy_ends_a_step_when_it_is_reached_and_not_at_the_next_poll(slope: float):
    ends = (when("energy", ">=", 0.5),)
    run, cycler = make(program(step(setpoint=-0.01, until=ends, poll_s=10.0, record=Record(every_s=10.0))))
    cycler.voltage = lambda: 2.0 + slope * cycler.clock.now()
    rows = await finish(run)
    assert run.position.discharge_energy_j == pytest.approx(0.5, rel=2e-3)
    assert run.position.discharge_energy_j >= 0.5 * (1 - 1e-9)
    assert len(rows) <= 6
