"""Finds the fitted parameters of the batteries among the presets, by cycling the model itself.

    python tests/galvanode_simulator/calibrate_full_cells.py [PRESET ...]

Every half-cycle is constant current to the cut-off, charge and discharge at the same rate, five cycles at each rate
of a ladder; a capacity "at a rate" is the mean of its five discharges. What it prints goes into presets.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from galvanode_simulator.cells import CELLS, FullCell, FullCellParameters
from galvanode_simulator.cells.open_circuit import CATHODES

MAH_PER_G = 3600.0
LOWER = 1.88
"""Of cells against Li-In, V at the terminals: 2.5 V vs Li+/Li. The paper does not say."""


def half_cycle(cell: FullCell, amps: float, cutoff: float) -> float:
    """Hold a current until the cut-off; return mAh/g. Zero when the voltage is beyond it at once."""
    sign = 1.0 if amps > 0 else -1.0

    def over(seconds: float) -> bool:
        return sign * (cell.voltage_after(amps, seconds) - cutoff) >= 0.0

    if over(1e-3):
        return 0.0
    low, high = 0.0, 600.0
    while not over(high):
        low, high = high, 2.0 * high
    while high - low > 1e-6 * high:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if over(middle) else (middle, high)
    cell.hold_current(amps, high)
    return abs(amps) * high / cell.parameters.active_mass / MAH_PER_G


def cycles(p: FullCellParameters, *ladder: tuple[float, int, float, float], celsius: float = 25.0) -> list[np.ndarray]:
    """Run (rate, cycles, upper, lower) in turn; return charge and discharge capacities of each."""
    cell = FullCell(p)
    cell.set_temperature(celsius + 273.15)
    amps = p.active_mass * p.rate_capacity / 3600.0
    return [
        np.array([(half_cycle(cell, rate * amps, upper), half_cycle(cell, -rate * amps, lower)) for _ in range(number)])
        for rate, number, upper, lower in ladder
    ]


def solve(misses: Callable[[np.ndarray], list[float]], start: list[float], steps: list[float]) -> np.ndarray:
    """Newton's method with differences, going part of the way where all of it is too far; misses in mAh/g, percent."""
    x, y = np.array(start), np.array(misses(np.array(start)))
    for _ in range(25):
        if np.abs(y).max() < 5e-3:
            return x
        columns = []
        for n, step in enumerate(steps):
            moved = x.copy()
            moved[n] += step
            columns.append((np.array(misses(moved)) - y) / step)
        way = np.linalg.lstsq(np.array(columns).T, y, rcond=None)[0]
        for part in (1.0, 0.5, 0.25, 0.1, 0.03):
            moved = x - part * way
            then = np.array(misses(moved)) if np.all(moved[:-2] > -1e-3) else np.full_like(y, np.inf)
            if np.linalg.norm(then) < np.linalg.norm(y):
                x, y = moved, then
                break
        else:
            break
    raise RuntimeError(f"no solution, stopped at {x} with {y}")


def percent(value: float, target: float) -> float:
    return 100.0 * (value - target)


def rounded(**values: object) -> dict[str, object]:
    return {
        name: tuple(float(f"{one:.4g}") for one in value) if isinstance(value, tuple) else float(f"{value:.4g}")
        for name, value in values.items()
    }


def lfp_zni2() -> dict[str, object]:
    p = CELLS["lfp-zni2"]
    rates = (0.1, 0.2, 0.3, 0.5, 0.8, 1.0)
    targets = (155.8, 147.6, 145.1, 143.7, 124.4, 112.0)

    def parameters(x: np.ndarray) -> dict[str, object]:
        # x[6] is the fade at 0.5C, x[7] the logarithm of how much of it is the rate's doing.
        share = float(np.exp(x[7]))
        return {
            "lags": tuple(x[:6]),
            "fade_per_cycle": x[6] / (1.0 + share),
            "stress_rate": 0.5 * share ** (-1.0 / p.stress_exponent),
        }

    def misses(x: np.ndarray) -> list[float]:
        q = p.model_copy(update=parameters(x))
        *ladder, back = (one[:, 1].mean() for one in cycles(q, *((r, 5, 4.1, 2.5) for r in (*rates, 0.1))))
        long = cycles(q, (0.5, 200, 4.1, 2.5))[0][:, 1]
        return [
            *(found - target for found, target in zip(ladder, targets, strict=True)),
            back - 152.5,
            percent(long[-1] / long[0], 1.0 - 200 * 0.021e-2),
        ]

    x = solve(misses, [0.02, 0.04, 0.047, 0.05, 0.105, 0.145, 2.4e-4, -1.0], [1e-3] * 6 + [1e-5, 0.05])
    return rounded(**parameters(x))


