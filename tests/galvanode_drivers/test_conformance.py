"""What the engine relies on in every driver, tried at the driver's simulated instrument with its faults."""

from __future__ import annotations

import inspect
import itertools
import math
import typing
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.galvanode_drivers.simulated import DRIVERS, ENVELOPE, FAMILIES, OHMS, Bound

from galvanode.instrument.bench import has_role
from galvanode.instrument.links.base import LinkError, LinkTimeout
from galvanode.instrument.reading import BadReading, ChamberReading, Reading
from galvanode.instrument.roles import (
    Capabilities,
    Chamber,
    CyclerChannel,
    Envelope,
    InstrumentError,
    OutOfRange,
    ScriptedChannel,
    UnsafeState,
)
from galvanode.instrument.scpi import ScpiInstrument, Setting

ROLES = (CyclerChannel, ScriptedChannel, Chamber)
CYCLERS = [name for name, driver in DRIVERS.items() if has_role(driver, CyclerChannel)]
CHAMBERS = [name for name, driver in DRIVERS.items() if has_role(driver, Chamber)]
SCRIPTED = [name for name, driver in DRIVERS.items() if has_role(driver, ScriptedChannel)]
READ = [*CYCLERS, *CHAMBERS]
"""Those that the host reads; what scripted ones send is tried in ``test_scripted.py``."""
SCPI = [name for name, driver in DRIVERS.items() if issubclass(driver, ScpiInstrument)]
NO_NUMBERS = [math.nan, math.inf, -math.inf]
NO_READINGS = ["nan", "9.91E37", "+9.9E37", "-9.9E37", "inf", "", "1.2.3"]

Open = Callable[..., Bound]
every_driver = pytest.mark.parametrize("name", DRIVERS)
every_cycler = pytest.mark.parametrize("name", CYCLERS)
every_chamber = pytest.mark.parametrize("name", CHAMBERS)
every_read_driver = pytest.mark.parametrize("name", READ)
every_scpi_driver = pytest.mark.parametrize("name", SCPI)


async def started(bound: Bound) -> Any:
    """The driver at work: a current flows, or the chamber holds a temperature."""
    if bound.name in CYCLERS:
        await bound.driver.prepare(ENVELOPE)
        await bound.driver.source_current(0.001)
    else:
        await bound.driver.set_temperature(313.15)
    return bound.driver


# --- what a driver is ----------------------------------------------------------------------------------


def test_every_driver_has_a_simulated_counterpart_and_a_role():
    assert all(family.load_simulator() is not None for family in FAMILIES.values())
    assert set(DRIVERS) == {*CYCLERS, *SCRIPTED, *CHAMBERS}


@every_driver
def test_a_driver_has_the_methods_of_its_role_typed_and_explained(name: str):
    driver = DRIVERS[name]
    assert inspect.getdoc(driver)
    for role in (role for role in ROLES if has_role(driver, role)):
        for verb in (verb for verb in dir(role) if not verb.startswith("_")):
            own, expected = getattr(driver, verb), getattr(role, verb)
            assert inspect.iscoroutinefunction(own), verb
            assert inspect.getdoc(own), verb
            assert list(inspect.signature(own).parameters) == list(inspect.signature(expected).parameters), verb
            assert typing.get_type_hints(own) == typing.get_type_hints(expected), verb


@every_cycler
def test_a_cycler_says_what_it_can_do(name: str):
    can: Capabilities = DRIVERS[name].capabilities
    assert {"rest"} < can.modes
    for low, high in (can.voltage, can.current):
        assert low <= 0 <= high
        assert low < high
    assert can.fastest_poll_s > 0


@every_scpi_driver
def test_every_setting_has_one_argument_a_question_and_what_belongs_to_its_kind(name: str):
    settings = {key: value for key, value in vars(DRIVERS[name]).items() if isinstance(value, Setting)}
    assert settings
    for key, setting in settings.items():
        assert setting.command.count("{") == 1, key
        assert setting.query.endswith("?"), key
        assert " " not in setting.query, key
        if setting.choices is not None:
            assert all(setting.choices), key
            assert len(set(setting.choices)) == len(setting.choices), key
            assert setting.cast is not None, key
        elif setting.limits is not None:
            low, high = setting.limits
            assert math.isfinite(low), key
            assert low < high < math.inf, key
            assert setting.unit, key
        else:
            assert setting.cast is not None, f"{key} is a number without limits"


