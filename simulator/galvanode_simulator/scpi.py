"""SCPI on the wire: an IEEE 488.2 / SCPI-99 parser that dispatches to decorated methods.

    class Meter(ScpiInterface):
        @command(":SENSe:VOLTage[:DC]:NPLCycles <NRf>")
        def set_nplc(self, cycles: float) -> None: ...

        @command(":SENSe:VOLTage[:DC]:NPLCycles?")
        def nplc(self) -> str: ...

Capitals are the short form, brackets hold optional nodes, ``OUTPut#1`` takes the numeric suffix 1 (or none).
Parameters: ``<NRf>`` a number, ``<NRf:V>`` with unit suffixes, ``<numeric>`` or ``<numeric:V>`` also MIN, MAX
and DEF (handed over as those words; ``<numeric:V|NONE>`` takes NONE too), ``<bool>`` (``<bool|ONCE>``),
``<string>``, ``<name>`` any character data, ``<word>`` a string or character data, ``<CURRent|VOLTage>`` one of
these, handed over in its short form. ``[<...>]`` is optional, ``<...>*`` any number of them, last. An optional
one may be left out behind its comma.

A message is parsed once and kept as a list of calls: the same text again costs one dictionary look-up.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar

from galvanode_simulator.scpi_status import ScpiError, Status

F = TypeVar("F", bound=Callable[..., Any])

_MOST_PROGRAMS = 1024
"""Parsed messages kept; set points differ from one another, so the cache is emptied when it is full."""
_LONGEST_MESSAGE = 16_384
_LONGEST_MNEMONIC = 12

_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:\s*[eE]\s*[-+]?\d+)?)\s*([A-Za-z]*)", re.ASCII)
_NON_DECIMAL = re.compile(r"#([HQB])([0-9A-F]+)", re.ASCII | re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_:]*", re.ASCII)
_MNEMONIC = re.compile(r"([A-Za-z_]+)(\d*)", re.ASCII)
_PATTERN_NODE = re.compile(r"(\[?):?(\*?[A-Za-z][A-Za-z0-9]*)(?:#(\d+))?(\]?)")
_PATTERN_PARAMETER = re.compile(r"(\[?)<([^>]+)>\]?(\*?)")

_SPECIAL = {"MIN": "MIN", "MINIMUM": "MIN", "MAX": "MAX", "MAXIMUM": "MAX", "DEF": "DEF", "DEFAULT": "DEF"}
_NUMBER_WORDS = {"INF": 9.9e37, "INFINITY": 9.9e37, "NINF": -9.9e37, "NINFINITY": -9.9e37, "NAN": 9.91e37}
_PREFIXES = {
    "": 1.0,
    "EX": 1e18,
    "PE": 1e15,
    "T": 1e12,
    "G": 1e9,
    "MA": 1e6,
    "K": 1e3,
    "M": 1e-3,
    "U": 1e-6,
    "N": 1e-9,
    "P": 1e-12,
    "F": 1e-15,
    "A": 1e-18,
}


def command(pattern: str, *leading: str) -> Callable[[F], F]:
    """Declare that a method handles a command; several declarations may stand on one method.

    ``leading`` arguments are handed to the method before those of the message.
    """

    def mark(function: F) -> F:
        declared: list[tuple[str, tuple[str, ...]]] = getattr(function, "scpi_commands", [])
        function.scpi_commands = [*declared, (pattern, leading)]  # type: ignore[attr-defined]
        return function

    return mark


def command_for(nodes: str, pattern: str) -> Callable[[F], F]:
    """Declare one command for each of several nodes: ``command_for("CURRent VOLTage", ":SOURce:{}:DELay?")``.

    The method gets the node's short form as its first argument.
    """

    def mark(function: F) -> F:
        for node in nodes.split():
            function = command(pattern.replace("{}", node), _short_form(node))(function)
        return function

    return mark


class _Parameter(NamedTuple):
    kind: str
    unit: str
    choices: dict[str, str]
    optional: bool
    repeated: bool


@dataclass(frozen=True)
class _Command:
    method: str
    leading: tuple[str, ...]
    parameters: tuple[_Parameter, ...]
    long_forms: tuple[str, ...]


class _Step(NamedTuple):
    """One message unit, ready to be called."""

    call: Callable[..., str | None]
    arguments: tuple[Any, ...]


class ScpiInterface:
    """The wire side of an instrument. A subclass declares its commands; the common ones are here."""

    identification: str = "GALVANODE,SIMULATOR,0,0"
    error_queue_depth: ClassVar[int] = 32
    discards_after_error: ClassVar[bool] = False
    """Whether what stands in a message behind an error is dropped."""

    _commands: ClassVar[dict[tuple[str, ...], _Command]] = {}
    _forms: ClassVar[dict[str, str]] = {}
    _suffixes: ClassVar[dict[str, int]] = {}

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls._commands, cls._forms, cls._suffixes = {}, {}, {}
        for base in reversed(cls.__mro__):
            for name, member in vars(base).items():
                for pattern, leading in getattr(member, "scpi_commands", ()):
                    cls._declare(pattern, leading, name)

    @classmethod
    def _declare(cls, pattern: str, leading: tuple[str, ...], method: str) -> None:
        header, _, tail = pattern.partition(" ")
        query = header.endswith("?")
        nodes: list[tuple[str, str, bool]] = []
        for opening, mnemonic, suffix, closing in _PATTERN_NODE.findall(header.rstrip("?")):
            short = _short_form(mnemonic)
            for form in (short, mnemonic.upper()):
                if cls._forms.setdefault(form, short) != short:
                    raise ValueError(f"{pattern}: {form} is already a form of {cls._forms[form]}")
            if suffix:
                cls._suffixes[short] = int(suffix)
            nodes.append((short, mnemonic.upper(), bool(opening and closing)))
        parameters = tuple(_parameters(tail))
        for kept in itertools.product(*[(True, False) if optional else (True,) for *_, optional in nodes]):
            present = [node for node, keep in zip(nodes, kept, strict=True) if keep]
            key = tuple(short for short, _, _ in present)
            cls._commands[(*key, "?") if query else key] = _Command(
                method, leading, parameters, tuple(long for _, long, _ in present)
            )

    def __init__(self) -> None:
        self.status = Status(self.error_queue_depth)
        self._programs: dict[bytes, list[_Step]] = {}

    # The wire

    def receive(self, message: bytes) -> bytes:
        """Execute a program message (without its terminator) and return the response with its newline.

        Empty if nothing was asked, or if what was asked failed: then the controller waits in vain.
        """
        program = self._programs.get(message)
        if program is None:
            program = self._compile(message)
        self.begin_message()
        if len(program) == 1:
            call, arguments = program[0]
            try:
                answer = call(*arguments)
            except ScpiError as error:
                self.record(error)
                return b""
            return b"" if answer is None else answer.encode("latin-1") + b"\n"
        answers: list[str] = []
        for call, arguments in program:
            try:
                answer = call(*arguments)
            except ScpiError as error:
                self.record(error)
                if self.discards_after_error:
                    break
                continue
            if answer is not None:
                answers.append(answer)
                self.status.message_available = True
        self.status.message_available = False
        return (";".join(answers) + "\n").encode("latin-1") if answers else b""

    def begin_message(self) -> None:
        """Bring the model up to date; called before each message."""

    def record(self, error: ScpiError) -> None:
        """Put an error into the queue and the event status register."""
        self.status.add(error, self.stamp())

    def query_error(self, code: int) -> None:
        """Note that the controller broke the message exchange: -410 interrupted, -420 unterminated."""
        self.record(ScpiError(code))

    def stamp(self) -> str:
        """Time of an event, as the instrument writes it."""
        return ""

    # Parsing

    def _compile(self, message: bytes) -> list[_Step]:
        steps: list[_Step] = []
        if len(message) > _LONGEST_MESSAGE:
            steps.append(_failure(ScpiError(-363)))
        else:
            try:
                text = message.decode("ascii").strip()
            except UnicodeDecodeError:
                steps.append(_failure(ScpiError(-101)))
            else:
                path: tuple[str, ...] = ()
                for unit in split_outside_quotes(text, ";"):
                    stripped = unit.strip()
                    if not stripped:
                        continue
                    try:
                        step, path = self._resolve(stripped, path)
                    except ScpiError as error:
                        step, path = _failure(error), ()
                    steps.append(step)
        if not steps:
            steps.append(_Step(_nothing, ()))
        if len(self._programs) >= _MOST_PROGRAMS:
            self._programs.clear()
        self._programs[message] = steps
        return steps

    def _resolve(self, unit: str, path: tuple[str, ...]) -> tuple[_Step, tuple[str, ...]]:
        """Return the call of one message unit and the path for the next one."""
        match = re.match(r"[^\s]+", unit)
        header = match[0] if match else ""
        rest = unit[len(header) :].strip()
        # Some controllers send ':*CLS'; Keithley's parser takes it.
        if header.startswith(("*", ":*")):
            nodes: tuple[str, ...] = (header.lstrip(":").rstrip("?").upper(),)
            following = path
        else:
            typed = header.rstrip("?")
            names = tuple(self._node(part) for part in typed.removeprefix(":").split(":"))
            nodes = names if typed.startswith(":") else path + names
            following = nodes[:-1]
        key = (*nodes, "?") if header.endswith("?") else nodes
        found = self._commands.get(key)
        if found is None or not _forms_fit(header, nodes, found.long_forms):
            raise ScpiError(-113, header)
        arguments = (*found.leading, *_arguments(found.parameters, rest))
        return _Step(getattr(self, found.method), arguments), following

    def _node(self, typed: str) -> str:
        whole = self._forms.get(typed.upper())
        if whole is not None:
            return whole
        match = _MNEMONIC.fullmatch(typed)
        if match is None:
            raise ScpiError(-102 if typed else -113, typed)
        name, suffix = match.groups()
        short = self._forms.get(name.upper())
        if short is None or not suffix or short not in self._suffixes:
            raise ScpiError(-112 if len(name) > _LONGEST_MNEMONIC else -113, typed)
        if not 1 <= int(suffix) <= self._suffixes[short]:
            raise ScpiError(-114, typed)
        return short

    # Common commands (IEEE 488.2)

    @command("*IDN?")
    def _idn(self) -> str:
        return self.identification

    @command("*CLS")
    def _cls(self) -> None:
        self.status.clear()

    @command("*ESE <NRf>")
    def _set_ese(self, mask: float) -> None:
        self.status.event_enable = _byte(mask)

    @command("*ESE?")
    def _ese(self) -> str:
        return str(self.status.event_enable)

    @command("*ESR?")
    def _esr(self) -> str:
        return str(self.status.read_events())

    @command("*SRE <NRf>")
    def _set_sre(self, mask: float) -> None:
        self.status.service_enable = _byte(mask) & ~64

    @command("*SRE?")
    def _sre(self) -> str:
        return str(self.status.service_enable)

    @command("*STB?")
    def _stb(self) -> str:
        return str(self.status.byte())

    @command("*OPC")
    def _opc(self) -> None:
        self.status.events |= 1

    @command("*OPC?")
    def _opc_query(self) -> str:
        return "1"

    @command("*WAI")
    def _wai(self) -> None:
        """Nothing overlaps unless the instrument says so."""

    @command("*TST?")
    def _tst(self) -> str:
        return "0"

    @command(":SYSTem:ERRor[:NEXT]?")
    def _next_error(self) -> str:
        return self.status.next_error()

    @command(":SYSTem:ERRor:COUNt?")
    def _error_count(self) -> str:
        return str(len(self.status.errors))

    @command(":STATus:PRESet")
    def _preset(self) -> None:
        self.status.preset()

    @command(":STATus:OPERation[:EVENt]?")
    def _operation(self) -> str:
        return str(self.status.operation.read())

    @command(":STATus:OPERation:CONDition?")
    def _operation_condition(self) -> str:
        return str(self.status.operation.condition)

    @command(":STATus:OPERation:ENABle <NRf>")
    def _set_operation_enable(self, mask: float) -> None:
        self.status.operation.enable = _word(mask)

    @command(":STATus:OPERation:ENABle?")
    def _operation_enable(self) -> str:
        return str(self.status.operation.enable)

    @command(":STATus:QUEStionable[:EVENt]?")
    def _questionable(self) -> str:
        return str(self.status.questionable.read())

    @command(":STATus:QUEStionable:CONDition?")
    def _questionable_condition(self) -> str:
        return str(self.status.questionable.condition)

    @command(":STATus:QUEStionable:ENABle <NRf>")
    def _set_questionable_enable(self, mask: float) -> None:
        self.status.questionable.enable = _word(mask)

    @command(":STATus:QUEStionable:ENABle?")
    def _questionable_enable(self) -> str:
        return str(self.status.questionable.enable)


def _forms_fit(header: str, nodes: tuple[str, ...], long_forms: tuple[str, ...]) -> bool:
    """Whether each typed mnemonic is this command's own short or long form: STATe and STATus share one."""
    typed = [part.upper() for part in header.removeprefix(":").rstrip("?").split(":")]
    own = zip(typed, nodes[-len(typed) :], long_forms[-len(typed) :], strict=True)
    return all(word.rstrip("0123456789") in (short, long) or word in (short, long) for word, short, long in own)


