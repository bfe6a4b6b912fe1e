"""PalmSens instruments on the wire: commands, scripts at their own pace, aborts, errors, physics."""

from __future__ import annotations

import asyncio
import cmath
import math
import time
from collections.abc import Callable
from typing import Any

import pytest

from galvanode.testing.instruments import HandClock
from galvanode_simulator.cells import Cell, ResistorCell
from galvanode_simulator.emstat4.interface import DEAF_S, EmStat4Interface
from galvanode_simulator.emstat4.models import MODELS
from galvanode_simulator.emstat4.unit import EmStat4Unit
from galvanode_simulator.keithley2450.unit import Keithley2450Unit
from galvanode_simulator.links.serial_pty import AVAILABLE, SerialPort
from galvanode_simulator.links.tcp import TcpServer
from galvanode_simulator.shared_cell import SharedCell
from galvanode_simulator.wire import Wire

_EXPONENTS = dict(zip("afpnum kMGTPE", range(-18, 21, 3), strict=True)) | {"i": 0}


def values(line: str) -> dict[str, float]:
    """The variables of a package by type."""
    assert line.startswith("P")
    found = {}
    for field in line[1:].split(";"):
        digits, prefix = field[2:9], field[9]
        found[field[:2]] = math.nan if "nan" in field else float(f"{int(digits, 16) - 2**27}e{_EXPONENTS[prefix]}")
    return found


class Line:
    """The instrument and its clock; what it says is a list of lines."""

    def __init__(self, clock: HandClock, cell: Cell, model: str = "emstat4_hr") -> None:
        self.clock = clock
        self.unit = EmStat4Unit(cell, MODELS[model], 1)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.unit.on_event = lambda kind, details: self.events.append((kind, details))
        self.interface = EmStat4Interface(self.unit)

    def say(self, text: str) -> list[str]:
        answer = b"".join(self.interface.receive(line.encode()) for line in text.split("\n"))
        return answer.decode().split("\n")[:-1]

    def run(self, script: str) -> list[str]:
        """Send a script; what comes at once, without the ``e``."""
        answer = self.say("e\n" + script.strip("\n") + "\n")
        assert answer[0] == "e", answer
        return answer[1:]

    def after(self, seconds: float) -> list[str]:
        """What it says while this time passes."""
        self.clock.pass_time(seconds)
        return self.interface.unasked(0.0).decode().split("\n")[:-1]

    def hear_again(self) -> None:
        """It has told an error and does not listen for a while."""
        time.sleep(DEAF_S * 1.1)


@pytest.fixture
def line(clock: HandClock) -> Line:
    return Line(clock, ResistorCell(1000.0))


@pytest.fixture
def make_line(clock: HandClock) -> Callable[..., Line]:
    return lambda cell=None, model="emstat4_hr": Line(clock, cell or ResistorCell(1000.0), model)


READY = "set_pgstat_chan 0\nset_pgstat_mode 3\nset_range_minmax da -1 1\nset_autoranging ba 100n 10m"
CA = f"""
var p
var c
{READY}
set_e 500m
cell_on
meas_loop_ca p c 500m 100m 1
  pck_start
  pck_add p
  pck_add c
  pck_end
endloop
on_finished:
cell_off
"""

# --- commands --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "firmware"),
    [("emstat4_lr", "es4_lr"), ("emstat4_hr", "es4_hr"), ("emstat_pico", "espico"), ("nexus", "nexus1")],
)
def test_the_firmware_version_names_the_model_in_two_lines(make_line: Callable[..., Line], model: str, firmware: str):
    first, second = make_line(model=model).say("t")
    assert first.startswith(f"t{firmware}")
    assert "#" in first
    assert second == "R*"


def test_short_questions_get_their_letter_back(line: Line):
    assert line.say("i") == ["iES4HR0001"]
    assert line.say("v") == ["v01.09.00"]
    assert line.say("") == [""]


