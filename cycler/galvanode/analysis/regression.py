"""Straight lines through data, with their 95 % intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galvanode.analysis.circuit_fit import student
from galvanode.analysis.model import Floats


@dataclass(frozen=True)
class Line:
    """y = intercept + slope x."""

    slope: float
    intercept: float
    slope_error: float
    """Standard error; infinite for two points."""
    intercept_error: float
    covariance: float
    """Of slope and intercept."""
    freedom: int
    scatter: float
    """Standard deviation of a point of weight 1, about the line."""

    @property
    def width(self) -> float:
        """Half of the slope's 95 % interval."""
        return student(self.freedom) * self.slope_error

    def at(self, x: float) -> tuple[float, float]:
        """Return y of the line at x and half of its 95 % interval."""
        variance = self.intercept_error**2 + 2.0 * x * self.covariance + (x * self.slope_error) ** 2
        return self.intercept + self.slope * x, student(self.freedom) * float(np.sqrt(max(variance, 0.0)))


def line(x: Floats, y: Floats, errors: Floats | None = None, at_least: bool = False) -> Line | None:
    """Return the weighted least-squares line, or None for fewer than two different x.

    ``errors`` are standard errors of y, of which only the ratios count: the scatter about the line decides
    how large they were (n - 2 degrees of freedom; Bevington and Robinson, ch. 6). ``at_least``: they were no
    smaller than ``errors`` even so.
    """
    if len(x) < 2 or np.ptp(x) == 0:
        return None
    weights = np.ones(len(x)) if errors is None else 1.0 / errors**2
    least = 1.0 / float(weights.mean()) if at_least and errors is not None else 0.0
    weights = weights / weights.mean()
    total = float(weights.sum())
    centre = float((weights * x).sum()) / total
    away = x - centre
    squares = float((weights * away * away).sum())
    mean = float((weights * y).sum()) / total
    slope = float((weights * away * y).sum()) / squares
    residuals = y - mean - slope * away
    freedom = len(x) - 2
    variance = float((weights * residuals**2).sum()) / freedom if freedom > 0 else np.inf
    variance = max(variance, least)
    slope_variance = variance / squares
    mean_variance = variance / total
    return Line(
        slope,
        mean - slope * centre,
        float(np.sqrt(slope_variance)),
        float(np.sqrt(mean_variance + centre * centre * slope_variance)),
        -centre * slope_variance,
        freedom,
        float(np.sqrt(variance)),
    )
