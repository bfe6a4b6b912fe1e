"""ESPEC temperature chamber with an SCP-220 controller (ASCII protocol, CR LF)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from galvanode.clock import process_clock
from galvanode_simulator.espec.operation import Operation, Refused
from galvanode_simulator.faults import Fault
from galvanode_simulator.parts.chamber import ZERO_CELSIUS, ChamberModel

_TEMP_PARTS = re.compile(r"([SHL])\s*([-+]?\d+(?:\.\d+)?)")

_OF_PROGRAMS = frozenset({"PRGM MON?", "PRGM SET?", "PRGM USE?", "PRGM DATA?", "RUN PRGM?", "RUN PRGM MON?"})
_OF_OTHER_CHAMBERS = frozenset({"HUMI?", "TEMP PTC?"})


class EspecInterface:
    """Commands of the SCP-220. Replies end with CR LF; a refusal starts with ``NA:``."""

    def __init__(self, chamber: ChamberModel, with_address: int | None = None) -> None:
        self.chamber = chamber
        self.address = with_address
        self._operation = Operation(chamber)
        self._clock_is_ahead = timedelta()
        self._refrigerator = "REF9"
        self._key_protect = False
        self._relays: set[int] = set()
        self._mask = "01000000"
        self._pending_error: str | None = None
        self._told = self._queries()

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
        except Refused as refused:
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
        if self._key_protect and head not in ("KEYPROTECT", "MASK", "SRQ"):
            raise Refused("PROTECT ON")
        self._set(head, words[1:], text)
        return f"OK:{text}"

    def _monitor(self, head: str, options: list[str]) -> str:
        if head in _OF_PROGRAMS:
            return self._operation.told(head, options)
        tell = self._told.get((head, *options))
        if tell is not None:
            return tell()
        if head in _OF_OTHER_CHAMBERS and not options:
            raise Refused("INVALID REQ")
        raise Refused("PARA ERR" if any(known[0] == head for known in self._told) else "CMD ERR")

    def _queries(self) -> dict[tuple[str, ...], Callable[[], str]]:
        """Return what is told, by the words that ask for it."""
        chamber = self.chamber
        return {
            ("ROM?",): lambda: "SCP220 1.05",
            ("TYPE?",): lambda: f"T,SCP-220,{_celsius(chamber.highest)}",
            ("MON?",): self._overview,
            ("MON?", "DETAIL"): self._overview,
            ("MODE?",): lambda: chamber.mode,
            ("MODE?", "DETAIL"): lambda: self._operation.detail,
            ("DATE?",): lambda: f"{self._time():%y.%m/%d}",
            ("TIME?",): lambda: f"{self._time():%H:%M:%S}",
            ("TEMP?",): self._temperatures,
            ("ALARM?",): lambda: _counted(chamber.alarms),
            ("SET?",): lambda: self._refrigerator,
            ("REF?",): lambda: "1,ON1" if chamber.controlled else "1,OFF1",
            ("%?",): lambda: f"1,{self._heater():.1f}",
            ("RELAY?",): lambda: _counted(sorted(self._relays)),
            ("KEYPROTECT?",): lambda: "ON" if self._key_protect else "OFF",
            ("CONSTANT SET?", "TEMP"): lambda: f"{_celsius(chamber.setpoint)},ON",
            ("CONSTANT SET?", "REF"): lambda: self._refrigerator,
            ("CONSTANT SET?", "RELAY"): lambda: _counted(sorted(self._relays)),
            ("SRQ?",): lambda: f"0{int(bool(chamber.alarms))}000000",
            ("MASK?",): lambda: self._mask,
        }

    def _overview(self) -> str:
        chamber = self.chamber
        return f"{_celsius(chamber.measured())},,{chamber.mode},{len(chamber.alarms)}"

    def _temperatures(self) -> str:
        chamber = self.chamber
        told = (chamber.measured(), chamber.setpoint, chamber.high_alarm, chamber.low_alarm)
        return ",".join(_celsius(each) for each in told)

    def _set(self, head: str, options: list[str], text: str) -> None:
        chamber = self.chamber
        match head, options:
            case "TEMP", [one, *more]:
                self._set_temperature(" ".join((one, *more)))
            case "MODE", [("OFF" | "STANDBY" | "CONSTANT") as mode]:
                chamber.set_mode(mode)
            case "MODE", [run] if re.fullmatch(r"RUN\d+", run):
                self._operation.run(f"RAM:{run.removeprefix('RUN')}")
            case "POWER", [("ON" | "OFF") as state]:
                chamber.set_mode("CONSTANT" if state == "ON" else "OFF")
            case "POWER", [("CONSTANT" | "STANDBY") as mode]:
                chamber.set_mode(mode)
            case (("PRGM" | "PRGM DATA WRITE" | "PRGM ERASE" | "RUN PRGM"), _):
                self._operation.tell(head, options, text)
            case "SET", [("REF0" | "REF1" | "REF3" | "REF6" | "REF9") as power]:
                self._refrigerator = power
            case "RELAY", [("ON" | "OFF") as state, *numbers] if numbers:
                self._set_relays(state == "ON", numbers)
            case (("DATE" | "TIME"), [value]):
                self._set_clock(head, value)
            case _:
                self._set_panel(head, options)

    def _set_panel(self, head: str, options: list[str]) -> None:
        match head, options:
            case "KEYPROTECT", [("ON" | "OFF") as state]:
                self._key_protect = state == "ON"
            case "MASK", [bits] if re.fullmatch("[01]{8}", bits):
                self._mask = bits
            case "SRQ", ["RESET"]:
                pass
            case "ALARM", ["RESET"]:
                self.chamber.alarms.clear()
            case (
                (
                    "TEMP"
                    | "MODE"
                    | "POWER"
                    | "SET"
                    | "RELAY"
                    | "DATE"
                    | "TIME"
                    | "KEYPROTECT"
                    | "MASK"
                    | "SRQ"
                    | "ALARM"
                ),
                _,
            ):
                raise Refused("PARA ERR")
            case "HUMI", _:
                raise Refused("INVALID REQ")
            case _:
                raise Refused("CMD ERR")

    def _time(self) -> datetime:
        """The controller's clock, which somebody may have set."""
        return datetime.fromtimestamp(process_clock().unix(), UTC) + self._clock_is_ahead

    def _set_clock(self, head: str, value: str) -> None:
        """``DATE,26.11/27. FRI`` and ``TIME,14:05:00``."""
        now = self._time()
        try:
            if head == "TIME":
                hour, minute, second = map(int, value.split(":"))
                wanted = now.replace(hour=hour, minute=minute, second=second)
            else:
                date = datetime.strptime(value.split(". ")[0], "%y.%m/%d").replace(tzinfo=UTC)
                wanted = now.replace(year=date.year, month=date.month, day=date.day)
        except ValueError:
            raise Refused("PARA ERR") from None
        self._clock_is_ahead += wanted - now

    def _set_temperature(self, text: str) -> None:
        """``S25.0 H100.0 L-40.0``: set point and alarm limits, any of them."""
        chamber = self.chamber
        parts = _TEMP_PARTS.findall(text)
        if not parts or _TEMP_PARTS.sub("", text).strip(" ,"):
            raise Refused("PARA ERR")
        wanted = {letter: round(float(number), 1) + ZERO_CELSIUS for letter, number in parts}
        high, low = wanted.get("H", chamber.high_alarm), wanted.get("L", chamber.low_alarm)
        setpoint = wanted.get("S", chamber.setpoint)
        if not (chamber.lowest - 1e-6 <= low <= setpoint <= high <= chamber.highest + 1e-6):
            raise Refused("DATA OUT OF RANGE")
        chamber.high_alarm, chamber.low_alarm, chamber.setpoint = high, low, setpoint
        chamber.change("setpoint", setpoint_degC=setpoint - ZERO_CELSIUS)

    def _set_relays(self, on: bool, numbers: list[str]) -> None:
        if not all(number.isdigit() and 1 <= int(number) <= 12 for number in numbers):
            raise Refused("PARA ERR")
        chosen = {int(number) for number in numbers}
        self._relays = self._relays | chosen if on else self._relays - chosen

    def _heater(self) -> float:
        """Heater output, %: proportional band of 5 K and what holds against the ambient."""
        chamber = self.chamber
        if not chamber.controlled:
            return 0.0
        air = chamber.temperature()
        holding = (air - chamber.ambient) / (chamber.highest - chamber.ambient) * 60.0
        return min(100.0, max(0.0, 20.0 * (chamber.setpoint - air) + holding))


def _counted(numbers: Collection[int]) -> str:
    """Return how many there are, then each of them."""
    return ",".join(str(number) for number in (len(numbers), *numbers))


def _celsius(kelvin: float) -> str:
    return f"{kelvin - ZERO_CELSIUS:.1f}".replace("-0.0", "0.0")
