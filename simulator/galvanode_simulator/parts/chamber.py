"""The air of a simulated temperature chamber, and the programs that chambers run by themselves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import Field

from galvanode.clock import process_clock
from galvanode.units import Kelvin, KelvinPerSecond, Seconds
from galvanode_simulator.family import UnitSettings
from galvanode_simulator.noise import gaussian, seeded

ZERO_CELSIUS = 273.15
_SETTLED_K = 1e-6
"""Closer than this is there: the exponential would never arrive."""
_SLICE_S = 10.0
"""Within this much of a ramp, counted from its beginning, the set point stands still."""


Mode = Literal["OFF", "STANDBY", "CONSTANT", "RUN"]


class ChamberSettings(UnitSettings):
    """The ``simulated:`` section of a chamber."""

    ambient: Kelvin = 25.0 + ZERO_CELSIUS
    ramp: KelvinPerSecond = Field(default=3.0 / 60.0, gt=0)
    time_constant: Seconds = Field(default=120.0, gt=0)
    highest: Kelvin = 150.0 + ZERO_CELSIUS
    lowest: Kelvin = -40.0 + ZERO_CELSIUS


@dataclass(frozen=True)
class ProgramStep:
    """One step of a chamber's program. K and s."""

    target: float | None
    """Set point at its end; None keeps that of the step before."""
    duration: float = 0.0
    ramp: bool = False
    """Go to the target over the duration, instead of at once."""
    within: float | None = None
    """Time counts only while the air is as close as this to the set point: guaranteed soak."""
    pause: bool = False
    """Wait at its end until somebody says that the program goes on."""
    jump_to: int | None = None
    """Go on at this step instead, so many times: the first step is 0."""
    jumps: int = 0


@dataclass
class ProgramRun:
    """A program that runs: where it is, and what it asks of the air."""

    steps: list[ProgramStep]
    index: int = 0
    elapsed: float = 0.0
    """In the step, s."""
    paused: bool = False
    begins_at: float = 0.0
    """Set point at which the step began, K."""
    jumped: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def over(self) -> bool:
        """Whether its last step has ended."""
        return self.index >= len(self.steps)

    @property
    def left(self) -> float:
        """Time left in the step, s."""
        return 0.0 if self.over else self.steps[self.index].duration - self.elapsed

    def settle(self) -> None:
        """Leave the steps whose time is over, up to one that waits."""
        while not (self.over or self.paused) and self.left <= 0.0:
            if self.steps[self.index].pause:
                self.paused = True
            else:
                self.next_step()

    def setpoint(self) -> tuple[float, float]:
        """Set point, K, and for how long from now it stays so, s."""
        step = self.steps[self.index]
        target = self.begins_at if step.target is None else step.target
        if not step.ramp:
            return target, self.left
        slices = math.floor(self.elapsed / _SLICE_S + 1e-9)
        middle = min(step.duration, (slices + 0.5) * _SLICE_S)
        until = min(step.duration, (slices + 1) * _SLICE_S)
        return self.begins_at + (target - self.begins_at) * middle / step.duration, until - self.elapsed

    def pass_time(self, seconds: float) -> None:
        """Count time in the step."""
        self.elapsed += seconds
        if self.left < 1e-6:
            self.elapsed = self.steps[self.index].duration

    def go_on(self) -> None:
        """Go on after a pause; one at the end of a step ends the step."""
        self.paused = False
        if not self.over and self.left <= 0.0:
            self.next_step()

    def next_step(self) -> None:
        """End the step."""
        step = self.steps[self.index]
        if step.target is not None:
            self.begins_at = step.target
        self.elapsed = 0.0
        jumped = self.jumped.get(self.index, 0)
        if step.jump_to is not None and jumped < step.jumps:
            self.jumped[self.index] = jumped + 1
            self.index = step.jump_to
        else:
            self.index += 1


