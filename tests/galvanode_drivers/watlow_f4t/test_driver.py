"""The F4T driver at its simulated chamber: both protocols, loop and cascade, either scale and word order."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvisa

from galvanode.instrument.bench import open_bench, read_bench
from galvanode.instrument.links.base import AnotherInstrument, LinkError
from galvanode.instrument.links.modbus import ModbusRefused
from galvanode.instrument.reading import BadReading
from galvanode.instrument.roles import InstrumentError, OutOfRange, UnsafeState

CELSIUS = 273.15
SETTLED_S = 1e5


class Oven:
    """A driver, and the chamber that it does not know to be simulated."""

    def __init__(self, folder: Path, clock: Any, options: dict[str, Any], simulated: dict[str, Any]) -> None:
        path = folder / "bench.yaml"
        entry = {"driver": "watlow_f4t", "options": options, "simulated": simulated}
        path.write_text(json.dumps({"title": "t", "instruments": {"oven": entry}}), encoding="utf-8")
        bench = read_bench(path)
        self.clock = clock
        self.manager: Any = pyvisa.ResourceManager(bench.backend("oven"))
        self.wire = self.manager.visalib.instruments["oven"].wire
        self.model = self.manager.visalib.instruments["oven"].model
        self.driver: Any = open_bench(bench).units["oven"]


@pytest.fixture
def oven(tmp_path: Path, clock: Any) -> Iterator[Callable[..., Oven]]:
    made: list[Oven] = []

    def make(units: str = "F", **options: Any) -> Oven:
        made.append(Oven(tmp_path, clock, options, {"units": units}))
        return made[-1]

    yield make
    for one in made:
        one.manager.close()


WAYS = [
    {"protocol": protocol, "control": control} for protocol in ("modbus", "scpi") for control in ("loop", "cascade")
]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(way.values()))


@every_way
@pytest.mark.parametrize("units", ["F", "C"])
async def test_it_goes_to_a_temperature_holds_it_and_lets_go(oven, clock, way, units):
    it = oven(units, **way)
    for celsius in (60.0, 0.0, -40.0, 150.0, 25.04):
        await it.driver.set_temperature(celsius + CELSIUS)
        assert (await it.driver.read()).setpoint == pytest.approx(celsius + CELSIUS, abs=1e-3)
        clock.pass_time(SETTLED_S)
        reading = await it.driver.read()
        assert reading.temperature == pytest.approx(celsius + CELSIUS, abs=0.2)
        assert it.model.temperature() == pytest.approx(celsius + CELSIUS, abs=1e-3)
        assert reading.alarm is None
    await it.driver.make_safe()
    clock.pass_time(SETTLED_S)
    assert it.model.temperature() == pytest.approx(25.0 + CELSIUS, abs=0.1)


@every_way
async def test_a_temperature_beyond_the_chamber_is_refused_and_nothing_is_set(oven, way):
    it = oven(**way)
    before = it.model.user_setpoint
    for celsius in (-40.1, 150.1, math.nan, math.inf, -math.inf):
        with pytest.raises(OutOfRange, match="-40 to 150 degC"):
            await it.driver.set_temperature(celsius + CELSIUS)
    assert it.model.user_setpoint == before
    assert not it.model.controlled


@every_way
async def test_it_says_who_it_is(oven, way):
    it = oven(**way)
    identity = await it.driver.identify()
    assert (identity.manufacturer, identity.serial) == ("Watlow", str(it.model.serial_number))
    assert identity.model.startswith("F4T")


@every_way
async def test_another_controller_at_the_same_address_is_not_spoken_to(oven, way):
    it = oven(**way)
    await it.driver.identify()
    it.model.serial_number += 1
    it.wire.inject("disconnect", count=1)
    with pytest.raises(LinkError):
        await it.driver.read()
    with pytest.raises(AnotherInstrument):
        await it.driver.set_temperature(60.0 + CELSIUS)
    assert it.model.user_setpoint == pytest.approx(25.0 + CELSIUS)


@pytest.mark.parametrize("order", ["low_high", "high_low"])
async def test_either_word_order_is_understood(oven, order):
    it = oven(word_order=order)
    await it.driver.set_temperature(61.5 + CELSIUS)
    assert (await it.driver.read()).setpoint == pytest.approx(61.5 + CELSIUS, abs=1e-3)


async def test_the_wrong_word_order_is_noticed(oven):
    it = oven(word_order="low_high")
    it.wire.device._map._low_word_first = False
    with pytest.raises((BadReading, OutOfRange, InstrumentError)):
        await it.driver.read()
    with pytest.raises((BadReading, OutOfRange, InstrumentError)):
        await it.driver.set_temperature(60.0 + CELSIUS)
    assert not it.model.controlled


async def test_somebody_changes_the_scale_at_the_panel(oven, clock):
    it = oven("C")
    await it.driver.set_temperature(60.0 + CELSIUS)
    clock.pass_time(SETTLED_S)
    it.model.units = 30
    reading = await it.driver.read()
    assert reading.temperature == pytest.approx(60.0 + CELSIUS, abs=0.2)
    assert reading.setpoint == pytest.approx(60.0 + CELSIUS, abs=1e-3)


async def test_alarms_are_told_with_number_and_side(oven, clock):
    it = oven()
    for number, kind in ((0, 76), (2, 24)):
        it.model.alarm_list[number].kind = kind
    it.model.alarm_list[0].high = 20.0 + CELSIUS
    it.model.alarm_list[2].low, it.model.alarm_list[2].high = 5.0, 10.0
    assert (await it.driver.read()).alarm == "alarm 1 high, alarm 3 low"


async def test_a_broken_sensor_is_told_over_scpi(oven):
    it = oven(protocol="scpi")
    it.model.input_error = True
    assert (await it.driver.read()).alarm == "sensor error"


async def test_a_profile_that_runs_is_ended(oven, clock):
    it = oven()
    profile = it.model.profile(1)
    from galvanode_simulator.watlow_f4t.profiles import INSTANT, Step

    profile.steps.append(Step(INSTANT, hours=50, target=80.0 + CELSIUS))
    for then in (it.driver.make_safe, lambda: it.driver.set_temperature(50.0 + CELSIUS)):
        it.model.start_profile()
        clock.pass_time(10.0)
        await then()
        assert it.model.program is None
    assert it.model.setpoint == pytest.approx(50.0 + CELSIUS, abs=1e-3)
    assert it.model.mode == "CONSTANT"


async def test_a_chamber_that_does_not_switch_off_is_never_called_safe(oven):
    it = oven()
    await it.driver.set_temperature(60.0 + CELSIUS)
    it.model.set_loop_mode = lambda mode: None
    with pytest.raises(UnsafeState, match="by hand"):
        await it.driver.make_safe()


async def test_a_controller_that_is_busy_is_asked_again_and_one_that_stays_so_is_told(oven):
    it = oven()
    it.wire.inject("scpi_error", count=2)
    assert await it.driver.read()
    it.wire.inject("scpi_error")
    with pytest.raises(ModbusRefused, match="it is busy"):
        await it.driver.read()


@every_way
@pytest.mark.parametrize("kind", ["drop_reply", "garble", "truncate", "disconnect", "double_reply"])
async def test_no_fault_of_the_wire_becomes_a_reading(oven, way, kind):
    it = oven("C", **way)
    await it.driver.set_temperature(40.0 + CELSIUS)
    for nth in itertools.count():
        it.wire.inject(kind, skip=nth, count=1)
        try:
            reading = await it.driver.read()
        except (LinkError, BadReading, InstrumentError):
            it.wire.inject()
            reading = await it.driver.read()
        assert reading.setpoint == pytest.approx(40.0 + CELSIUS, abs=1e-3)
        assert reading.temperature == pytest.approx(25.0 + CELSIUS, abs=0.3)
        if it.wire.faulty:  # there were no more answers to strike
            break


async def test_on_a_bus_another_unit_keeps_silent(oven):
    it = oven(unit=7)
    with pytest.raises(LinkError):
        await it.driver.read()
