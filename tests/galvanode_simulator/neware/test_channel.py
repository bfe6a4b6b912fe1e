"""A simulated channel runs a step file by itself: what it does, counts and keeps."""

from __future__ import annotations

import pytest

from galvanode_simulator.cells import CELLS, CapacitorCell, CapacitorParameters, Cell, ResistorCell, build_cell
from galvanode_simulator.neware.channel import Channel
from galvanode_simulator.neware.models import MODELS
from galvanode_simulator.neware.records import LOG_FINISHED, LOG_STARTED
from galvanode_simulator.neware.stepfile import StepFile, read_step_file


def file_of(*steps: str, whole: str = '<Record><Main><Time Value="60000"/></Main></Record>') -> StepFile:
    """A step file of steps written ``1: <limits>``, an end after them."""
    written = [
        f'<Step{number} Step_ID="{number}" Step_Type="{kind}"><Limit><{part}>{limits}</{part}></Limit></Step{number}>'
        for number, (kind, limits) in enumerate((step.split(":", 1) for step in steps), 1)
        for part in ["Other" if kind == "5" else "Main"]
    ]
    count = len(steps) + 1
    return read_step_file(
        f'<?xml version="1.0" encoding="utf-8"?><root><config type="Step File"><Whole_Prt>{whole}</Whole_Prt>'
        f'<Step_Info Num="{count}">{"".join(written)}<Step{count} Step_ID="{count}" Step_Type="6"/></Step_Info>'
        "</config></root>".encode()
    )


CHARGE = '1:<Curr Value="1"/><Stop_Volt Value="40000"/>'
HOLD = '3:<Volt Value="40000"/><Curr Value="1"/><Stop_Curr Value="0.1"/><Time Value="36000000"/>'
DISCHARGE = '2:<Curr Value="1"/><Stop_Volt Value="25000"/>'
REST = '4:<Time Value="600000"/>'


def cell_of_farads(farads: float = 10.0, ohms: float = 100.0, volts: float = 3.0) -> Cell:
    """A capacitor behind a resistance: its voltage is known at any time."""
    parameters = {"capacitance": f"{farads} F", "resistance": f"{ohms} ohm", "voltage": f"{volts} V"}
    return CapacitorCell(CapacitorParameters.model_validate(parameters))


@pytest.fixture
def channel(clock) -> Channel:
    """A true channel at a capacitor of 10 F at 3 V behind 100 ohm."""
    return Channel(cell_of_farads(), MODELS["5v50ma"], ideal=True)


def run(channel: Channel, clock, file: StepFile, seconds: float) -> None:
    assert channel.start(file, "cell 1")
    clock.pass_time(seconds)
    channel.live_until(clock.now())


def test_a_charge_ends_at_its_voltage_within_a_tenth_of_a_second(channel, clock):
    run(channel, clock, file_of(CHARGE), 20000.0)
    # 1 mA over 100 ohm leaves 3.9 V to reach: 0.9 V x 10 F / 1 mA.
    last = channel.test.layers[0].last
    assert last.tick == 90000
    assert last.voltage == pytest.approx(4.0, abs=1e-5)
    assert last.charge == pytest.approx(9.0)
    assert last.energy == pytest.approx(9.0 * 3.55, rel=1e-4)


def test_a_hold_after_a_charge_counts_the_charge_of_the_falling_current(channel, clock):
    run(channel, clock, file_of(CHARGE, HOLD), 40000.0)
    last = channel.test.layers[1].last
    # tau = 1000 s; from 1 mA to 0.1 mA: 1000 s x ln 10, 0.9 mA x 1000 s.
    assert last.tick / 10 == pytest.approx(2302.6, abs=0.2)
    assert last.charge == pytest.approx(0.9, rel=2e-4)
    assert last.current == pytest.approx(1e-4, abs=1e-7)
    assert channel.status == "finish"


def test_charge_and_hold_as_one_step_are_the_same_as_two(clock):
    one, two = (Channel(cell_of_farads(), MODELS["5v50ma"], ideal=True) for _ in range(2))
    run(two, clock, file_of(CHARGE, HOLD), 0.0)
    run(one, clock, file_of('7:<Curr Value="1"/><Volt Value="40000"/><Stop_Curr Value="0.1"/>'), 40000.0)
    two.live_until(clock.now())
    apart = sum(layer.last.charge for layer in two.test.layers)
    assert one.test.layers[0].last.charge == pytest.approx(apart, rel=1e-5)


