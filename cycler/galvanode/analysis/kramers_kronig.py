"""Linear Kramers-Kronig test: whether a spectrum can be that of a cell that is linear, causal and stays the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from galvanode.analysis.circuit import Complexes
from galvanode.analysis.model import Floats
from galvanode.errors import InvalidInput

MIN_POINTS = 8
"""Fewer can be fitted by whatever chain."""

_MU = 0.85
"""Schönleber's limit: below it the chain fits noise."""

_BEYOND = 0.5
"""Decades by which the chain's time constants reach beyond the spectrum; without, tails fit badly at its ends."""

_PER_DECADE = 2.0
"""Time constants per decade to begin with; mu says nothing about a chain too short to follow the data."""

_LONGER_PER_DECADE = 6.0
"""Of the chain that must fail too before a spectrum is called a violation: mu can stop a chain too early."""

_SYSTEMATIC = 0.003
"""Residuals below this part of |Z|, beyond the noise, are no violation: a usual limit is 0.5 to 1 %."""

_OUTLIER = 0.02

Verdict = Literal["consistent", "violated", "outliers", "not tested"]


@dataclass(frozen=True)
class KramersKronig:
    """What the test found."""

    residuals: Complexes
    """(Z - Z_chain)/|Z|, in the order of the data; empty if not tested."""
    elements: int
    """Length of the chain."""
    mu: float
    """1 - sum |R_k < 0| / sum |R_k >= 0| of the chain."""
    noise: float
    """Of one component, rms, as a part of |Z|: from the differences of neighbours."""
    systematic: float
    """What the residuals have beyond the noise, rms of a component, as a part of |Z|."""
    verdict: Verdict
    message: str
    """For people."""


def kramers_kronig(frequency: Floats, impedance: Complexes) -> KramersKronig:
    """Test a spectrum (Hz, ohm; n values each) against the Kramers-Kronig relations.

    A chain Z = R0 + j omega L + 1/(j omega C) + sum R_k/(1 + j omega tau_k), which obeys them whatever its
    (signed) values, is fitted by linear least squares with weights 1/|Z| (Boukamp, J. Electrochem. Soc.
    1995, 142, 1885). The tau_k are spaced evenly on a logarithmic scale, half a decade beyond the data at
    both ends; their number grows from two per decade until mu < 0.85 (Schönleber, Electrochim. Acta 2014,
    131, 20). What such a chain cannot follow together in both components is drift, nonlinearity or artefacts:
    *violated* if the residuals follow one another (von Neumann's ratio) and exceed 0.3 % of |Z| beyond the
    noise; *outliers* if single points lie more than 2 %, and six times the noise, away.

    Raises ``InvalidInput`` for what is not a number, frequencies not above 0 and |Z| = 0.
    """
    check_spectrum(frequency, impedance)
    if len(np.unique(frequency)) < MIN_POINTS:
        return KramersKronig(
            np.empty(0, np.complex128), 0, np.nan, np.nan, np.nan, "not tested", f"fewer than {MIN_POINTS} frequencies"
        )
    order = np.argsort(-frequency, kind="stable")
    frequency, impedance = frequency[order], impedance[order]
    chain = _Chains(frequency, impedance)
    ordered, elements, mu = chain.by_mu()
    if _follow_one_another(ordered):
        longer, many = chain.longest()
        if not _follow_one_another(longer) or trend(longer)[1] < 0.5 * trend(ordered)[1]:
            ordered, elements = longer, many
    noise, systematic, _ = trend(ordered)
    residuals = np.empty_like(ordered)
    residuals[order] = ordered
    worst = int(np.argmax(np.abs(ordered)))
    spike = float(np.abs(ordered[worst]))
    where = f"{100 * spike:.2g} % of |Z| at {frequency[worst]:.3g} Hz"
    verdict: Verdict = "consistent"
    message = f"consistent; residuals {100 * np.hypot(noise, systematic):.2g} % of |Z|"
    if _follow_one_another(ordered):
        verdict = "violated"
        message = f"violated: the cell changed, was not linear or the lead adds something; up to {where}"
    elif spike > _OUTLIER and spike > 6.0 * _robust(ordered) and chain.dense:
        verdict = "outliers"
        message = f"single points disagree: up to {where}"
    return KramersKronig(residuals, elements, mu, noise, systematic, verdict, message)