def high_voltage(q: FullCellParameters, a5: tuple[float, float], a8: tuple[float, ...], retained: float) -> list[float]:
    """Misses of rows A5 and A8: capacity and ICE of both first cycles, the next two, and after 120 at 0.5C."""
    low = cycles(q, (0.1, 1, 3.60, LOWER))[0][0]
    start, after = cycles(q, (0.1, 3, 4.00, LOWER), (0.5, 120, 4.00, LOWER))
    first, second, third = start[:, 1]
    return [
        low[1] - a5[0],
        percent(low[1] / low[0], a5[1]),
        first - a8[0],
        percent(first / start[0, 0], a8[3]),
        percent(second / first, a8[1] / a8[0]),
        percent(third / second, a8[2] / a8[1]),
        percent(after[-1, 1] / after[0, 1], retained),
    ]


def lco_lzc_n15() -> dict[str, object]:
    """Also finds the height of the step and the slope of the second bend of the open-circuit curve."""
    p = CELLS["lco-lzc-n15"]
    curve = CATHODES["lco"]

    def parameters(x: np.ndarray) -> dict[str, object]:
        return {
            "lags": (p.lags[0], x[0]),
            "first_charge_loss_depth": x[1],
            "first_charge_loss_growth": x[2],
            "early_fade": x[3],
            "early_cycles": x[4],
            "fade_per_cycle": x[5],
            "stress_width": x[6],
        }

    def misses(x: np.ndarray) -> list[float]:
        CATHODES["lco"] = curve.changed(step=x[7], bend=x[8])
        q = p.model_copy(update=parameters(x))
        fast = cycles(q, *((rate, 3, 3.60, LOWER) for rate in (0.1, 0.2, 0.3, 0.5, 0.8, 1.0)))[-1][:, 1].mean()
        low = cycles(q, (0.1, 1, 3.60, LOWER), (0.5, 150, 3.60, LOWER))[1][:, 1]
        return [
            fast - 58.0,
            percent(low[-1] / low[0], 0.790),
            *high_voltage(q, (141.7, 0.969), (218.4, 213.4, 209.7, 0.943), 0.758),
        ]

    start = [0.0576, 0.113, 0.205, 0.09, 4.0, 1.8e-3, 0.38, 0.0927, 0.648]
    x = solve(misses, start, [2e-3, 5e-3, 5e-3, 5e-3, 0.1, 5e-5, 5e-3, 5e-3, 5e-3])
    CATHODES["lco"] = curve.changed(step=x[7], bend=x[8])
    return rounded(**parameters(x), step=x[7], bend=x[8])


def lco_lzc() -> dict[str, object]:
    p = CELLS["lco-lzc"]

    def parameters(x: np.ndarray) -> dict[str, object]:
        return {
            "interface_resistance": max(x[0], 0.0) * 1e-4,
            "lags": (x[1], *p.lags[1:]),
            "first_charge_loss_depth": x[2],
            "first_charge_loss_growth": max(x[3], 0.0),
            "early_fade": x[4],
            "early_cycles": x[5],
            "fade_per_cycle": x[6],
        }

    def misses(x: np.ndarray) -> list[float]:
        q = p.model_copy(update=parameters(x))
        return high_voltage(q, (128.5, 0.933), (205.5, 196.8, 191.3, 0.923), 0.710)

    start = [7.3, 0.03, 0.224, 0.248, 0.13, 1.5, 4.8e-3]
    return rounded(**parameters(solve(misses, start, [2.0, 1e-3, 1e-2, 5e-3, 5e-3, 0.1, 1e-4])))


def lco_lznc() -> dict[str, object]:
    p = CELLS["lco-lznc"]

    def parameters(x: np.ndarray) -> dict[str, object]:
        return {
            "lags": tuple(x[:5]),
            "fade_per_cycle": x[5],
            "stress_rate": 0.2 / float(np.sqrt(max(x[6], 1e-9))),
            "first_charge_loss": x[7],
        }

    def misses(x: np.ndarray) -> list[float]:
        q = p.model_copy(update=parameters(x))
        first, *ladder, back = cycles(q, *((r, 5, 4.2, 2.5) for r in (0.2, 0.4, 0.6, 0.8, 1.0, 0.2)))
        long = cycles(q, (0.2, 100, 4.2, 2.5))[0][:, 1]
        return [
            first[0, 1] - 127.4,
            *(one[:, 1].mean() - target for one, target in zip(ladder, (122.1, 113.9, 107.1, 100.0), strict=True)),
            percent(back[:, 1].mean() / first[0, 1], 0.92),
            percent(long[-1] / long[0], 0.914),
            percent(first[0, 1] / first[0, 0], 0.9519),
        ]

    start = [0.027, 0.031, 0.04, 0.045, 0.048, 0.00135, 0.44, 0.002]
    return rounded(**parameters(solve(misses, start, [1e-3] * 5 + [1e-5, 0.02, 2e-3])))


