"""Bench files: units, their channels, their options; what does not hold together is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from galvanode.errors import InvalidInput
from galvanode.instrument.bench import Bench, Reference, open_bench, read_bench, unopened
from galvanode.instrument.links.base import Place
from galvanode.instrument.roles import Chamber, CyclerChannel, SequencedChannel

BOX = "  box: {driver: neware, resource: 'TCPIP::10.0.0.9::502::SOCKET', options: {channels: 4, current: 50 mA}}\n"
SMU = "  smu: {driver: keithley2450, resource: 'TCPIP::10.0.0.5::5025::SOCKET'}\n"
OVEN = "  oven: {driver: espec, resource: 'ASRL/dev/ttyUSB0::INSTR', setpoint: 25 degC, options: {baud_rate: 19200}}\n"


def bench(tmp_path: Path, instruments: str, channels: str = "") -> Bench:
    path = tmp_path / "bench.yaml"
    path.write_text(f"title: t\ninstruments:\n{instruments}" + (f"channels:\n{channels}" if channels else ""))
    return read_bench(path)


@pytest.mark.parametrize("text", ["smu", "box/3", "box/a-1"])
def test_a_reference_reads_as_it_is_written(text: str) -> None:
    assert str(Reference.parse(text)) == text


def test_a_unit_of_several_channels_has_them_by_address(tmp_path: Path) -> None:
    found = bench(tmp_path, BOX + SMU + OVEN, "  a: {cycler: box/3, chamber: oven}\n  b: {cycler: smu}\n")
    assert found.channels["a"].instruments == ["box"]
    opened = unopened(found)
    assert isinstance(opened.channels["a"].sequencer, SequencedChannel)
    assert opened.channels["a"].cycler is None
    assert isinstance(opened.channels["b"].cycler, CyclerChannel)
    assert opened.channels["b"].cycler is opened.units["smu"]
    assert isinstance(opened.chambers["oven"], Chamber)
    assert found.setpoint("oven") == pytest.approx(298.15)


def test_without_a_section_every_channel_that_can_drive_a_cell_is_one_of_the_station(tmp_path: Path) -> None:
    found = bench(tmp_path, SMU + BOX + OVEN)
    assert {name: entry.cycler for name, entry in found.channels.items()} == {
        "smu": "smu",
        **{f"box_{n}": f"box/{n}" for n in (1, 2, 3, 4)},
    }


def test_two_channels_of_one_name_ask_for_a_section(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="two channels would be called 'box_1'"):
        bench(tmp_path, BOX + SMU.replace("smu:", "box_1:"))


def test_options_reach_the_link(tmp_path: Path) -> None:
    found = bench(tmp_path, OVEN)
    link = found.families["oven"].link(found.options["oven"])
    assert link.serial.baud_rate == 19200  # type: ignore[attr-defined]
    assert link.open("oven", Place("ASRL1::INSTR"))


async def test_opening_a_bench_of_real_instruments_reaches_none(tmp_path: Path) -> None:
    opened = open_bench(bench(tmp_path, SMU + OVEN + BOX))
    assert set(opened.units) == {"smu", "oven", "box"}
    await opened.close()


@pytest.mark.parametrize(
    ("instruments", "channels", "words"),
    [
        (BOX, "  a: {cycler: box}\n", r"'box' has the channels 1, 2, 3, 4; expected one of them, such as 'box/1'"),
        (BOX, "  a: {cycler: box/9}\n", "'box' has the channels 1, 2, 3, 4"),
        (SMU, "  a: {cycler: smu/1}\n", "'smu' is one channel; expected 'smu', not 'smu/1'"),
        (SMU, "  a: {cycler: smo}\n", "'smo' is no instrument of this bench; did you mean 'smu'"),
        (
            SMU + OVEN,
            "  a: {cycler: oven}\n",
            r"'oven' \(espec\) has the role 'chamber'; expected 'cycler' or 'sequencer'",
        ),
        (
            SMU + OVEN,
            "  a: {cycler: smu, chamber: smu}\n",
            "has the role 'cycler'; expected 'chamber'",
        ),
        (
            SMU,
            "  a: {analyzer: smu}\n",
            "has the role 'cycler'; expected 'analyzer', or 'cycler' as the key of this one",
        ),
        (SMU, "  a: {cycler: smu}\n  b: {cycler: smu}\n", "'smu' belongs to channel 'a' already"),
        (BOX, "  a: {cycler: box/1}\n  b: {cycler: box/1}\n", "'box/1' belongs to channel 'a' already"),
        (SMU + OVEN, "  a: {chamber: oven}\n", "channel 'a' has nothing to drive its cell"),
        (OVEN.replace("19200", "fast"), "", r"bench.yaml:3:\d+: .*baud_rate"),
        (OVEN.replace("baud_rate", "bode_rate"), "", "'bode_rate'.*did you mean 'baud_rate'"),
        (SMU.replace("keithley2450", "keithley2451"), "", "'driver' is 'keithley2451'; expected one of"),
        (SMU.replace("resource: 'TCPIP::10.0.0.5::5025::SOCKET'", ""), "", "needs a 'resource'"),
        (SMU + SMU.replace("smu", "same"), "", "'same' is at the resource of 'smu'; expected an instrument of its own"),
        (SMU + SMU.replace("smu", "same").replace("}", ", options: {nplc: 2}}"), "", "'same' is at the resource of"),
        (SMU + SMU.replace("smu", "same").replace("TCPIP:", "tcpip0:"), "", "'same' is at the resource of 'smu'"),
        (SMU + SMU.replace("smu", "same").replace("2450", "2400"), "", "'same' is at the resource of 'smu'"),
        (BOX + BOX.replace("box", "same").replace("50 mA", "6 A"), "", "another 'options.devid' or 'options.subdevid'"),
        (
            OVEN + OVEN.replace("oven", "cold").replace("}}", ", address: 3}}"),
            "",
            "'cold' is at the resource of 'oven'",
        ),
        (OVEN.replace("25 degC", ""), "", r"bench.yaml:3:\d+: 'setpoint' is empty; expected a value, or no"),
        (SMU.replace("}", ", simulated: }"), "", "'simulated' is empty"),
        (SMU + OVEN, "  a: {cycler: smu, chamber: }\n", "'chamber' is empty; expected a value, or no 'chamber' at all"),
        (OVEN.replace("options: {baud_rate: 19200}", "baud_rate: 19200"), "", "'baud_rate' belongs into 'options'"),
        (BOX, "  a: {cycler: box_3}\n", "'box_3' is no instrument of this bench; did you mean 'box/3'"),
        (SMU.replace("resource", "timeout: 0 s, resource"), "", "'smu.timeout' is '0 s'; expected a value greater"),
        (SMU.replace("resource", "setpoint: 25 degC, resource"), "", "'smu' .* is no chamber and has no 'setpoint'"),
        (SMU, "  a/b: {cycler: smu}\n", "channel 'a/b': expected a name that can be printed, without '/'"),
        (SMU, '  "a\\nb": {cycler: smu}\n', "expected a name that can be printed"),
    ],
)
def test_what_does_not_hold_together_is_refused_with_its_place(
    instruments: str, channels: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        bench(tmp_path, instruments, channels)
    assert refused.value.line


def test_units_of_one_place_are_told_apart_by_their_address_there(tmp_path: Path) -> None:
    ovens = [OVEN.replace("oven", name).replace("}}", f", address: {n}}}}}") for n, name in enumerate("ab", start=1)]
    boxes = [BOX.replace("box", f"u{n}").replace("50 mA", f"50 mA, subdevid: {n}") for n in (1, 2)]
    assert set(bench(tmp_path, "".join(ovens + boxes)).instruments) == {"a", "b", "u1", "u2"}


@pytest.mark.parametrize("model", ["2440", "'2440'"])
def test_a_model_needs_no_quotes(tmp_path: Path, model: str) -> None:
    smu = SMU.replace("2450", "2400").replace("}", f", options: {{model: {model}}}}}")
    assert bench(tmp_path, smu).options["smu"].model_dump()["model"] == "2440"


@pytest.mark.parametrize(
    ("place", "meant"),
    [
        ("127.0.0.1", "TCPIP::127.0.0.1::5025::SOCKET"),
        ("smu.lab:5030", "TCPIP::smu.lab::5030::SOCKET"),
        ("TCPIP::10.0.0.11::SOCKET", "TCPIP::10.0.0.11::5025::SOCKET"),
        ("TCPIP::10.0.0.11:8399::SOCKET", "TCPIP::10.0.0.11::8399::SOCKET"),
        ("/dev/ttyUSB0", "ASRL/dev/ttyUSB0::INSTR"),
        ("COM3", "ASRL3::INSTR"),
        ("smu, timeout: 1 s", "TCPIP::10.0.0.5::5025::SOCKET"),
    ],
)
@pytest.mark.parametrize("unit", [BOX, SMU])
def test_what_may_be_meant_is_told_to_whom_gives_no_resource_name(
    tmp_path: Path, place: str, meant: str, unit: str
) -> None:
    address = "TCPIP::10.0.0.9::502::SOCKET" if unit == BOX else "TCPIP::10.0.0.5::5025::SOCKET"
    with pytest.raises(InvalidInput, match=f"no VISA resource name; expected one such as '{meant}'") as refused:
        open_bench(bench(tmp_path, unit.replace(address, place)))
    assert refused.value.line == 3


@pytest.mark.parametrize("place", ["nonsense", "TCPIP::10.0.0.5::99999::SOCKET", "TCPIP::10.0.0.5::port::SOCKET"])
def test_a_resource_that_is_none_is_refused_with_its_place_when_the_bench_is_opened(tmp_path: Path, place: str) -> None:
    read = bench(tmp_path, BOX.replace("TCPIP::10.0.0.9::502::SOCKET", place))
    with pytest.raises(InvalidInput, match=r"box \(.*\) cannot be reached") as refused:
        open_bench(read)
    assert refused.value.line