def check_spectrum(frequency: Floats, impedance: Complexes) -> None:
    """Raise ``InvalidInput`` unless every frequency is above 0 and every Z finite and not 0."""
    if len(frequency) != len(impedance):
        raise InvalidInput(f"{len(frequency)} frequencies with {len(impedance)} impedances")
    if not (np.isfinite(frequency) & (frequency > 0)).all():
        raise InvalidInput("a frequency of the spectrum is not a number above 0 Hz")
    if not np.isfinite(impedance).all():
        raise InvalidInput("an impedance of the spectrum is not a number")
    if (np.abs(impedance) == 0).any():
        raise InvalidInput("an impedance of the spectrum is 0 ohm: nothing was measured there")


def trend(residuals: Complexes) -> tuple[float, float, float]:
    """Return noise, systematic part (both rms of a component) and von Neumann's ratio of residuals in order.

    The noise is sqrt(sum (r_i+1 - r_i)^2 / 2n), which slow changes hardly touch; the ratio of the mean square
    difference to the mean square is 2 for white noise, less where residuals follow one another.
    """
    steps = np.diff(residuals)
    squares = float(np.mean(residuals.real**2 + residuals.imag**2)) / 2.0
    differences = float(np.mean(steps.real**2 + steps.imag**2)) / 2.0 if len(steps) else 0.0
    noise = min(differences / 2.0, squares)
    ratio = differences / squares if squares > 0 else 2.0
    return float(np.sqrt(noise)), float(np.sqrt(squares - noise)), float(ratio)


def _robust(residuals: Complexes) -> float:
    return 1.4826 * float(np.median(np.abs(np.concatenate([residuals.real, residuals.imag]))))


def _follow_one_another(residuals: Complexes) -> bool:
    _, systematic, ratio = trend(residuals)
    return systematic > _SYSTEMATIC and ratio < 2.0 - 4.0 / np.sqrt(2.0 * len(residuals))  # four standard deviations


class _Chains:
    """Chains of growing length for one spectrum, frequencies falling."""

    def __init__(self, frequency: Floats, impedance: Complexes) -> None:
        self._omega = 2.0 * np.pi * frequency
        self._size = np.abs(impedance)
        relative = impedance / self._size
        self._target = np.concatenate([relative.real, relative.imag])
        self._decades = float(np.log10(self._omega[0] / self._omega[-1])) + 2.0 * _BEYOND
        self.dense = len(frequency) >= 4.0 * (self._decades - 2.0 * _BEYOND)
        """Enough points per decade to tell one bad point from a chain that is too short."""
        self._most = max(3, len(frequency) - 4)  # beyond that nothing is left to test

    def by_mu(self) -> tuple[Complexes, int, float]:
        """Return residuals, length and mu of the first chain whose mu is low enough."""
        elements = self._length(_PER_DECADE)
        while True:
            residuals, mu = self._fitted(elements)
            if mu < _MU or elements >= self._most:
                return residuals, elements, mu
            elements += 1

    def longest(self) -> tuple[Complexes, int]:
        """Return residuals and length of a chain that follows everything that obeys the relations."""
        elements = min(self._length(_LONGER_PER_DECADE), max(3, len(self._omega) * 2 // 3))
        return self._fitted(elements)[0], elements

    def _length(self, per_decade: float) -> int:
        return int(np.clip(np.ceil(per_decade * self._decades), 3, self._most))

    def _fitted(self, elements: int) -> tuple[Complexes, float]:
        omega, n = self._omega, len(self._omega)
        tau = np.logspace(-np.log10(omega[0]) - _BEYOND, -np.log10(omega[-1]) + _BEYOND, elements)
        basis = np.empty((n, elements + 3), dtype=np.complex128)
        basis[:, 0] = 1.0
        basis[:, 1] = 1j * omega / omega[0]
        basis[:, 2] = omega[-1] / (1j * omega)
        basis[:, 3:] = 1.0 / (1.0 + 1j * omega[:, None] * tau)
        basis /= self._size[:, None]
        matrix = np.vstack([basis.real, basis.imag])
        scale = np.sqrt((matrix * matrix).sum(axis=0))
        matrix /= scale
        x = np.linalg.lstsq(matrix, self._target, rcond=1e-10)[0]
        difference = self._target - matrix @ x
        chain = x[3:] / scale[3:]
        positive, negative = chain[chain >= 0].sum(), -chain[chain < 0].sum()
        mu = float(1.0 - negative / positive) if positive > 0 else 0.0
        return difference[:n] + 1j * difference[n:], mu
