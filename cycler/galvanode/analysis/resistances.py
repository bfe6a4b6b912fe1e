"""What the resistances of a fitted spectrum belong to: the electrolyte or its interfaces, told by capacitance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from galvanode.analysis.circuit import Branch, Leaf, leaves, parse_circuit
from galvanode.analysis.circuit_fit import Fit, fit_circuit, student
from galvanode.analysis.kramers_kronig import KramersKronig, kramers_kronig
from galvanode.analysis.model import RunData
from galvanode.analysis.spectra import Spectrum, some_spectra

CANDIDATES = (
    "R0",
    "R0-CPE1",
    "R0-p(R1,CPE1)",
    "p(R1,CPE1)-CPE2",
    "R0-p(R1,CPE1)-CPE2",
    "R0-p(R1,CPE1)-p(R2,CPE2)",
    "R0-p(R1,CPE1)-p(R2,CPE2)-CPE3",
    "R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)",
)
"""Circuits that are tried in turn where none is given."""

_BULK_F_PER_M = 1e-9
"""C L/A of an arc below it is the bulk's (1e-12 F/cm), above a grain boundary's (1e-11 to 1e-8 F/cm)."""

_INTERFACE_F_PER_M2 = 1e-3
"""C/A of an arc from here on is an interface's with an electrode (1e-7 to 1e-5 F/cm2)."""

_SLOW_F_PER_M2 = 1.0
"""C/A of an arc from here on is of something slower than an interface (1e-4 F/cm2): a reaction, diffusion."""

_USUAL_AREA_M2 = 1e-4
"""Taken for this distinction where the area is not known; it is one of powers of ten."""

_BETTER = 10.0
"""A larger circuit must improve the information criterion by that much (Kass and Raftery 1995: very strong)."""

_MUST_BE_KNOWN = 0.5
"""Relative standard error of a resistance: with more, the circuit is too large for the data."""

_NEGLIGIBLE = 1e-3

Kind = Literal["series", "bulk", "grain boundary", "interface", "slow"]


@dataclass(frozen=True)
class Resistance:
    """One resistance of a fitted circuit."""

    name: str
    value: float
    """ohm."""
    kind: Kind
    capacitance: float | None
    """F, of its arc: R^(1/n-1) Q^(1/n) (Hsu and Mansfeld, Corrosion 2001, 57, 747)."""


@dataclass(frozen=True)
class Fitted:
    """A spectrum with its circuit."""

    spectrum: Spectrum
    fit: Fit
    consistency: KramersKronig
    resistances: tuple[Resistance, ...]

    def names(self, *kinds: Kind) -> list[str]:
        """Return the resistances of some kinds; those too small to be seen are left out."""
        chosen = [each for each in self.resistances if each.kind in kinds]
        total = sum(each.value for each in chosen)
        return [each.name for each in chosen if each.value > _NEGLIGIBLE * total or len(chosen) == 1]

    def describes(self) -> bool:
        """Return whether the circuit leaves nothing but noise."""
        systematic, ratio = self.fit.systematic
        limit = 2.0 - 4.0 / np.sqrt(2.0 * len(self.spectrum.frequency))
        allowed = 0.005 if self.consistency.verdict != "violated" else self.consistency.systematic + 0.005
        return not (systematic > allowed and ratio < limit)

    def sum_with_interval(self, names: Sequence[str]) -> tuple[float, float, float, float]:
        """Return a sum of resistances, its relative standard error and its 95 % interval, ohm."""
        value, error = self.fit.sum_of(names)
        relative = error / value if value > 0 else np.inf
        width = student(self.fit.freedom) * relative
        if not np.isfinite(width) or width > 20.0:
            return value, relative, 0.0, np.inf
        return value, relative, value * float(np.exp(-width)), value * float(np.exp(width))


def fitted_spectra(data: RunData) -> list[Fitted]:
    """Return all spectra of a run, tested and fitted, in their order.

    With the circuit of the run if it has one; else with the smallest of ``CANDIDATES`` that a larger one does
    not clearly better (Bayesian information criterion), kept from one spectrum to the next where it holds.
    Raises ``InvalidInput`` if there is no spectrum, for data that are no numbers and for a circuit that cannot
    be read.
    """
    return data.once("fitted spectra", lambda: _all(data))


def _all(data: RunData) -> list[Fitted]:
    found: list[Fitted] = []
    given = None if data.circuit is None else parse_circuit(data.circuit)
    for spectrum in some_spectra(data):
        if given is None:
            fit = best_fit(spectrum, found[-1].fit if found else None)
        else:
            fit = fit_circuit(given, spectrum.frequency, spectrum.impedance)
        consistency = kramers_kronig(spectrum.frequency, spectrum.impedance)
        found.append(Fitted(spectrum, fit, consistency, _told_apart(fit, data)))
    return found


