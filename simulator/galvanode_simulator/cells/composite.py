"""Li | solid electrolyte | composite of electrolyte and carbon, for linear sweep voltammetry.

    --- R_s ---+--- C ---+--- lithium (0 V)
               \\-- i_ox, i_red --/

The electrolyte in the composite reacts at the carbon, once and for all. Its sites react each at its own
potential, with D(e) coulombs per volt; what a slow sweep shows is D. Kinetics are those of Butler and Volmer far
from equilibrium: sites at the front of the reaction, x, react at a rate that rises e-fold every ``kinetic_width``:

    dx/dt = v0 exp((E - x) / b)        i = D(x) dx/dt

At a constant potential that is Elovich's law, i ~ 1/t; in a sweep at v the front follows E at a distance of
b ln(v / v0), and the current is D times the sweep rate. ``v0`` is ``reference_rate``, at which waves stand where
their parameters say: a wave that rises from its onset is a straight line, blurred at both ends, so that the
tangent at its steepest point meets the baseline at the onset itself (at another rate b ln(v / v0) further on).

Within the window, where nothing reacts, time passes in closed form. A reaction through R_s into C does not have
one: it is integrated with an error of 1e-7 V per step (Rosenbrock method RODAS3, order 3, L-stable).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from pydantic import Field

from galvanode.units import (
    AmpsPerSquareMetre,
    FaradsPerSquareMetre,
    Fraction,
    JoulesPerMole,
    Metres,
    OhmSquareMetres,
    SiemensPerMetre,
    SquareMetres,
    Volts,
    VoltsPerSecond,
)
from galvanode_simulator.cells.base import (
    REFERENCE_K,
    CellParameters,
    angular,
    arrhenius,
    resistivity_factor,
)

_TEMPERATURE_RESOLUTION_K = 0.005
_TOLERANCE_V = 1e-7
_ASLEEP = 40.0
"""Kinetic widths before the front at which a reaction is exactly nothing: exp(-40) of its rate."""
_FIRST_STEP = 0.05
"""Of the time in which the double layer is charged: where the source has changed, the integration begins with it."""
_STEEPEST = 300.0
"""Kinetic widths beyond the front, where a reaction is as fast as it can be: exp(300) is still a number."""
_FOOT = 5.0
"""Standard deviations before an onset at which there are no sites at all."""
_SQRT_2 = math.sqrt(2.0)
_SQRT_2_PI = math.sqrt(2.0 * math.pi)


class CompositeParameters(CellParameters):
    """Cell for voltammetry at 25 degC; potentials vs Li+/Li. Defaults are those of ``lzc-n15-composite``.

    Heights of waves are current densities in a sweep at ``reference_rate``; zero leaves a wave out.
    """

    area: SquareMetres = Field(default=0.785e-4, gt=0)
    """Electrode area; 10 mm diameter."""
    thickness: Metres = Field(default=0.8e-3, gt=0)
    """Thickness of the electrolyte."""
    conductivity: SiemensPerMetre = Field(default=0.150, gt=0)
    conductivity_activation_energy: JoulesPerMole = Field(default=23.54e3, ge=0, le=300e3)
    """Of sigma T."""
    interface_resistance: OhmSquareMetres = Field(default=20e-4, ge=0)
    """In series with the electrolyte: lithium side and contacts."""
    interface_activation_energy: JoulesPerMole = Field(default=30e3, ge=0, le=300e3)
    double_layer_capacitance: FaradsPerSquareMetre = Field(default=5.0, gt=0)
    """Of the carbon in the composite; 0.5 mF/cm2 of cell."""
    open_circuit_potential: Volts = Field(default=2.6, ge=0, le=6)
    """Of the fresh cell."""

    reference_rate: VoltsPerSecond = Field(default=0.3e-3, gt=0)
    """Sweep rate at which waves stand where their parameters say."""
    kinetic_width: Volts = Field(default=5.5e-3, ge=1e-3, le=0.1)
    """b: the current of a site rises e-fold; waves move by b ln 10 = 13 mV with every decade of sweep rate."""
    kinetic_activation_energy: JoulesPerMole = Field(default=50e3, ge=0, le=300e3)
    blur: Volts = Field(default=0.015, ge=1e-3, le=0.2)
    """Standard deviation by which the foot of a rising wave is blurred."""

    oxidation_onset: Volts = Field(default=4.08, ge=0, le=6)
    """Where the tangent at the steepest point of the first oxidation wave meets the baseline."""
    oxidation_rise: Volts = Field(default=0.2, gt=0, le=3)
    """From the onset to the plateau."""
    oxidation_height: AmpsPerSquareMetre = Field(default=2.5, ge=0)
    late_oxidation_onset: Volts = Field(default=4.55, ge=0, le=7)
    late_oxidation_rise: Volts = Field(default=0.4, gt=0, le=3)
    late_oxidation_height: AmpsPerSquareMetre = Field(default=0.5, ge=0)
    oxidation_peak_potential: Volts = Field(default=3.6, ge=0, le=6)
    oxidation_peak_width: Volts = Field(default=0.06, gt=0, le=1)
    """Standard deviation of a Gaussian."""
    oxidation_peak_height: AmpsPerSquareMetre = Field(default=0.1, ge=0)

    reduction_onset: Volts = Field(default=1.69, ge=0, le=6)
    reduction_rise: Volts = Field(default=0.2, gt=0, le=3)
    reduction_height: AmpsPerSquareMetre = Field(default=2.5, ge=0)
    reduction_peak_potential: Volts = Field(default=0.89, ge=0, le=6)
    reduction_peak_width: Volts = Field(default=0.15, gt=0, le=1)
    reduction_peak_height: AmpsPerSquareMetre = Field(default=1.5, ge=0)

    spread: Fraction = Field(default=0.0, ge=0, lt=0.5)
    """Scatter of the amount that reacts between cells, rms, by the cell's seed."""

    def tangent_onsets(self, sweep_rate: float) -> tuple[float, float]:
        """Return where reduction and oxidation begin in a sweep (V/s) at 25 degC, by tangent, without I R, V."""
        further = self.kinetic_width * math.log(sweep_rate / self.reference_rate)
        return self.reduction_onset - further, self.oxidation_onset + further


