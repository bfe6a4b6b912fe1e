"""Fit of an equivalent circuit to a spectrum: complex non-linear least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galvanode.analysis.circuit import Branch, Circuit, Complexes, Leaf, leaves, parse_circuit
from galvanode.analysis.kramers_kronig import check_spectrum, trend
from galvanode.analysis.model import Floats
from galvanode.errors import InvalidInput

_DRAWN = 300
"""Starts that are looked at; each costs about 20 us."""

_REFINED = 8
"""Starts that are followed to their minimum, at most."""

_REACHED = 4
"""So many starts that end in one minimum are enough."""

_STEPS = 60
_LONGEST = 1.5
"""In ln p: no step changes a parameter by more than a factor of 4.5."""

_LOWEST_EXPONENT = 0.2

_FAR = 1e5
"""A resistance beyond the spectrum's |Z| by this factor leaves no trace in it."""

_TOUCHING = 1e-6
"""In ln p: closer to a bound is at it."""


@dataclass(frozen=True)
class Fit:
    """A circuit fitted to a spectrum."""

    circuit: Circuit
    frequency: Floats
    impedance: Complexes
    """What was measured."""
    values: Floats
    """Of the circuit's parameters, in their units."""
    covariance: Floats
    """Of the logarithms of the values; infinite on the diagonal where the data do not tell a value."""
    residuals: Complexes
    """(Z - Z_fit)/|Z|."""
    freedom: int
    """2 n - m, n points and m parameters that were free."""

    @property
    def spread(self) -> float:
        """Standard deviation of one component of the residuals, as a part of |Z|."""
        squares = float((self.residuals.real**2 + self.residuals.imag**2).sum())
        return float(np.sqrt(squares / self.freedom)) if self.freedom > 0 else np.nan

    @property
    def bic(self) -> float:
        """Bayesian information criterion (Schwarz, Ann. Stat. 1978, 6, 461): the lower the better."""
        n = 2 * len(self.frequency)
        squares = float((self.residuals.real**2 + self.residuals.imag**2).sum())
        return n * float(np.log(max(squares / n, 1e-24))) + len(self.values) * float(np.log(n))

    @property
    def systematic(self) -> tuple[float, float]:
        """Systematic part of the residuals (rms, of |Z|) and von Neumann's ratio, 2 for white ones."""
        order = np.argsort(-self.frequency, kind="stable")
        _, systematic, ratio = trend(self.residuals[order])
        return systematic, ratio

    @property
    def is_white(self) -> bool:
        """Whether the residuals look like noise."""
        return _white(self.frequency, self.residuals)

    @property
    def errors(self) -> Floats:
        """Standard errors of the logarithms of the values: relative standard errors where they are small."""
        return np.sqrt(np.diag(self.covariance))

    def value(self, name: str) -> float:
        """Return a parameter by its name."""
        return float(self.values[self.circuit.index(name)])

    def bounds(self, name: str) -> tuple[float, float]:
        """Return the 95 % interval of a parameter: exp(ln p -+ t s), t of Student's distribution."""
        index = self.circuit.index(name)
        width = student(self.freedom) * float(self.errors[index])
        value = float(self.values[index])
        if not np.isfinite(width) or width > 20.0:
            return 0.0, np.inf
        return value * float(np.exp(-width)), value * float(np.exp(width))

    def sum_of(self, names: Sequence[str]) -> tuple[float, float]:
        """Return the sum of some parameters and its standard error, correlations included."""
        gradient = np.zeros(len(self.values))
        for name in names:
            index = self.circuit.index(name)
            gradient[index] = self.values[index]
        there = gradient != 0
        part = self.covariance[np.ix_(there, there)]
        variance = float(gradient[there] @ part @ gradient[there]) if np.isfinite(part).all() else np.inf
        return float(gradient.sum()), float(np.sqrt(variance))


def _white(frequency: Floats, residuals: Complexes) -> bool:
    order = np.argsort(-frequency, kind="stable")
    _, systematic, ratio = trend(residuals[order])
    return systematic < 1e-5 or (ratio > 2.0 - 4.0 / np.sqrt(2.0 * len(residuals)) and systematic < 0.05)


