"""The cells of the papers are what the papers say, whatever the seed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from galvanode_simulator.cells import CELLS, PRESETS, Cell, LiSymmetricCell, LiSymmetricParameters, build_cell

HOUR = 3600.0
MA_PER_CM2 = 10.0


def symmetric(preset: str) -> LiSymmetricParameters:
    parameters = CELLS[preset]
    assert isinstance(parameters, LiSymmetricParameters)
    return parameters


def ladder(preset: str, seed: int, step: float, half_cycle: float) -> tuple[float, float]:
    """Return (last pass, first fail), mA/cm2, of a ramp in equal half-cycles."""
    cell = LiSymmetricCell(symmetric(preset), seed)
    for number in range(1, 200):
        density = number * step
        for sign in (1, -1):
            cell.hold_current(sign * density * MA_PER_CM2 * cell.parameters.area, half_cycle)
            if cell.short is not None:
                return round(density - step, 3), round(density, 3)
    raise AssertionError("it never shorts")


@pytest.mark.parametrize("half_cycle", [60.0, 0.5 * HOUR, HOUR])
@pytest.mark.parametrize(
    ("preset", "step", "passes"),
    [
        ("llzto-zni2", 0.05, 2.3),
        ("llzto-zni2", 0.1, 2.3),
        ("llzto-bare", 0.05, 0.15),
        ("llzto-i2", 0.05, 0.5),
        ("llzto-i2", 0.1, 0.5),
        ("llzto-thick", 0.05, 0.95),
        ("llzto-thick", 0.1, 0.9),
    ],
)
def test_a_ladder_finds_the_critical_current_density_for_any_seed(preset, step, passes, half_cycle):
    for seed in range(40):
        assert ladder(preset, seed, step, half_cycle) == (passes, pytest.approx(passes + step))


def life(preset: str, density: float, capacity: float, seed: int) -> float:
    """Hours of plating and stripping until the short; current in mA/cm2, capacity in mAh/cm2."""
    cell = LiSymmetricCell(symmetric(preset), seed)
    hours = 0.0
    while cell.short is None and hours < 3000:
        for sign in (1, -1):
            cell.hold_current(sign * density * MA_PER_CM2 * cell.parameters.area, capacity / density * HOUR)
        hours += 2 * capacity / density
    return cell._shorted_at / HOUR


@pytest.mark.parametrize(("density", "hours"), [(0.1, 2000), (0.5, 1600), (1.0, 800)])
def test_the_coated_cell_lives_as_long_as_in_the_paper_and_not_much_longer(density, hours):
    for seed in range(5):
        assert hours * 1.02 < life("llzto-zni2", density, density, seed) < hours * 1.08


def test_the_bare_cell_shorts_after_25_hours():
    for seed in range(20):
        assert life("llzto-bare", 0.1, 0.1, seed) == pytest.approx(25.0, rel=0.011)


def test_the_coated_cell_shows_13_mv_over_its_life():
    cell = LiSymmetricCell(PRESETS["llzto-zni2"], 1)
    amps = 0.1 * MA_PER_CM2 * cell.parameters.area
    ends = []
    for _ in range(1000):
        cell.hold_current(amps, HOUR)
        ends.append(1000 * cell.voltage(amps))
        cell.hold_current(-amps, HOUR)
    assert all(12.3 < end < 13.7 for end in ends[10:])
    assert sum(ends) / len(ends) == pytest.approx(13.0, abs=0.3)


@pytest.mark.parametrize(("preset", "resistance"), [("llzto-zni2", 10.3), ("llzto-bare", 1173.4)])
def test_d1_the_arc_of_the_interfaces_is_the_papers(preset, resistance):
    cell = LiSymmetricCell(PRESETS[preset], 1)
    bulk, interfaces = cell.impedance(1e5), cell.impedance(2.0)
    arc = np.array([cell.impedance(f).real for f in np.geomspace(2.0, 1e7, 200)])
    plateau = arc[np.argmin(np.abs(arc - 124.3))]
    assert bulk.real < interfaces.real
    assert (interfaces.real - plateau) * cell.parameters.area / 2 == pytest.approx(resistance * 1e-4, rel=0.03)


@pytest.mark.parametrize(("preset", "energy"), [("llzto-zni2", 19.2e3), ("llzto-bare", 30.3e3)])
def test_d2_the_arc_of_the_interfaces_has_the_papers_activation_energy(preset, energy):
    kelvin = np.array([298.15, 308.15, 318.15, 328.15])
    resistances = []
    for temperature in kelvin:
        cell = LiSymmetricCell(PRESETS[preset], 1)
        cell.set_temperature(temperature)
        resistances.append(cell._r_interface)
    slope = np.polyfit(1 / kelvin, np.log(resistances), 1)[0]
    assert slope * 8.314462618 == pytest.approx(energy, rel=1e-6)


@pytest.mark.parametrize(
    ("preset", "step", "passes"), [("li-lzc-n15", 0.1, 2.7), ("li-lzc-n15", 0.05, 2.75), ("li-qcpe", 0.1, 2.4)]
)
def test_a10_and_c11_a_ladder_finds_the_critical_current_density(preset, step, passes):
    for seed in range(10):
        assert ladder(preset, seed, step, 0.5 * HOUR) == (passes, pytest.approx(passes + step))


@pytest.mark.parametrize(("preset", "highest"), [("li-lzc-n15", 1440.0), ("li-lzc", 2230.0)])
def test_a12_the_resistance_in_storage_is_highest_on_day_two_and_stable_after_ten_days(preset, highest):
    cell = LiSymmetricCell(symmetric(preset), 1)
    days: list[float] = []
    for _ in range(16):
        days.append(cell.impedance(0.1).real)
        cell.hold_current(0.0, 24 * HOUR)
    assert days.index(max(days)) == 2
    assert max(days) == pytest.approx(highest, rel=0.002)
    assert abs(days[15] - days[12]) < 0.05 * highest


@pytest.mark.parametrize(
    ("preset", "density", "millivolts"), [("li-lzc-n15", 0.1, 15.0), ("li-lzc-n15-fast", 0.5, 184.0)]
)
def test_a9_and_a11_polarisation_after_the_first_days_is_the_papers(preset, density, millivolts):
    cell = LiSymmetricCell(symmetric(preset), 1)
    cell.hold_current(0.0, 600 * HOUR)
    amps = density * MA_PER_CM2 * cell.parameters.area
    cell.hold_current(amps, HOUR)
    assert 1000 * cell.voltage(amps) == pytest.approx(millivolts, rel=0.03)


@pytest.mark.parametrize(("density", "hours"), [(0.2, 2100), (0.5, 1100), (1.0, 300)])
def test_c12_the_coated_membrane_lives_as_long_as_in_the_paper_and_not_much_longer(density, hours):
    for seed in range(3):
        assert hours * 1.02 < life("li-qcpe", density, density, seed) < hours * 1.08


@pytest.mark.parametrize(("preset", "ohms", "exchange"), [("li-qcpe", 450.0, 0.171), ("li-lagp", 1200.0, 0.133)])
def test_c4_and_c10_resistance_and_exchange_current_at_30_degc_are_the_papers(preset, ohms, exchange):
    cell = LiSymmetricCell(symmetric(preset), 1)
    cell.set_temperature(303.15)
    assert cell.impedance(1e-3).real == pytest.approx(ohms, rel=0.002)
    # Charge transfer of two equal electrodes at high overvoltage: a factor of 10 in current is 2 x 2.303 (2RT/F).
    volts = []
    for density in (10.0, 100.0):
        amps = exchange * density * MA_PER_CM2 * cell.parameters.area
        fresh = LiSymmetricCell(symmetric(preset).model_copy(update={"critical_current_density": 1e6}), 1)
        fresh.set_temperature(303.15)
        fresh.hold_current(amps, 60.0)
        volts.append(fresh.v2)
    assert volts[1] - volts[0] == pytest.approx(2.0 * 2.303 * 2.0 * 8.314 * 303.15 / 96485.0, rel=0.01)
    assert volts[0] == pytest.approx(4.0 * 8.314 * 303.15 / 96485.0 * math.asinh(10.0 / 2.0), rel=0.01)


@pytest.mark.parametrize(("preset", "transference"), [("li-qcpe-salt", 0.56), ("li-lagp-salt", 0.19)])
def test_c2_bruce_and_vincents_method_finds_the_papers_transference_number(preset, transference):
    cell = LiSymmetricCell(symmetric(preset), 1)
    volts, interface = 0.01, cell._r_interface
    cell.hold_voltage(volts, 1.0)
    initial = cell.current(volts)
    cell.hold_voltage(volts, 10 * HOUR)
    steady = cell.current(volts)
    found = steady * (volts - initial * interface) / (initial * (volts - steady * interface))
    assert found == pytest.approx(transference, abs=0.01)


@pytest.mark.parametrize("preset", sorted(CELLS))
def test_every_preset_lies_within_the_bounds_of_its_parameters(preset):
    parameters = CELLS[preset]
    for name, field in type(parameters).model_fields.items():
        value = getattr(parameters, name)
        if isinstance(value, (int, float)):
            assert not math.isnan(value)
            for bound in field.metadata:
                assert value >= getattr(bound, "ge", -math.inf), name
                assert value > getattr(bound, "gt", -math.inf), name
                assert value <= getattr(bound, "le", math.inf), name
                assert not hasattr(bound, "lt") or value < bound.lt, name


@pytest.mark.parametrize("preset", sorted(CELLS))
def test_every_preset_makes_a_cell_that_can_be_driven(preset):
    cell: Cell = build_cell(CELLS[preset], "seed")
    cell.set_temperature(303.15)
    cell.hold_current(1e-7, 10.0)
    assert math.isfinite(cell.voltage(1e-7))
    assert cell.hold_voltage(cell.voltage(0.0) + 1e-3, 1.0) == 1.0
    assert abs(cell.voltage_after(1e-7, 0.0) - cell.voltage(1e-7)) < 1e-12
    assert cell.voltage_noise >= 0
    assert cell.on_event is None


def test_presets_that_lists_of_points_describe_are_whole():
    for parameters in CELLS.values():
        if hasattr(parameters, "lags"):
            assert len(parameters.lags) == len(parameters.lag_rates)
            assert list(parameters.lags) == sorted(set(parameters.lags))
            assert list(parameters.lag_rates) == sorted(set(parameters.lag_rates))


def test_parameters_of_no_known_kind_make_no_cell():
    with pytest.raises(TypeError, match="no cell is known"):
        build_cell(CELLS["llzto-zni2"].__class__.__base__(), 1)