def test_capabilities_are_bit_fields(line: Line, make_line: Callable[..., Line]):
    (commands,), (script,) = line.say("CC"), line.say("CM")
    assert len(commands) == len(script) == 66
    assert _bit(commands, 98)  # Z
    assert _bit(script, 67)  # meas_loop_cp
    (pico,) = make_line(model="emstat_pico").say("CM")
    assert not _bit(pico, 67)


def _bit(answer: str, number: int) -> bool:
    return bool(int(answer.lstrip("CM"), 16) >> number & 1)


def test_registers_are_read_and_written(line: Line):
    assert line.say("G01") == ["G00000000"]
    assert line.say("S010000000F") == ["S"]
    assert line.say("G01") == ["G0000000F"]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("fail", "f!0003"),
        ("Z", "Z!0006"),
        ("h", "h!0006"),
        ("Y", "Y!0006"),
        ("r", "r!000C"),
        ("m", "m!0048"),
        ("GFE", "G!0004"),
        ("S06" + "0" * 16, "S!0005"),
        ("S01xyz", "S!004B"),
        ("G", "G!004B"),
        ("e\nfail!\n", "e!4001: Line 1, Col 6"),
        ("l\ncell_on\nendloop\n", "l!400E: Line 2, Col 8"),
    ],
)
def test_errors_have_the_letter_of_the_command_and_a_code(line: Line, command: str, answer: str):
    assert line.say(command) == [answer]


def test_after_an_error_it_is_deaf_for_a_while_so_that_the_rest_of_a_script_is_lost(line: Line):
    assert line.say("e\nnonsense\ncell_on\n\nt") == ["e!4001: Line 1, Col 9"]
    assert line.say("t") == []
    line.hear_again()
    assert line.say("t")[1] == "R*"
    assert not line.unit.cell_is_on


def test_a_script_is_loaded_first_and_run_later_as_often_as_one_likes(line: Line):
    script = 'send_string "done"'
    assert line.say(f"l\n{script}\n") == ["l"]
    assert line.say("r") == ["r", "Tdone", ""]
    assert line.say("r") == ["r", "Tdone", ""]


def test_a_running_script_can_be_asked_for_the_version_and_nothing_else(line: Line):
    line.run("wait 10")
    assert line.say("t")[1] == "R*"
    assert line.say("i") == ["i!0006"]


# --- scripts at their own pace ---------------------------------------------------------------------------


def test_output_comes_when_its_time_has_come(line: Line):
    assert line.run(CA) == ["M0007"]
    assert line.after(0.09) == []
    (first,) = line.after(0.02)
    assert values(first)["ba"] == pytest.approx(5e-4, rel=2e-3)
    assert len(line.after(0.8)) == 8
    assert line.after(0.2)[1:] == ["*", ""]
    assert line.after(10.0) == []


def test_polls_seldom_or_often_give_the_same_data(make_line: Callable[..., Line]):
    often, seldom = make_line(), make_line()
    often.run(CA)
    lines = [text for _ in range(200) for text in often.after(0.01)]
    seldom.run(CA)
    assert seldom.after(2.0) == lines


def test_the_cell_is_off_when_the_script_has_ended_though_nobody_listens(line: Line):
    line.run(CA)
    assert line.unit.cell_is_on
    line.clock.pass_time(100.0)
    line.interface.advance()
    assert not line.unit.cell_is_on
    assert [details["on"] for kind, details in line.events if kind == "output"] == [True, False]


def test_time_is_counted_from_timer_start(line: Line):
    line.run("var t\nwait 300m\ntimer_start\nwait 200m\ntimer_get t\npck_start\npck_add t\npck_end")
    (package, end) = line.after(1.0)
    assert values(package)["eb"] == pytest.approx(0.2, abs=1e-3)
    assert end == ""


