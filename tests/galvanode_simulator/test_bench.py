"""Bench files make simulated instruments, and bad ones are refused with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from galvanode.errors import InvalidInput
from galvanode_simulator.bench import read_and_build
from galvanode_simulator.cells import LiSymmetricCell

PROTOCOLS = Path(__file__).parents[2] / "protocols"


def build(tmp_path: Path, instruments: str, seed: int = 0):
    path = tmp_path / "bench.yaml"
    path.write_text("title: test\ninstruments:\n" + instruments)
    return read_and_build(path, seed)


def test_overrides_change_what_they_name_and_nothing_else(tmp_path):
    smu = build(
        tmp_path,
        "  smu: {driver: keithley2450, simulated: {cell: llzto-bare, overrides: "
        "{critical_current_density: 1 mA/cm^2, short: soft, thickness: 1 mm}}}\n",
    )["smu"]
    cell: LiSymmetricCell = smu.model.cell
    assert (cell.parameters.critical_current_density, cell.parameters.short) == (10.0, "soft")
    assert cell.parameters.thickness == 1e-3
    assert cell.parameters.life == 25 * 3600.0
    assert cell.parameters.interface_resistance == pytest.approx(0.11734)


def test_the_chamber_around_the_cell_is_the_one_named_or_the_channels(tmp_path):
    instruments = build(
        tmp_path,
        """\
  hot: {driver: espec, simulated: {ambient: 60 degC}}
  a: {driver: keithley2450, simulated: {cell: llzto-zni2, chamber: hot}}
  b: {driver: keithley2450, simulated: {cell: llzto-zni2}}
  c: {driver: keithley2450, simulated: {cell: llzto-zni2}}
channels:
  one: {cycler: b, chamber: hot}
""",
    )
    temperatures = [instruments[name].model.temperature for name in "abc"]
    assert [temperature and temperature() for temperature in temperatures] == [333.15, 333.15, None]


def test_instruments_of_one_bench_differ_and_the_same_bench_repeats(tmp_path):
    text = "".join(f"  smu{n}: {{driver: keithley2450, simulated: {{cell: llzto-zni2}}}}\n" for n in (1, 2))

    def readings(seed: int) -> list[bytes]:
        return [one.wire.receive(b":READ?;:READ?") for one in build(tmp_path, text, seed).values()]

    first = readings(1)
    assert first == readings(1)
    assert first[0] != first[1]
    assert first != readings(2)


def test_real_instruments_are_left_alone(tmp_path):
    text = "  smu: {driver: keithley2450, resource: 'TCPIP::10.0.0.5::5025::SOCKET'}\n"
    assert build(tmp_path, text) == {}


@pytest.mark.parametrize(
    ("simulated", "culprit", "words"),
    [
        ("{cell: llzto-zni3}", "llzto-zni3", "did you mean 'llzto-zni2'"),
        ("{cell: llzto-zni2, chamber: oven}", "oven", "no simulated chamber"),
        ("{cell: llzto-zni2, overrides: {areas: 1 cm^2}}", "areas", "did you mean 'area'"),
        ("{cell: llzto-zni2, overrides: {area: 1 cm}}", "1 cm", "expected an area"),
        ("{cell: llzto-zni2, overrides: {area: -1 cm^2}}", "-1 cm", "area"),
        ("{cell: llzto-zni2, overrides: {short: loud}}", "loud", "short"),
        ("{cell: resistor, overrides: {resistance: 5 A}}", "5 A", "expected a resistance"),
        ("{cell: llzto-zni2, faults: [{kind: explode}]}", "explode", "kind"),
        ("{cell: llzto-zni2, port: 99999}", "99999", "port"),
    ],
)
def test_a_mistake_is_reported_with_its_place(tmp_path, simulated, culprit, words):
    line = f"  smu: {{driver: keithley2450, simulated: {simulated}}}\n"
    with pytest.raises(InvalidInput, match=words) as refused:
        build(tmp_path, line)
    assert (refused.value.line, refused.value.column) == (3, line.index(culprit) + 1)


def test_a_cell_at_a_channel_that_the_unit_has_not_is_a_mistake(tmp_path):
    simulated = "{cell: capacitor, channels: {3: {cell: capacitor}}}"
    line = f"  box: {{driver: neware, options: {{current: 5 mA, channels: 2}}, simulated: {simulated}}}\n"
    with pytest.raises(InvalidInput, match="there is no channel '3'; expected '1' to '2'") as refused:
        build(tmp_path, line)
    assert refused.value.line == 3


@pytest.mark.parametrize("path", sorted((PROTOCOLS / "benches").glob("*.yaml")), ids=lambda path: path.name)
def test_the_benches_that_come_with_the_program_can_be_built(path):
    assert read_and_build(path)
