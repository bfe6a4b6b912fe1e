"""Polarisation over a cell's life."""

import math

import pyarrow as pa
import pytest
from synthetic import AREA_CM2, Bench, amps, ladder

from galvanode.analysis import analyse, plots, polarisation_table

NAMES = ["polarisation"]


def results(bench: Bench) -> dict:
    return {name: result.value for name, result in analyse(NAMES, bench.data()).items()}


def cycling(bench: Bench, cycles: int, density: float = 0.1, half_cycle_s: float = 3600.0) -> Bench:
    for _ in range(cycles):
        bench.step(amps(density), half_cycle_s)
        bench.step(-amps(density), half_cycle_s)
    return bench


def flat(mv: float, density: float = 0.1):
    return lambda time, elapsed, current: mv * 1e-3 / amps(density)


def test_a_flat_cell():
    found = results(cycling(Bench(flat(13.0), poll_s=60), 100))
    assert found["polarisation"] == pytest.approx(13.0, abs=0.05)
    assert found["first_polarisation"] == pytest.approx(13.0, abs=0.2)
    assert found["polarisation_drift"] == pytest.approx(0.0, abs=1)
    assert found["polarisation_asymmetry"] == pytest.approx(0.0, abs=0.5)
    assert (found["lifetime"], found["lifetime_is"]) == (pytest.approx(200.0), "lower bound")
    assert (found["failure"], found["cycles"]) == ("none", 100)
    assert found["current_density"] == pytest.approx(0.1)
    assert found["half_cycle_capacity"] == pytest.approx(0.1)


def test_growth_within_a_half_cycle_and_over_life():
    def grows(time, elapsed, current):
        return (10 + 2 * elapsed / 3600 + 0.01 * time / 3600) * 1e-3 / amps(0.1)

    found = results(cycling(Bench(grows, poll_s=60, noise_v=0.0), 100))
    assert found["polarisation_start"] == pytest.approx(10.05 + 0.995, abs=0.02)
    assert found["polarisation_middle"] == pytest.approx(11.0 + 1.0, abs=0.02)
    assert found["polarisation"] == pytest.approx(11.95 + 1.005, abs=0.02)
    assert found["polarisation_drift"] == pytest.approx(10.0, abs=0.1)
    assert found["last_polarisation"] - found["first_polarisation"] == pytest.approx(1.99, abs=0.02)


def test_asymmetry_of_plating_and_stripping():
    bench = Bench(lambda t, e, current: (0.014 if current > 0 else 0.012) / amps(0.1), poll_s=60)
    assert results(cycling(bench, 50))["polarisation_asymmetry"] == pytest.approx(100 * 2 / 13, abs=0.3)


@pytest.mark.parametrize("told", [True, False])
def test_a_short_ends_the_life_and_does_not_lower_the_mean(told):
    def shorts(time, elapsed, current):
        return (0.0002 if time > 25 * 3600 else 0.117) / amps(0.1)

    bench = Bench(shorts, poll_s=30)
    for half_cycle in range(40):
        sign = -1 if half_cycle % 2 else 1
        if told and half_cycle == 25:
            bench.step(sign * amps(0.1), 120, "short_circuit: hard: V/I fell")
            break
        bench.step(sign * amps(0.1), 3600)
    found = results(bench)
    assert found["failure"] == "hard short circuit"
    assert found["lifetime"] == pytest.approx(25.0, abs=0.05)
    assert found["lifetime_is"] == "measured"
    assert found["polarisation"] == pytest.approx(117, abs=0.1)
    assert found["cycles"] == 12.5


def test_the_table_has_every_half_cycle():
    bench = cycling(Bench(flat(13.0), poll_s=60), 3)
    bench.step(amps(0.1), 600, None)
    table = polarisation_table(bench.data())
    assert isinstance(table, pa.Table)
    assert table["half_cycle"].to_pylist() == ["plating", "stripping"] * 3 + ["plating"]
    assert table["complete"].to_pylist() == [True] * 6 + [False]
    assert table["end_reason"].to_pylist() == ["time"] * 6 + [None]
    assert table["resistance_ohm_cm2"].to_pylist() == pytest.approx([130.0] * 7, rel=0.01)


def test_few_samples_per_half_cycle_are_enough():
    found = results(cycling(Bench(flat(13.0), poll_s=3600, noise_v=0.0), 3))
    assert found["polarisation"] == pytest.approx(13.0)
    assert found["polarisation_middle"] == pytest.approx(13.0)


def test_no_data_and_one_sample_give_no_figure():
    for bench in (Bench(), Bench(rows=[(0.0, 0.013, 1e-4, 1, 1, 0.0, 0.0, 0.0)])):
        found = results(bench)
        assert found["polarisation"] is None
        assert found["polarisation_drift"] is None
        assert polarisation_table(bench.data()).num_rows == len(bench.rows)


def test_both_analyses_go_together_and_are_plain_json():
    found = analyse(["critical_current_density", "polarisation"], ladder(Bench(), [0.1, 0.2, 0.3]).data())
    assert {"critical_current_density", "polarisation", "failure"} <= set(found)
    for result in found.values():
        assert result.value is None or isinstance(result.value, (float, str))
        assert not (isinstance(result.value, float) and not math.isfinite(result.value))


def test_the_polarisation_can_be_drawn():
    plot = plots(NAMES, cycling(Bench(flat(13.0), poll_s=60), 3).data())["polarisation"]
    assert [line["unit"] for line in plot["y"]] == ["mV", "mV"]
    assert len(plot["x"]["values"]) == 6
    assert AREA_CM2 > 0