def test_a_linear_sweep_passes_both_ends(line: Line):
    line.run(CA.replace("meas_loop_ca p c 500m 100m 1", "meas_loop_lsv p c -500m 500m 100m 1"))
    samples = [values(text) for text in line.after(2.0) if text.startswith("P")]
    assert [sample["da"] for sample in samples] == pytest.approx([-0.5 + 0.1 * n for n in range(11)], abs=2e-4)
    assert all(sample["ba"] == pytest.approx(sample["da"] / 1000, rel=3e-3, abs=2e-8) for sample in samples)


def test_scans_are_marked_and_pass_their_first_potential_once(line: Line):
    assert line.run(CA.replace("meas_loop_ca p c 500m 100m 1", "meas_loop_cv p c 0 200m -100m 100m 1 nscans(2)")) == [
        "M0005",
        "C0000",
    ]
    lines = line.after(3.0)
    assert [text for text in lines if not text.startswith("P")] == ["-", "C0001", "-", "*", ""]
    potentials = [round(values(text)["da"], 1) + 0.0 for text in lines if text.startswith("P")]
    one = [0.0, 0.1, 0.2, 0.1, 0.0, -0.1]
    assert potentials == [*one, *one, 0.0]


def test_loops_are_marked_and_nested(line: Line):
    script = "var i\nstore_var i 0i ja\nloop i < 2i\nadd_var i 1i\npck_start\npck_add i\npck_end\nendloop"
    assert [*line.run(script), *line.after(0.1)] == ["L", "Pja8000001i", "Pja8000002i", "+", ""]


def test_arithmetic_is_that_of_the_language(line: Line):
    script = """
array a 3i
var x
var i
store_var i 1i ja
store_var a[0i] 2 ja
store_var a[i] 4 ja
mean a x
mul_var x 3
add_var x 500m
pow_var x 2
pck_start
pck_add x
pck_end
if x > 42 & x < 43
  send_string f"x = {x}"
elseif x == 0
  send_string "none"
else
  send_string "other"
endif
"""
    package, text, end = line.run(script)
    assert values(package)["ja"] == pytest.approx(42.25)
    assert (text, end) == ("Tx = 42.25", "")


def test_an_endless_loop_of_commands_does_not_stop_the_world(line: Line):
    line.run("var i\nstore_var i 0i ja\nloop i == 0i\ncopy_var i i\nendloop")
    assert line.after(0.5) == []
    assert line.say("Z") == ["Z", "+", ""]


def test_a_loop_body_that_takes_too_long_is_flagged_in_the_status(line: Line):
    line.run(CA.replace("  pck_end", "  pck_end\n  wait 150m").replace("100m 1", "100m 500m"))
    statuses = [text.split(",1")[1][0] for text in line.after(3.0) if text.startswith("P")]
    assert statuses[0] == "0"
    assert "1" in statuses


# --- aborting, halting, errors ---------------------------------------------------------------------------


def test_abort_ends_the_loop_and_carries_out_on_finished(line: Line):
    line.run(CA)
    line.after(0.35)
    assert line.say("Z") == ["Z", "*", ""]
    assert not line.unit.cell_is_on
    assert line.say("Z") == ["Z!0006"]


def test_abort_of_the_measurement_alone_goes_on_behind_it(line: Line):
    line.run(CA.replace("on_finished:", 'send_string "next"\non_finished:'))
    line.after(0.35)
    assert line.say("Y") == ["Y", "*", "Tnext", ""]


def test_a_halted_script_waits_and_goes_on_where_it_was(line: Line):
    line.run(CA)
    assert len(line.after(0.35)) == 3
    assert line.say("h") == ["h"]
    assert line.after(60.0) == []
    assert line.unit.cell_is_on
    assert line.say("H") == ["H"]
    assert len([text for text in line.after(0.75) if text.startswith("P")]) == 7


def test_abort_comes_through_a_halted_script(line: Line):
    line.run(CA)
    line.say("h")
    assert line.say("Z") == ["Z", "*", ""]
    assert not line.unit.cell_is_on


