import pytest

from galvanode.cell import TerminalLimits, parse_cell, read_cell
from galvanode.errors import InvalidInput

CELL = """\
name: Li | LLZTO | Li
area: 0.785 cm^2
electrolyte_thickness: 0.8 mm
temperature: 25 degC
stack_pressure: unknown
envelope:
  voltage: {min: -5 V, max: 5 V}
  current_density: {max: 5 mA/cm^2}
"""


def test_a_cell_is_read_in_si_units(tmp_path):
    path = tmp_path / "cell.yaml"
    path.write_text(CELL)
    cell = read_cell(path)
    assert (cell.area, cell.electrolyte_thickness, cell.temperature) == (7.85e-5, 8e-4, 298.15)
    assert cell.stack_pressure == "unknown"
    assert cell.reference_offset == 0.0
    assert (cell.active_mass, cell.nominal_capacity) == (None, None)


def test_the_envelope_is_given_at_the_terminals():
    limits = parse_cell(CELL, "c").envelope_limits()
    assert limits == TerminalLimits(-5.0, 5.0, pytest.approx(3.925e-3), None, None)
    text = CELL.replace("current_density: {max: 5 mA/cm^2}", "current: {max: 2 mA}\n  temperature: {max: 60 degC}")
    assert parse_cell(text, "c").envelope_limits() == TerminalLimits(-5.0, 5.0, 2e-3, None, 333.15)


def test_zero_volt_is_a_limit_of_the_envelope():
    assert parse_cell(CELL.replace("-5 V", "0 V"), "c").envelope_limits().voltage_min == 0.0
    assert parse_cell(CELL.replace("max: 5 V", "max: 0 V"), "c").envelope_limits().voltage_max == 0.0


def test_optional_figures_are_read():
    text = CELL + "active_mass: 12 mg\nnominal_capacity: 2 mAh\nreference_offset: 0.62 V\nchemistry: LFP\n"
    cell = parse_cell(text, "c")
    assert (cell.active_mass, cell.nominal_capacity, cell.reference_offset) == (1.2e-5, 7.2, 0.62)


@pytest.mark.parametrize("key", ["name", "area", "electrolyte_thickness", "temperature", "stack_pressure"])
def test_what_makes_results_comparable_may_not_be_left_out(key):
    text = "".join(line for line in CELL.splitlines(keepends=True) if not line.startswith(key))
    with pytest.raises(InvalidInput, match=f"c:1:1: '{key}' is missing"):
        parse_cell(text, "c")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "area: 0.785 cm^2",
            "area: 0.785",
            "c:2:7: 'area' is 0.785 without a unit; expected an area such as",
        ),
        ("area: 0.785 cm^2", "area: 0 cm^2", "c:2:7: 'area' is '0 cm^2'; expected a value greater than 0"),
        ("area: 0.785 cm^2", "area: unknown", "c:2:7: 'area' is 'unknown'; expected an area"),
        ("area:", "aera:", "c:2:1: unknown key 'aera'; did you mean 'area'?"),
        ("0.8 mm", "-0.8 mm", "c:3:24: 'electrolyte_thickness' is '-0.8 mm'; expected a length"),
        ("25 degC", "25", "c:4:14: 'temperature' is 25 without a unit; expected a temperature"),
        (
            "unknown",
            "dunno",
            "c:5:17: 'stack_pressure' is 'dunno'; expected a pressure such as '0.5 MPa', or 'unknown'",
        ),
        ("max: 5 V", "max: 5 A", "c:7:29: 'voltage.max' is '5 A'; expected a voltage such as '5 V'"),
        ("max: 5 V", "max: -6 V", "c:7:29: 'voltage.max' is not above 'voltage.min'"),
        ("min: -5 V, ", "", "c:7:12: 'min' is missing in 'envelope.voltage'"),
        (
            "max: 5 mA",
            "max: -5 mA",
            "c:8:26: 'current_density.max' is '-5 mA/cm^2'; expected a value greater",
        ),
        ("  current_density: {max: 5 mA/cm^2}\n", "", "c:7:3: 'envelope' needs a 'current'"),
        (
            "current_density: {max: 5 mA/cm^2}",
            "current: 5 mA",
            "c:8:12: 'envelope.current' is '5 mA'; expected a map",
        ),
        ("name: Li | LLZTO | Li", "name:", "c:1:1: 'name' is empty; expected text"),
    ],
)
def test_a_wrong_cell_is_refused_with_its_place(old, new, expected):
    assert old in CELL
    with pytest.raises(InvalidInput) as caught:
        parse_cell(CELL.replace(old, new, 1), "c")
    assert str(caught.value).startswith(expected)


def test_the_nominal_capacity_follows_from_mass_and_specific_capacity():
    cell = parse_cell(CELL + "active_mass: 12 mg\nspecific_capacity: 155 mAh/g\n", "c")
    assert cell.nominal_capacity == pytest.approx(12e-6 * 155 * 3600)  # C: 1.86 mAh
    assert cell.specific_capacity == pytest.approx(155 * 3600e-3 / 1e-3)  # C/kg
    assert parse_cell(CELL + "active_mass: 12 mg\n", "c").nominal_capacity is None


def test_a_cell_knows_whether_its_definition_states_the_reference():
    assert not parse_cell(CELL, "c").states_reference
    assert parse_cell(CELL + "reference_offset: 0 V\n", "c").states_reference


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("specific_capacity: 155 mAh/g\n", "c:9:1: 'specific_capacity' needs the 'active_mass' that it refers to"),
        (
            "active_mass: 12 mg\nnominal_capacity: 2 mAh\nspecific_capacity: 155 mAh/g\n",
            "c:11:1: the cell has both 'nominal_capacity' and 'specific_capacity'; keep one",
        ),
        (
            "specific_capacity: 155 mAh\n",
            "c:9:20: 'specific_capacity' is '155 mAh'; expected a specific charge such as",
        ),
        ("specific_capacity: 0 mAh/g\n", "c:9:20: 'specific_capacity' is '0 mAh/g'; expected a value greater than 0"),
        (
            "reference_offset: 0.62 V vs Li+/Li\n",
            "c:9:19: 'reference_offset' is '0.62 V vs Li+/Li', a potential against a reference; expected a voltage",
        ),
    ],
)
def test_a_wrong_capacity_or_reference_is_refused_with_its_place(added, expected):
    with pytest.raises(InvalidInput) as caught:
        parse_cell(CELL + added, "c")
    assert str(caught.value).startswith(expected)


def test_the_envelope_is_at_the_terminals_and_takes_no_potential():
    with pytest.raises(
        InvalidInput, match=r"c:7:29: 'voltage.max' is '5 V vs Li\+/Li', a potential against a reference"
    ):
        parse_cell(CELL.replace("max: 5 V", "max: 5 V vs Li+/Li"), "c")
