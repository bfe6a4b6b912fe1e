"""The cells of the papers fail where the papers say, whatever the seed."""

from __future__ import annotations

import pytest

from galvanode_simulator.cells import PRESETS, LiSymmetricCell

HOUR = 3600.0
MA_PER_CM2 = 10.0


def ladder(preset: str, seed: int, step: float, half_cycle: float) -> tuple[float, float]:
    """Return (last pass, first fail), mA/cm2, of a ramp in equal half-cycles."""
    cell = LiSymmetricCell(PRESETS[preset], seed)
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
    cell = LiSymmetricCell(PRESETS[preset], seed)
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