def test_an_error_while_it_runs_names_the_line_and_leaves_the_cell_as_it_is(line: Line):
    answer = line.run("var x\nset_pgstat_mode 3\ncell_on\ndiv_var x 0\non_finished:\ncell_off")
    assert answer == ["!0028: Line 4", ""]
    assert line.unit.cell_is_on  # on_finished: is not carried out (manual, 10.1)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("var p\nset_pgstat_mode 3\ncell_on\nmeas_loop_ocp p 100m 1\nendloop", "!0014: Line 4"),
        ("var p\nvar c\nset_pgstat_mode 3\nmeas_loop_ca p c 0 100m 1\nendloop", "!4027: Line 4"),
        ("set_pgstat_mode 5", "!0021: Line 1"),
        ("cell_on", "!0023: Line 1"),
        ("set_pgstat_mode 3\nset_e 6100m", "!000F: Line 2"),
        ("set_pgstat_mode 3\nset_i 1m", "!0023: Line 2"),
        ("set_pgstat_mode 6\nset_range db 1m\nset_i 5m", "!4205: Line 3"),
        ("set_pgstat_mode 3\nset_range eb 1", "!0084: Line 2"),
        ("var p\nmeas 1m p da", "!0002: Line 2"),
        ("set_pgstat_chan 7", "!002F: Line 1"),
        ("pck_end", "!401B: Line 1"),
        ("array a 3i\nstore_var a[3i] 1 ja", "!400F: Line 2"),
        ("array a 0i", "!4205: Line 1"),
        ("var x\nstore_var x 2000000000i ja\nmul_var x 2i", "!4037: Line 3"),
        ("var x\nlog_var x", "!0010: Line 2"),
        ("wait -1", "!4200: Line 1"),
        ("await_int", "!400C: Line 1"),
    ],
)
def test_what_the_firmware_refuses_while_it_runs(line: Line, script: str, error: str):
    assert [*line.run(script), *line.after(1.0)][:1] == [error]


@pytest.mark.parametrize(
    ("loop", "error"),
    [
        ("meas_loop_lsv p c 0 1 0 100m", "4204"),
        ("meas_loop_lsv p c 0 1 10u 100u", "001C"),
        ("meas_loop_lsv p c 0 1 1m 100", "005A"),
        ("meas_loop_lsv p c 0 7 1m 1m", "000F"),
        ("meas_loop_lsv p c 0 0 1m 1m", "4029"),
        ("meas_loop_ca p c 0 0 1", "4204"),
        ("meas_loop_ca p c 0 10u 1", "005A"),
        ("meas_loop_cp p c 0 100m 1", "0023"),
        ("meas_loop_cv p c 0 1 0 100m 1 nscans(0)", "4205"),
        ("meas_loop_eis f p c 10m 300k 1 11i 0", "0011"),
        ("meas_loop_eis f p c 1 1k 1 11i 0", "0012"),
        ("meas_loop_eis f p c 10m 1k 1 0i 0", "4204"),
        ("meas_loop_ca p c 0 100m 1 add_meas(3 ab f)", "002F"),
    ],
)
def test_a_measurement_that_is_out_of_bounds_does_not_begin(line: Line, loop: str, error: str):
    script = f"var p\nvar c\nvar f\n{READY}\ncell_on\n{loop}\nendloop"
    assert line.run(script)[0] == f"!{error}: Line 9"


def test_the_pico_cannot_hold_a_current(make_line: Callable[..., Line]):
    pico = make_line(model="emstat_pico")
    assert pico.say("e\nvar p\nvar c\nmeas_loop_cp p c 1m 100m 1\nendloop\n") == ["e!001B: Line 3, Col 13"]


# --- physics ---------------------------------------------------------------------------------------------


def test_an_overload_is_flagged_and_the_current_held_at_the_limit_of_the_range(line: Line):
    line.run(CA.replace("100n 10m", "100n 100u"))
    package = line.after(0.15)[0]
    assert values(package)["ba"] == pytest.approx(3e-4, rel=1e-2)  # 500 uA asked for
    assert ",12,212," in package
    assert line.unit.terminals()[1] == pytest.approx(3e-4)


