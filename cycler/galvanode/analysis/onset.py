"""Where a current begins in a scan: by a threshold and by a tangent, and where it has peaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from galvanode.analysis.model import Floats

_SMOOTH_V = 0.02
"""Width over which slopes are taken; a wave is wider than the thermal voltage."""

_STEEP = 0.95
"""Of the steepest slope: the tangent follows the rise where it is at least that steep."""

_MAIN = 0.5
"""Of the scan's steepest slope: waves that are steep like that are no small ones."""

_FOOT = 0.1
"""Of the wave's steepest slope: where it begins."""

_BEFORE_V = 0.02
"""The baseline ends that far before the wave begins."""

_SKIPPED = 0.05
"""First part of a scan, in which the double layer is charged, that is not taken for the baseline."""

_SLOPE_NOISE = 0.015
"""Relative; the steepest of many slopes lies two or three such errors too high."""

_WIDEST_V = 0.1

_REPLICATES = 80

_NORMAL = 1.96


@dataclass(frozen=True)
class Mark:
    """A potential on a scan."""

    potential_v: float
    error_v: float
    """Standard error from the noise."""
    density: float
    """Current density there, mA/cm2."""


@dataclass(frozen=True)
class Tangent:
    """A line of a current density over a potential."""

    slope: float
    """mA/cm2/V."""
    intercept: float
    """mA/cm2."""