@every_scpi_driver
async def test_every_setting_takes_its_limits_and_its_choices_and_reads_back_what_was_set(name: str, bound_to: Open):
    bound = bound_to(name)
    for key, setting in vars(DRIVERS[name]).items():
        if not isinstance(setting, Setting):
            continue
        values: tuple[Any, ...] = (False, True)
        if setting.choices is not None:
            values = setting.choices
        elif setting.limits is not None:
            low, high = setting.limits
            values = (low, high, 0.0) if low <= 0 <= high else (low, high)
        for value in values:
            await getattr(bound.driver, key).set(value)
            assert await getattr(bound.driver, key).get() == value, key
    assert await bound.driver.clear_errors() == []


@every_scpi_driver
async def test_a_setting_that_reads_back_as_no_number_is_no_value(name: str, bound_to: Open):
    bound = bound_to(name)
    numeric = next(key for key, s in vars(DRIVERS[name]).items() if isinstance(s, Setting) and s.limits)
    bound.inject("reading", value="9.91E37")
    with pytest.raises(BadReading):
        await getattr(bound.driver, numeric).get()


# --- who answers ---------------------------------------------------------------------------------------


@every_driver
async def test_identify_says_who_answers(name: str, bound_to: Open):
    identity = await bound_to(name).driver.identify()
    assert all((identity.manufacturer, identity.model, identity.serial, identity.firmware))


@every_driver
@pytest.mark.parametrize("answer", ["ACME,WIDGET 9000,1,1.0", "ERROR", "", "1", "NA:CMD ERR"])
async def test_identify_refuses_an_instrument_of_another_family(name: str, answer: str, bound_to: Open):
    bound = bound_to(name)
    bound.link.instead = lambda message: answer
    with pytest.raises(InstrumentError):
        await bound.driver.identify()


# --- the safe state ------------------------------------------------------------------------------------


def cycler_is_safe(bound: Bound) -> bool:
    unit = bound.model
    return not unit.output and all(source.off_state == "HIMP" for source in unit.sources.values())


async def at_power_on(bound: Bound) -> None: ...


async def charging(bound: Bound) -> None:
    await started(bound)


async def discharging(bound: Bound) -> None:
    await bound.driver.source_current(-0.001)


async def holding(bound: Bound) -> None:
    await bound.driver.source_voltage(1.0, 0.01)


async def resting(bound: Bound) -> None:
    await bound.driver.rest()


async def driven_by_another_program(bound: Bound) -> None:
    bound.say("*RST;:SOUR:FUNC CURR;:SOUR:CURR 0.01;:OUTP:SMOD NORM;:OUTP ON")


async def sweeping(bound: Bound) -> None:
    bound.say(':OUTP ON;:TRIG:LOAD "SimpleLoop",1000,0.1,"defbuffer1";:INIT')


async def with_errors_in_its_queue(bound: Bound) -> None:
    await charging(bound)
    bound.say(":NO:SUCH:COMMAND 1")
    bound.say(":SOUR:CURR 99")


async def after_a_lost_answer(bound: Bound) -> None:
    await charging(bound)
    bound.inject("drop_reply", count=1)
    with pytest.raises(LinkTimeout):
        await bound.driver.read()


@every_cycler
@pytest.mark.parametrize(
    "state",
    [
        at_power_on,
        charging,
        discharging,
        holding,
        resting,
        driven_by_another_program,
        sweeping,
        with_errors_in_its_queue,
        after_a_lost_answer,
    ],
    ids=lambda state: state.__name__,
)
async def test_a_cycler_is_made_safe_from_every_state_without_prepare(name: str, state: Any, bound_to: Open):
    bound = bound_to(name)
    await state(bound)
    await bound.driver.make_safe()
    assert cycler_is_safe(bound)
    assert bound.model.terminals_now()[1] == 0.0
    await bound.driver.make_safe()
    assert cycler_is_safe(bound)


@every_cycler
async def test_an_output_that_does_not_switch_off_is_told(name: str, bound_to: Open):
    bound = bound_to(name)
    await started(bound)
    bound.inject("stuck_output")
    with pytest.raises(UnsafeState):
        await bound.driver.make_safe()
    with pytest.raises(UnsafeState):
        await bound.driver.prepare(ENVELOPE)
    bound.instrument.wire.inject()
    await bound.driver.make_safe()


@every_cycler
@pytest.mark.parametrize("kind", ["drop_reply", "garble", "truncate", "disconnect"])
async def test_a_safe_state_that_could_not_be_read_back_is_never_taken_for_safe(name: str, kind: str, bound_to: Open):
    bound = bound_to(name)
    await started(bound)
    bound.inject(kind, count=2)  # the command and the question, however the driver puts them
    with pytest.raises((UnsafeState, LinkError)):
        await bound.driver.make_safe()
    bound.instrument.wire.inject()
    await bound.driver.make_safe()
    assert cycler_is_safe(bound)