def test_the_range_follows_the_current(line: Line):
    line.run(CA.replace("set_e 500m", "set_e 50u").replace("c 500m", "c 1m"))
    packages = [text for text in line.after(2.0) if text.startswith("P")]
    assert {text.rsplit(",2", 1)[1][:2] for text in packages[1:]} == {"0C"}  # 1 uA in the range of 1 uA


def test_a_galvanostat_stops_at_its_compliance(make_line: Callable[..., Line]):
    line = make_line(ResistorCell(1e5))
    script = """
var p
var c
set_pgstat_mode 6
set_range ab 6
set_range db 1m
set_i 1m
cell_on
meas_loop_cp p c 1m 100m 1
pck_start
pck_add p
pck_add c
pck_end
endloop
on_finished:
cell_off"""
    line.run(script)
    package = line.after(0.15)[0]
    found = values(package)
    assert ",12," in package
    assert found["ab"] == pytest.approx(6.0, rel=1e-3)  # all that it can measure
    assert found["ba"] == pytest.approx(8.0 / 1e5, rel=1e-2)


class _Randles(ResistorCell):
    """A resistor with an RC element behind it."""

    def impedance(self, frequency_hz: float, amps: float = 0.0) -> complex:
        return 100.0 + 900.0 / (1.0 + 2j * math.pi * frequency_hz * 900.0 * 1e-6)


@pytest.mark.parametrize("kind", ["eis", "geis"])
def test_a_spectrum_is_that_of_the_cell_and_takes_its_periods(make_line: Callable[..., Line], kind: str):
    line = make_line(_Randles(1000.0))
    mode, level = ("3", "set_e 0") if kind == "eis" else ("6", "set_range db 1m\nset_i 0")
    amplitude = "10m" if kind == "eis" else "100u"
    script = f"""
var f
var r
var i
var ea
var ed
var ia
var id
set_pgstat_mode {mode}
set_autoranging ba 100n 10m
set_autoranging ab 50m 1
{level}
cell_on
meas_loop_{kind} f r i {amplitude} 10k 1 9i 0 eis_acdc(ea ed ia id)
pck_start
pck_add f
pck_add r
pck_add i
pck_add ea
pck_add ia
pck_end
endloop
on_finished:
cell_off"""
    assert line.run(script) == ["M000D" if kind == "eis" else "M000E"]
    before_last = [text for text in line.after(4.0) if text.startswith("P")]
    assert len(before_last) == 8  # three periods of the last frequency alone are 3 s
    points = [values(text) for text in [*before_last, *line.after(4.0)] if text.startswith("P")]
    assert [point["dc"] for point in points] == pytest.approx([10 ** (4 - n / 2) for n in range(9)], rel=1e-6)
    for point in points:
        z = complex(point["cc"], point["cd"])
        true = line.unit.cell.impedance(point["dc"])
        assert cmath.isclose(z, true, rel_tol=5e-3)
        assert point["ch"] / point["cj"] == pytest.approx(abs(true), rel=2e-3)
    assert not line.unit.cell_is_on


def test_a_stuck_relay_keeps_the_cell_on(line: Line):
    line.run(CA)
    line.unit.stuck_output = True
    line.after(5.0)
    assert line.unit.cell_is_on
    assert ("output_stuck", {}) in line.events


# --- one cell, two instruments ---------------------------------------------------------------------------


class _Meter(ResistorCell):
    """Counts the seconds and the charge that pass through it."""

    def __init__(self) -> None:
        super().__init__(1000.0)
        self.seconds = self.charge = 0.0

    def hold_current(self, amps: float, duration: float) -> None:
        self.seconds += duration
        self.charge += amps * duration

    def hold_voltage(self, volts: float, duration: float) -> float:
        self.seconds += duration
        self.charge += volts / self.resistance * duration
        return duration