def test_what_it_does_does_not_depend_on_who_looks_or_how_often(clock):
    def rows(looks: int) -> list[tuple[float, ...]]:
        channel = Channel(build_cell(CELLS["lfp-lagp"], 1), MODELS["5v50ma"], 5)
        assert channel.start(file_of('1:<Curr Value="0.2"/><Stop_Volt Value="40000"/>', REST), "cell")
        for _ in range(looks):
            clock.pass_time(8000.0 / looks)
            channel.live_until(clock.now())
        clock.pass_time(-8000.0)
        return [(row.step, row.tick, row.voltage, row.current, row.charge) for row in channel.test.rows]

    once, often = rows(1), rows(977)
    assert [row[:2] for row in once] == [row[:2] for row in often]
    assert once == [pytest.approx(row, rel=1e-9) for row in often]


def test_records_are_taken_at_the_interval_and_at_both_ends_of_a_step(channel, clock):
    run(channel, clock, file_of('4:<Time Value="90500"/>'), 200.0)
    assert [row.tick for row in channel.test.rows] == [0, 600, 905]


def test_a_change_of_voltage_is_recorded(channel, clock):
    whole = '<Record><Main><Volt Value="1000"/></Main></Record>'
    run(channel, clock, file_of('1:<Curr Value="1"/><Time Value="3600000"/>', whole=whole), 3600.0)
    # 0.1 mV/s: 0.36 V in an hour, a record each 0.1 V.
    assert [row.tick for row in channel.test.rows] == [0, 10000, 20000, 30000, 36000]


