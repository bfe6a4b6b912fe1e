"""Impedance spectra of a run, taken from its samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from galvanode.analysis.circuit import Complexes
from galvanode.analysis.kramers_kronig import check_spectrum
from galvanode.analysis.model import (
    FREQUENCY,
    IMAGINARY_IMPEDANCE,
    REAL_IMPEDANCE,
    STEP,
    TEMPERATURE,
    TEST_TIME,
    Floats,
    RunData,
)
from galvanode.errors import InvalidInput

ZERO_CELSIUS = 273.15

MIN_POINTS = 5
"""A spectrum of fewer was broken off."""


@dataclass(frozen=True)
class Spectrum:
    """One spectrum, in the order in which it was measured."""

    frequency: Floats
    """Hz."""
    impedance: Complexes
    """ohm; a capacitor's imaginary part is negative."""
    step_count: int
    started_s: float
    """Test time of its first point."""
    temperature_k: float | None
    """Mean over its points."""
    temperature_span_k: float
    """Highest less lowest; 0 if unknown."""

    @property
    def label(self) -> str:
        """What tells it from others."""
        if self.temperature_k is None:
            return f"{self.started_s / 3600:.3g} h"
        return f"{self.temperature_k - ZERO_CELSIUS:.1f} °C, {self.started_s / 3600:.3g} h"


def spectra(data: RunData) -> list[Spectrum]:
    """Return the spectra of a run in their order.

    A spectrum is what one step measured: the mean of its complete passes over the frequencies, of which there are
    several where the recipe says ``averages`` or where the step was repeated after an interruption.
    Raises ``InvalidInput`` if a point is no number, a frequency not above 0 or |Z| 0.
    """
    return data.once("spectra", lambda: _found(data))


def some_spectra(data: RunData) -> list[Spectrum]:
    """Return the spectra of a run; raise ``InvalidInput`` if there are none."""
    found = spectra(data)
    if not found:
        raise InvalidInput(
            f"the run has no impedance spectrum of {MIN_POINTS} points or more; its recipe needs an 'impedance' step"
        )
    return found


def _found(data: RunData) -> list[Spectrum]:
    frequency = data.nullable(FREQUENCY)
    rows = np.flatnonzero(~np.isnan(frequency))
    if not len(rows):
        return []
    frequency, impedance = frequency[rows], np.empty(len(rows), dtype=np.complex128)
    impedance.real, impedance.imag = data.nullable(REAL_IMPEDANCE)[rows], data.nullable(IMAGINARY_IMPEDANCE)[rows]
    check_spectrum(frequency, impedance)
    time, step = data.column(TEST_TIME)[rows], data.column(STEP)[rows].astype(np.int64)
    temperature = data.nullable(TEMPERATURE)[rows]
    passes: dict[int, list[Spectrum]] = {}
    for begin, end in pairwise(_edges(frequency, step)):
        if end - begin < MIN_POINTS:
            continue
        kelvin = temperature[begin:end] + ZERO_CELSIUS
        kelvin = kelvin[np.isfinite(kelvin)]
        spectrum = Spectrum(
            frequency[begin:end],
            impedance[begin:end],
            int(step[begin]),
            float(time[begin]),
            float(kelvin.mean()) if len(kelvin) else None,
            float(np.ptp(kelvin)) if len(kelvin) else 0.0,
        )
        passes.setdefault(spectrum.step_count, []).append(spectrum)
    return sorted((_mean(each) for each in passes.values()), key=lambda spectrum: spectrum.started_s)


def _mean(passes: list[Spectrum]) -> Spectrum:
    """Return the mean of the passes that are complete, at the frequencies of the last of them."""
    longest = max(len(each.frequency) for each in passes)
    last = [each for each in passes if len(each.frequency) == longest][-1]
    alike = [
        each
        for each in passes
        if len(each.frequency) == longest and np.allclose(each.frequency, last.frequency, rtol=1e-3, atol=0.0)
    ]
    if len(alike) == 1:
        return last
    kelvin = [each.temperature_k for each in alike if each.temperature_k is not None]
    return replace(
        last,
        impedance=np.mean([each.impedance for each in alike], axis=0),
        started_s=alike[0].started_s,
        temperature_k=float(np.mean(kelvin)) if kelvin else None,
        temperature_span_k=max(each.temperature_span_k for each in alike),
    )


def _edges(frequency: Floats, step: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> list[int]:
    """Return where spectra begin: with a new step, and where the frequency jumps back to where it began."""
    edges = [0]
    direction = 0.0
    for index in range(1, len(frequency)):
        change = float(np.sign(frequency[index] - frequency[index - 1]))
        if step[index] != step[index - 1] or (change * direction < 0):
            edges.append(index)
            direction = 0.0
        elif direction == 0.0:
            direction = change
    return [*edges, len(frequency)]