@pytest.fixture
def pair(clock: HandClock) -> tuple[_Meter, Keithley2450Unit, Line]:
    meter = _Meter()
    shared = SharedCell(meter)
    smu = Keithley2450Unit(shared.terminal(lambda: smu.advance()))
    smu.set_off_state("CURR", "HIMP")  # NORMAL would hold the cell at 0 V
    line = Line(clock, shared.terminal(lambda: line.interface.advance()))
    return meter, smu, line


def test_a_shared_cell_lives_once_whoever_drives_it(pair: tuple[_Meter, Keithley2450Unit, Line]):
    meter, smu, line = pair
    smu.select_source("CURR")
    smu.set_level("CURR", 0.001)
    smu.set_output(True)
    line.clock.pass_time(10.0)
    smu.advance()
    line.interface.advance()
    assert (meter.seconds, meter.charge) == (pytest.approx(10.0), pytest.approx(0.01))
    smu.set_output(False)
    line.run(CA)
    line.clock.pass_time(20.0)  # the script drives it for 1 s of these
    smu.advance()
    assert smu.cell.voltage(0.0) == 0.0  # looking at it brings it up to now
    assert not line.unit.cell_is_on
    assert meter.seconds == pytest.approx(30.0)
    assert meter.charge == pytest.approx(0.01 + 5e-4, rel=1e-3)


def test_two_instruments_that_drive_one_cell_at_once_are_told(pair: tuple[_Meter, Keithley2450Unit, Line]):
    meter, smu, line = pair
    told: list[str] = []
    meter.on_event = lambda kind, details: told.append(kind)
    smu.select_source("CURR")
    smu.set_level("CURR", 0.001)
    smu.set_output(True)
    line.run(CA)
    line.clock.pass_time(0.5)
    smu.advance()
    line.interface.advance()
    assert "driven_by_two" in told
    assert meter.seconds == pytest.approx(0.5)


# --- links -----------------------------------------------------------------------------------------------


async def _lines(reader: asyncio.StreamReader, last: bytes) -> list[bytes]:
    lines = [await asyncio.wait_for(reader.readline(), 3.0)]
    while lines[-1] != last:
        lines.append(await asyncio.wait_for(reader.readline(), 3.0))
    return lines


@pytest.fixture
def real_time_wire() -> Wire:
    return Wire("em", "emstat4", EmStat4Interface(EmStat4Unit(ResistorCell(1000.0), MODELS["emstat4_hr"])))


async def test_a_script_streams_over_a_socket_in_real_time(real_time_wire: Wire):
    async with TcpServer(real_time_wire) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        began = time.monotonic()
        writer.write(b"e\n" + CA.strip().replace("100m 1", "100m 500m").encode() + b"\n\n")
        lines = await _lines(reader, b"\n")
        assert time.monotonic() - began == pytest.approx(0.5, abs=0.15)
        assert len([text for text in lines if text.startswith(b"P")]) == 5
        writer.close()
        await writer.wait_closed()


@pytest.mark.skipif(not AVAILABLE, reason="needs pseudo-terminals; this system has none")
async def test_a_host_that_does_not_read_for_a_while_loses_nothing(real_time_wire: Wire):
    loop = asyncio.get_running_loop()
    async with SerialPort(real_time_wire) as port:
        with await loop.run_in_executor(None, open, port.device, "r+b", 0) as serial:
            many = "var i\nstore_var i 0i ja\nloop i < 1000i\nadd_var i 1i\npck_start\npck_add i\npck_end\nendloop"
            serial.write(b"e\n" + many.encode() + b"\n\n")
            await asyncio.sleep(0.5)  # 11 kB have come by now; the line holds 4 kB
            received = b""
            while not received.endswith(b"\n\n"):
                received += await loop.run_in_executor(None, serial.read, 4096)
        lines = received.split(b"\n")
        assert [text for text in lines if text.startswith(b"P")] == [b"Pja%07Xi" % (2**27 + n) for n in range(1, 1001)]
