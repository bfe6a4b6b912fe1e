import contextlib
import math
import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from galvanode import units
from galvanode.unit_names import NAMED, Unit
from galvanode.units import DIMENSIONS, format_quantity, parse_exact, parse_quantity


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("5 V", "voltage", 5.0),
        ("-5 V", "voltage", -5.0),
        ("\u22125 V", "voltage", -5.0),
        ("5V", "voltage", 5.0),
        ("0 V", "voltage", 0.0),
        (".5 mV", "voltage", 5e-4),
        ("1e3 mV", "voltage", 1.0),
        ("2.3 mA/cm^2", "current_density", 23.0),
        ("2.3 mA/cm2", "current_density", 23.0),
        ("2.3 mA/cm**2", "current_density", 23.0),
        ("2.3 mA/cm\u00b2", "current_density", 23.0),
        ("2.3 mA cm^-2", "current_density", 23.0),
        ("0.1 mAh/cm^2", "areal_charge", 3600.0),
        ("1 mAh", "charge", 3.6),
        ("30 min", "time", 1800.0),
        ("100 h", "time", 360000.0),
        ("2 d", "time", 172800.0),
        ("25 degC", "temperature", 298.15),
        ("25 \u00b0C", "temperature", 298.15),
        ("-20 degC", "temperature", 253.15),
        ("300 K", "temperature", 300.0),
        ("30 %", "fraction", 0.3),
        (0.3, "fraction", 0.3),
        (1, "fraction", 1.0),
        ("0.3", "fraction", 0.3),
        ("0.785 cm^2", "area", 7.85e-5),
        ("0.8 mm", "length", 8e-4),
        ("5 \u00b5m", "length", 5e-6),
        ("5 \u03bcm", "length", 5e-6),
        ("5 um", "length", 5e-6),
        ("0.5 MPa", "pressure", 5e5),
        ("10.3 ohm cm^2", "areal_resistance", 1.03e-3),
        ("10.3 ohm*cm^2", "areal_resistance", 1.03e-3),
        ("10 \u2126", "resistance", 10.0),
        ("0.5 mS/cm", "conductivity", 0.05),
        ("19.2 kJ/mol", "molar_energy", 19200.0),
        ("12 mg", "mass", 1.2e-5),
        ("6.4 mg/cm^2", "areal_mass", 0.064),
        ("155.8 mAh/g", "specific_charge", 560880.0),
        ("0.1 mV/s", "scan_rate", 1e-4),
        ("1 kHz", "frequency", 1000.0),
        ("1 degC/min", "heating_rate", 1 / 60),
        ("1e-14 cm^2/s", "diffusivity", 1e-18),
        ("1 Wh", "energy", 3600.0),
    ],
)
def test_what_people_write_becomes_the_nearest_si_number(text, dimension, value):
    assert parse_quantity(text, dimension) == value


@pytest.mark.parametrize(
    ("text", "dimension", "message"),
    [
        ("5 A", "voltage", "is '5 A'; expected a voltage such as '5 V'"),
        (5, "voltage", "is 5 without a unit; expected a voltage such as '5 V'"),
        (0.785, "area", "is 0.785 without a unit; expected an area such as '0.785 cm^2'"),
        ("5", "time", "is '5' without a unit; expected a time such as '30 min'"),
        (True, "voltage", "is true; expected a voltage such as '5 V'"),
        (True, "fraction", "is true; expected a fraction such as '30 %'"),
        (None, "voltage", "is empty; expected a voltage such as '5 V'"),
        ([], "voltage", "is a list; expected a voltage such as '5 V'"),
        ({}, "voltage", "is a mapping; expected a voltage such as '5 V'"),
        ("", "voltage", "is ''; expected a voltage such as '5 V'"),
        ("nan V", "voltage", "is 'nan V'; expected a voltage such as '5 V'"),
        ("inf V", "voltage", "is 'inf V'; expected a voltage such as '5 V'"),
        ("1e999 V", "voltage", "too large"),
        ("1e99999 V", "voltage", "is '1e99999 V'"),
        ("1e-999 V", "voltage", "too small"),
        ("1e31 V", "voltage", "too large"),
        ("5 Volt s", "voltage", "expected a voltage"),
        ("5,5 V", "voltage", "with a point as the decimal sign"),
        ("1_0 V", "voltage", "expected a voltage"),
        ("0x10 V", "voltage", "expected a voltage"),
        ("--5 V", "voltage", "expected a voltage"),
        ("5 5 V", "voltage", "expected a voltage"),
        ("\uff15 V", "voltage", "expected a voltage"),
        ("5 V/", "voltage", "not readable as a unit"),
        ("5 /s", "frequency", "not readable as a unit"),
        ("5 (V)", "voltage", "not readable as a unit"),
        ("5 m**2**9", "length", "not readable as a unit"),
        ("5 cm^999999999", "length", "not readable as a unit"),
        ("5 volts; import os", "voltage", "not readable as a unit"),
        ("5 florps", "voltage", "'florps' is not a known unit"),
        ("5 Min", "time", "is '5 Min'"),
        ("5 rad", "fraction", "expected a fraction"),
        ("5 ppm", "fraction", "expected a fraction"),
        ("5 delta_degC", "temperature", "expected a temperature"),
        ("-300 degC", "temperature", "below absolute zero"),
        ("x" * 1000, "voltage", "longer than 60 characters"),
        ("1" * 59 + " V", "voltage", "longer than 60 characters"),
    ],
)
def test_anything_else_is_refused_with_what_was_expected(text, dimension, message):
    with pytest.raises(ValueError, match=r"^is ") as caught:
        parse_quantity(text, dimension)
    assert message in str(caught.value)
    assert "; expected" in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_number_is_exact_until_it_becomes_a_float():
    assert parse_exact("0.05 mA/cm^2", "current_density").exact == Fraction(1, 2)
    assert parse_exact("25 degC", "temperature").exact == Fraction(5963, 20)