class _Sites:
    """Charge per volt along one direction: ``u`` is the potential for oxidation, minus it for reduction."""

    def __init__(self) -> None:
        self.foot = math.inf
        """Below it there are no sites."""
        self._rises: list[tuple[float, float, float]] = []
        self._peaks: list[tuple[float, float, float]] = []

    def rise(self, onset: float, width: float, blur: float, height: float) -> None:
        """Add a ramp from ``onset`` to a plateau of ``height`` C/V."""
        if height > 0.0:
            self._rises += [(onset, blur, height / width), (onset + width, blur, -height / width)]
            self.foot = min(self.foot, onset - _FOOT * blur)

    def peak(self, centre: float, width: float, height: float) -> None:
        """Add a Gaussian of ``height`` C/V."""
        if height > 0.0:
            self._peaks.append((centre, width, height))
            self.foot = min(self.foot, centre - _FOOT * width)

    def density(self, u: float) -> tuple[float, float]:
        """Return sites (C/V) and their slope (C/V2) at ``u``."""
        sites = slope = 0.0
        for onset, blur, steepness in self._rises:
            z = (u - onset) / blur
            if z < -6.0:
                continue
            if z > 6.0:
                sites += steepness * (u - onset)
                slope += steepness
                continue
            below = 0.5 * (1.0 + math.erf(z / _SQRT_2))
            sites += steepness * blur * (z * below + math.exp(-0.5 * z * z) / _SQRT_2_PI)
            slope += steepness * below
        for centre, width, height in self._peaks:
            z = (u - centre) / width
            if -8.0 < z < 8.0:
                value = height * math.exp(-0.5 * z * z)
                sites += value
                slope -= value * z / width
        return sites, slope


