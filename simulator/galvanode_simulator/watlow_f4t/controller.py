"""The state of a simulated Watlow F4T: its loop, cascade, alarms and profiles. Words are the manual's own numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from galvanode_simulator.parts.chamber import ZERO_CELSIUS, ChamberModel
from galvanode_simulator.watlow_f4t import profiles
from galvanode_simulator.watlow_f4t.profiles import PLACES, Profile

AUTO, MANUAL, OFF, ON = 10, 54, 62, 63
FAHRENHEIT, CELSIUS = 30, 15
PROCESS_ALARM, DEVIATION_ALARM = 76, 24
BOTH, HIGH, LOW = 13, 37, 53
NONE, BLOCKED, STARTUP, ERROR = 61, 12, 88, 28
LATCHING, NON_LATCHING = 49, 60
START, RESUME, PAUSE, TERMINATE = 1782, 147, 146, 148
RUNNING, NOT_STARTED, COMPLETE, TERMINATED = 149, 251, 252, 253
ALARMS, EVENTS = 6, 8


class Refused(Exception):
    """The controller does not take a value or a request."""


@dataclass
class Alarm:
    """One alarm. Set points in K; those of a deviation alarm are differences."""

    kind: int = OFF
    sides: int = BOTH
    high: float = 148.9 + ZERO_CELSIUS
    low: float = ZERO_CELSIUS
    hysteresis: float = 0.6
    latching: int = NON_LATCHING
    state: int = NONE

    def judge(self, value: float, setpoint: float) -> None:
        """See whether it is on. Once on, it goes off only ``hysteresis`` inside its set point."""
        if self.kind == OFF:
            self.state = NONE
            return
        if self.latching == LATCHING and self.state in (HIGH, LOW):
            return
        seen = value - setpoint if self.kind == DEVIATION_ALARM else value
        high = self.high - (self.hysteresis if self.state == HIGH else 0.0)
        low = self.low + (self.hysteresis if self.state == LOW else 0.0)
        self.state = NONE
        if self.sides in (BOTH, HIGH) and seen > high:
            self.state = HIGH
        elif self.sides in (BOTH, LOW) and seen < low:
            self.state = LOW


class F4TModel(ChamberModel):
    """A chamber with an F4T: loop 1 controls the air, or cascade 1 the product in it.

    The product follows the air with ``product_time_constant``. The outer loop hands its own set point to the inner
    one: no deviation is added.
    """

    def begin(self, serial_number: int, product_time_constant: float, cascade: bool) -> None:
        """Bring the controller to the state it is delivered in."""
        self.serial_number = serial_number
        self.cascade = cascade
        self.user_setpoint = self.ambient
        self.loop_mode = OFF
        self.units = FAHRENHEIT
        """Of the numbers on the wire."""
        self.display_units = FAHRENHEIT
        self.alarm_list = [Alarm() for _ in range(ALARMS)]
        self.events = [OFF] * EVENTS
        self.event_runs = True
        """Output 1, with which a chamber's maker switches heater and refrigerator on."""
        self.profiles: dict[int, Profile] = {}
        self.profile_number, self.profile_step = 1, 1
        self.profile_state = NOT_STARTED
        self.current_profile = 0
        self.input_error = False
        self.product_time_constant = product_time_constant
        self._product = self.ambient
        self.at_end = self._profile_ended

    # --- the air and what is in it

    def look(self) -> None:
        """Let time pass, and judge the alarms."""
        air = self.temperature()
        self.alarms[:] = []
        for number, alarm in enumerate(self.alarm_list, start=1):
            alarm.judge(air, self.setpoint)
            if alarm.state in (HIGH, LOW, ERROR):
                self.alarms.append(number)

    def product(self) -> float:
        """Temperature of the product, K."""
        self.look()
        return self._product

    def _follow(self, duration: float) -> None:
        """Let the air follow its target, and the product the air."""
        target, lag = (self.setpoint, self.time_constant) if self.controlled else (self.ambient, self.idle_lag)
        if duration > 0.0:
            self._product = warmed(
                self._product, self._air, target, duration, self.ramp, lag, self.product_time_constant
            )
        super()._follow(duration)

    def power(self) -> float:
        """Output of the loop, %: positive heats."""
        if not self.controlled:
            return 0.0
        air = self.temperature()
        holding = (air - self.ambient) / (self.highest - self.ambient) * 60.0
        return min(100.0, max(-100.0, 20.0 * (self.setpoint - air) + holding))

    # --- loop

    def set_user_setpoint(self, kelvin: float) -> None:
        """Set point of the user, K. Raises ``Refused`` outside the loop's range."""
        if not self.lowest - 1e-3 <= kelvin <= self.highest + 1e-3:  # refuses NaN too
            raise Refused("set point")
        self.user_setpoint = kelvin
        if self.program is None:
            self.setpoint = kelvin
        self.change("setpoint", setpoint_degC=kelvin - ZERO_CELSIUS)

    def set_loop_mode(self, mode: int) -> None:
        """Off, automatic or manual."""
        if mode not in (AUTO, MANUAL, OFF):
            raise Refused("mode")
        self.loop_mode = mode
        self._settle()

    def run_output(self, on: bool) -> None:
        """Switch output 1."""
        self.event_runs = on
        self._settle()

    @property
    def actual_mode(self) -> int:
        """What the loop does now; a profile that runs has it in automatic."""
        return AUTO if self.mode == "RUN" and self.event_runs else self.loop_mode if self.event_runs else OFF

    def _settle(self) -> None:
        """Have the chamber do what loop, profile and output 1 say."""
        self.advance()
        runs = self.program is not None
        if runs and self.event_runs:
            return
        if runs:
            self.profile_state = TERMINATED
        self.set_mode("CONSTANT" if self.loop_mode == AUTO and self.event_runs else "STANDBY")
        self.setpoint = self.user_setpoint

    # --- profiles

    def start_profile(self) -> None:
        """Start the profile and step that were chosen. Raises ``Refused``."""
        profile = self.profiles.get(self.profile_number)
        if profile is None or not 1 <= self.profile_step <= len(profile.steps) or self.program is not None:
            raise Refused("profile")
        self.current_profile, self.profile_state = self.profile_number, RUNNING
        self.run(profile.compiled(self.user_setpoint), self.profile_step - 1)

    def pause_profile(self) -> None:
        """Stop its time."""
        if self.program is None or self.profile_state != RUNNING:
            raise Refused("pause")
        self.program.paused, self.profile_state = True, PAUSE

    def resume_profile(self) -> None:
        """Let its time go on."""
        if self.program is None or self.profile_state != PAUSE:
            raise Refused("resume")
        self.program.paused, self.profile_state = False, RUNNING

    def terminate_profile(self) -> None:
        """End it; the user's set point applies again."""
        if self.program is not None:
            self.program = None
            self.profile_state = TERMINATED
            self._settle()

    def profile(self, number: int) -> Profile:
        """A profile to edit; a new one if the place is empty. Raises ``Refused``."""
        if not 1 <= number <= PLACES:
            raise Refused("profile")
        return self.profiles.setdefault(number, Profile())

    def _profile_ended(self) -> None:
        self.profile_state = COMPLETE
        end = self.profiles[self.current_profile].end
        if end == profiles.OFF:
            self.loop_mode = OFF
        elif end == profiles.HOLD:
            self.user_setpoint = self.setpoint
        self.set_mode("CONSTANT" if self.loop_mode == AUTO and self.event_runs else "STANDBY")
        self.setpoint = self.user_setpoint

    def clear_alarms(self) -> None:
        """What somebody does at the panel."""
        for alarm in self.alarm_list:
            alarm.state = NONE

    # --- numbers on the wire

    def wire_temperature(self, kelvin: float) -> float:
        """A temperature in the units of the wire."""
        celsius = kelvin - ZERO_CELSIUS
        return celsius if self.units == CELSIUS else 1.8 * celsius + 32.0

    def wire_difference(self, kelvin: float) -> float:
        """A difference of temperatures in the units of the wire."""
        return kelvin if self.units == CELSIUS else 1.8 * kelvin

    def from_wire(self, value: float) -> float:
        """A temperature of the wire in K."""
        return (value if self.units == CELSIUS else (value - 32.0) / 1.8) + ZERO_CELSIUS

    def difference_from_wire(self, value: float) -> float:
        """A difference of the wire in K."""
        return value if self.units == CELSIUS else value / 1.8

    def report(self, **details: Any) -> None:
        """Tell of something that was set."""
        self.change("setting", **details)


def warmed(
    product: float, air: float, target: float, duration: float, ramp: float, lag: float, own_lag: float
) -> float:
    """Return the temperature of the product after ``duration`` in air that follows its target (``chamber.follow``).

    Exact: its response to a ramp, and then to an exponential.
    """
    difference = target - air
    if abs(difference) > ramp * lag:
        ramping = min(duration, (abs(difference) - ramp * lag) / ramp)
        slope = math.copysign(ramp, difference)
        start, air = air, air + slope * ramping
        product = air - slope * own_lag + (product - start + slope * own_lag) * math.exp(-ramping / own_lag)
        duration -= ramping
        difference = target - air
    if abs(lag - own_lag) < 1e-6 * lag:
        own_lag = lag * (1.0 + 1e-6)
    share = difference * lag / (lag - own_lag)
    return target - share * math.exp(-duration / lag) + (product - target + share) * math.exp(-duration / own_lag)
