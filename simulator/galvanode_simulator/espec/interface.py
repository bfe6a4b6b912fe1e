"""ESPEC temperature chamber with an SCP-220 controller (ASCII protocol, CR LF)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Literal

from galvanode.clock import process_clock
from galvanode_simulator.faults import Fault
from galvanode_simulator.noise import gaussian, seeded

ZERO_CELSIUS = 273.15
_SETTLED_K = 1e-6
"""Closer than this is there: the exponential would never arrive."""
Mode = Literal["OFF", "STANDBY", "CONSTANT"]


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
        self.setpoint = ambient
        self.mode: Mode = "STANDBY"
        self.alarms: list[int] = []
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None
        self.freeze = False
        self._noise = gaussian(seeded(seed, "chamber"))
        self._air = ambient
        self._now = process_clock().now()

    def advance(self) -> None:
        """Let the air follow its target until now."""
        now = process_clock().now()
        duration, self._now = now - self._now, now
        if duration > 0.0 and not self.freeze:
            controlled = self.mode == "CONSTANT"
            target = self.setpoint if controlled else self.ambient
            if self._air == target:
                return
            # Without the compressor, the walls take an hour to warm up.
            lag = self.time_constant if controlled else 10.0 * self.time_constant
            self._air = follow(self._air, target, duration, self.ramp, lag)
            if abs(self._air - target) < _SETTLED_K:
                self._air = target

    def temperature(self) -> float:
        """Air temperature now, K."""
        self.advance()
        return self._air

    def measured(self) -> float:
        """What the sensor says: a tenth of a degree, 0.03 K of noise."""
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


_TEMP_PARTS = re.compile(r"([SHL])\s*([-+]?\d+(?:\.\d+)?)")


class _Refused(Exception):
    """The controller answers ``NA:`` and a reason."""


class EspecInterface:
    """Commands of the SCP-220. Replies end with CR LF; a refusal starts with ``NA:``."""

    def __init__(self, chamber: ChamberModel, with_address: int | None = None) -> None:
        self.chamber = chamber
        self.address = with_address
        self._refrigerator = "REF9"
        self._key_protect = False
        self._relays: set[int] = set()
        self._mask = "01000000"
        self._pending_error: str | None = None

    def receive(self, message: bytes) -> bytes:
        """Execute one command line and return the controller's answer; it always answers."""
        try:
            text = message.decode("ascii").strip()
        except UnicodeDecodeError:
            return b"NA:CMD ERR\r\n"
        if not text:
            return b""
        if self.address is not None:
            prefix, _, text = text.partition(",")
            if prefix.strip() != str(self.address):
                return b""  # RS-485: another controller's business
            text = text.strip()
        self.chamber.advance()
        if self._pending_error is not None:
            error, self._pending_error = self._pending_error, None
            return f"NA:{error}\r\n".encode()
        try:
            return f"{self._answer(text)}\r\n".encode("ascii")
        except _Refused as refused:
            return f"NA:{refused}\r\n".encode("ascii")

    def advance(self) -> None:
        """Let the air follow its target until now."""
        self.chamber.advance()

    def query_error(self, code: int) -> None:
        """The protocol has no such thing."""

    def play(self, fault: Fault, on: bool) -> None:
        """Frozen readings are a stuck chamber; an SCPI error is a controller that is not ready."""
        if fault.kind == "frozen_reading":
            self.chamber.freeze = on
        elif fault.kind == "scpi_error" and on:
            self._pending_error = "CONT NOT READY-1"

    def _answer(self, text: str) -> str:
        words = [word.strip() for word in text.upper().split(",")]
        head = words[0]
        if head.endswith("?"):
            return self._monitor(head, words[1:])
        return self._set(head, words[1:], text)

    def _monitor(self, head: str, options: list[str]) -> str:
        chamber = self.chamber
        match head, options:
            case "ROM?", []:
                return "SCP220 1.05"
            case "TYPE?", []:
                return f"T,SCP-220,{_celsius(chamber.highest)}"
            case "MON?", [] | ["DETAIL"]:
                return f"{_celsius(chamber.measured())},,{chamber.mode},{len(chamber.alarms)}"
            case "MODE?", [] | ["DETAIL"]:
                return chamber.mode
            case "TEMP?", []:
                limits = f"{_celsius(chamber.high_alarm)},{_celsius(chamber.low_alarm)}"
                return f"{_celsius(chamber.measured())},{_celsius(chamber.setpoint)},{limits}"
            case "ALARM?", []:
                return ",".join(str(number) for number in (len(chamber.alarms), *chamber.alarms))
            case "SET?", []:
                return self._refrigerator
            case "REF?", []:
                return "1,ON1" if chamber.mode == "CONSTANT" else "0"
            case "%?", []:
                return f"1,{self._heater():.1f}"
            case "RELAY?", []:
                return ",".join(str(number) for number in (len(self._relays), *sorted(self._relays)))
            case "KEYPROTECT?", []:
                return "ON" if self._key_protect else "OFF"
            case "CONSTANT SET?", ["TEMP"]:
                return f"{_celsius(chamber.setpoint)},ON"
            case "CONSTANT SET?", ["REF"]:
                return self._refrigerator
            case "CONSTANT SET?", ["RELAY"]:
                return ",".join(str(number) for number in (len(self._relays), *sorted(self._relays)))
            case "SRQ?", []:
                return f"0{int(bool(chamber.alarms))}000000"
            case "MASK?", []:
                return self._mask
            case "HUMI?" | "TEMP PTC?" | "PRGM MON?" | "PRGM SET?", []:
                raise _Refused("DATA NOT READY" if head.startswith("PRGM") else "INVALID REQ")
            case (
                (
                    "ROM?"
                    | "TYPE?"
                    | "MON?"
                    | "MODE?"
                    | "TEMP?"
                    | "ALARM?"
                    | "SET?"
                    | "REF?"
                    | "%?"
                    | "RELAY?"
                    | "KEYPROTECT?"
                    | "CONSTANT SET?"
                    | "SRQ?"
                    | "MASK?"
                ),
                _,
            ):
                raise _Refused("PARA ERR")
            case _:
                raise _Refused("CMD ERR")

    def _set(self, head: str, options: list[str], text: str) -> str:
        chamber = self.chamber
        if self._key_protect and head not in ("KEYPROTECT", "MASK", "SRQ"):
            raise _Refused("PROTECT ON")
        match head, options:
            case "TEMP", [one, *more]:
                self._set_temperature(" ".join((one, *more)))
            case "MODE", [("OFF" | "STANDBY" | "CONSTANT") as mode]:
                self._set_mode(mode)
            case "MODE", [run] if run.startswith("RUN"):
                raise _Refused("DATA NOT READY")
            case "POWER", [("ON" | "OFF") as state]:
                self._set_mode("CONSTANT" if state == "ON" else "OFF")
            case "POWER", [("CONSTANT" | "STANDBY") as mode]:
                self._set_mode(mode)
            case "SET", [("REF0" | "REF1" | "REF3" | "REF6" | "REF9") as power]:
                self._refrigerator = power
            case "RELAY", [("ON" | "OFF") as state, *numbers] if numbers:
                self._set_relays(state == "ON", numbers)
            case "KEYPROTECT", [("ON" | "OFF") as state]:
                self._key_protect = state == "ON"
            case "MASK", [bits] if re.fullmatch("[01]{8}", bits):
                self._mask = bits
            case "SRQ", ["RESET"]:
                pass
            case "ALARM", ["RESET"]:
                chamber.alarms.clear()
            case (("TEMP" | "MODE" | "POWER" | "SET" | "RELAY" | "KEYPROTECT" | "MASK" | "SRQ" | "ALARM"), _):
                raise _Refused("PARA ERR")
            case "HUMI", _:
                raise _Refused("INVALID REQ")
            case _:
                raise _Refused("CMD ERR")
        return f"OK:{text}"

    def _set_mode(self, mode: Any) -> None:
        if mode != self.chamber.mode:
            self.chamber.mode = mode
            self.chamber.change("mode", mode=mode)

    def _set_temperature(self, text: str) -> None:
        """``S25.0 H100.0 L-40.0``: set point and alarm limits, any of them."""
        chamber = self.chamber
        parts = _TEMP_PARTS.findall(text)
        if not parts or _TEMP_PARTS.sub("", text).strip(" ,"):
            raise _Refused("PARA ERR")
        wanted = {letter: round(float(number), 1) + ZERO_CELSIUS for letter, number in parts}
        high, low = wanted.get("H", chamber.high_alarm), wanted.get("L", chamber.low_alarm)
        setpoint = wanted.get("S", chamber.setpoint)
        if not (chamber.lowest - 1e-6 <= low <= setpoint <= high <= chamber.highest + 1e-6):
            raise _Refused("DATA OUT OF RANGE")
        chamber.high_alarm, chamber.low_alarm, chamber.setpoint = high, low, setpoint
        chamber.change("setpoint", setpoint_degC=setpoint - ZERO_CELSIUS)

    def _set_relays(self, on: bool, numbers: list[str]) -> None:
        if not all(number.isdigit() and 1 <= int(number) <= 12 for number in numbers):
            raise _Refused("PARA ERR")
        chosen = {int(number) for number in numbers}
        self._relays = self._relays | chosen if on else self._relays - chosen

    def _heater(self) -> float:
        """Heater output, %: proportional band of 5 K and what holds against the ambient."""
        chamber = self.chamber
        if chamber.mode != "CONSTANT":
            return 0.0
        air = chamber.temperature()
        holding = (air - chamber.ambient) / (chamber.highest - chamber.ambient) * 60.0
        return min(100.0, max(0.0, 20.0 * (chamber.setpoint - air) + holding))


def _celsius(kelvin: float) -> str:
    return f"{kelvin - ZERO_CELSIUS:.1f}".replace("-0.0", "0.0")