class Curve:
    """A scan made to rise: ``x`` grows and the reaction's current is positive, whatever its direction."""

    def __init__(self, potential_v: Floats, density: Floats, sign: int) -> None:
        self.sign = sign
        x = potential_v * sign
        order = np.argsort(x, kind="stable")  # an ohmic correction, or noise, may have put neighbours out of order
        self.x = x[order]
        self.y = density[order] * sign
        spacing = max(float(np.median(np.diff(self.x))), 1e-9)
        self.half = int(np.clip(round(_SMOOTH_V / spacing / 2.0), 2, max(2, len(self.x) // 8)))
        """Half of the window, in samples."""
        self.smooth = _filtered(self.y, self.half)
        differences = self.y[2:] - 2.0 * self.y[1:-1] + self.y[:-2]
        self.noise = 1.4826 * float(np.median(np.abs(differences))) / np.sqrt(6.0) if len(differences) else 0.0
        """Standard deviation of a sample: second differences, which a curve hardly touches."""

    def threshold(self, threshold: float, sustained_v: float) -> Mark | None:
        """Return where the current rises through ``threshold`` (mA/cm2) and stays above it for ``sustained_v``.

        Straight between the smoothed samples on either side. A current that is above from the beginning
        must first have been below. None if it never rises through it.
        """
        found = _crossing(self.x, self.smooth, threshold, sustained_v)
        if found is None:
            return None
        error = self._replicated(lambda y: _crossing(self.x, y, threshold, sustained_v), filtered=True)
        return Mark(found * self.sign, error, threshold * self.sign)

    def tangent(self, least: float) -> tuple[Mark, Tangent, Tangent] | None:
        """Return where the tangent of the main wave's steepest rise meets the baseline, with both lines.

        The main wave is the first whose steepest slope is at least half of the steepest of the scan, and whose
        current reaches ``least`` (mA/cm2). The baseline is a robust line through what lies before it. None
        where there is too little before it, or no such rise.
        """
        half = self._window_for_slopes()
        found = self._tangent(self.y, half, least)
        if found is None:
            return None
        x, rise, base = found
        error = self._replicated(lambda y: _first(self._tangent(y, half, least)), filtered=False)
        mark = Mark(x * self.sign, error, (base.intercept + base.slope * x) * self.sign)
        return mark, self._turned(rise), self._turned(base)

    def peaks(self) -> list[Mark]:
        """Return the maxima of the current that stand out of the noise, the most prominent first."""
        from scipy.signal import find_peaks

        least = max(5.0 * self.noise / np.sqrt(2.0 * self.half + 1.0), 5e-4)
        wide = max(1.0, _SMOOTH_V / max(float(np.median(np.diff(self.x))), 1e-9))
        places, properties = find_peaks(self.smooth, prominence=least, width=wide)
        marks: list[tuple[float, Mark]] = []
        for place, prominence in zip(places, properties["prominences"], strict=True):
            mark = self._peak(int(place), float(prominence))
            if mark is not None:
                marks.append((float(prominence), mark))
        return [mark for _, mark in sorted(marks, key=lambda pair: -pair[0])]

    def _turned(self, line: Tangent) -> Tangent:
        return Tangent(line.slope, line.intercept * self.sign)  # y s = a + b (x s): slope keeps its sign

    def _replicated(self, find: Callable[[Floats], float | None], filtered: bool) -> float:
        """Return the standard deviation of what ``find`` finds in the curve with new noise."""
        if self.noise == 0.0:
            return 0.0
        random = np.random.default_rng(0)
        noise = random.normal(scale=self.noise, size=(_REPLICATES, len(self.x)))
        curves = self.smooth + (_filtered(noise, self.half) if filtered else noise)
        found = [value for value in map(find, curves) if value is not None]
        return float(np.std(found)) if len(found) > _REPLICATES // 2 else np.nan

    def _tangent(self, y: Floats, half: int, least: float) -> tuple[float, Tangent, Tangent] | None:
        slopes = _slopes(self.x, y, half)
        begin = int(np.searchsorted(self.x, self.x[0] + _SKIPPED * (self.x[-1] - self.x[0])))
        steepest = _main_wave(slopes, y, begin, half, least)
        if steepest is None:
            return None
        best = float(slopes[steepest])
        foot = steepest
        while foot > begin and slopes[foot - 1] > _FOOT * best:
            foot -= 1
        base = self._baseline(y, float(self.x[foot]) - _BEFORE_V)
        if base is None:
            return None
        low, high = steepest, steepest
        while low > begin and slopes[low - 1] >= _STEEP * best:
            low -= 1
        while high < len(slopes) - 1 and slopes[high + 1] >= _STEEP * best:
            high += 1
        low, high = max(0, min(low, steepest - half)), min(len(slopes), max(high, steepest + half) + 1)
        rise = _straight(self.x[low:high], y[low:high])
        if rise is None or rise.slope <= base.slope:
            return None
        return (base.intercept - rise.intercept) / (rise.slope - base.slope), rise, base

    def _window_for_slopes(self) -> int:
        """Return half of a window wide enough that the noise does not decide where the rise is steepest."""
        half = self.half
        spacing = max(float(np.median(np.diff(self.x))), 1e-9)
        after = self.x >= self.x[0] + _SKIPPED * (self.x[-1] - self.x[0])
        while 2.0 * half * spacing < _WIDEST_V and 4 * half + 1 < len(self.x):
            steepest = float(_slopes(self.x, self.y, half)[after].max(initial=0.0))
            # Variance of a slope through n points of one distance: 12 s^2/(d^2 n^3).
            error = self.noise / spacing * np.sqrt(12.0 / (2.0 * half + 1.0) ** 3)
            if error <= _SLOPE_NOISE * steepest:
                break
            half = round(1.3 * half) + 1
        return half

    def _baseline(self, y: Floats, end: float) -> Tangent | None:
        """Return a line through what lies before ``end``; small waves in it are clipped."""
        start = self.x[0] + _SKIPPED * (end - self.x[0])
        rows = np.flatnonzero((self.x >= start) & (self.x <= end))
        if len(rows) < 5:
            return None
        x, y = self.x[rows], y[rows]
        level = float(np.quantile(y, 0.3))
        line = Tangent(0.0, level)
        spread = max(1.4826 * float(np.median(np.abs(y - level))), 1e-12)
        for _ in range(8):
            residuals = y - line.intercept - line.slope * x
            kept = np.abs(residuals) <= 2.5 * spread
            found = _straight(x[kept], y[kept]) if kept.sum() >= 5 and np.ptp(x[kept]) > 0.3 * np.ptp(x) else None
            if found is None:
                return Tangent(0.0, float(np.median(y)))
            line = found
            inside = y[kept] - line.intercept - line.slope * x[kept]
            spread = max(1.3 * float(np.std(inside)), self.noise, 1e-12)
        return line

    def _peak(self, place: int, prominence: float) -> Mark | None:
        """Return the vertex of the parabola through the top of a peak."""
        level = self.smooth[place] - 0.3 * prominence
        low = high = place
        while low > 0 and self.smooth[low - 1] >= level:
            low -= 1
        while high < len(self.x) - 1 and self.smooth[high + 1] >= level:
            high += 1
        if high - low < 4:
            return None
        centre = float(self.x[place])
        x, y = self.x[low : high + 1] - centre, self.y[low : high + 1]
        matrix = np.stack([np.ones_like(x), x, x * x], axis=1)
        (a, b, c), *_ = np.linalg.lstsq(matrix, y, rcond=None)
        if c >= 0:
            return None
        residuals = y - matrix @ np.array([a, b, c])
        variance = float(residuals @ residuals) / (len(x) - 3)
        covariance = variance * np.linalg.inv(matrix.T @ matrix)
        vertex = -b / (2.0 * c)
        gradient = np.array([0.0, -1.0 / (2.0 * c), b / (2.0 * c * c)])
        error = float(np.sqrt(gradient @ covariance @ gradient))
        if not x[0] <= vertex <= x[-1]:
            return None
        return Mark((centre + float(vertex)) * self.sign, error, float(a + b * vertex + c * vertex**2) * self.sign)


def bounds(mark: Mark, systematic_v: float) -> tuple[float, float]:
    """Return the 95 % interval: the noise's and ``systematic_v``, a bound, added in squares."""
    width = float(np.hypot(_NORMAL * mark.error_v, systematic_v))
    return mark.potential_v - width, mark.potential_v + width


def _main_wave(slopes: Floats, y: Floats, begin: int, half: int, least: float) -> int | None:
    """Return where the main wave is steepest."""
    if begin >= len(slopes) - half:
        return None
    most = float(slopes[begin:].max())
    if most <= 0:
        return None
    steep = np.flatnonzero(slopes[begin:] >= _MAIN * most) + begin
    waves = np.split(steep, np.flatnonzero(np.diff(steep) > half) + 1)
    for wave in waves:
        top = min(len(y), int(wave[-1]) + half + 1)
        if float(y[top - half : top].mean()) >= least:
            return int(wave[np.argmax(slopes[wave])])
    return None


def _first(found: tuple[float, Tangent, Tangent] | None) -> float | None:
    return None if found is None else found[0]


def _crossing(x: Floats, y: Floats, threshold: float, sustained: float) -> float | None:
    above = y > threshold
    rises = np.flatnonzero(above[1:] & ~above[:-1])
    falls = np.flatnonzero(above[:-1] & ~above[1:]) + 1
    for rise in rises:
        later = falls[falls > rise]
        lasts = float((x[later[0]] if len(later) else x[-1]) - x[rise + 1])
        # Above it when the scan ends, it need not have shown as long that it stays.
        if lasts >= (sustained if len(later) else 0.2 * sustained):
            part = (threshold - y[rise]) / (y[rise + 1] - y[rise])
            return float(x[rise] + part * (x[rise + 1] - x[rise]))
    return None


def _straight(x: Floats, y: Floats) -> Tangent | None:
    if len(x) < 2 or np.ptp(x) == 0:
        return None
    away = x - x.mean()
    slope = float((away * y).sum() / (away * away).sum())
    return Tangent(slope, float(y.mean() - slope * x.mean()))


def _filtered(values: Floats, half: int, derivative: int = 0) -> Floats:
    """Return values, or derivatives per sample, of the parabolas through 2 half + 1 neighbours (Savitzky, Golay)."""
    from scipy.signal import savgol_filter

    return np.asarray(savgol_filter(values, 2 * half + 1, 2, deriv=derivative, axis=-1))


def _slopes(x: Floats, y: Floats, half: int) -> Floats:
    steps = _filtered(x, half, 1)
    return np.where(np.abs(steps) > 1e-12, _filtered(y, half, 1) / np.where(np.abs(steps) > 1e-12, steps, 1.0), 0.0)