def student(freedom: float, level: float = 0.95) -> float:
    """Return the two-sided quantile of Student's t distribution; infinite without a degree of freedom."""
    if freedom <= 0:
        return np.inf
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + level / 2.0))


def fit_circuit(
    circuit: Circuit | str,
    frequency: Floats,
    impedance: Complexes,
    start: Floats | None = None,
    seed: int = 0,
    rounds: int = 3,
) -> Fit:
    """Fit a circuit to a spectrum (Hz, ohm).

    Minimises sum |(Z - Z_fit)/|Z||^2 (modulus weights: Orazem and Tribollet, ch. 21) over the logarithms of
    the parameters, so that all stay positive, with analytic derivatives (Levenberg and Marquardt's method,
    within bounds). Exponents of constant phase elements lie between 0.2 and 1. It begins at ``start`` if
    given, else at the best of some values drawn around what the spectrum suggests (a fixed seed: same data,
    same result), up to ``rounds`` times if that leaves more than noise. Covariance: s^2 (J'J)^-1 of the
    logarithms, s^2 the residual variance, larger where residuals follow one another; a value at its bound, or
    without influence, has an infinite one. Blocks of one form in series, such as ``p(R1,CPE1)`` and
    ``p(R2,CPE2)``, come out in the order of their time constants, the fastest first.

    Raises ``InvalidInput`` for spectra that are no numbers and for no more data than parameters.
    """
    if isinstance(circuit, str):
        circuit = parse_circuit(circuit)
    check_spectrum(frequency, impedance)
    if 2 * len(frequency) <= len(circuit.parameters):
        raise InvalidInput(
            f"{len(frequency)} points cannot tell the {len(circuit.parameters)} parameters of {circuit.text}"
        )
    problem = _Problem(circuit, frequency, impedance)
    if start is not None:
        return problem.finished(problem.refined(np.log(start), tolerance=1e-10).logs)
    best = problem.searched(seed)
    for another in range(1, rounds):
        if problem.fits(best):
            break
        found = problem.searched(seed + another)
        best = found if found.cost < best.cost else best
    return problem.finished(problem.refined(best.logs, tolerance=1e-10).logs)


class _Minimum(NamedTuple):
    """Where a way down ended."""

    logs: Floats
    residuals: Floats
    """Weighted; real parts first."""
    cost: float
    """Their sum of squares."""