def test_a_block_runs_as_often_as_it_says_and_each_turn_is_a_cycle(channel, clock):
    loop = '5:<Start_Step Value="1"/><Cycle_Count Value="3"/>'
    run(channel, clock, file_of(REST, '4:<Time Value="1000"/>', loop), 10000.0)
    assert [(layer.last.step, layer.last.cycle) for layer in channel.test.layers] == [
        (1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (2, 3),
    ]  # fmt: skip
    assert channel.status == "finish"


def test_nested_blocks_start_counting_anew(channel, clock):
    inner = '5:<Start_Step Value="1"/><Cycle_Count Value="2"/>'
    outer = '5:<Start_Step Value="1"/><Cycle_Count Value="3"/>'
    run(channel, clock, file_of('4:<Time Value="1000"/>', inner, outer), 100.0)
    assert len(channel.test.layers) == 6


def test_a_capacity_ends_a_discharge(channel, clock):
    run(channel, clock, file_of('2:<Curr Value="1"/><Cap Value="1000"/>'), 2000.0)
    assert channel.test.layers[0].last.charge == pytest.approx(1.0)
    assert channel.test.layers[0].last.current == pytest.approx(-1e-3)


def test_a_power_is_held(channel, clock):
    run(channel, clock, file_of('8:<Pow Value="3"/><Stop_Volt Value="25000"/>'), 20000.0)
    powers = [row.voltage * row.current for row in channel.test.rows]
    assert powers == [pytest.approx(-3e-3, rel=2e-4)] * len(powers)


@pytest.mark.parametrize(
    ("bounds", "step"),
    [
        ('<Volt><Upper Value="35000"/></Volt>', CHARGE),
        ('<Volt><Lower Value="28000"/></Volt>', DISCHARGE),
        ('<Curr><Upper Value="0.5"/></Curr>', CHARGE),
        ('<Curr><Lower Value="-0.5"/></Curr>', DISCHARGE),
        ('<Cap><Upper Value="500"/></Cap>', CHARGE),
    ],
)
def test_a_protection_stops_the_channel(channel, clock, bounds, step):
    whole = f"<Protect><Main>{bounds}</Main></Protect>"
    run(channel, clock, file_of(step, whole=whole), 20000.0)
    assert channel.status == "protect"
    assert channel.measure()[1] == 0.0


def test_zero_volts_is_a_bound(clock):
    channel = Channel(cell_of_farads(volts=0.5), MODELS["5v50ma"], ideal=True)
    whole = '<Protect><Main><Volt><Lower Value="0"/></Volt></Main></Protect>'
    run(channel, clock, file_of('2:<Curr Value="1"/><Stop_Volt Value="-20000"/>', whole=whole), 9000.0)
    assert channel.status == "protect"
    assert channel.test.rows[-1].voltage == pytest.approx(0.0, abs=1e-3)


def test_a_protection_with_a_delay_lets_a_short_peak_pass(clock):
    whole = '<Protect><Main><Volt><Upper Value="30500"/></Volt><Delay_Time Value="5000"/></Main></Protect>'
    quick, slow = (Channel(cell_of_farads(), MODELS["5v50ma"], ideal=True) for _ in range(2))
    run(quick, clock, file_of('1:<Curr Value="1"/><Time Value="3000"/>', REST, whole=whole), 0.0)
    run(slow, clock, file_of('1:<Curr Value="1"/><Time Value="9000"/>', REST, whole=whole), 700.0)
    quick.live_until(clock.now())
    assert (quick.status, slow.status) == ("finish", "protect")


def test_the_unit_protects_itself_beyond_its_voltage(clock):
    channel = Channel(ResistorCell(10e3), MODELS["5v50ma"], ideal=True)
    run(channel, clock, file_of('1:<Curr Value="1"/><Time Value="60000"/>'), 10.0)
    assert channel.status == "protect"


def test_a_charge_at_a_cell_above_its_voltage_does_not_discharge_it(channel, clock):
    run(channel, clock, file_of('3:<Volt Value="20000"/><Stop_Curr Value="0.1"/>'), 10.0)
    assert channel.status == "finish"
    assert all(row.current >= 0.0 for row in channel.test.rows)


@pytest.mark.parametrize("volts", [3.0, 4.0])
def test_errors_stay_within_the_data_sheet(clock, volts):
    """0.05 % of the range, at each of twenty units."""
    for seed in range(20):
        channel = Channel(cell_of_farads(volts=volts), MODELS["5v50ma"], seed)
        assert channel.start(file_of('1:<Curr Value="0.8"/><Time Value="600000"/>'), "cell")
        clock.pass_time(100.0)
        channel.live_until(clock.now())
        seen = channel.measure()
        assert seen[1] == pytest.approx(0.8e-3, abs=2e-8)
        true = (channel.cell.voltage(0.0) - volts) * 10.0
        assert true == pytest.approx(0.08, abs=0.0005 * 0.1)
        assert seen[0] == pytest.approx(channel.cell.voltage(0.8e-3), abs=0.0005 * 5)


def test_it_starts_only_from_where_it_may_and_keeps_the_barcode(channel, clock):
    assert channel.start(file_of(REST), "first")
    assert not channel.start(file_of(REST), "second")
    assert (channel.status, channel.test.barcode) == ("working", "first")
    clock.pass_time(601.0)
    assert channel.start(file_of(REST), "second")
    assert (channel.test.number, channel.test.barcode) == (2, "second")


@pytest.mark.parametrize("step", ['1:<Curr Value="51"/>', '3:<Volt Value="60000"/>', '1:<Curr Value="0"/>'])
def test_what_the_unit_cannot_do_is_not_started(channel, step):
    assert not channel.start(file_of(step), "cell")
    assert channel.status == "finish"


def test_a_stop_opens_the_circuit_and_leaves_what_was_measured(channel, clock):
    run(channel, clock, file_of(CHARGE), 100.05)
    before = channel.cell.voltage(0.0)
    assert channel.stop()
    assert not channel.stop()
    clock.pass_time(1000.0)
    channel.live_until(clock.now())
    assert channel.cell.voltage(0.0) == pytest.approx(before)
    assert channel.status == "stop"
    assert [row.tick for row in channel.test.rows] == [0, 600, 1000]


def test_a_pause_holds_the_time_of_the_step(channel, clock):
    run(channel, clock, file_of('4:<Time Value="100000"/>'), 40.0)
    assert channel.pause()
    clock.pass_time(1000.0)
    channel.live_until(clock.now())
    assert channel.status == "pause"
    assert channel.resume()
    clock.pass_time(59.0)
    channel.live_until(clock.now())
    assert channel.status == "working"
    clock.pass_time(1.1)
    channel.live_until(clock.now())
    assert channel.status == "finish"


def test_rows_can_be_fetched_after_the_server_has_them(clock):
    channel = Channel(cell_of_farads(), MODELS["5v50ma"], ideal=True, upload_lag=5.0)
    run(channel, clock, file_of('4:<Time Value="60000"/>'), 61.0)
    assert channel.test.shown(clock.now()) == 1
    assert not channel.whole
    clock.pass_time(5.0)
    assert channel.test.shown(clock.now()) == 2
    assert channel.whole


def test_the_log_says_when_it_began_and_ended(channel, clock):
    run(channel, clock, file_of('4:<Time Value="60000"/>'), 100.0)
    assert [(entry.code, entry.unix - clock.unix() + clock.now()) for entry in channel.test.log] == [
        (LOG_STARTED, 0.0),
        (LOG_FINISHED, pytest.approx(60.0)),
    ]


def test_events_tell_of_the_output(channel, clock):
    told: list[tuple[str, object]] = []

    def report(kind: str, details: dict[str, object]) -> None:
        told.append((kind, details.get("on")))

    channel.on_event = report
    run(channel, clock, file_of('4:<Time Value="1000"/>'), 5.0)
    assert [item for item in told if item[0] == "output"] == [("output", True), ("output", False)]


def test_a_stuck_output_is_said_to_be_stopped_and_goes_on(channel, clock):
    run(channel, clock, file_of(CHARGE), 10.0)
    channel.stuck_output = True
    assert channel.stop()
    assert channel.status == "working"
    channel.stuck_output = False
    assert channel.stop()
    assert channel.status == "stop"
