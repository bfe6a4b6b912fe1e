"""What the 2450's driver does beyond its role."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pyvisa

from galvanode.instrument.bench import open_bench, read_bench
from galvanode.instrument.links.base import LinkError
from galvanode.instrument.roles import Envelope, InstrumentError
from galvanode.testing.instruments import Bound

Open = Callable[..., Bound]
NAME = "keithley2450"


async def test_a_session_leaves_no_error_behind(bound_to: Open):
    bound = bound_to(NAME)
    driver = bound.unit
    await driver.identify()
    await driver.prepare(bound.envelope)
    for amps in (0.0, 0.001, -0.001):
        await driver.source_current(amps)
        await driver.read()
    for volts in (0.5, -0.5):
        await driver.source_voltage(volts, 0.01)
        await driver.read()
    await driver.rest()
    await driver.read()
    await driver.make_safe()
    assert await driver.clear_errors() == []


async def test_a_start_that_failed_halfway_does_not_mix_up_voltage_and_current(bound_to: Open):
    bound = bound_to(NAME)
    driver = bound.unit
    await driver.prepare(bound.envelope)
    await driver.source_voltage(0.5, 0.01)
    bound.inject("scpi_error", code=-221, skip=2, count=1)
    with pytest.raises(InstrumentError):
        await driver.source_current(0.001)
    bound.inject()
    await driver.source_voltage(0.25, 0.01)
    reading = await driver.read()
    assert reading.tripped is None
    assert reading.voltage == pytest.approx(0.25, rel=1e-3)


async def test_its_over_voltage_protection_is_the_next_step_above_the_envelope(bound_to: Open):
    bound = bound_to(NAME)
    driver = bound.unit
    await driver.prepare(bound.envelope)  # 2 V
    await driver.source_voltage(100.0, 0.01)
    assert abs((await driver.read()).voltage) < 5.1


async def test_an_answer_cut_short_is_no_reading_where_messages_end_by_themselves(bound_to: Open):
    bound = bound_to(NAME, "GPIB0::18::INSTR")  # EOI ends a message, whatever came before
    await bound.unit.prepare(bound.envelope)
    await bound.unit.source_current(0.001)
    bound.inject("truncate", count=1)
    with pytest.raises(LinkError, match="cut short"):
        await bound.unit.read()
    assert await bound.unit.read()


async def test_a_bench_says_how_it_is_wired(tmp_path: Path):
    path = tmp_path / "bench.yaml"
    options = "{four_wire: false, terminals: rear, nplc: 0.1}"
    path.write_text(
        f"title: t\ninstruments: {{smu: {{driver: keithley2450, options: {options}, simulated: {{cell: resistor}}}}}}\n"
    )
    bench = read_bench(path)
    driver: Any = open_bench(bench).units["smu"]
    library: Any = pyvisa.ResourceManager(bench.backend("smu")).visalib
    unit = library.instruments["smu"].model
    assert driver.capabilities.fastest_poll_s == pytest.approx(0.032)
    await driver.prepare(Envelope(-2.0, 2.0, 0.1))
    assert unit.terminals == "REAR"
    assert [(one.four_wire, one.nplc) for one in (unit.senses["VOLT"], unit.senses["CURR"])] == [(False, 0.1)] * 2
    pyvisa.ResourceManager(bench.backend("smu")).close()