def _nothing() -> None:
    return None


def _failure(error: ScpiError) -> _Step:
    def fail() -> None:
        # A new one each time: an exception keeps the traceback of every place it was raised from.
        raise ScpiError(error.code, error.detail, error.text)

    return _Step(fail, ())


def _byte(number: float) -> int:
    if not 0 <= round(number) <= 255:
        raise ScpiError(-222)
    return round(number)


def _word(number: float) -> int:
    if not 0 <= round(number) <= 65535:
        raise ScpiError(-222)
    return round(number)


def _short_form(mnemonic: str) -> str:
    return "".join(character for character in mnemonic if not character.islower()).upper()


def _parameters(text: str) -> Iterator[_Parameter]:
    for opening, kind, repeated in _PATTERN_PARAMETER.findall(text):
        choices: dict[str, str] = {}
        name, _, unit = kind.partition(":")
        if "|" in kind:
            first, *words = kind.split("|")
            name, _, unit = first.partition(":")
            if name not in ("numeric", "bool"):
                name, unit, words = "choice", "", kind.split("|")
            for choice in words:
                choices[choice.upper()] = choices[_short_form(choice)] = _short_form(choice)
        elif name not in ("NRf", "numeric", "bool", "string", "name", "word"):
            raise ValueError(f"{text}: <{kind}> is no parameter type")
        yield _Parameter(name, unit.upper(), choices, bool(opening), bool(repeated))


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Split at a separator that is not inside ``'...'`` or ``"..."``."""
    if '"' not in text and "'" not in text:
        return text.split(separator)
    parts: list[str] = []
    start, quote = 0, ""
    for index, character in enumerate(text):
        if quote:
            if character == quote:
                quote = ""
        elif character in "\"'":
            quote = character
        elif character == separator:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    return parts


def _arguments(parameters: tuple[_Parameter, ...], text: str) -> Iterator[Any]:
    given = [part.strip() for part in split_outside_quotes(text, ",")] if text else []
    for parameter in parameters:
        if given == [""] and parameter.optional:
            given = []  # left out behind its comma: as good as not given
        if parameter.repeated:
            for one in given:
                yield _argument(parameter, one)
            return
        if given:
            yield _argument(parameter, given.pop(0))
        elif not parameter.optional:
            raise ScpiError(-109)
    if given:
        raise ScpiError(-108)


def _argument(parameter: _Parameter, text: str) -> Any:
    if not text:
        raise ScpiError(-109)
    kind = parameter.kind
    if kind in ("NRf", "numeric"):
        if kind == "numeric" and (text.upper() in _SPECIAL or text.upper() in parameter.choices):
            return _SPECIAL.get(text.upper()) or parameter.choices[text.upper()]
        return _number(text, parameter.unit)
    if kind == "bool":
        word = text.upper()
        if word in parameter.choices:
            return parameter.choices[word]
        if word in ("ON", "OFF"):
            return word == "ON"
        return round(_number(text, "")) != 0
    if kind == "string" or (kind == "word" and text[0] in "\"'"):
        return _string(text)
    if not _WORD.fullmatch(text):
        raise ScpiError(-141 if text[0].isalpha() else -104, text)
    if kind == "choice":
        if text.upper() not in parameter.choices:
            raise ScpiError(-224, text)
        return parameter.choices[text.upper()]
    return text.upper() if kind == "name" else text


def _string(text: str) -> str:
    quote = text[0]
    if quote not in "\"'":
        raise ScpiError(-104, text)
    if len(text) < 2 or text[-1] != quote:
        raise ScpiError(-151)
    inner = text[1:-1]
    if quote in inner.replace(quote * 2, ""):
        raise ScpiError(-151)
    return inner.replace(quote * 2, quote)


def _number(text: str, unit: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None:
        special = _NUMBER_WORDS.get(text.upper())
        if special is not None:
            return special
        other = _NON_DECIMAL.fullmatch(text)
        if other is not None:
            try:
                return float(int(other[2], {"H": 16, "Q": 8, "B": 2}[other[1].upper()]))
            except ValueError:
                raise ScpiError(-121, text) from None
        if text[0] in "\"'":
            raise ScpiError(-104, text)
        raise ScpiError(-121 if text[0].isdigit() or text[0] in "+-." else -104, text)
    number, suffix = match.groups()
    value = float(re.sub(r"\s+", "", number))
    if not suffix:
        return value
    return value * _multiplier(suffix.upper(), unit)


def _multiplier(suffix: str, unit: str) -> float:
    if not unit:
        raise ScpiError(-138, suffix)
    if not suffix.endswith(unit):
        raise ScpiError(-131, suffix)
    prefix = suffix[: -len(unit)]
    if prefix == "M" and unit in ("OHM", "HZ"):  # IEEE 488.2 7.7.3: MOHM and MHZ are mega
        return 1e6
    if prefix not in _PREFIXES:
        raise ScpiError(-131, suffix)
    return _PREFIXES[prefix]
