"""pymeasure's own Keithley 2400 driver drives the simulated one over TCP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from galvanode_simulator.cells import ResistorCell
from galvanode_simulator.keithley2400.interface import Keithley2400Interface
from galvanode_simulator.keithley2400.unit import Keithley2400Unit
from galvanode_simulator.links.tcp import TcpServer
from galvanode_simulator.wire import Wire

pytest.importorskip("pymeasure", reason="needs pymeasure; part of the test extra")
pytestmark = pytest.mark.filterwarnings("ignore:Deprecated to use:FutureWarning")
keithley2400 = pytest.importorskip("pymeasure.instruments.keithley.keithley2400")


@pytest.fixture
def served() -> Iterator[str]:
    """A 2400 at 1 kohm, served from a thread of its own; yields its resource name."""
    interface = Keithley2400Interface(Keithley2400Unit(ResistorCell(1000.0), seed=1))
    started = threading.Event()
    resource: list[str] = []
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        async with TcpServer(Wire("smu", "keithley2400", interface)) as server:
            stop = asyncio.Event()
            loops.append((asyncio.get_running_loop(), stop))
            resource.append(server.resource)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert started.wait(5)
        yield resource[0]
    finally:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)


@pytest.fixture
def driver(served):
    instrument = keithley2400.Keithley2400(
        served, visa_library="@py", read_termination="\n", write_termination="\n", timeout=2000
    )
    yield instrument
    instrument.adapter.close()


def no_errors(driver) -> bool:
    return driver.check_errors() == []


def test_it_sources_a_current_and_reads_the_voltage(driver, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    driver.reset()
    assert driver.id.startswith("KEITHLEY INSTRUMENTS INC.,MODEL 2400,1000001,")
    driver.apply_current(current_range=10e-3, compliance_voltage=10)
    driver.source_current = 5e-3
    driver.enable_source()
    driver.measure_voltage()
    everything = driver.measure_all()
    assert everything["voltage"] == pytest.approx(5.0, rel=1e-3)
    assert driver.voltage == pytest.approx(5.0, rel=1e-3)
    driver.shutdown()
    assert not driver.source_enabled
    assert no_errors(driver)


def test_it_sources_a_voltage_and_reads_the_current(driver):
    driver.reset()
    driver.apply_voltage(voltage_range=20, compliance_current=1e-2)
    driver.source_voltage = 5.0
    driver.enable_source()
    driver.measure_current(nplc=0.1, current=1e-2, auto_range=False)
    assert driver.current == pytest.approx(5e-3, rel=1e-3)
    driver.disable_source()
    assert no_errors(driver)


def test_its_buffer_is_filled_by_the_trigger_model(driver):
    driver.reset()
    driver.apply_voltage(compliance_current=1e-2)
    driver.source_voltage = 1.0
    driver.measure_current(nplc=0.1)
    driver.config_buffer(20, delay=0.001)
    driver.enable_source()
    driver.start_buffer()
    driver.wait_for_buffer(timeout=10, interval=0.01)
    data = np.asarray(driver.buffer_data).reshape(20, 5)
    assert data[:, 1] == pytest.approx(1e-3, rel=1e-3)
    assert np.all(np.diff(data[:, 3]) > 0)
    assert driver.mean_current == pytest.approx(1e-3, rel=1e-3)
    driver.stop_buffer()
    driver.disable_buffer()
    driver.shutdown()
    assert no_errors(driver)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source_mode", "current"),
        ("source_mode", "voltage"),
        ("source_delay", 0.5),
        ("source_delay_auto_enabled", True),
        ("auto_zero_enabled", False),
        ("output_off_state", "disconnected"),
        ("auto_output_off_enabled", True),
        ("filter_enabled", True),
        ("repeat_filter_enabled", False),
        ("filter_count", 20),
        ("current_range", 1e-5),
        ("current_nplc", 0.1),
        ("compliance_current", 1e-3),
        ("source_current", 1e-6),
        ("source_current_range", 1e-3),
        ("source_current_range_auto_enabled", True),
        ("voltage_nplc", 10.0),
        ("compliance_voltage", 5.0),
        ("source_voltage", 1e-3),
        ("source_voltage_range", 20.0),
        ("source_voltage_range_auto_enabled", False),
        ("buffer_points", 500),
        ("trigger_count", 50),
        ("trigger_delay", 0.25),
    ],
)
def test_every_setting_reads_back_what_was_set(driver, name, value):
    if not hasattr(type(driver), name):
        pytest.fail(f"pymeasure has no {name}")
    driver.reset()
    setattr(driver, name, value)
    assert getattr(driver, name) == value
    assert no_errors(driver)


def test_everything_else_it_can_say_is_understood(driver, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    driver.reset()
    driver.auto_zero_once()
    driver.auto_range_source()
    driver.beep(440, 0.1)
    driver.triad(440, 0.01)
    driver.use_rear_terminals()
    driver.use_front_terminals()
    driver.clear_trigger()
    driver.trigger_on_bus()
    driver.trigger_immediately()
    driver.set_trigger_counts(2, 3)
    driver.set_timed_arm(0.1)
    driver.disable_output_trigger()
    assert no_errors(driver)
