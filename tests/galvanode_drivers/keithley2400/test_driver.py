"""The driver of the Keithley 2400 series at its simulated instrument, over its RS-232 port."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pyvisa

from galvanode.instrument.bench import open_bench, read_bench
from galvanode.instrument.roles import Envelope, InstrumentError, OutOfRange, UnsafeState
from galvanode.testing.instruments import HandClock

ENVELOPE = Envelope(-2.0, 5.0, 0.1)


class At:
    """The driver, and the instrument that it does not know to be simulated."""

    def __init__(self, folder: Path, clock: HandClock, simulated: str, options: str, cell: str) -> None:
        path = folder / "bench.yaml"
        path.write_text(
            "title: t\ninstruments:\n  smu:\n    driver: keithley2400\n"
            f"    options: {{{options}}}\n    simulated: {{cell: {cell}, {simulated}}}\n"
        )
        self.clock = clock
        self.bench = read_bench(path)
        self.driver: Any = open_bench(self.bench).units["smu"]
        library: Any = pyvisa.ResourceManager(self.bench.backend("smu")).visalib
        self.instrument = library.instruments["smu"]
        self.unit = self.instrument.model

    def close(self) -> None:
        pyvisa.ResourceManager(self.bench.backend("smu")).close()


Make = Callable[..., At]


@pytest.fixture
def at(tmp_path: Path, clock: HandClock) -> Iterator[Make]:
    made: list[At] = []

    def make(simulated: str = "link: serial", options: str = "", cell: str = "resistor") -> At:
        made.append(At(tmp_path, clock, simulated, options, cell))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("terminator", ["CR", "LF", "CRLF", "LFCR"])
async def test_it_speaks_over_its_serial_port_with_any_terminator(at: Make, terminator: str):
    smu = at(options=f"terminator: {terminator}, baud_rate: 19200")
    identity = await smu.driver.identify()
    assert identity.model == "MODEL 2400"
    await smu.driver.prepare(ENVELOPE)
    await smu.driver.source_current(1e-3)
    reading = await smu.driver.read()
    assert reading.voltage == pytest.approx(1.0, rel=1e-3)
    assert reading.current == pytest.approx(1e-3, rel=1e-3)
    assert reading.tripped is None


async def test_on_the_bus_lines_end_with_lf(at: Make):
    smu = at("link: tcp")
    await smu.driver.prepare(ENVELOPE)
    assert (await smu.driver.identify()).manufacturer == "KEITHLEY INSTRUMENTS INC."


async def test_preparing_sets_the_instruments_own_limits_and_leaves_the_output_off(at: Make):
    smu = at()
    await smu.driver.prepare(ENVELOPE)
    unit = smu.unit
    assert not unit.output
    assert unit.off_state == "HIMP"
    assert unit.four_wire
    assert unit.senses["VOLT"].compliance == 5.0
    assert unit.senses["CURR"].compliance == 0.1
    assert unit.over_voltage == 20
    assert set(unit.measured) == {"VOLT", "CURR"}
    assert not smu.instrument.wire.device.status.errors


@pytest.mark.parametrize(
    ("model", "envelope", "level"),
    [
        ("2400", Envelope(-2, 20, 0.1), 40),
        ("2440", Envelope(0, 4.3, 5.0), 8),
        ("2420", Envelope(-6, 5, 3.0), 12),
        ("2410", Envelope(0, 450, 0.02), 500),
    ],
)
async def test_protection_is_the_next_level_above_the_envelope(at: Make, model: str, envelope: Envelope, level: int):
    smu = at(f"link: serial, model: '{model}'")
    await smu.driver.identify()
    await smu.driver.prepare(envelope)
    assert smu.unit.over_voltage == level


@pytest.mark.parametrize(
    ("model", "envelope", "message"),
    [
        ("2400", Envelope(-1e-4, 1e-4, 0.1), "voltage_compliance is 0.0001 V; expected 0.0002 to 210 V"),
        ("2400", Envelope(-300, 300, 0.1), "voltage_compliance is 300 V; expected 0.0002 to 210 V"),
        ("2400", Envelope(-170, 170, 0.1), "no over-voltage protection level lies above 170 V"),
        ("2400", Envelope(-1, 1, 5e-10), "current_compliance is 5e-10 A; expected 1e-09 to 1.05 A"),
        ("2440", Envelope(-1, 1, 5e-9), "expected 1e-08 to 5.25 A"),
        ("2400", Envelope(-1, 60, 0.5), "a 2400 has no 0.5 A at 60 V; expected at most 0.105 A, or at most 21 V"),
    ],
)
async def test_an_envelope_that_it_cannot_hold_is_refused_before_anything_is_sent(
    at: Make, model: str, envelope: Envelope, message: str
):
    smu = at(f"link: serial, model: '{model}'", f"model: '{model}'")
    with pytest.raises(OutOfRange, match=message.replace(".", r"\.")):
        await smu.driver.prepare(envelope)
    assert smu.unit.off_state == "NORM"


async def test_the_limits_are_those_of_the_model_that_answers(at: Make):
    smu = at("link: serial, model: '2440'")
    assert smu.driver.capabilities.current == (-1.05, 1.05)
    await smu.driver.identify()
    assert smu.driver.capabilities.current == (-5.25, 5.25)
    await smu.driver.prepare(Envelope(-2, 5, 5))
    await smu.driver.source_voltage(0.004, 4.0)
    with pytest.raises(OutOfRange, match=r"current_level is 5\.3 A; expected -5\.25 to 5\.25 A"):
        await smu.driver.source_current(5.3)


async def test_another_model_than_the_bench_names_is_refused(at: Make):
    smu = at("link: serial, model: '2401'", "model: '2420'")
    with pytest.raises(InstrumentError, match="is a 'MODEL 2401'; expected a 2420"):
        await smu.driver.identify()


async def test_an_open_circuit_is_a_source_of_zero_amps_with_the_output_on(at: Make):
    smu = at()
    await smu.driver.prepare(ENVELOPE)
    await smu.driver.rest()
    assert smu.unit.output
    reading = await smu.driver.read()
    assert reading.current == pytest.approx(0.0, abs=1e-9)


async def test_an_output_that_somebody_switched_off_is_told_though_the_instrument_refuses_to_measure(at: Make):
    smu = at()
    await smu.driver.prepare(ENVELOPE)
    await smu.driver.source_current(1e-3)
    smu.instrument.wire.receive(b":OUTP OFF")
    reading = await smu.driver.read()
    assert reading.tripped == "output is off"
    assert math.isnan(reading.voltage)
    assert await smu.driver.clear_errors() == []


@pytest.mark.parametrize(
    ("setting", "amps", "held", "tripped"),
    [
        (":SENS:VOLT:PROT 1.5", 2e-3, True, None),
        (":SENS:VOLT:RANG 0.2", 1e-3, True, None),
        (":SENS:VOLT:PROT 60", 30e-3, False, "over-voltage protection"),
    ],
)
async def test_what_limits_the_source_is_told(at: Make, setting: str, amps: float, held: bool, tripped: str | None):
    smu = at()
    await smu.driver.prepare(ENVELOPE)
    await smu.driver.source_current(amps)
    smu.instrument.wire.receive(setting.encode())
    reading = await smu.driver.read()
    assert (reading.in_compliance, reading.tripped) == (held, tripped)


async def test_a_voltage_is_held_within_its_current_limit_and_sources_change_with_the_output_off(at: Make):
    smu = at()
    await smu.driver.prepare(ENVELOPE)
    await smu.driver.source_current(1e-3)
    switched: list[bool] = []
    smu.unit.on_event = lambda kind, details: switched.append(details["on"]) if kind == "output" else None
    await smu.driver.source_voltage(1.25, 1e-3)
    assert switched == [False, True]
    reading = await smu.driver.read()
    assert reading.current == pytest.approx(1e-3, rel=1e-3)
    assert reading.in_compliance
    await smu.driver.source_voltage(-0.5, 1e-2)
    assert (await smu.driver.read()).current == pytest.approx(-0.5e-3, rel=1e-3)
    assert switched == [False, True]


@pytest.mark.parametrize("amps", [1.06, math.nan, math.inf, -2.0])
async def test_a_current_out_of_range_is_refused_and_nothing_sent(at: Make, amps: float):
    smu = at()
    with pytest.raises(OutOfRange):
        await smu.driver.source_current(amps)
    assert smu.unit.sources["CURR"].level == 0.0


async def test_a_level_that_reads_back_as_another_is_an_error(at: Make):
    smu = at()
    await smu.driver.prepare(ENVELOPE)
    smu.instrument.wire.inject("reading", value="1.5E-03", match=":SOUR:CURR?")
    with pytest.raises(InstrumentError, match=r"current_level set to 0\.001 reads back as 0\.0015"):
        await smu.driver.source_current(1e-3)
    assert not smu.unit.output


async def test_it_is_made_safe_whatever_the_state_and_an_error_in_one_command_spares_the_others(at: Make):
    smu = at()
    smu.instrument.wire.receive(b"*RST;:SOUR:FUNC CURR;:SOUR:CURR 0.01;:ARM:COUN INF;:OUTP ON;:INIT")
    await smu.driver.make_safe()
    assert not smu.unit.output
    assert smu.unit.off_state == "HIMP"


async def test_a_stuck_output_is_never_taken_for_safe(at: Make):
    smu = at()
    await smu.driver.source_current(1e-3)
    smu.instrument.wire.inject("stuck_output")
    with pytest.raises(UnsafeState, match="'1;HIMP'; expected '0;HIMP'"):
        await smu.driver.make_safe()


async def test_time_goes_on_when_the_instruments_timer_begins_anew(at: Make):
    smu = at()
    await smu.driver.prepare(ENVELOPE)
    await smu.driver.source_current(1e-3)
    times: list[float] = []
    for _ in range(6):
        smu.clock.pass_time(30_000.0)
        times.append((await smu.driver.read()).instrument_time)
    assert times == pytest.approx([30_000.0 * number for number in range(1, 7)], abs=1.0)


async def test_reference_and_zero_are_measured_once_a_minute_and_before_the_reading_that_they_are_for(at: Make):
    smu = at()
    await smu.driver.prepare(ENVELOPE)
    await smu.driver.source_current(1e-3)  # measures them as well
    seconds, zeroed, stamps = 7.0, [smu.clock.now()], []
    smu.unit.autozero_once = lambda: zeroed.append(smu.clock.now())
    for _ in range(40):
        smu.clock.pass_time(seconds)
        stamps.append((await smu.driver.read()).instrument_time)
    since_the_last = [later - earlier for earlier, later in pairwise(zeroed)]
    assert len(since_the_last) == 3
    # One reading says that a minute is over, and they are measured with the next one.
    assert all(60.0 <= passed <= 60.0 + 3 * seconds for passed in since_the_last), since_the_last
    assert stamps == pytest.approx([seconds * number for number in range(1, 41)], abs=0.1)


async def test_a_cell_beyond_the_range_of_the_held_level_is_read_where_the_current_limit_acts(at: Make):
    smu = at("overrides: {capacitance: 2 F}", cell="capacitor")  # at 3 V
    await smu.driver.prepare(ENVELOPE)
    await smu.driver.source_voltage(1.0, 2e-3)  # on the range of 2 V
    reading = await smu.driver.read()
    assert reading.voltage == pytest.approx(2.98, abs=0.01)
    assert reading.current == pytest.approx(-2e-3, rel=1e-3)
    assert reading.in_compliance
    assert smu.unit.sources["VOLT"].range == 20.0
    await smu.driver.source_voltage(1.5, 2e-3)
    assert smu.unit.sources["VOLT"].range == 2.0
    assert (await smu.driver.read()).voltage == pytest.approx(2.98, abs=0.01)
    await smu.driver.rest()
    assert (await smu.driver.read()).voltage == pytest.approx(3.0, abs=0.01)
