"""A step file says what the schedule says, or the driver says which line it cannot say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galvanode.instrument.roles import Envelope
from galvanode.instrument.schedule import (
    Bounds,
    CannotExpress,
    Current,
    Drive,
    Ending,
    Item,
    Load,
    Power,
    Recording,
    Repeat,
    Rest,
    Schedule,
    ScheduledStep,
    Voltage,
)
from galvanode_drivers.neware.stepfile import Ratings, write_step_file
from galvanode_simulator.neware.stepfile import FileStep, Kind, read_step_file

RATINGS = Ratings((-5.0, 5.0), 0.05)
HOUR = Ending("time", ">=", 3600.0, "for: 1 h")


def step(drive: Drive, *ends: Ending, number: int = 1, line: int = 7, **others: Any) -> ScheduledStep:
    rule = others.pop("record", Recording(every_s=10.0))
    return ScheduledStep(number, "a step", drive, ends or (HOUR,), rule, others.pop("bounds", Bounds()), line)


def written(*items: Item, envelope: Envelope | None = None) -> tuple[FileStep, ...]:
    return read_step_file(write_step_file(Schedule("t", items), RATINGS, envelope, "run-1").xml).steps


CHARGE = step(Current(1e-3), Ending("voltage", ">=", 4.2))
DISCHARGE = step(Current(-1e-3), Ending("voltage", "<=", 2.5))
TAPER = Ending("current_magnitude", "<=", 5e-5)
HOLD = step(Voltage(4.2, 1e-3), TAPER, HOUR, number=2)


def test_a_charge_with_a_hold_and_a_discharge():
    charge, hold, discharge, end = written(CHARGE, HOLD, replace(DISCHARGE, number=3))
    assert [item.kind for item in (charge, hold, discharge, end)] == [
        Kind.CURRENT_CHARGE, Kind.VOLTAGE_CHARGE, Kind.CURRENT_DISCHARGE, Kind.END,
    ]  # fmt: skip
    assert (charge.current, charge.stop_voltage) == pytest.approx((1e-3, 4.2))
    assert (hold.voltage, hold.current, hold.stop_current, hold.time) == pytest.approx((4.2, 1e-3, 5e-5, 3600.0))
    assert (discharge.current, discharge.stop_voltage) == pytest.approx((1e-3, 2.5))


def test_a_hold_after_a_discharge_discharges():
    _, hold, _ = written(DISCHARGE, replace(HOLD, drive=Voltage(2.5, 1e-3)))
    assert hold.kind is Kind.VOLTAGE_DISCHARGE


def test_a_hold_beyond_the_end_of_the_step_before_goes_on_in_its_direction():
    before = replace(DISCHARGE, ends=(HOUR, Ending("voltage", "<=", 2.5), Ending("voltage", "<=", 3.0)))
    assert written(before, replace(HOLD, drive=Voltage(2.9, 1e-3)))[1].kind is Kind.VOLTAGE_DISCHARGE


@pytest.mark.parametrize(
    ("before", "volts"),
    [
        (CHARGE, 4.1),
        (DISCHARGE, 2.6),
        (replace(CHARGE, ends=(HOUR,)), 4.2),
    ],
)
def test_a_hold_at_another_voltage_than_the_cell_was_brought_to_may_need_both_directions(
    before: ScheduledStep, volts: float
):
    hold = replace(HOLD, drive=Voltage(volts, 1e-3))
    with pytest.raises(CannotExpress, match="does not tell which"):
        written(before, hold)


@pytest.mark.parametrize(
    ("taper", "kind"),
    [
        (Ending("current", "<=", 5e-5), Kind.VOLTAGE_CHARGE),
        (Ending("current", ">=", -5e-5), Kind.VOLTAGE_DISCHARGE),
    ],
)
def test_a_hold_by_itself_tells_its_direction_by_the_sign_of_its_end(taper: Ending, kind: Kind):
    hold, _ = written(step(Voltage(3.0, 1e-3), taper, HOUR))
    assert (hold.kind, hold.stop_current) == (kind, pytest.approx(5e-5))


def test_numbers_of_steps_lead_back_through_the_ends_of_blocks():
    inner = Repeat((replace(CHARGE, number=2), replace(DISCHARGE, number=3)), 5, 3)
    schedule = Schedule("t", (step(Rest()), Repeat((inner, step(Rest(), number=4)), 3, 2), step(Rest(), number=5)))
    file = write_step_file(schedule, RATINGS)
    assert file.numbers == {1: 1, 2: 2, 3: 3, 5: 4, 7: 5}
    loops = [item for item in read_step_file(file.xml).steps if item.kind is Kind.LOOP]
    assert [(loop.number, loop.start_step, loop.cycles) for loop in loops] == [(4, 2, 5), (6, 2, 3)]


def test_a_block_that_runs_once_needs_no_end():
    assert [item.kind for item in written(Repeat((step(Rest()),), 1, 1))] == [Kind.REST, Kind.END]


def test_the_envelope_and_the_limits_of_the_step_are_watched_the_tighter_of_them():
    bounds = Bounds(voltage_min=0.0, voltage_max=4.5, current_max=2e-3)
    first, _ = written(replace(CHARGE, bounds=bounds), envelope=Envelope(-0.5, 4.3, 3e-3))
    protect = first.protect
    assert (protect.voltage_min, protect.voltage_max) == pytest.approx((0.0, 4.3))
    assert (protect.current_min, protect.current_max) == pytest.approx((-3e-3, 2e-3))


def test_records_at_changes_and_at_an_interval():
    first, _ = written(replace(CHARGE, record=Recording(10.0, 5e-3, 1e-5)))
    assert first.record == pytest.approx((10.0, 5e-3, 1e-5))


def test_a_step_without_a_record_rule_is_recorded_once_an_hour():
    first, _ = written(replace(CHARGE, record=Recording()))
    assert first.record.time == 3600.0


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (step(Load(100.0)), "constant resistance"),
        (step(Rest(), Ending("voltage", ">=", 3.0, "voltage >= 3 V")), "'voltage >= 3 V' cannot end a step like this"),
        (step(Current(1e-3), Ending("voltage", "<=", 3.0)), "reached from below only"),
        (step(Current(-1e-3), Ending("voltage", ">=", 3.0)), "reached from above only"),
        (step(Current(1e-3), Ending("energy", ">=", 3.0)), "energy >= 3 cannot end a step"),
        (step(Current(1e-3), Ending("current_magnitude", "<=", 1e-4)), "cannot end a step"),
        (step(Current(1e-3), Ending("time", ">=", 0.05)), "lasts 0.1 s or longer"),
        (step(Voltage(4.0, 1e-3), Ending("voltage", ">=", 3.0), TAPER), "does not tell which"),
        (step(Voltage(4.0, 1e-3), TAPER, HOUR), "either by charging or by discharging"),
        (step(Voltage(4.0, 1e-3), Ending("current", "<=", 0.0)), "does not tell which"),
        (step(Current(0.06)), "0.06 A; this Neware channel has 0.05 A"),
        (step(Voltage(6.0, 1e-3), Ending("current", "<=", 1e-4)), "6 V; this Neware channel has -5 to 5 V"),
        (step(Current(1e-3), Ending("voltage", ">=", 5.5)), "5.5 V; this Neware channel"),
        (step(Power(0.3)), "0.3 W; this Neware channel has 0.25 W"),
        (step(Current(1e-3), bounds=Bounds(temperature_max=330.0)), "watches no temperature"),
        (step(Current(1e-3), record=Recording(charge_change=1.0)), "no change of charge"),
        (step(Current(1e-3), record=Recording(1.0, burst_every_s=0.1, burst_for_s=1.0)), "no faster beginning"),
        (step(Current(1e-3), record=Recording(0.05)), "0.1 s at best"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name_with_its_line(item: ScheduledStep, says: str):
    with pytest.raises(CannotExpress, match=says) as refused:
        write_step_file(Schedule("t", (Repeat((item,), 2, 1),)), RATINGS)
    assert refused.value.line == 7


def test_the_same_schedule_gives_the_same_file():
    once, again = (write_step_file(Schedule("t", (CHARGE,)), RATINGS, None, "run-1").xml for _ in range(2))
    assert once == again


amps = st.floats(1e-6, 0.05).map(lambda x: round(x, 9))
volts = st.floats(-4.9, 4.9).map(lambda x: round(x, 5))
seconds = st.floats(0.1, 1e6).map(lambda x: round(x, 3))


@st.composite
def steps(draw: st.DrawFn) -> ScheduledStep:
    sign = draw(st.sampled_from([1, -1]))
    ends = [Ending("time", ">=", draw(seconds))]
    kind = draw(st.sampled_from(["rest", "current", "power", "voltage"]))
    match kind:
        case "rest":
            drive = Rest()
        case "voltage":
            drive = Voltage(draw(volts), draw(amps))
            ends.append(Ending("current", "<=" if sign > 0 else ">=", sign * draw(amps)))
        case _:
            drive = Current(sign * draw(amps)) if kind == "current" else Power(sign * draw(amps))
            ends.append(Ending("voltage", ">=" if sign > 0 else "<=", draw(volts)))
            ends.append(Ending("charge", ">=", draw(st.floats(1e-3, 1e4))))
    return step(drive, *ends, record=Recording(draw(st.none() | seconds), draw(st.none() | st.floats(1e-4, 1.0)), 1e-6))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    tree = st.recursive(
        steps(),
        lambda inner: st.builds(
            lambda body, times: Repeat(tuple(body), times, 1),
            st.lists(inner, min_size=1, max_size=3),
            st.integers(2, 9),
        ),
        max_leaves=5,
    )
    return _numbered(Schedule("t", tuple(draw(st.lists(tree, min_size=1, max_size=3)))))


def _numbered(schedule: Schedule) -> Schedule:
    counter = iter(range(1, 1000))

    def number(item: Item) -> Item:
        if isinstance(item, Repeat):
            return replace(item, body=tuple(number(inner) for inner in item.body))
        return replace(item, number=next(counter))

    return replace(schedule, items=tuple(number(item) for item in schedule.items))


def as_read(schedule: Schedule, file: list[FileStep], numbers: dict[int, int]) -> None:
    """Compare what the instrument reads with the schedule, step by step."""
    by_number = {number: item for item in file if (number := numbers.get(item.number)) is not None}
    for wanted in schedule.steps:
        found = by_number[wanted.number]
        ends = {end.quantity: abs(end.value) if end.quantity == "current" else end.value for end in wanted.ends}
        assert found.time == pytest.approx(ends.get("time"), abs=1e-6)
        assert found.stop_voltage == pytest.approx(ends.get("voltage"), abs=1e-9)
        assert found.stop_current == pytest.approx(ends.get("current"), abs=1e-12)
        assert found.charge == pytest.approx(ends.get("charge"), abs=1e-9)
        drive = wanted.drive
        if isinstance(drive, Current):
            assert found.current == pytest.approx(abs(drive.current), abs=1e-12)
            assert found.kind.sign == (1 if drive.current > 0 else -1)
        if isinstance(drive, Power):
            assert found.power == pytest.approx(abs(drive.power), abs=1e-12)
        if isinstance(drive, Voltage):
            assert (found.voltage, found.current) == pytest.approx((drive.voltage, drive.current_limit), abs=1e-9)


def order(schedule: Schedule) -> list[int]:
    """Step numbers in the order of running, turns and all."""

    def run(items: tuple[Item, ...]) -> list[int]:
        numbers: list[int] = []
        for item in items:
            numbers += run(item.body) * item.times if isinstance(item, Repeat) else [item.number]
        return numbers

    return run(schedule.items)


def order_of_file(file: list[FileStep], numbers: dict[int, int]) -> list[int]:
    """The same, as the instrument's loops run."""
    turns: dict[int, int] = {}
    found: list[int] = []
    at = 1
    while (item := file[at - 1]).kind is not Kind.END:
        at += 1
        if item.kind is not Kind.LOOP:
            found.append(numbers[item.number])
            continue
        turns[item.number] = turns.get(item.number, 0) + 1
        if turns[item.number] < item.cycles:
            at = item.start_step
        else:
            turns[item.number] = 0
    return found


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(schedules())
def test_the_instrument_reads_what_the_schedule_says(schedule: Schedule):
    file = write_step_file(schedule, RATINGS)
    read = list(read_step_file(file.xml).steps)
    as_read(schedule, read, file.numbers)
    if len(order(schedule)) < 2000:
        assert order_of_file(read, file.numbers) == order(schedule)