class _Problem:
    """One circuit, one spectrum."""

    def __init__(self, circuit: Circuit, frequency: Floats, impedance: Complexes) -> None:
        self.circuit = circuit
        self.frequency = frequency
        self.impedance = impedance
        self.size = np.abs(impedance)
        self.omega = 2.0 * np.pi * frequency
        self.fast, self.slow = float(self.omega.max()), float(self.omega.min())
        self.low, self.high = self._bounds()
        self.points = len(frequency)

    # --- least squares -----------------------------------------------------------------------------------

    def refined(self, start: Floats, tolerance: float = 1e-5) -> _Minimum:
        """Return the way's end down from a start: Levenberg and Marquardt, projected onto the bounds.

        scipy's methods find the same minimum at three times the cost: a step here takes about 80 us.
        """
        logs = np.clip(start, self.low, self.high)
        residuals, jacobian = self._linearised(logs)
        cost = float(residuals @ residuals)
        damping = 1e-3
        for _ in range(_STEPS):
            gradient = jacobian.T @ residuals
            stuck = ((logs <= self.low) & (gradient > 0)) | ((logs >= self.high) & (gradient < 0))
            matrix = jacobian.T @ jacobian
            matrix[stuck] = 0.0
            matrix[:, stuck] = 0.0
            gradient[stuck] = 0.0
            diagonal = np.maximum(np.diag(matrix), 1e-12 * float(np.diag(matrix).max()) + 1e-300)
            gained = -1.0
            while damping < 1e12:
                np.fill_diagonal(matrix, diagonal * (1.0 + damping))
                step = np.linalg.solve(matrix, -gradient)
                step *= min(1.0, _LONGEST / max(float(np.abs(step).max()), 1e-300))
                tried = np.clip(logs + step, self.low, self.high)
                new_residuals, new_jacobian = self._linearised(tried)
                new_cost = float(new_residuals @ new_residuals)
                if new_cost < cost:
                    gained = cost - new_cost
                    logs, residuals, jacobian, cost = tried, new_residuals, new_jacobian, new_cost
                    damping = max(damping / 10.0, 1e-8)
                    break
                if new_cost <= cost * (1.0 + 1e-12):
                    break
                damping *= 5.0
            if gained <= tolerance * cost and damping < 1.0:
                break
            if gained < 0:
                break
        return _Minimum(logs, residuals, cost)

    def searched(self, seed: int) -> _Minimum:
        """Return the lowest of the minima that some starts lead to."""
        starts = self.drawn(seed)
        best, reached = self.refined(starts[0]), 1
        for candidate in starts[1:]:
            if self.fits(best) or reached == _REACHED:
                break
            found = self.refined(candidate)
            if found.cost < 0.999 * best.cost:
                best, reached = found, 1
            elif found.cost < 1.001 * best.cost:
                reached += 1
        return best

    def fits(self, found: _Minimum) -> bool:
        """Return whether what is left looks like noise, so that no other start can do better."""
        return _white(self.frequency, self._complex(found.residuals))

    def _complex(self, stacked: Floats) -> Complexes:
        return stacked[: self.points] + 1j * stacked[self.points :]

    def _linearised(self, logs: Floats) -> tuple[Floats, Floats]:
        """Return weighted residuals and their derivatives with respect to the logarithms, real parts first."""
        values = np.exp(logs)
        z, derivatives = self.circuit.jacobian(self.frequency, values)
        difference = (z - self.impedance) / self.size
        weighted = derivatives * values / self.size[:, None]
        return np.concatenate([difference.real, difference.imag]), np.concatenate([weighted.real, weighted.imag])

    def finished(self, logs: Floats) -> Fit:
        """Return the fit at a minimum."""
        logs = logs[self._ordered(logs)]
        residuals, jacobian = self._linearised(logs)
        free = (logs > self.low + _TOUCHING) & (logs < self.high - _TOUCHING)
        size = np.sqrt((jacobian * jacobian).sum(axis=0))
        free &= size > 1e-12
        freedom = 2 * self.points - int(free.sum())
        covariance = np.zeros((len(logs), len(logs)))
        for index in np.flatnonzero(~free):
            # An exponent at 1 is a capacitor, which is a finding; anything else at its bound is not known.
            if self.circuit.parameters[index].role != "exponent" or logs[index] < self.high[index] - _TOUCHING:
                covariance[index, index] = np.inf
        if free.any():
            variance = float(residuals @ residuals) / max(freedom, 1) * self._inflation(residuals)
            _, singular, vt = np.linalg.svd(jacobian[:, free] / size[free], full_matrices=False)
            lost = singular < 1e-10 * singular[0]
            inverse = np.where(lost, 0.0, 1.0 / np.maximum(singular, 1e-300) ** 2)
            part = variance * (vt.T * inverse) @ vt / np.outer(size[free], size[free])
            if lost.any():
                hidden = (np.abs(vt[lost]) > 1e-3).any(axis=0)
                part[hidden, hidden] = np.inf
            covariance[np.ix_(free, free)] = part
        return Fit(
            self.circuit,
            self.frequency,
            self.impedance,
            np.exp(logs),
            covariance,
            -self._complex(residuals),
            freedom,
        )

    def _inflation(self, residuals: Floats) -> float:
        """Return how many times larger the variances are because residuals follow one another.

        Of n residuals with the correlation rho between neighbours, n (1 - rho)/(1 + rho) are independent.
        """
        order = np.argsort(-self.frequency, kind="stable")
        _, _, ratio = trend(self._complex(residuals)[order])
        if ratio > 2.0 - 2.0 / np.sqrt(2.0 * self.points):  # as white noise well may
            return 1.0
        return float(min((4.0 - ratio) / max(ratio, 1e-3), 2.0 * self.points))

    def _ordered(self, logs: Floats) -> NDArray[np.intp]:
        """Return the order of parameters that puts blocks of one form by their time constants."""
        order = np.arange(len(logs))
        for blocks in _alike(self.circuit):
            places = [_places(self.circuit, block) for block in blocks]
            times = [self._time_constant(block, np.exp(logs)) for block in blocks]
            for target, source in enumerate(np.argsort(times, kind="stable")):
                order[places[target]] = places[source]
        return order

    def _time_constant(self, block: Branch, values: Floats) -> float:
        first, second = (part for branch in block.parts for part in leaves(branch))
        resistor, other = (first, second) if first.kind == "R" else (second, first)
        product = float(values[resistor.first] * values[other.first])
        return product if other.kind == "C" else product ** (1.0 / float(values[other.first + 1]))

    # --- where to begin ----------------------------------------------------------------------------------

    def _bounds(self) -> tuple[Floats, Floats]:
        """Return the lowest and highest logarithms: beyond them a parameter leaves no trace in the data."""
        least, most = float(self.size.min()), float(self.size.max())
        low, high = np.empty(len(self.circuit.parameters)), np.empty(len(self.circuit.parameters))
        for index, parameter in enumerate(self.circuit.parameters):
            if parameter.role == "exponent":
                bounds = _LOWEST_EXPONENT, 1.0
            elif parameter.role == "time":
                bounds = 1e-4 / self.fast, 1e4 / self.slow
            elif parameter.kind == "C":
                bounds = 1.0 / (_FAR * most * self.fast), _FAR / (least * self.slow)
            elif parameter.kind == "CPE":
                bounds = _at_most(1.0 / (_FAR * most), self.fast), _at_least(_FAR / least, self.slow)
            elif parameter.kind == "L":
                bounds = least / (_FAR * self.fast), _FAR * most / self.slow
            elif parameter.kind == "W":
                bounds = least * np.sqrt(self.slow) / _FAR, _FAR * most * np.sqrt(self.fast)
            else:
                bounds = least / _FAR, _FAR * most
            low[index], high[index] = np.log(bounds[0]), np.log(bounds[1])
        return low, high

    def drawn(self, seed: int) -> list[Floats]:
        """Return the logarithms of the starts that agree best with the data, unlike one another."""
        values = _Draw(self, np.random.default_rng(seed)).values()
        with np.errstate(all="ignore"):
            z = self.circuit.impedance(self.frequency, values)
            distance: Complexes = np.log(z / self.impedance)
            cost = (distance.real**2 + distance.imag**2).sum(axis=1)
        cost[~np.isfinite(cost)] = np.inf
        logs = np.log(values)
        chosen: list[Floats] = []
        for index in np.argsort(cost, kind="stable"):
            if all(np.abs(logs[index] - other).max() > 0.3 for other in chosen):
                chosen.append(logs[index])
            if len(chosen) == _REFINED:
                break
        return chosen


