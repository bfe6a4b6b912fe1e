"""Profiles in an F4T: its forty places, their steps by the manual's own numbers, and what the air is to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from galvanode_simulator.parts.chamber import ProgramStep

PLACES, STEPS = 40, 50
RAMP_RATE, SOAK, JUMP, INSTANT, RAMP_TIME, END, WAIT = 81, 87, 116, 1927, 1928, 27, 1542
"""Types of steps."""
USER, OFF, HOLD = 100, 62, 47
"""What comes after the last step: the user's set point, the loop off, the profile's last set point."""
NO, YES = 59, 106


@dataclass
class Step:
    """One step. Temperatures in K, times in s."""

    kind: int = SOAK
    hours: int = 0
    minutes: int = 0
    seconds: int = 0
    target: float = 298.15
    rate: float = 1.0
    """K a minute."""
    guaranteed: int = OFF
    """62 or 63: time counts only near the set point."""
    jump_to: int = 1
    jumps: int = 0
    end: int = USER

    @property
    def duration(self) -> float:
        """As it is written, s."""
        return 3600.0 * self.hours + 60.0 * self.minutes + self.seconds


@dataclass
class Profile:
    """One profile."""

    name: str = ""
    steps: list[Step] = field(default_factory=list[Step])
    deviation: float = 3.0
    """Of the guaranteed soak, K."""

    @property
    def end(self) -> int:
        """What comes after its last step."""
        return self.steps[-1].end if self.steps and self.steps[-1].kind == END else USER

    def compiled(self, setpoint: float) -> list[ProgramStep]:
        """What the air is to do, from a set point on, K."""
        program: list[ProgramStep] = []
        for step in self.steps:
            within = self.deviation if step.guaranteed != OFF else None
            if step.kind == RAMP_RATE:
                duration = 60.0 * abs(step.target - setpoint) / step.rate if step.rate > 0.0 else 0.0
                program.append(ProgramStep(step.target, duration, ramp=duration > 0.0, within=within))
            elif step.kind == RAMP_TIME:
                program.append(ProgramStep(step.target, step.duration, ramp=step.duration > 0.0, within=within))
            elif step.kind == INSTANT:
                program.append(ProgramStep(step.target, step.duration, within=within))
            elif step.kind == JUMP:
                program.append(ProgramStep(None, jump_to=step.jump_to - 1, jumps=step.jumps))
            elif step.kind == END:
                break
            else:
                program.append(ProgramStep(None, step.duration, within=within))
            if step.kind in (RAMP_RATE, RAMP_TIME, INSTANT):
                setpoint = step.target
        return program