@every_cycler
async def test_preparing_leaves_the_output_off(name: str, bound_to: Open):
    bound = bound_to(name)
    await started(bound)
    await bound.driver.prepare(ENVELOPE)
    assert cycler_is_safe(bound)


@every_chamber
async def test_a_chamber_is_brought_to_standby_and_asked_whether_it_is(name: str, bound_to: Open):
    bound = bound_to(name)
    for state in (at_power_on, charging):
        await state(bound)
        await bound.driver.make_safe()
        assert bound.model.mode == "STANDBY"
    bound.link.instead = lambda message: "CONSTANT" if message.endswith("?") else None
    with pytest.raises(UnsafeState):
        await bound.driver.make_safe()


# --- set points ----------------------------------------------------------------------------------------


@every_cycler
@pytest.mark.parametrize("sourcing", [None, "current", "voltage"])
async def test_a_set_point_beyond_the_instrument_is_refused_and_nothing_is_sent(
    name: str, sourcing: str | None, bound_to: Open
):
    bound = bound_to(name)
    driver = bound.driver
    await driver.prepare(ENVELOPE)
    if sourcing == "current":
        await driver.source_current(0.001)
    elif sourcing == "voltage":
        await driver.source_voltage(0.5, 0.01)
    before = len(bound.link.sent)
    can: Capabilities = driver.capabilities
    for amps in (*(1.001 * bound for bound in can.current), *NO_NUMBERS):
        with pytest.raises(OutOfRange):
            await driver.source_current(amps)
        with pytest.raises(OutOfRange):
            await driver.source_voltage(0.0, abs(amps))
    for volts in (*(1.001 * bound for bound in can.voltage), *NO_NUMBERS):
        with pytest.raises(OutOfRange):
            await driver.source_voltage(volts, 0.01)
    for limit in (0.0, -0.01):
        with pytest.raises(OutOfRange):
            await driver.source_voltage(0.0, limit)
    assert len(bound.link.sent) == before


@pytest.mark.parametrize("bad", NO_NUMBERS)
def test_an_envelope_that_bounds_nothing_cannot_be_made(bad: float):
    for bounds in ((bad, 5.0, 0.1), (-5.0, bad, 0.1), (-5.0, 5.0, bad), (1.0, 1.0, 0.1), (-1.0, 1.0, 0.0)):
        with pytest.raises(OutOfRange):
            Envelope(*bounds)


@every_cycler
async def test_an_envelope_that_the_instrument_cannot_hold_is_refused_and_nothing_is_sent(name: str, bound_to: Open):
    bound = bound_to(name)
    for envelope in (Envelope(-5.0, 1000.0, 0.1), Envelope(-5.0, 5.0, 100.0)):
        with pytest.raises(OutOfRange):
            await bound.driver.prepare(envelope)
    assert bound.link.sent == []


@every_cycler
async def test_zero_is_a_set_point(name: str, bound_to: Open):
    bound = bound_to(name)
    await bound.driver.prepare(ENVELOPE)
    await bound.driver.source_current(0.0)
    assert (await bound.driver.read()).current == pytest.approx(0.0, abs=1e-9)
    await bound.driver.source_voltage(0.0, 0.01)
    reading = await bound.driver.read()
    assert reading.voltage == pytest.approx(0.0, abs=1e-4)
    assert reading.tripped is None


@every_cycler
async def test_the_bounds_of_the_instrument_are_set_points(name: str, bound_to: Open):
    bound = bound_to(name)
    await bound.driver.prepare(ENVELOPE)
    for amps in bound.driver.capabilities.current:
        await bound.driver.source_current(amps)
    for volts in bound.driver.capabilities.voltage:
        await bound.driver.source_voltage(volts, 0.01)
        assert abs((await bound.driver.read()).voltage) < 5.1  # its own protection acts, the next step above 2 V


@every_scpi_driver
@given(value=st.floats(allow_nan=True, allow_infinity=True))
def test_a_number_is_sent_to_nine_digits_or_refused(name: str, value: float):
    for setting in vars(DRIVERS[name]).values():
        if not (isinstance(setting, Setting) and setting.limits):
            continue
        low, high = setting.limits
        if low <= value <= high:
            sent = float(setting.message(value).split()[-1])
            assert sent == pytest.approx(value, rel=1e-6, abs=1e-15)
        else:
            with pytest.raises(OutOfRange):
                setting.message(value)


