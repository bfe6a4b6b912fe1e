"""Modbus registers of the F4T (user's guide 0600-0093, chapter 6): what each holds, and what writing it does.

Every parameter takes two registers. A float stands in both, its low word first unless the controller is set
otherwise; a 16-bit number stands in the first, and the second reads 0. A string has a character in each register.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from galvanode.clock import process_clock
from galvanode_simulator.watlow_f4t import controller as f4t
from galvanode_simulator.watlow_f4t.controller import F4TModel, Refused
from galvanode_simulator.watlow_f4t.profiles import STEPS, Profile, Step

Kind = Literal["float", "word", "long"]
PART_NUMBER = "F4T1A2CAA1A1AAA"
_ADD, _DELETE = 1375, 1772


@dataclass(frozen=True)
class Register:
    """A parameter: how it is read, and how it is written if it can be."""

    kind: Kind
    read: Callable[[], float]
    write: Callable[[float], None] | None = None


class RegisterMap:
    """The parameters of one controller by their first register."""

    def __init__(self, model: F4TModel, low_word_first: bool) -> None:
        self.model = model
        self._low_word_first = low_word_first
        self._edited = 1
        self._registers = dict(self._all())

    def read(self, address: int, count: int) -> list[int] | None:
        """Words from an address on; None if a register is not there."""
        self.model.look()
        words: list[int] = []
        pairs: dict[int, tuple[int, int]] = {}
        for at in range(address, address + count):
            first = at - at % 2
            if first not in pairs and (register := self._found(first)) is not None:
                pairs[first] = self._words(register)  # once: both words are of the same measurement
            if first in pairs:
                words.append(pairs[first][at - first])
            elif (character := self._character(at)) is not None:
                words.append(character)
            else:
                return None
        return words

    def write(self, address: int, words: Sequence[int]) -> bool:
        """Write words from an address on; False if a register cannot be written. Raises ``Refused``."""
        if self._write_string(address, words):
            return True
        todo: list[tuple[Register, float]] = []
        at = 0
        while at < len(words):
            register = self._found(address + at)
            if register is None or register.write is None:
                return False
            size = 1 if register.kind == "word" else 2
            if len(words) - at < size:
                return False
            todo.append((register, self._number(register, words[at : at + size])))
            at += 2
        for register, value in todo:
            assert register.write is not None  # noqa: S101
            register.write(value)
        return True

    def _words(self, register: Register) -> tuple[int, int]:
        value = register.read()
        if register.kind == "word":
            return int(value), 0
        packed = struct.pack(">f", value) if register.kind == "float" else struct.pack(">i", int(value))
        high, low = struct.unpack(">HH", packed)
        return (low, high) if self._low_word_first else (high, low)

    def _number(self, register: Register, words: Sequence[int]) -> float:
        if register.kind == "word":
            return float(words[0])
        low, high = words if self._low_word_first else words[::-1]
        return struct.unpack(">f" if register.kind == "float" else ">i", struct.pack(">HH", high, low))[0]

    def _found(self, address: int) -> Register | None:
        return self._registers.get(address) or self._step_register(address)

    # --- strings: a character in each register

    def _character(self, address: int) -> int | None:
        if 16 <= address < 16 + len(PART_NUMBER):
            return ord(PART_NUMBER[address - 16])
        if 46 <= address < 66:
            return ord("F4T".ljust(20, "\0")[address - 46])
        if 16886 <= address < 16886 + 40 * 40 and (address - 16886) % 40 < 20:
            number, at = divmod(address - 16886, 40)
            profile = self.model.profiles.get(number + 1)
            return ord((profile.name if profile else "").ljust(20, "\0")[at])
        if 18606 <= address < 18626:
            profile = self.model.profiles.get(self._edited)
            return ord((profile.name if profile else "").ljust(20, "\0")[address - 18606])
        return None

    def _write_string(self, address: int, words: Sequence[int]) -> bool:
        if address != 18606:
            return False
        if len(words) > 20 or not all(word < 128 for word in words):
            raise Refused("name")
        self._profile().name = "".join(map(chr, words)).rstrip("\0")
        return True

    # --- parameters

    def _all(self) -> Iterator[tuple[int, Register]]:
        model = self.model
        yield 0, Register("long", lambda: 124)
        yield 4, Register("long", lambda: 4)
        yield 6, Register("long", lambda: 5)
        yield 8, Register("long", lambda: 7)
        yield 12, Register("long", lambda: model.serial_number)
        yield 14, Register("long", lambda: 19_143)
        yield 90, Register("word", lambda: 138)
        yield 94, Register("word", lambda: 3)
        yield 1328, self._chosen("display_units", (f4t.FAHRENHEIT, f4t.CELSIUS))
        yield 6730, self._chosen("units", (f4t.FAHRENHEIT, f4t.CELSIUS))
        yield from self._alarms()
        yield from self._loop()
        yield from self._cascade() if model.cascade else ()
        yield from self._clock()
        yield from self._profiles()
        yield from self._editor()
        yield 27586, Register("float", lambda: model.wire_temperature(model.measured()))
        for number in range(f4t.EVENTS):
            yield 16594 + 2 * number if number < 4 else 16822 + 2 * (number - 4), self._event(number)

    def _chosen(self, attribute: str, choices: tuple[int, ...]) -> Register:
        return self._choice(self.model, attribute, choices)

    def _choice(self, owner: object, attribute: str, choices: tuple[int, ...]) -> Register:
        def write(value: float) -> None:
            if int(value) not in choices:
                raise Refused(attribute)
            setattr(owner, attribute, int(value))

        return Register("word", lambda: getattr(owner, attribute), write)

    def _event(self, number: int) -> Register:
        events = self.model.events

        def write(value: float) -> None:
            if int(value) not in (f4t.ON, f4t.OFF):
                raise Refused("event")
            events[number] = int(value)

        return Register("word", lambda: events[number], write)

    def _temperature(self, owner: object, attribute: str, difference: Callable[[], bool] = lambda: False) -> Register:
        model = self.model

        def read() -> float:
            value: float = getattr(owner, attribute)
            return model.wire_difference(value) if difference() else model.wire_temperature(value)

        def write(value: float) -> None:
            if not abs(value) <= 99_999.0:
                raise Refused(attribute)
            kelvin = model.difference_from_wire(value) if difference() else model.from_wire(value)
            setattr(owner, attribute, kelvin)

        return Register("float", read, write)

    def _alarms(self) -> Iterator[tuple[int, Register]]:
        for number, alarm in enumerate(self.model.alarm_list):
            base = 100 * number

            def deviates(alarm: f4t.Alarm = alarm) -> bool:
                return alarm.kind == f4t.DEVIATION_ALARM

            yield 1330 + base, self._choice(alarm, "kind", (f4t.OFF, f4t.PROCESS_ALARM, f4t.DEVIATION_ALARM))
            yield 1332 + base, self._choice(alarm, "sides", (f4t.BOTH, f4t.HIGH, f4t.LOW))
            yield 1334 + base, self._temperature(alarm, "high", deviates)
            yield 1336 + base, self._temperature(alarm, "low", deviates)
            yield 1338 + base, self._temperature(alarm, "hysteresis", lambda: True)
            yield 1342 + base, self._choice(alarm, "latching", (f4t.LATCHING, f4t.NON_LATCHING))
            yield 1356 + base, Register("word", lambda alarm=alarm: alarm.state)

    def _loop(self) -> Iterator[tuple[int, Register]]:
        model = self.model
        yield 2730, Register("word", lambda: model.loop_mode, lambda value: model.set_loop_mode(int(value)))
        yield 2774, self._temperature(model, "lowest")
        yield 2776, self._temperature(model, "highest")
        yield 2782, self._user_setpoint()
        yield 2808, Register("float", model.power)
        yield 2810, Register("float", lambda: model.wire_temperature(model.setpoint))
        yield 2814, Register("word", lambda: model.actual_mode)
        yield 2820, Register("float", lambda: model.wire_temperature(model.measured()))

    def _cascade(self) -> Iterator[tuple[int, Register]]:
        model = self.model
        yield 4010, Register("word", lambda: model.loop_mode, lambda value: model.set_loop_mode(int(value)))
        yield 4012, Register("word", lambda: model.actual_mode)
        yield 4034, self._temperature(model, "lowest")
        yield 4036, self._temperature(model, "highest")
        yield 4042, self._user_setpoint()
        yield 4178, Register("float", model.power)
        yield 4180, Register("float", lambda: model.wire_temperature(model.product()))
        yield 4182, Register("float", lambda: model.wire_temperature(model.measured()))
        for address in (4188, 4190):
            yield address, Register("float", lambda: model.wire_temperature(model.setpoint))

    def _user_setpoint(self) -> Register:
        model = self.model
        return Register(
            "float",
            lambda: model.wire_temperature(model.user_setpoint),
            lambda value: model.set_user_setpoint(model.from_wire(value)),
        )

    def _clock(self) -> Iterator[tuple[int, Register]]:
        fields = ("hour", "minute", "second", "month", "day", "year")
        for number, name in enumerate(fields):
            yield 14664 + 2 * number, Register("word", lambda name=name: getattr(_now(), name))

    def _profiles(self) -> Iterator[tuple[int, Register]]:
        model = self.model

        def number(attribute: str, highest: int) -> Register:
            return self._choice(model, attribute, tuple(range(1, highest + 1)))

        def left() -> float:
            return model.program.left if model.program is not None else 0.0

        def step() -> float:
            return model.program.index + 1 if model.program is not None else 0

        yield 16558, number("profile_number", f4t.PLACES)
        yield 16560, number("profile_step", STEPS)
        yield 16562, Register("word", lambda: f4t.NONE, self._request({f4t.START: model.start_profile}))
        yield 16564, Register("word", lambda: f4t.NONE, self._request({f4t.RESUME: model.resume_profile}))
        yield (
            16566,
            Register(
                "word",
                lambda: f4t.NONE,
                self._request({f4t.PAUSE: model.pause_profile, f4t.TERMINATE: model.terminate_profile}),
            ),
        )
        yield 16568, Register("word", lambda: model.profile_state)
        yield 16588, Register("word", lambda: model.current_profile if model.program is not None else 0)
        yield 16590, Register("word", step)
        yield 16622, Register("word", lambda: left() % 60)
        yield 16624, Register("word", lambda: left() // 60 % 60)
        yield 16626, Register("word", lambda: left() // 3600)

    def _request(self, actions: dict[int, Callable[[], None]]) -> Callable[[float], None]:
        def write(value: float) -> None:
            if int(value) == f4t.NONE:
                return
            if int(value) not in actions:
                raise Refused("request")
            actions[int(value)]()

        return write

    # --- the profile under edit

    def _profile(self) -> Profile:
        return self.model.profile(self._edited)

    def _editor(self) -> Iterator[tuple[int, Register]]:
        def choose(value: float) -> None:
            if not 1 <= int(value) <= f4t.PLACES:
                raise Refused("profile")
            self._edited = int(value)

        def act(value: float) -> None:
            if int(value) == _ADD:
                self.model.profiles[self._edited] = Profile()
            elif int(value) == _DELETE:
                self.model.profiles.pop(self._edited, None)
            else:
                raise Refused("edit")

        def count() -> float:
            profile = self.model.profiles.get(self._edited)
            return len(profile.steps) if profile is not None else 0

        def deviation(value: float) -> None:
            self._profile().deviation = abs(self.model.difference_from_wire(value))

        yield 18888, Register("word", lambda: self._edited, choose)
        yield 18890, Register("word", lambda: f4t.NONE, act)
        yield 18920, Register("word", count)
        yield 19086, Register("float", lambda: self.model.wire_difference(self._profile().deviation), deviation)

    def _step_register(self, address: int) -> Register | None:
        """A parameter of a step of the profile under edit. Writing the type of the next step adds it."""
        number, at = divmod(address - 19094, 170)
        if not 0 <= number < STEPS:
            return None
        steps = self._profile().steps if self._edited in self.model.profiles else []
        if at == 0 and number == len(steps):
            return Register("word", lambda: f4t.NONE, lambda value: steps.append(Step(int(value))))
        if number >= len(steps):
            return None
        step = steps[number]
        words = {0: "kind", 2: "hours", 4: "minutes", 6: "seconds", 8: "jump_to", 10: "jumps"}
        words |= {44: "guaranteed", 76: "end"}
        if at in words:
            name = words[at]
            return Register("word", lambda: getattr(step, name), lambda value: setattr(step, name, int(value)))
        if at == 12:
            return self._temperature(step, "rate", lambda: True)
        return self._temperature(step, "target") if at == 20 else None


def _now() -> datetime:
    return datetime.fromtimestamp(process_clock().unix(), UTC)
