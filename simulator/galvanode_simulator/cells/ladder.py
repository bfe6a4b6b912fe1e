"""Ladders of RC elements in series: what stands for constant phase elements, in time and in frequency alike.

A constant phase element has a distribution of relaxation times. Summed at points that suit it, it becomes RC
elements, all of positive R and C: exact exponentials in time, and within 1e-5 of the element in frequency.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ARC_POLES = 31
_POLES_PER_DECADE = 3
_SETTLED_S = 1e-4


class Poles(NamedTuple):
    """RC elements in series: resistances and capacitances or, of an arc, their parts of it."""

    resistance: Array
    capacitance: Array


def arc(exponent: float) -> Poles:
    """Parts of R parallel to a constant phase element, for R = 1 ohm and a time constant of 1 s.

    Cole and Cole's distribution g(s) = sin(a) / (2 pi (cosh(n s) - cos(a))) of s = ln tau, a = (1 - n) pi,
    by the trapezoid rule after s = b sinh(u), which crowds the points where the distribution is narrow. An
    exponent of 1 is one RC element.
    """
    angle = (1.0 - exponent) * math.pi
    if angle < 1e-3:
        return Poles(np.ones(1), np.ones(1))
    width = 2.5 * angle / exponent
    end = math.asinh(11.0 / exponent / width)
    u = np.linspace(-end, end, _ARC_POLES)
    s = width * np.sinh(u)
    share = np.cosh(u) / (np.cosh(exponent * s) - math.cos(angle))
    share /= share.sum()
    return Poles(share, np.exp(s) / share)


def tail(capacitance: float, exponent: float, slowest_hz: float, fastest_hz: float) -> Poles:
    """A constant phase element that blocks direct current.

    ``capacitance`` (F) is that of a capacitor with the same modulus at 1 Hz: |Z| = 1 / (2 pi C). Below
    ``slowest_hz`` it goes over into one capacitor (the last element, of infinite resistance), beyond
    ``fastest_hz`` into a resistance (the first, without capacitance).
    """
    q = capacitance * (2.0 * math.pi) ** (1.0 - exponent)
    if exponent == 1.0:
        return Poles(np.array([0.0, math.inf]), np.array([0.0, q]))
    # (j w)^-n = sin(n pi)/pi int exp((1 - n) s) / (exp(s) + j w) ds over s = ln of the relaxation rate.
    step = math.log(10.0) / _POLES_PER_DECADE
    first, last = math.log(2.0 * math.pi * slowest_hz), math.log(2.0 * math.pi * fastest_hz)
    s = first + step * np.arange(max(2, math.ceil((last - first) / step) + 1))
    scale = math.sin(exponent * math.pi) / math.pi * step / q
    weight = scale * np.exp((1.0 - exponent) * s)
    resistance = weight * np.exp(-s)
    # What lies beyond both ends of the sum are geometric series.
    beyond = scale * math.exp(-exponent * (s[-1] + step)) / (1.0 - math.exp(-exponent * step))
    below = scale * math.exp((1.0 - exponent) * (s[0] - step)) / (1.0 - math.exp((exponent - 1.0) * step))
    return Poles(
        np.concatenate(([beyond], resistance, [math.inf])),
        np.concatenate(([0.0], 1.0 / weight, [1.0 / below])),
    )


class Ladder:
    """RC elements in series with a resistance, a leakage parallel to all of it, in closed form.

    Behind a held voltage, or a current that the leakage shares, the elements are coupled through the series
    resistance: a symmetric linear system, solved by its eigenvectors. The first element, and those faster than
    0.1 ms, are settled resistances in time (and themselves in frequency): no instrument looks sooner.
    """

    def __init__(self, elements: Poles, leakage: float = math.inf) -> None:
        self.volts = np.zeros(len(elements.resistance))
        """Across each element, V."""
        self.stored = 0.0
        """Sum of the voltages that do not follow the current at once, V."""
        self.set_elements(elements, leakage)

    def set_elements(self, elements: Poles, leakage: float) -> None:
        """Change the parameters (ohm, F); the elements' voltages stay."""
        r, c = elements
        self._resistance, self._capacitance, self.leakage = r, c, leakage
        self._conductance = 1.0 / np.maximum(r, 1e-300)
        with np.errstate(invalid="ignore"):
            time_constant = np.where(c > 0.0, r * c, 0.0)
        slow = time_constant > _SETTLED_S
        slow[0] = False
        self._slow = np.flatnonzero(slow)
        self._fast = np.flatnonzero(~slow)
        self.series = float(r[self._fast].sum())
        """What is seen at once, ohm."""
        self._rate = 1.0 / time_constant[self._slow]
        self._weight = 1.0 / np.sqrt(c[self._slow])
        self._blocked = np.isinf(r[self._slow])
        self._slow_resistance = np.where(self._blocked, 0.0, r[self._slow])
        self._blocking = bool(self._blocked.any())
        self._total = self.series + float(self._slow_resistance.sum())
        self._modes: dict[float, tuple[Array, Array, Array]] = {}
        self.stored = float(self.volts[self._slow].sum())

    def _coupled(self, source: float, resistance: float, duration: float) -> None:
        """Let time pass behind ``source`` volts and ``resistance`` ohm outside the ladder."""
        modes = self._modes.get(resistance)
        if modes is None:
            # y = sqrt(C) v obeys y' = -(diag(1/tau) + w w'/R) y + w U/R with w = 1/sqrt(C).
            matrix = np.outer(self._weight, self._weight / (resistance + self.series))
            matrix[np.diag_indices_from(matrix)] += self._rate
            rates, vectors = np.linalg.eigh(matrix)
            modes = (
                np.maximum(rates, 0.0),
                vectors.T / self._weight,
                vectors * self._weight[:, None],
            )
            self._modes[resistance] = modes
        rates, forth, back = modes
        if self._blocking:
            amps, steady = 0.0, np.where(self._blocked, source, 0.0)
        else:
            amps = source / (resistance + self._total)
            steady = amps * self._slow_resistance
        slow = self.volts[self._slow] - steady
        slow = steady + back @ (np.exp(-rates * duration) * (forth @ slow))
        amps = (source - float(slow.sum())) / (resistance + self.series)
        self._put(slow, amps)

    def _put(self, slow: Array, amps: float) -> None:
        volts = np.empty_like(self.volts)  # a new array: who keeps the old one keeps the old state
        volts[self._slow] = slow
        volts[self._fast] = amps * self._resistance[self._fast]
        self.volts = volts
        self.stored = float(slow.sum())

    def hold_voltage(self, volts: float, duration: float) -> None:
        """Let time pass at a voltage across all of it."""
        self._coupled(volts, 0.0, duration)

    def hold_current(self, amps: float, duration: float) -> None:
        """Let time pass at a current, of which the leakage takes its part."""
        if self.leakage < math.inf:
            self._coupled(amps * self.leakage, self.leakage, duration)
            return
        slow = self.volts[self._slow]
        target = amps * self._slow_resistance
        relaxed = target + (slow - target) * np.exp(-self._rate * duration)
        charged = slow + amps * duration * self._weight**2
        self._put(np.where(self._blocked, charged, relaxed), amps)

    def voltage(self, amps: float) -> float:
        """Across all of it now, if this current flows now, V."""
        if self.leakage == math.inf:
            return self.stored + amps * self.series
        share = self.leakage / (self.leakage + self.series)
        return share * (self.stored + amps * self.series)

    def current(self, volts: float) -> float:
        """Into all of it now, if this voltage is held now, A."""
        return (volts - self.stored) / self.series + volts / self.leakage

    def impedance(self, omega: float) -> complex:
        """Of all of it, ohm."""
        z = complex((1.0 / (self._conductance + 1j * omega * self._capacitance)).sum())
        return z if self.leakage == math.inf else z * self.leakage / (z + self.leakage)