class ChamberModel:
    """Air temperature that follows its set point as a first-order lag with a limited rate. K and s inside.

    Far from the set point the refrigerator or heater runs flat out: the rate is ``ramp``. Close to it the
    remaining difference decays with ``time_constant``; both pieces are exact for any interval.
    """

    def __init__(
        self,
        seed: int = 0,
        ambient: float = 25.0 + ZERO_CELSIUS,
        ramp: float = 3.0 / 60.0,
        time_constant: float = 120.0,
        highest: float = 150.0 + ZERO_CELSIUS,
        lowest: float = -40.0 + ZERO_CELSIUS,
    ) -> None:
        self.ambient = ambient
        self.ramp = ramp
        self.time_constant = time_constant
        self.highest = highest
        self.lowest = lowest
        self.high_alarm = highest
        self.low_alarm = lowest
        self.alarms: list[int] = []
        """Codes or numbers of those that are on."""
        self.setpoint = ambient
        self.mode: Mode = "STANDBY"
        self.program: ProgramRun | None = None
        self.at_end: Callable[[], None] = lambda: None
        """Called when a program has ended; says what comes then."""
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None
        self.freeze = False
        self._noise = gaussian(seeded(seed, "chamber"))
        self._air = ambient
        self._now = process_clock().now()

    @property
    def controlled(self) -> bool:
        """Whether heater and refrigerator work; without them the air drifts to the room's."""
        return self.mode in ("CONSTANT", "RUN")

    @property
    def idle_lag(self) -> float:
        """Without the compressor, the walls take an hour to warm up. s."""
        return 10.0 * self.time_constant

    @classmethod
    def of(cls, settings: ChamberSettings, seed: int) -> Self:
        """Return the chamber that a bench file describes."""
        return cls(seed, settings.ambient, settings.ramp, settings.time_constant, settings.highest, settings.lowest)

    def run(self, steps: list[ProgramStep], first: int = 0) -> None:
        """Run a program from one of its steps."""
        self.advance()
        self.set_mode("RUN")
        self.program = ProgramRun(steps, first, begins_at=self.setpoint)
        self.advance()

    def set_mode(self, mode: Mode) -> None:
        """Change the mode; a program that runs is given up."""
        self.program = None
        if mode != self.mode:
            self.mode = mode
            self.change("mode", mode=mode)

    def advance(self) -> None:
        """Let the air follow its target until now."""
        now = process_clock().now()
        left, self._now = now - self._now, now
        if self.freeze:
            return
        while (program := self.program) is not None and not program.paused:
            program.settle()
            if program.over:
                self.program = None
                self.at_end()
            elif not program.paused:
                self.setpoint, stretch = program.setpoint()
                if left <= 0.0:
                    return
                left -= self._pass(program, min(left, stretch))
        self._follow(left)

    def _pass(self, program: ProgramRun, stretch: float) -> float:
        """Let a stretch of a step pass, or a shorter one; return it, s."""
        within = program.steps[program.index].within
        waits = within is not None and abs(self._air - self.setpoint) > within
        stretch = min(stretch, _SLICE_S) if waits else stretch
        self._follow(stretch)
        if not waits:
            program.pass_time(stretch)
        return stretch

    def _follow(self, duration: float) -> None:
        target = self.setpoint if self.controlled else self.ambient
        if duration <= 0.0 or self._air == target:
            return
        lag = self.time_constant if self.controlled else self.idle_lag
        self._air = follow(self._air, target, duration, self.ramp, lag)
        if abs(self._air - target) < _SETTLED_K:
            self._air = target

    def temperature(self) -> float:
        """Air temperature now, K."""
        self.advance()
        return self._air

    def measured(self) -> float:
        """What the sensor says: 0.03 K of noise."""
        return self.temperature() + 0.03 * self._noise()

    def change(self, kind: str, **details: Any) -> None:
        """Report a change of set point or mode."""
        if self.on_event is not None:
            self.on_event(kind, details)


def follow(value: float, target: float, duration: float, ramp: float, lag: float) -> float:
    """Return the value after ``duration``: rate (target - value)/lag, at most ``ramp`` either way."""
    difference = target - value
    knee = ramp * lag
    if abs(difference) > knee:
        ramping = min(duration, (abs(difference) - knee) / ramp)
        difference -= math.copysign(ramp * ramping, difference)
        duration -= ramping
    return target - difference * math.exp(-duration / lag)