def best_fit(spectrum: Spectrum, before: Fit | None = None) -> Fit:
    """Return the fit with the smallest circuit that describes a spectrum of a blocking or a symmetric cell.

    The circuit of the spectrum ``before`` is kept as long as it leaves only noise and the data tell all its
    resistances: from one temperature, or one cycle, to the next the same circuit should hold.
    """
    if before is not None and len(spectrum.frequency) >= len(before.values):
        again = fit_circuit(before.circuit, spectrum.frequency, spectrum.impedance, start=before.values)
        if again.is_white and _known(again):
            return again
    fastest = spectrum.impedance[np.argsort(-spectrum.frequency)[:3]]
    lead = "L0-" if (fastest.imag > 0.01 * np.abs(fastest)).all() else ""
    best = fit_circuit(lead + CANDIDATES[0], spectrum.frequency, spectrum.impedance, rounds=1)
    for text in CANDIDATES[1:]:
        circuit = parse_circuit(lead + text)
        if len(spectrum.frequency) < len(circuit.parameters):
            break
        fit = fit_circuit(circuit, spectrum.frequency, spectrum.impedance, rounds=1)
        if fit.bic < best.bic - _BETTER and _known(fit):
            best = fit
        elif best.is_white:
            break  # there was only noise left to describe
    return best


def _known(fit: Fit) -> bool:
    """Return whether every resistance that matters is told by the data."""
    resistors = [leaf for leaf in leaves(fit.circuit.root) if leaf.kind == "R"]
    seen = _NEGLIGIBLE * float(np.abs(fit.impedance).min())
    return all(fit.errors[leaf.first] < _MUST_BE_KNOWN or fit.value(leaf.name) < seen for leaf in resistors)


def _told_apart(fit: Fit, data: RunData) -> tuple[Resistance, ...]:
    found: list[Resistance] = []
    for part in fit.circuit.root.parts:
        if isinstance(part, Leaf):
            if part.kind == "R":
                found.append(Resistance(part.name, fit.value(part.name), "series", None))
            continue
        resistor = next((leaf for leaf in leaves(part) if leaf.kind == "R"), None)
        if resistor is not None:
            capacitance = _capacitance(fit, part, resistor)
            found.append(Resistance(resistor.name, fit.value(resistor.name), _kind(capacitance, data), capacitance))
    if not _is_blocking(fit):
        return tuple(found)
    # Ions pass no blocking electrode: every arc is the electrolyte's, but the one that the electrodes make
    # together with a leakage, where the circuit has no tail for them.
    arcs = sorted((each for each in found if each.capacitance is not None), key=_time_constant)
    electrodes = arcs[-1] if arcs and not _has_tail(fit) and arcs[-1].kind in ("interface", "slow") else None
    return tuple(_of_blocking(each, electrodes) for each in found)


def _of_blocking(each: Resistance, electrodes: Resistance | None) -> Resistance:
    if each is electrodes or each.kind in ("series", "bulk"):
        return each
    return replace(each, kind="grain boundary")


def _is_blocking(fit: Fit) -> bool:
    """Return whether the cell is rather a capacitor than a resistor at the lowest frequency."""
    slowest = fit.impedance[np.argmin(fit.frequency)]
    return bool(-slowest.imag > slowest.real)


def _has_tail(fit: Fit) -> bool:
    return any(isinstance(part, Leaf) and part.kind not in ("R", "L") for part in fit.circuit.root.parts)


def _time_constant(each: Resistance) -> float:
    return each.value * (each.capacitance or 0.0)


def _capacitance(fit: Fit, block: Branch, resistor: Leaf) -> float | None:
    for leaf in leaves(block):
        if leaf.kind == "C":
            return float(fit.values[leaf.first])
        if leaf.kind == "CPE":
            q, n = float(fit.values[leaf.first]), float(fit.values[leaf.first + 1])
            return q ** (1.0 / n) * fit.value(resistor.name) ** (1.0 / n - 1.0)
    return None


def _kind(capacitance: float | None, data: RunData) -> Kind:
    """Return what an arc of that capacitance is (Irvine, Sinclair and West, Adv. Mater. 1990, 2, 132)."""
    if capacitance is None:
        return "interface"
    area = _USUAL_AREA_M2 if data.area_m2 is None else data.area_m2
    if capacitance >= _SLOW_F_PER_M2 * area:
        return "slow"
    if capacitance >= _INTERFACE_F_PER_M2 * area:
        return "interface"
    if data.thickness_m is None:
        return "grain boundary"
    return "bulk" if capacitance * data.thickness_m / area < _BULK_F_PER_M else "grain boundary"