@every_chamber
@pytest.mark.parametrize("celsius", [0.0, -40.0, 150.0, 25.04, 20.0, -0.01])
async def test_a_chamber_goes_to_a_temperature_zero_and_its_own_limits_included(
    name: str, celsius: float, bound_to: Open
):
    bound = bound_to(name)
    await bound.driver.set_temperature(celsius + 273.15)
    assert (await bound.driver.read()).setpoint == pytest.approx(celsius + 273.15, abs=0.051)
    assert bound.model.mode == "CONSTANT"


@every_chamber
@pytest.mark.parametrize("celsius", [-40.1, 150.1, *NO_NUMBERS])
async def test_a_temperature_beyond_the_chamber_is_refused_and_nothing_is_set(
    name: str, celsius: float, bound_to: Open
):
    bound = bound_to(name)
    before = bound.model.setpoint
    with pytest.raises(OutOfRange):
        await bound.driver.set_temperature(celsius + 273.15)
    assert bound.model.setpoint == before
    assert bound.model.mode == "STANDBY"
    assert all("?" in message for message in bound.link.sent)


# --- readings ------------------------------------------------------------------------------------------


@every_cycler
@pytest.mark.parametrize("sign", [1.0, -1.0])
async def test_positive_current_charges_in_both_modes(name: str, sign: float, bound_to: Open):
    driver = bound_to(name).driver
    await driver.prepare(ENVELOPE)
    await driver.source_current(sign * 0.001)
    reading = await driver.read()
    assert isinstance(reading, Reading)
    assert reading.current == pytest.approx(sign * 0.001, rel=1e-3)
    assert reading.voltage == pytest.approx(sign * 0.001 * OHMS, rel=1e-3)
    await driver.source_voltage(sign * 0.5, 0.01)
    reading = await driver.read()
    assert reading.voltage == pytest.approx(sign * 0.5, rel=1e-3)
    assert reading.current == pytest.approx(sign * 0.5 / OHMS, rel=1e-3)
    assert not reading.in_compliance
    assert reading.tripped is None


@every_cycler
async def test_a_limit_that_acts_is_told_in_both_modes(name: str, bound_to: Open):
    driver = bound_to(name).driver
    await driver.prepare(ENVELOPE)
    await driver.source_current(0.05)  # 50 V at the resistor; the envelope ends at 2 V
    reading = await driver.read()
    assert reading.in_compliance
    assert reading.voltage == pytest.approx(2.0, rel=1e-3)
    await driver.source_current(0.001)
    assert not (await driver.read()).in_compliance
    await driver.source_voltage(1.0, 0.0005)
    reading = await driver.read()
    assert reading.in_compliance
    assert reading.current == pytest.approx(0.0005, rel=1e-3)


@every_cycler
async def test_an_output_that_somebody_switched_off_is_told(name: str, bound_to: Open):
    bound = bound_to(name)
    driver = await started(bound)
    assert (await driver.read()).tripped is None
    bound.model.set_output(False)
    assert (await driver.read()).tripped


@every_cycler
async def test_the_instruments_own_time_advances_from_reading_to_reading(name: str, bound_to: Open):
    bound = bound_to(name)
    driver = await started(bound)
    times = []
    for _ in range(20):
        bound.clock.pass_time(0.5)
        times.append((await driver.read()).instrument_time)
    assert all(later > earlier for earlier, later in itertools.pairwise(times))


@every_cycler
async def test_what_another_program_left_behind_changes_no_reading(name: str, bound_to: Open):
    bound = bound_to(name)
    bound.say("*RST;:SENS:COUN 5;:SENS:VOLT:RANG 0.02;:SENS:VOLT:REL 0.3;:SENS:VOLT:REL:STAT ON;:SENS:VOLT:NPLC 0.01")
    bound.say(":SENS:VOLT:AVER:COUN 100;:SENS:VOLT:AVER ON;:SOUR:CURR:READ:BACK OFF;:SOUR:CURR:RANG 0.01")
    bound.say(":SOUR:CURR:VLIM 0.02;:FORM:ASC:PREC 3;:FORM REAL;:NO:SUCH:COMMAND")
    driver = bound.driver
    await driver.prepare(ENVELOPE)
    await driver.source_current(0.00123456)
    reading = await driver.read()
    assert reading.voltage == pytest.approx(1.23456, rel=3e-4)
    assert reading.current != 0.00123456  # measured, not echoed
    assert reading.current == pytest.approx(0.00123456, rel=3e-4)
    assert not reading.in_compliance


@every_read_driver
@pytest.mark.parametrize("value", NO_READINGS)
async def test_what_is_no_number_is_never_a_reading(name: str, value: str, bound_to: Open):
    bound = bound_to(name)
    driver = await started(bound)
    bound.inject("reading", value=value, count=1)
    with pytest.raises((BadReading, LinkError)):
        await driver.read()
    assert await driver.read()