class CompositeCell:
    """State of the cell: potential of the composite, and how far oxidation and reduction have come."""

    def __init__(self, parameters: CompositeParameters, seed: int | str = 0) -> None:
        self.parameters = p = parameters
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None
        self.voltage_noise = p.voltage_noise
        scatter = random.Random(f"cell {seed}").gauss(0.0, 1.0)
        amount = math.exp(p.spread * max(-4.0, min(4.0, scatter))) * p.area / p.reference_rate
        oxidation, reduction = _Sites(), _Sites()
        oxidation.rise(p.oxidation_onset, p.oxidation_rise, p.blur, amount * p.oxidation_height)
        oxidation.rise(p.late_oxidation_onset, p.late_oxidation_rise, p.blur, amount * p.late_oxidation_height)
        oxidation.peak(p.oxidation_peak_potential, p.oxidation_peak_width, amount * p.oxidation_peak_height)
        reduction.rise(-p.reduction_onset, p.reduction_rise, p.blur, amount * p.reduction_height)
        reduction.peak(-p.reduction_peak_potential, p.reduction_peak_width, amount * p.reduction_peak_height)
        self._sites = (oxidation, reduction)
        self._capacitance = p.double_layer_capacitance * p.area
        self.potential = p.open_circuit_potential
        """Of the composite vs Li+/Li, V."""
        self.fronts = (oxidation.foot, reduction.foot)
        """Sites below have reacted: potential for oxidation, minus the potential for reduction, V."""
        self._step = 1e-3
        self._source = (0.0, 0.0)
        self._temperature = math.nan
        self._series = self._speed = 0.0
        self.set_temperature(REFERENCE_K)

    def set_temperature(self, kelvin: float) -> None:
        """Arrhenius factors of the electrolyte (sigma T), the interface (R) and the reactions' rate."""
        if abs(kelvin - self._temperature) < _TEMPERATURE_RESOLUTION_K:
            return
        p = self.parameters
        self._temperature = kelvin
        bulk = resistivity_factor(p.conductivity_activation_energy, kelvin) * p.thickness / p.conductivity
        interface = arrhenius(p.interface_activation_energy, kelvin) * p.interface_resistance
        self._series = (bulk + interface) / p.area
        self._speed = p.reference_rate / arrhenius(p.kinetic_activation_energy, kelvin)

    # Time

    def hold_current(self, amps: float, duration: float) -> None:
        """Closed form within the window, integrated beyond."""
        self._pass(amps, 0.0, duration)

    def hold_voltage(self, volts: float, duration: float) -> float:
        """Closed form within the window, integrated beyond."""
        self._pass(volts / self._series, 1.0 / self._series, duration)
        return duration

    def _pass(self, amps: float, conductance: float, duration: float) -> None:
        """Let time pass behind a source of ``amps`` with ``conductance`` parallel to it."""
        if (amps, conductance) != self._source:
            self._source = (amps, conductance)
            self._step = min(self._step, _FIRST_STEP * self._series * self._capacitance)
        while duration > 0.0:
            active = self._awake(self.potential)
            if active is None:
                duration = self._drift(amps, conductance, duration)
            else:
                duration = self._react(active, amps, conductance, duration)

    def _awake(self, potential: float) -> int | None:
        """Which reaction (0 oxidation, 1 reduction) goes on at a potential."""
        reach = _ASLEEP * self.parameters.kinetic_width
        if potential > self.fronts[0] - reach:
            return 0
        if -potential > self.fronts[1] - reach:
            return 1
        return None

    def _drift(self, amps: float, conductance: float, duration: float) -> float:
        """Charge the double layer, until a reaction begins; return the seconds left."""
        start, c = self.potential, self._capacitance
        if conductance > 0.0:
            target, rate = amps / conductance, conductance / c
            end = target + (start - target) * math.exp(-rate * duration)
        else:
            target, rate = amps, 0.0
            end = start + amps / c * duration
        if self._awake(end) is None:
            self.potential = end
            return 0.0
        reach = _ASLEEP * self.parameters.kinetic_width
        edge = self.fronts[0] - reach if end > start else reach - self.fronts[1]
        if conductance > 0.0:
            # Target and start lie on either side of the edge.
            passed = math.log((start - target) / (edge - target)) / rate if edge != target else duration
        else:
            passed = (edge - start) * c / amps
        self.potential = math.nextafter(edge, end + (end - start))
        return duration - max(0.0, min(passed, duration))

    def _react(self, active: int, amps: float, conductance: float, duration: float) -> float:
        """Integrate potential and front together until the time is up or the reaction sleeps."""
        p, sites, c = self.parameters, self._sites[active], self._capacitance
        sign = 1.0 if active == 0 else -1.0
        b, speed = p.kinetic_width, self._speed
        source, leak = sign * amps / c, conductance / c
        sleep, reach = _ASLEEP * b, 0.5 * _ASLEEP * b
        u, x = sign * self.potential, self.fronts[active]
        density = sites.density
        exp = math.exp
        step = min(self._step, duration)
        f_u = f_x = d = slope = 0.0
        fresh = True
        while True:
            if fresh:
                d, slope = density(x)
                f_x = speed * exp(min(_STEEPEST, (u - x) / b))
                f_u = source - leak * u - d / c * f_x
                fresh = False
                if abs(f_u) * step > reach:  # not past the end of the reaction, towards the other one
                    step = reach / abs(f_u)
            # Jacobian of (u', x') and 1/(h gamma) - J, inverted; gamma = 1/2.
            k = f_x / b
            j_ux = d / c * k - slope / c * f_x
            diagonal = 2.0 / step
            m_uu, m_ux, m_xu, m_xx = diagonal + leak + d / c * k, -j_ux, -k, diagonal + k
            inverse = 1.0 / (m_uu * m_xx - m_ux * m_xu)
            h1 = 1.0 / step
            u1, x1 = inverse * (m_xx * f_u - m_ux * f_x), inverse * (m_uu * f_x - m_xu * f_u)
            r_u, r_x = f_u + 4.0 * h1 * u1, f_x + 4.0 * h1 * x1
            u2, x2 = inverse * (m_xx * r_u - m_ux * r_x), inverse * (m_uu * r_x - m_xu * r_u)
            y_u, y_x = u + 2.0 * u1, x + 2.0 * x1
            g_x = speed * exp(min(_STEEPEST, (y_u - y_x) / b))
            g_u = source - leak * y_u - density(y_x)[0] / c * g_x
            r_u, r_x = g_u + h1 * (u1 - u2), g_x + h1 * (x1 - x2)
            u3, x3 = inverse * (m_xx * r_u - m_ux * r_x), inverse * (m_uu * r_x - m_xu * r_u)
            y_u, y_x = y_u + u3, y_x + x3
            g_x = speed * exp(min(_STEEPEST, (y_u - y_x) / b))
            g_u = source - leak * y_u - density(y_x)[0] / c * g_x
            r_u = g_u + h1 * (u1 - u2 - 8.0 / 3.0 * u3)
            r_x = g_x + h1 * (x1 - x2 - 8.0 / 3.0 * x3)
            u4, x4 = inverse * (m_xx * r_u - m_ux * r_x), inverse * (m_uu * r_x - m_xu * r_u)
            error = max(abs(u4), abs(x4)) / _TOLERANCE_V
            factor = min(5.0, max(0.2, 0.85 * max(error, 1e-9) ** (-1.0 / 3.0)))
            if error > 1.0:
                step *= factor
                continue
            u, x = y_u + u4, y_x + x4
            duration -= step
            fresh = True
            last = step < self._step and duration <= 0.0
            if not last:
                self._step = step * factor
            if duration <= 1e-12 or u < x - sleep - b:
                break
            step = min(self._step, duration)
        self.potential = sign * u
        self.fronts = (x, self.fronts[1]) if active == 0 else (self.fronts[0], x)
        return max(0.0, duration)

    # Looks at the present instant

    def voltage(self, amps: float) -> float:
        """Composite's potential and ohmic drop."""
        return self.potential + amps * self._series

    def current(self, volts: float) -> float:
        """Through the series resistance."""
        return (volts - self.potential) / self._series

    def voltage_bound(self, amps: float) -> float:
        """Return what it is now at rest, and as far as a reaction still moves it; with a current nothing stops it."""
        if amps != 0.0:
            return math.inf
        asleep = self._awake(self.potential) is None
        return abs(self.potential) + (0.0 if asleep else (_ASLEEP + 2.0) * self.parameters.kinetic_width)

    def voltage_after(self, amps: float, duration: float) -> float:
        """Try it, look, and take it back."""
        kept = (self.potential, self.fronts, self._step, self._source)
        try:
            self.hold_current(amps, duration)
            return self.voltage(amps)
        finally:
            self.potential, self.fronts, self._step, self._source = kept

    def impedance(self, frequency_hz: float, amps: float = 0.0) -> complex:
        """Series resistance, double layer and, where it goes on, the reaction, linearised as it is now."""
        omega = angular(frequency_hz)
        admittance = 1j * omega * self._capacitance
        active = self._awake(self.potential)
        if active is not None:
            b = self.parameters.kinetic_width
            front = self.fronts[active]
            sites, slope = self._sites[active].density(front)
            lead = self.potential - front if active == 0 else -self.potential - front
            speed = self._speed * math.exp(lead / b)
            rate = speed / b
            follows = rate / (1j * omega + rate)
            admittance += sites * rate * (1.0 - follows) + slope * speed * follows
        return self.parameters.at_terminals(self._series + 1.0 / admittance, frequency_hz)