finite = st.floats(min_value=-1e9, max_value=1e9, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-12)


@given(st.sampled_from(sorted(DIMENSIONS)), finite)
def test_what_is_shown_to_people_reads_back_as_the_same_value(dimension, value):
    if dimension == "temperature":
        value = abs(value) % 2000 + 1
    shown = format_quantity(value, dimension)
    # Nine digits of what is shown; a temperature shows its distance from 0 degC.
    scale = max(abs(value), 273.15 if dimension == "temperature" else 0)
    assert abs(parse_quantity(shown, dimension) - value) <= 1e-8 * scale


@given(st.decimals(-1000, 1000, allow_nan=False, places=6), st.sampled_from(["mV", "V", "kV"]))
def test_decimals_survive_exactly(number, unit):
    size = {"mV": Fraction(1, 1000), "V": Fraction(1), "kV": Fraction(1000)}[unit]
    assert parse_quantity(f"{number:f} {unit}", "voltage") == float(Fraction(number) * size)


@given(st.text(max_size=30), st.sampled_from(sorted(DIMENSIONS)))
def test_no_text_does_anything_but_be_refused_or_read(text, dimension):
    for candidate in (text, f"5 {text}", f"5 m{text}"):
        try:
            value = parse_quantity(candidate, dimension)
        except ValueError:
            continue
        assert math.isfinite(value)


@given(st.text("VAmhCFSskg/*^ 12-cuμ%°inodep().", max_size=12))
def test_no_unit_that_looks_like_one_breaks_the_reader(unit):
    with contextlib.suppress(ValueError):
        assert math.isfinite(parse_quantity(f"5 {unit}", "voltage"))


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (0.0, "voltage", "0 V"),
        (-0.0, "current", "0 mA"),
        (3.925e-3, "current", "3.925 mA"),
        (1.0, "current_density", "0.1 mA/cm^2"),
        (10.0, "time", "10 s"),
        (1800.0, "time", "30 min"),
        (7.2e6, "time", "2000 h"),
        (298.15, "temperature", "25 degC"),
        (0.3, "fraction", "30 %"),
        (3600.0, "areal_charge", "0.1 mAh/cm^2"),
    ],
)
def test_numbers_are_shown_in_units_that_suit_their_size(value, dimension, text):
    assert format_quantity(value, dimension) == text


@pytest.mark.parametrize("dimension", sorted(DIMENSIONS))
def test_every_example_reads_as_what_it_is_an_example_of(dimension):
    assert parse_quantity(DIMENSIONS[dimension].example, dimension) > 0


def test_models_hold_si_floats_and_refuse_in_words():
    class Model(BaseModel):
        v: units.Volts
        share: units.Fraction = 0.0

    assert Model.model_validate({"v": "5 mV", "share": "30 %"}).model_dump() == {"v": 0.005, "share": 0.3}
    with pytest.raises(ValidationError, match="is '5 A'; expected a voltage such as '5 V'"):
        Model.model_validate({"v": "5 A"})


def test_importing_units_does_not_cost_pint():
    code = "import sys, galvanode.units; sys.exit('pint' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- names that are read without pint --------------------------------------------------------------------------

WITHOUT_OFFSET = sorted(name for name, unit in NAMED.items() if not unit.offset)


def from_pint(text: str) -> Unit:
    return units._from_pint(text)


@pytest.mark.parametrize("name", sorted(NAMED))
def test_a_name_means_what_it_means_to_pint(name):
    assert NAMED[name] == from_pint(name)


@given(
    st.lists(
        st.tuples(st.sampled_from(WITHOUT_OFFSET), st.sampled_from(["", "2", "^2", "^-1", "**3"])),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.sampled_from(["/", "*", " ", " / "]), min_size=4, max_size=4),
)
def test_what_is_made_of_names_means_what_it_means_to_pint(factors, operators):
    text = "".join(
        f"{operator if index else ''}{name}{power}"
        for index, (operator, (name, power)) in enumerate(zip(operators, factors, strict=False))
    )
    assert units._from_names(text) == from_pint(text)


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [("2 fortnights", "time", 2419200.0), ("1 inch", "length", 0.0254), ("1 atm", "pressure", 101325.0)],
)
def test_a_unit_without_a_name_here_is_one_that_pint_knows(text, dimension, value):
    assert parse_quantity(text, dimension) == value


def test_what_recipes_say_is_read_without_pint():
    texts = [kind.example for kind in DIMENSIONS.values()]
    code = (
        "import sys; from galvanode.units import read_quantity\n"
        f"for text in {texts!r}: read_quantity(text)\n"
        "sys.exit('pint' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