@every_read_driver
@pytest.mark.parametrize("kind", ["garble", "truncate"])
async def test_an_answer_damaged_on_its_way_is_never_a_reading(name: str, kind: str, bound_to: Open):
    bound = bound_to(name)
    driver = await started(bound)
    before = len(bound.link.sent)
    await driver.read()
    for nth in range(len(bound.link.sent) - before):
        bound.inject(kind, skip=nth, count=1)
        with pytest.raises((BadReading, LinkError)):
            await driver.read()
        assert await driver.read()


@every_read_driver
async def test_an_answer_cut_short_is_no_reading_where_messages_end_by_themselves(name: str, bound_to: Open):
    bound = bound_to(name, "GPIB0::18::INSTR")  # EOI ends a message, whatever came before
    driver = await started(bound)
    bound.inject("truncate", count=1)
    with pytest.raises(LinkError, match="cut short"):
        await driver.read()
    assert await driver.read()


@every_read_driver
@pytest.mark.parametrize(
    "answer", ["", ",", ",,,", "1", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1;2;3;4", "0x1,0,0,0", "1,2,3,1e99"]
)
async def test_an_answer_of_another_shape_is_never_a_reading(name: str, answer: str, bound_to: Open):
    bound = bound_to(name)
    driver = await started(bound)
    bound.link.instead = lambda message: answer
    with pytest.raises((BadReading, LinkError)):
        await driver.read()


@every_read_driver
@pytest.mark.parametrize(
    "fault", [{"kind": "drop_reply"}, {"kind": "delay_reply", "delay": "30 s"}, {"kind": "truncate"}]
)
async def test_a_lost_answer_is_a_timeout_and_the_next_question_gets_its_own_answer(
    name: str, fault: dict[str, Any], bound_to: Open
):
    bound = bound_to(name)
    driver = await started(bound)
    expected = await driver.identify()
    bound.inject(**fault, count=1)
    with pytest.raises(LinkTimeout):
        await driver.read()
    assert await driver.identify() == expected
    assert await driver.read()


@every_read_driver
async def test_a_hung_up_link_is_told_and_comes_back(name: str, bound_to: Open):
    bound = bound_to(name)
    driver = await started(bound)
    bound.inject("disconnect", count=1)
    bound.inject("refuse_connection", count=1)
    for _ in range(2):
        with pytest.raises(LinkError):
            await driver.read()
    assert await driver.read()


# --- errors --------------------------------------------------------------------------------------------


@every_scpi_driver
async def test_a_session_leaves_no_error_behind(name: str, bound_to: Open):
    bound = bound_to(name)
    driver = bound.driver
    await driver.identify()
    await driver.prepare(ENVELOPE)
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


@every_scpi_driver
async def test_an_error_of_the_instrument_is_told_in_its_own_words(name: str, bound_to: Open):
    bound = bound_to(name)
    driver = await started(bound)
    bound.inject("scpi_error", code=-221, count=1)
    with pytest.raises(InstrumentError, match="Settings conflict"):
        await driver.source_current(0.002)


@every_cycler
async def test_a_start_that_failed_halfway_does_not_mix_up_voltage_and_current(name: str, bound_to: Open):
    bound = bound_to(name)
    driver = bound.driver
    await driver.prepare(ENVELOPE)
    await driver.source_voltage(0.5, 0.01)
    bound.inject("scpi_error", code=-221, skip=2, count=1)
    with pytest.raises(InstrumentError):
        await driver.source_current(0.001)
    bound.instrument.wire.inject()
    await driver.source_voltage(0.25, 0.01)
    reading = await driver.read()
    assert reading.tripped is None
    assert reading.voltage == pytest.approx(0.25, rel=1e-3)


@every_chamber
async def test_an_alarm_is_told_with_its_codes(name: str, bound_to: Open):
    bound = bound_to(name)
    reading = await bound.driver.read()
    assert isinstance(reading, ChamberReading)
    assert reading.alarm is None
    bound.model.alarms[:] = [0, 7]
    assert (await bound.driver.read()).alarm == "alarm 0,7"


@every_chamber
async def test_a_chamber_that_is_not_ready_is_asked_again_and_one_that_stays_so_is_told(name: str, bound_to: Open):
    bound = bound_to(name)
    bound.inject("scpi_error", count=2)
    assert await bound.driver.read()
    bound.link.instead = lambda message: "NA:CHB NOT READY"
    with pytest.raises(InstrumentError, match="CHB NOT READY"):
        await bound.driver.read()
