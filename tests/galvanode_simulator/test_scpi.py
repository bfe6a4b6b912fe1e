"""The SCPI parser against IEEE 488.2 and SCPI-99."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvanode_simulator.scpi import ScpiInterface, command, command_for
from galvanode_simulator.scpi_status import ScpiError


class Toy(ScpiInterface):
    identification = "MAKER,TOY,1,2"
    error_queue_depth = 4

    def __init__(self) -> None:
        super().__init__()
        self.got: list[object] = []

    @command(":SOURce:CURRent[:LEVel][:IMMediate] <numeric:A>")
    def set_current(self, amps: float | str) -> None:
        if amps == 99.0:
            raise ScpiError(-222)
        self.got.append(amps)

    @command(":SOURce:CURRent[:LEVel][:IMMediate]?")
    def current(self) -> str:
        return "1.0"

    @command(":SOURce:VOLTage <NRf:V>")
    @command(":SOURce:RESistance <NRf:OHM>")
    def set_voltage(self, volts: float) -> None:
        self.got.append(volts)

    @command(":OUTPut#2[:STATe] <bool>")
    def set_output(self, on: bool) -> None:
        self.got.append(on)

    @command(":SENSe:FUNCtion <string>")
    def set_function(self, name: str) -> None:
        self.got.append(name)

    @command(":SENSe:MODE <FIXed|SWEep>")
    def set_mode(self, mode: str) -> None:
        self.got.append(mode)

    @command(":READ? [<string>], [<name>]*")
    def read(self, *arguments: str) -> str:
        return "/".join(arguments) or "-"

    @command(":PLAIN <NRf>")
    def plain(self, number: float) -> None:
        self.got.append(number)

    @command_for("ALPHa BETA", ":TRACe:{}:POINts?")
    def points(self, name: str) -> str:
        return name


@pytest.fixture
def toy() -> Toy:
    return Toy()


def say(toy: Toy, message: str) -> str:
    return toy.receive(message.encode()).decode().removesuffix("\n")


def error(toy: Toy) -> str:
    return say(toy, "SYST:ERR?").split(",")[0]


@pytest.mark.parametrize(
    "header",
    [
        ":SOURce:CURRent:LEVel:IMMediate",
        ":SOUR:CURR:LEV:IMM",
        "sour:curr",
        "SOURCE:CURR:IMM",
        ":Sour:Current:Lev",
    ],
)
def test_short_and_long_forms_and_optional_nodes_are_one_command(toy, header):
    say(toy, f"{header} 2.5")
    assert toy.got == [2.5]
    assert say(toy, f"{header}?") == "1.0"
    assert error(toy) == "0"


@pytest.mark.parametrize("header", [":SOURC:CURR", ":SOU:CURR", ":CURR", ":SOUR:CURR:AMPL", "SOUR", ":STATE:PRES"])
def test_nothing_between_short_and_long_form_is_understood(toy, header):
    assert say(toy, f"{header} 1") == ""
    assert (toy.got, error(toy)) == ([], "-113")


def test_a_header_after_a_semicolon_is_relative_to_the_one_before(toy):
    say(toy, ":SOUR:CURR 1;VOLT 2;CURR:LEV 3;IMM 4;VOLT 5")
    assert toy.got == [1.0, 2.0, 3.0, 4.0]
    assert error(toy) == "-113"  # the path is SOUR:CURR by then


def test_a_leading_colon_returns_to_the_root_and_common_commands_keep_the_path(toy):
    assert say(toy, ":SOUR:CURR 1;*IDN?;VOLT 2;:SENS:MODE FIX;*OPC?;FUNC 'A'") == "MAKER,TOY,1,2;1"
    assert toy.got == [1.0, 2.0, "FIX", "A"]
    assert error(toy) == "0"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0), ("-1", -1.0),
        ("+.5", 0.5), ("1.", 1.0), ("1e3", 1e3), ("1.5E-3", 1.5e-3),  ("2 E+2", 200.0),
        ("1A", 1.0), ("100 mA", 0.1), ("5UA", 5e-6), ("3 nA", 3e-9), ("2KA", 2e3), ("7MAA", 7e6),
        ("#H1F", 31.0), ("#b101", 5.0), ("#Q17", 15.0), ("MIN", "MIN"), ("maximum", "MAX"), ("DEF", "DEF"),
        ("INF", 9.9e37), ("NINF", -9.9e37), ("NAN", 9.91e37),
    ],
)  # fmt: skip
def test_numbers_in_every_form(toy, text, value):
    say(toy, f":SOUR:CURR {text}")
    assert toy.got == [pytest.approx(value) if isinstance(value, float) else value]
    assert error(toy) == "0"


def test_milli_is_mega_for_ohms(toy):
    say(toy, ":SOUR:RES 2MOHM")
    assert toy.got == [2e6]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (":PLAIN", "-109"),
        (":PLAIN 1,2", "-108"),
        (":PLAIN 1V", "-138"),
        (":PLAIN 1.2.3", "-121"),
        (":PLAIN abc", "-104"),
        (":PLAIN 'abc'", "-104"),
        (":PLAIN MIN", "-104"),
        (":PLAIN ,", "-109"),
        (":SOUR:VOLT 1A", "-131"),
        (":SOUR:VOLT 1QV", "-131"),
        (":OUTP3 1", "-114"),
        (":OUTP0 1", "-114"),
        (":SOUR2:CURR 1", "-113"),
        (":SENS:FUNC VOLT", "-104"),
        (":SENS:FUNC 'VOLT", "-151"),
        (":SENS:MODE BOTH", "-224"),
        (":SENS:MODE 5", "-104"),
        (":VERYLONGMNEMONIC 1", "-112"),
        (":SOUR::CURR 1", "-113"),
        ("€", "-101"),
        (":SOUR:CURR 99", "-222"),
    ],
)
def test_what_is_wrong_has_its_own_number(toy, message, code):
    assert say(toy, message) == ""
    assert toy.got == []
    assert error(toy) == code
    assert error(toy) == "0"


@pytest.mark.parametrize(("text", "on"), [("ON", True), ("off", False), ("1", True), ("0", False), ("2.6", True)])
def test_booleans(toy, text, on):
    for header in (":OUTP", ":OUTP1", ":OUTPUT2:STAT"):
        toy.got.clear()
        say(toy, f"{header} {text}")
        assert toy.got == [on]


def test_strings_keep_separators_and_double_their_quotes(toy):
    say(toy, """:SENS:FUNC "a;b,c";FUNC 'it''s';FUNC "x'y" """)
    assert toy.got == ["a;b,c", "it's", "x'y"]


def test_optional_and_repeated_parameters(toy):
    assert say(toy, ":READ?") == "-"
    assert say(toy, ":READ? 'buffer',READ,sour") == "buffer/READ/SOUR"


def test_several_queries_answer_on_one_line(toy):
    assert say(toy, ":SOUR:CURR?;:TRAC:BETA:POIN?;*ESE?") == "1.0;BETA;0"


def test_a_query_that_fails_leaves_its_answer_out(toy):
    assert say(toy, ":FOO?;:SOUR:CURR?") == "1.0"
    assert say(toy, ":FOO?") == ""


@pytest.mark.parametrize("message", ["", ";", " ; ;", ":SOUR:CURR 1;", "\t:SOUR:CURR 1 "])
def test_empty_units_and_blanks_do_nothing(toy, message):
    say(toy, message)
    assert error(toy) == "0"


def test_a_full_error_queue_ends_in_overflow(toy):
    for _ in range(10):
        say(toy, ":FOO")
    assert say(toy, "SYST:ERR:COUN?") == "4"
    assert [error(toy) for _ in range(5)] == ["-113", "-113", "-113", "-350", "0"]


def test_registers_follow_errors(toy):
    say(toy, "*CLS;*ESE 60;*SRE 32")
    assert say(toy, "*STB?") == "0"
    say(toy, ":FOO")
    assert say(toy, "*STB?") == str(4 + 32 + 64)
    assert say(toy, "*ESR?") == "32"
    assert say(toy, "*ESR?") == "0"
    say(toy, ":SOUR:CURR 99;*OPC")
    assert say(toy, "*ESR?") == "17"
    say(toy, "*CLS")
    assert (error(toy), say(toy, "*ESE?;*SRE?")) == ("0", "60;32")


def test_power_on_is_seen_once(toy):
    assert [say(toy, "*ESR?") for _ in range(2)] == ["128", "0"]


@given(number=st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_every_finite_number_arrives_as_it_was_sent(number):
    toy = Toy()
    for text in (f"{number:.9E}", repr(float(number))):
        say(toy, f":PLAIN {text}")
    assert toy.got == [pytest.approx(number, rel=1e-9), number]


@given(text=st.text(max_size=60))
def test_no_message_brings_the_instrument_down(text):
    toy = Toy()
    for message in (text, ":SOUR:CURR " + text, ":SENS:FUNC " + text, text + ";*IDN?"):
        toy.receive(message.encode("utf-8", "surrogatepass"))
    assert say(toy, "*IDN?") == "MAKER,TOY,1,2"


@given(junk=st.binary(max_size=80))
def test_no_bytes_bring_the_instrument_down(junk):
    toy = Toy()
    toy.receive(junk)
    assert say(toy, "*IDN?") == "MAKER,TOY,1,2"


@given(messages=st.lists(st.sampled_from([":SOUR:CURR 1", ":SOUR:CURR 2;VOLT 3", ":FOO", ":OUTP1 ON"]), max_size=20))
def test_a_message_means_the_same_each_time_it_is_sent(messages):
    """The parse is cached; the calls are not."""
    cached = Toy()
    for message in messages:
        say(cached, message)
    fresh: list[object] = []
    for message in messages:
        toy = Toy()
        say(toy, message)
        fresh += toy.got
    assert cached.got == fresh


def test_set_points_without_end_do_not_fill_the_memory(toy):
    for number in range(3000):
        say(toy, f":PLAIN {number}")
    assert len(toy._programs) <= 1024
    assert toy.got == [float(number) for number in range(3000)]
