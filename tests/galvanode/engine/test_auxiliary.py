"""What an instrument reads beside voltage and current: a column of the samples, and a reason to trip."""

import math
from typing import Any

import pytest
from tests.galvanode.engine.test_run import ENVELOPE, FakeCycler, after, finish, program, step

from galvanode.clock import JumpingClock
from galvanode.engine.run import Run
from galvanode.engine.wiring import Wiring
from galvanode.instrument.reading import Reading
from galvanode.instrument.roles import Capabilities
from galvanode.quantities import Auxiliary
from galvanode.recipe.program import Limits, Window

SURFACE, SECOND = Auxiliary("t_surface", "temperature"), Auxiliary("v_reference", "voltage")


class Instrumented(FakeCycler):
    """With a thermocouple that warms by 1 K a reading, and a second voltmeter."""

    capabilities = Capabilities(
        frozenset({"rest", "current", "voltage"}), (-10, 10), (-1, 1), 0.01, auxiliaries=(SURFACE, SECOND)
    )
    missing = math.inf

    async def read(self) -> Reading:
        reading = await super().read()
        kelvin = math.nan if self.reads >= self.missing else 300.0 + self.reads
        return reading._replace(auxiliary=(kelvin, 3.0))


def make(limits: Limits, cycler: FakeCycler | None = None, **changes: Any) -> tuple[Run, FakeCycler]:
    cycler = cycler or Instrumented(JumpingClock())
    return Run("r1", program(step(limits=limits, **changes)), ENVELOPE, Wiring(cycler), cycler.clock), cycler


async def test_auxiliary_readings_are_part_of_every_sample():
    run, _ = make(Limits())
    samples = await finish(run)
    assert run.state == "completed"
    assert [sample.auxiliary for sample in samples[:2]] == [(301.0, 3.0), (302.0, 3.0)]


async def test_an_auxiliary_reading_outside_its_limits_trips_and_is_recorded():
    run, cycler = make(Limits(auxiliary={"t_surface": Window(max=304.5)}))
    samples = await finish(run)
    assert run.state == "tripped"
    assert run.end_reason == "t_surface 31.85 degC is above its limit of 31.35 degC"
    assert samples[-1].auxiliary == (305.0, 3.0)
    assert not cycler.on


async def test_a_limit_of_zero_is_a_limit():
    run, _ = make(Limits(auxiliary={"v_reference": Window(max=0.0)}))
    await finish(run)
    assert run.end_reason == "v_reference 3 V is above its limit of 0 V"


async def test_a_sensor_that_falls_silent_trips_where_it_has_a_limit():
    cycler = Instrumented(JumpingClock())
    cycler.missing = 3
    run, _ = make(Limits(auxiliary={"t_surface": Window(max=400.0)}), cycler)
    samples = await finish(run)
    assert run.end_reason == "t_surface is not a number"
    assert samples[-1].auxiliary == (None, 3.0)


async def test_without_a_limit_a_sensor_that_falls_silent_is_a_gap_and_no_trip():
    cycler = Instrumented(JumpingClock())
    cycler.missing = 3
    run, _ = make(Limits(), cycler, until=(after(4.0),))
    samples = await finish(run)
    assert run.state == "completed"
    assert [sample.auxiliary[0] for sample in samples] == [301.0, 302.0, None, None, None]


async def test_an_instrument_that_sends_other_readings_than_it_says_trips():
    class Wrong(Instrumented):
        async def read(self) -> Reading:
            return (await super().read())._replace(auxiliary=(300.0,))

    run, _ = make(Limits(), Wrong(JumpingClock()))
    await finish(run)
    assert run.end_reason == "the instrument sent 1 auxiliary readings; expected 2"


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
async def test_what_is_no_number_never_becomes_a_sample(value: float):
    class Broken(Instrumented):
        async def read(self) -> Reading:
            return (await super().read())._replace(auxiliary=(value, 3.0))

    run, _ = make(Limits(), Broken(JumpingClock()))
    samples = await finish(run)
    assert {sample.auxiliary for sample in samples} == {(None, 3.0)}
