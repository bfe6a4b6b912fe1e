"""pymeasure's own Keithley 2450 driver drives the simulated one over TCP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from galvanode_simulator.cells import ResistorCell
from galvanode_simulator.keithley2450.interface import Keithley2450Interface
from galvanode_simulator.keithley2450.unit import Keithley2450Unit
from galvanode_simulator.links.tcp import TcpServer
from galvanode_simulator.wire import Wire

pytest.importorskip("pymeasure", reason="needs pymeasure; part of the test extra")
keithley2450 = pytest.importorskip("pymeasure.instruments.keithley.keithley2450")


@pytest.fixture
def served() -> Iterator[tuple[str, Keithley2450Interface]]:
    """A 2450 at 1 kohm, served from a thread of its own; yields its resource name and its interface."""
    interface = Keithley2450Interface(Keithley2450Unit(ResistorCell(1000.0), seed=1))
    started = threading.Event()
    resource: list[str] = []
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        async with TcpServer(Wire("smu", "keithley2450", interface)) as server:
            stop = asyncio.Event()
            loops.append((asyncio.get_running_loop(), stop))
            resource.append(server.resource)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert started.wait(5)
        yield resource[0], interface
    finally:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)


@pytest.fixture
def driver(served):
    instrument = keithley2450.Keithley2450(
        served[0], visa_library="@py", read_termination="\n", write_termination="\n", timeout=2000
    )
    yield instrument
    instrument.adapter.close()


def no_errors(driver) -> bool:
    return driver.check_errors() == []


def test_it_sources_a_current_and_reads_the_voltage(driver, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    driver.reset()
    assert driver.id == "KEITHLEY INSTRUMENTS,MODEL 2450,04400001,1.7.12b"
    driver.apply_current(current_range=10e-3, compliance_voltage=10)
    driver.source_current = 0
    driver.enable_source()
    driver.measure_voltage()
    driver.ramp_to_current(5e-3)
    assert driver.source_enabled
    assert driver.voltage == pytest.approx(5.0, rel=1e-3)
    driver.shutdown()
    assert no_errors(driver)


def test_it_sources_a_voltage_and_reads_current_and_resistance(driver):
    driver.reset()
    driver.apply_voltage(voltage_range=20, compliance_current=1e-2)
    driver.source_voltage = 5.0
    driver.enable_source()
    driver.measure_current(nplc=0.1, current=1e-2, auto_range=False)
    assert driver.current == pytest.approx(5e-3, rel=1e-3)
    driver.measure_resistance()
    assert driver.resistance == pytest.approx(1000.0, rel=1e-3)
    driver.disable_source()
    assert not driver.source_enabled
    assert no_errors(driver)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source_mode", "current"),
        ("current_range", 1e-3),
        ("current_nplc", 0.1),
        ("compliance_current", 1e-3),
        ("source_current", 1e-6),
        ("source_current_range", 1e-3),
        ("source_current_delay", 0.5),
        ("source_current_delay_auto", True),
        ("voltage_range", 2.0),
        ("voltage_nplc", 10.0),
        ("compliance_voltage", 5.0),
        ("source_voltage", 1e-3),
        ("source_voltage_range", 20.0),
        ("source_voltage_delay", 0.25),
        ("source_voltage_delay_auto", False),
        ("resistance_range", 2e4),
        ("resistance_nplc", 1.0),
        ("wires", 4),
        ("buffer_points", 500),
        ("current_filter_type", "MOV"),
        ("current_filter_count", 20),
        ("voltage_filter_type", "REP"),
        ("voltage_filter_count", 5),
        ("current_output_off_state", "HIMP"),
        ("voltage_output_off_state", "GUAR"),
    ],
)
def test_every_setting_reads_back_what_was_set(driver, name, value):
    driver.reset()
    setattr(driver, name, value)
    assert getattr(driver, name) == value
    assert no_errors(driver)


def test_everything_else_it_can_say_is_understood(driver, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    driver.reset()
    driver.voltage_filter_state = "ON"
    driver.current_filter_state = "OFF"
    driver.source_mode = "voltage"
    driver.auto_range_source()
    driver.source_mode = "current"
    driver.auto_range_source()
    driver.beep(440, 0.1)
    driver.triad(440, 0.01)
    driver.use_rear_terminals()
    driver.use_front_terminals()
    driver.trigger()
    driver.enable_source()
    driver.measure_voltage()
    readings = [driver.voltage for _ in range(3)]
    assert driver.means == pytest.approx(np.mean(readings), abs=1e-9)
    assert driver.maximums >= driver.minimums
    assert driver.standard_devs >= 0
    driver.stop_buffer()
    assert no_errors(driver)


def test_its_buffer_commands_are_those_of_the_2400_and_a_2450_refuses_them(driver):
    """pymeasure says so itself: in its native command set the 2450 has no ``:TRAC:FEED``."""
    driver.reset()
    driver.write(":TRAC:FEED SENSE;:TRAC:FEED:CONT NEXT;")
    assert [int(error[0]) for error in driver.check_errors()] == [-113, -113]