def lco_lznc_x0() -> dict[str, object]:
    p = CELLS["lco-lznc-x0"]

    def parameters(x: np.ndarray) -> dict[str, object]:
        return {"lags": (x[0], x[1]), "first_charge_loss": x[2], "fade_per_cycle": x[3]}

    def misses(x: np.ndarray) -> list[float]:
        q = p.model_copy(update=parameters(x))
        first, *ladder = cycles(q, *((r, 5, 4.2, 2.5) for r in (0.2, 0.4, 0.6, 0.8, 1.0)))
        long = cycles(q, (0.2, 100, 4.2, 2.5))[0][:, 1]
        return [
            first[0, 1] - 118.16,
            ladder[-1][:, 1].mean() - 50.0,
            percent(first[0, 1] / first[0, 0], 0.9235),
            percent(long[-1] / long[0], 0.59),
        ]

    return rounded(**parameters(solve(misses, [0.03, 0.1, 0.02, 0.008], [1e-3, 1e-3, 2e-3, 1e-4])))


def lfp_at_rates(
    p: FullCellParameters,
    points: dict[float, float],
    long: tuple[float, int, float],
    start: list[float],
) -> dict[str, object]:
    """Capacities (mAh/g) by rate at 30 degC, and what (rate, cycles, share) is left after three cycles at 0.2C."""

    def parameters(x: np.ndarray) -> dict[str, object]:
        return {"lag_rates": tuple(points), "lags": tuple(x[: len(points)]), "fade_per_cycle": x[-1]}

    def misses(x: np.ndarray) -> list[float]:
        if np.any(np.diff(x[:-1]) <= 0.0) or np.any(x <= 0.0):
            return [1e6] * len(x)
        q = p.model_copy(update=parameters(x))
        ladder = [one[:, 1].mean() for one in cycles(q, *((r, 5, 3.8, 2.5) for r in points), celsius=30.0)]
        after = cycles(q, (0.2, 3, 3.8, 2.5), (long[0], long[1], 3.8, 2.5), celsius=30.0)[1][:, 1]
        return [
            *(found - target for found, target in zip(ladder, points.values(), strict=True)),
            percent(after[-1] / after[0], long[2]),
        ]

    return rounded(**parameters(solve(misses, start, [1e-3] * len(points) + [1e-5])))


def lfp_qcpe() -> dict[str, object]:
    points = {0.2: 155.0, 0.5: 145.0, 1.0: 136.0, 2.0: 128.6, 5.0: 113.3, 10.0: 106.4}
    start = [0.04, 0.07, 0.1, 0.12, 0.17, 0.19, 1.5e-4]
    return lfp_at_rates(CELLS["lfp-qcpe"], points, (2.0, 1300, 0.817), start)


def lfp_lagp() -> dict[str, object]:
    points = {0.2: 150.0, 1.0: 110.0, 5.0: 10.0}
    return lfp_at_rates(CELLS["lfp-lagp"], points, (0.2, 100, 0.9), [0.05, 0.17, 0.45, 1e-3])


def lfp_llzto_pdol() -> dict[str, object]:
    points = {0.2: 166.0, 0.5: 158.5, 1.0: 149.4, 2.0: 137.9, 5.0: 116.9, 10.0: 101.2}
    start = [0.01, 0.03, 0.06, 0.1, 0.16, 0.2, 2.5e-4]
    return lfp_at_rates(CELLS["lfp-llzto-pdol"], points, (10.0, 1400, 1.0 - 1400 * 0.021e-2), start)


def lco_qcpe() -> dict[str, object]:
    p = CELLS["lco-qcpe"]

    def misses(x: np.ndarray) -> list[float]:
        q = p.model_copy(update={"lag_rates": (0.2,), "lags": (x[0],)})
        return [cycles(q, (0.2, 1, 4.45, 2.8), celsius=30.0)[0][0, 1] - 165.1]

    return rounded(lag_rates=(0.2,), lags=tuple(solve(misses, [0.02], [1e-3])))


CALIBRATIONS = {
    "lfp-zni2": lfp_zni2,
    "lco-lzc-n15": lco_lzc_n15,
    "lco-lzc": lco_lzc,
    "lco-lznc": lco_lznc,
    "lco-lznc-x0": lco_lznc_x0,
    "lfp-qcpe": lfp_qcpe,
    "lfp-lagp": lfp_lagp,
    "lfp-llzto-pdol": lfp_llzto_pdol,
    "lco-qcpe": lco_qcpe,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or CALIBRATIONS:
        print(name, CALIBRATIONS[name]())