class _Draw:
    """Parameters drawn around what a spectrum suggests, many at a time."""

    def __init__(self, problem: _Problem, random: np.random.Generator) -> None:
        self._problem = problem
        self._random = random
        order = np.argsort(-problem.frequency, kind="stable")
        real = problem.impedance.real[order]
        self._log_omega, self._real = np.log(problem.omega[order][::-1]), real[::-1]
        self._first = max(float(np.abs(real[:3]).min()), 1e-3 * float(problem.size.min()))
        self._values = np.empty((_DRAWN, len(problem.circuit.parameters)))

    def values(self) -> Floats:
        """Return one set of parameters per row."""
        blocks = [part for part in self._problem.circuit.root.parts if isinstance(part, Branch)]
        in_series = [part for part in self._problem.circuit.root.parts if isinstance(part, Leaf)]
        # Blocks stand in the order of their time constants, as the spectrum shows them from high to low frequency.
        low, high = -np.log(self._problem.fast) - 1.5, -np.log(self._problem.slow) + 1.0
        times = np.sort(self._random.uniform(low, high, (_DRAWN, max(len(blocks), 1))), axis=1)
        for leaf in in_series:
            self._in_series(leaf)
        for index, block in enumerate(blocks):
            self._block(block, np.exp(times[:, index]))
        return self._values

    def _between(self, low: float, high: float) -> Floats:
        return np.exp(self._random.uniform(np.log(low), np.log(high), _DRAWN))

    def _heights(self, times: Floats) -> Floats:
        """Return what the real part gains about the frequencies of these time constants, more or less."""
        slow, fast = (np.interp(-np.log(times) + k, self._log_omega, self._real) for k in (-1.6, 1.6))
        least = 0.02 * float(self._problem.size.min())
        return np.maximum(slow - fast, least) * self._between(0.5, 2.0)

    def _exponents(self) -> Floats:
        return self._random.uniform(0.55, 1.0, _DRAWN)

    def _in_series(self, leaf: Leaf) -> None:
        p, at = self._problem, leaf.first
        slowest = float(p.size[np.argmin(p.frequency)])
        if leaf.kind == "R":
            self._values[:, at] = self._between(0.2 * self._first, 1.05 * self._first)
        elif leaf.kind in ("CPE", "C"):
            # It is what is left at the lowest frequency, more or less.
            share = self._between(0.2, 1.2) * slowest
            exponents = self._exponents() if leaf.kind == "CPE" else np.ones(_DRAWN)
            self._values[:, at] = 1.0 / (share * p.slow**exponents)
            if leaf.kind == "CPE":
                self._values[:, at + 1] = exponents
        elif leaf.kind == "L":
            fastest = float(p.size[np.argmax(p.frequency)])
            self._values[:, at] = self._between(1e-4, 1.0) * fastest / p.fast
        elif leaf.kind == "W":
            self._values[:, at] = self._between(0.05, 1.0) * slowest * np.sqrt(p.slow / 2.0)
        else:
            times = self._between(0.3 / p.fast, 3.0 / p.slow)
            self._values[:, at] = self._heights(times)
            self._values[:, at + 1] = 2.5 * times  # the top of its arc lies at 2.5/tau

    def _block(self, block: Branch, times: Floats) -> None:
        p = self._problem
        height = self._heights(times)
        for leaf in leaves(block):
            at = leaf.first
            if leaf.kind in ("CPE", "C"):
                exponents = self._exponents() if leaf.kind == "CPE" else np.ones(_DRAWN)
                self._values[:, at] = times**exponents / height
                if leaf.kind == "CPE":
                    self._values[:, at + 1] = exponents
            elif leaf.kind == "R":
                self._values[:, at] = height * self._between(0.7, 1.5)
            elif leaf.kind == "L":
                self._values[:, at] = times * height
            elif leaf.kind == "W":
                self._values[:, at] = self._between(0.1, 1.0) * height * np.sqrt(p.slow)
            else:
                self._values[:, at] = self._between(0.2, 2.0) * height
                self._values[:, at + 1] = times * self._between(3.0, 300.0)


def _at_most(value: float, omega: float) -> float:
    """Return the lowest Q of a CPE, for any exponent, whose |Z| at ``omega`` is 1/value."""
    return min(value, value / omega)


def _at_least(value: float, omega: float) -> float:
    return max(value, value / omega)


def _alike(circuit: Circuit) -> list[list[Branch]]:
    """Return the groups of blocks p(R,CPE) or p(R,C) of one form that stand in series."""
    groups: dict[tuple[str, ...], list[Branch]] = {}
    for part in circuit.root.parts:
        if isinstance(part, Branch):
            form = tuple(leaf.kind for leaf in leaves(part))
            if sorted(form) in (["CPE", "R"], ["C", "R"]):
                groups.setdefault(form, []).append(part)
    return [blocks for blocks in groups.values() if len(blocks) > 1]


def _places(circuit: Circuit, block: Branch) -> list[int]:
    names = {leaf.name for leaf in leaves(block)}
    return [index for index, p in enumerate(circuit.parameters) if p.name.split("_")[0] in names]
