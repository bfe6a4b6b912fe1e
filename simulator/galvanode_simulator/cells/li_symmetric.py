"""Symmetric Li | solid electrolyte | Li cell: bulk, interfaces, polarisation and shorts.

    I --- R_s(t) ---[ interfaces: R_1, tau_1 ]---[ polarisation: R_2(i), tau_2 ]---
      \\---------------------------- R_short -----------------------------------/

Both electrodes are the same, so their two interfaces in series are one RC element of twice the
resistance. ``R_s`` holds the electrolyte's bulk and whatever grows over the cell's life. Everything is
closed form for a constant current: an exact exponential per element, whatever the interval. A held
voltage, and a current shared with a short, couple the two elements through ``R_s``: that is a linear system
of two states, solved through its matrix exponential.

Grain boundaries, and interfaces with a constant phase element, are ladders of RC elements beside ``v1``: exact
at a constant current, settled resistances (all are faster than milliseconds) where the voltage is held.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

from galvanode_simulator.cells.base import GAS_CONSTANT, REFERENCE_K, angular, constant_phase_arc
from galvanode_simulator.cells.ladder import arc
from galvanode_simulator.cells.parameters import LiSymmetricParameters

_SECONDS_PER_HOUR = 3600.0
_ONSET_MARGIN = 1.01
"""The short grows above 1.01 CCD: below any ladder's next step, above an instrument's gain error."""
_TEMPERATURE_RESOLUTION_K = 0.005
"""Resistances are computed anew when the temperature moved by this much: 0.02 % at 30 kJ/mol."""
_GROWTH_OF_SUBSTEP = 1.5
_FASTEST_RC_S = 1e-9
"""An interface without resistance still has a time constant to divide by."""


class LiSymmetricCell:
    """The cell's state under a held current or voltage. ``seed`` decides its scatter and its dips."""

    def __init__(self, parameters: LiSymmetricParameters, seed: int | str = 0) -> None:
        self.parameters = p = parameters
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None
        self.voltage_noise = p.voltage_noise
        scatter = random.Random(f"cell {seed}")
        self._dip_seed = scatter.getrandbits(32)
        self._short_delay = p.short_delay * scatter.uniform(0.5, 1.5)
        self._life = p.life * (1.0 + p.life_spread * scatter.uniform(-1.0, 1.0))
        self._inverse_area = 1.0 / p.area
        self._onset = _ONSET_MARGIN * p.critical_current_density
        self._rate_1 = 0.0
        self._rate_2 = 1.0 / p.polarisation_time_constant
        self._grows = p.interface_growth > 0 or p.creep_per_hour > 0 or p.formation_rise > 0

        self.v1 = 0.0
        """Overvoltage of both interfaces, V."""
        self.v2 = 0.0
        """Slow polarisation, V."""
        self.age = 0.0
        """s since the cell was connected."""
        self.charge = 0.0
        """Cumulative areal charge of either sign, C/m^2."""
        self.damage = 0.0
        """Part of the way to the short, 0 to 1."""
        self.short: str | None = None
        """``"hard"``, ``"soft"`` or None."""
        self.short_resistance = math.inf
        """ohm, parallel to the electrolyte."""
        self._shorted_at = math.inf

        self._temperature = math.nan
        self._silent = False
        self._amps = math.nan
        self._grown_at = (math.nan, math.nan)
        self._r_series = 0.0
        self._target_1 = self._target_2 = self._density = self._damage_rate = 0.0
        self._r_bulk = self._r1 = self._r2 = 0.0
        self._r_boundary = self._r_interface = self._r_arcs = 0.0
        self._arcs: list[tuple[float, float]] = []
        """Resistance (ohm) and relaxation rate (1/s) of each element of the arcs."""
        self._arc_volts: list[float] = []
        self._v_arcs = 0.0
        """Sum over the arcs, V."""
        self.set_temperature(REFERENCE_K)

    # Parameters at the present temperature and age

    def set_temperature(self, kelvin: float) -> None:
        """Arrhenius factors of bulk (sigma T) and interface (R)."""
        if abs(kelvin - self._temperature) < _TEMPERATURE_RESOLUTION_K:
            return
        p = self.parameters
        self._temperature = kelvin
        inverse = (1.0 / kelvin - 1.0 / REFERENCE_K) / GAS_CONSTANT
        bulk = kelvin / REFERENCE_K * math.exp(p.conductivity_activation_energy * inverse)
        self._interface_factor = math.exp(p.interface_activation_energy * inverse)
        self._r_bulk = bulk * p.thickness / (p.conductivity * p.area)
        self._r1 = self._interface_factor * 2.0 * p.interface_resistance / p.area
        self._rate_1 = 1.0 / max(
            self._interface_factor * p.interface_resistance * p.interface_capacitance, _FASTEST_RC_S
        )
        self._r2 = self._interface_factor * p.polarisation_resistance / p.area
        self._r_interface = self._r1
        if p.interface_exponent < 1.0 or p.grain_boundary_resistance > 0.0:
            self._set_arcs(bulk)
        self._amps = math.nan  # its targets are no longer valid
        self._grown_at = (math.nan, math.nan)

    def _set_arcs(self, factor: float) -> None:
        """Elements of grain boundaries and of interfaces with a constant phase element."""
        p = self.parameters
        self._r_boundary = factor * p.grain_boundary_resistance / p.area
        time = factor * p.grain_boundary_resistance * p.grain_boundary_capacitance
        kinds = [(self._r_boundary, time, p.grain_boundary_exponent)]
        if p.interface_exponent < 1.0:
            kinds.append((self._r1, 1.0 / self._rate_1, p.interface_exponent))
            self._r1 = 0.0
        self._arcs = []
        for resistance, time, exponent in kinds:
            if resistance > 0.0:
                shares, capacitances = arc(exponent)
                rates = 1.0 / (shares * capacitances * max(time, _FASTEST_RC_S))
                self._arcs += zip((shares * resistance).tolist(), rates.tolist(), strict=True)
        self._r_arcs = sum(resistance for resistance, _ in self._arcs)
        self._arc_volts = self._arc_volts or [0.0] * len(self._arcs)

    def _pass_arcs(self, amps: float, duration: float) -> None:
        """Exact for any duration at a constant current."""
        volts: list[float] = []
        for (resistance, rate), now in zip(self._arcs, self._arc_volts, strict=True):
            target = amps * resistance
            x = duration * rate
            volts.append(target + (now - target) * math.exp(-x) if x < 700.0 else target)
        self._arc_volts = volts
        self._v_arcs = sum(volts)

    def _settle_arcs(self, amps: float) -> None:
        self._arc_volts = [amps * resistance for resistance, _ in self._arcs]
        self._v_arcs = amps * self._r_arcs

    def series_resistance(self) -> float:
        """Bulk and what has grown so far, ohm."""
        if not self._grows:
            return self._r_bulk
        if self._grown_at == (self.age, self.charge):
            return self._r_series
        p = self.parameters
        grown = 0.0
        if p.interface_growth > 0:
            grown += 2.0 * p.interface_growth * (self.charge / p.growth_charge) ** p.growth_exponent
        if p.creep_per_hour > 0:
            grown += p.creep_per_hour * self.age / _SECONDS_PER_HOUR
        if p.formation_rise > 0:
            x = self.age / p.formation_time
            grown += p.formation_rise * x * math.exp(1.0 - x)
        self._grown_at = (self.age, self.charge)
        self._r_series = self._r_bulk + self._interface_factor * grown * self._inverse_area
        return self._r_series

    def _slow_resistance(self, amps: float) -> float:
        """Resistance of the slow element at this current, ohm: asinh(x)/x of its value at small currents."""
        x = abs(amps) * self._inverse_area / self.parameters.polarisation_scale
        return self._r2 * (math.asinh(x) / x if x > 1e-6 else 1.0)

    def damage_rate(self, density: float) -> float:
        """Return the part of the cell's life that a second at ``density`` (A/m^2) takes, 1/s.

        Palmgren-Miner: life falls as L(i) = L0 / (1 + (i/i_life)^p); above the critical current density a
        filament crosses within ``short_delay``.
        """
        if density == 0.0:
            return 0.0
        p = self.parameters
        rate = (1.0 + (density / p.life_scale) ** p.life_exponent) / self._life
        if density > self._onset:
            rate += 1.0 / self._short_delay
        return rate

    # Time

    def hold_current(self, amps: float, duration: float) -> None:
        """Exact for any duration; a short begins at its own instant inside it."""
        if duration <= 0.0:
            return
        if self.short is not None:
            short = self.short_resistance
            for substep in self._substeps(duration):
                self._relax(amps * short, self.series_resistance() + self._r_arcs + short, substep)
                self.age += substep
            if self._arcs:
                through = amps * short - self.v1 - self.v2
                self._settle_arcs(through / (self.series_resistance() + self._r_arcs + short))
            self._look_of_the_short(amps)
            return
        if amps != self._amps:
            self._amps = amps
            self._density = abs(amps) * self._inverse_area
            self._target_1 = amps * self._r1
            self._target_2 = amps * self._slow_resistance(amps)
            self._damage_rate = self.damage_rate(self._density)
        damage = self.damage + self._damage_rate * duration
        if damage < 1.0:
            self.damage = damage
            self._pass(duration)
            return
        before = min(duration, max(0.0, (1.0 - self.damage) / self._damage_rate))
        self.damage = 1.0
        self._pass(before)
        self._begin_short(duration - before)
        self.hold_current(amps, duration - before)

    def _pass(self, duration: float) -> None:
        target = self._target_1
        x = duration * self._rate_1
        self.v1 = target + (self.v1 - target) * math.exp(-x) if x < 700.0 else target
        target = self._target_2
        self.v2 = target + (self.v2 - target) * math.exp(-duration * self._rate_2)
        if self._arcs:
            self._pass_arcs(self._amps, duration)
        self.age += duration
        self.charge += self._density * duration

    def hold_voltage(self, volts: float, duration: float) -> float:
        """Exact while the slow element's resistance stays; in geometric substeps as it changes."""
        passed = 0.0
        for substep in self._substeps(duration):
            mean = abs(self._relax(volts, self.series_resistance() + self._r_arcs, substep)) * self._inverse_area
            self.age += substep
            self.charge += mean * substep
            passed += substep
            if self._arcs:
                series = self.series_resistance() + self._r_arcs
                self._settle_arcs((volts - self.v1 - self.v2) / series)
            if self.short is None:
                self.damage += self.damage_rate(mean) * substep
                if self.damage >= 1.0:
                    self._begin_short(0.0)
                    return passed
        if self.short is not None:
            self._look_of_the_short(self.current(volts))
        return duration

    def _substeps(self, duration: float) -> Iterator[float]:
        """Parts of an interval in which the slow element's resistance may be taken as constant."""
        linear = self._r2 == 0.0 or math.isinf(self.parameters.polarisation_scale)
        part = duration if linear else self.parameters.polarisation_time_constant / 50.0
        while duration > part:
            yield part
            duration -= part
            part *= _GROWTH_OF_SUBSTEP
        yield duration

    def _relax(self, source: float, resistance: float, duration: float) -> float:
        """Both elements behind ``source`` volts and ``resistance`` ohm; return the mean current, A.

        x' = M x + b for x = (v1, v2), with the current (source - v1 - v2) / resistance. M has two real,
        negative eigenvalues s +- q: its off-diagonal elements have the same sign.
        """
        r1 = self._r1
        r2 = self._slow_resistance((source - self.v1 - self.v2) / resistance)
        a = -self._rate_1 * (1.0 + r1 / resistance)
        b = -self._rate_1 * r1 / resistance
        c = -self._rate_2 * r2 / resistance
        d = -self._rate_2 * (1.0 + r2 / resistance)
        steady = source / (resistance + r1 + r2)
        x1, x2 = self.v1 - steady * r1, self.v2 - steady * r2
        s, q = 0.5 * (a + d), math.sqrt(0.25 * (a - d) ** 2 + b * c)
        # s + q by way of the determinant: the two nearly cancel when the time constants are far apart.
        slow, fast = (a * d - b * c) / (s - q), s - q
        grow, decay = math.exp(slow * duration), math.exp(max(-700.0, fast * duration))
        cosh = 0.5 * (grow + decay)
        sinh_over_q = 0.5 * (grow - decay) / q if q > 0.0 else duration * grow
        y1 = cosh * x1 + sinh_over_q * ((a - s) * x1 + b * x2)
        y2 = cosh * x2 + sinh_over_q * (c * x1 + (d - s) * x2)
        # The integral of x over the interval is M^-1 (y - x).
        determinant = a * d - b * c
        area_1 = (d * (y1 - x1) - b * (y2 - x2)) / determinant
        area_2 = (a * (y2 - x2) - c * (y1 - x1)) / determinant
        self.v1, self.v2 = steady * r1 + y1, steady * r2 + y2
        return steady - (area_1 + area_2) / (resistance * duration)

    # Shorts

    def _begin_short(self, ago: float) -> None:
        p = self.parameters
        self.short = p.short
        self._shorted_at = self.age
        if p.short == "hard":
            self.short_resistance = p.short_resistance
        else:
            whole = self.series_resistance() + self._r1 + self._r2 + self._r_arcs
            self.short_resistance = whole * (1.0 - p.soft_short_share) / p.soft_short_share
        if self.on_event is not None and not self._silent:
            self.on_event(
                "short",
                {
                    "kind": p.short,
                    "ago_s": ago,
                    "cell_age_s": self.age,
                    "cumulative_charge_C_per_m2": self.charge,
                    "current_density_A_per_m2": self._density,
                },
            )

    def _look_of_the_short(self, amps: float) -> None:
        """A soft short is noisy: the cell's voltage noise follows its voltage."""
        if self.short == "soft":
            p = self.parameters
            self.voltage_noise = p.voltage_noise + p.soft_short_noise * abs(self.voltage(amps))

    def _dip(self) -> float:
        """Part of the voltage that a soft short leaves at this instant: 1, or less in a dip."""
        p = self.parameters
        window = int((self.age - self._shorted_at) / p.dip_interval)
        # One 64-bit mix (splitmix64) per window: the same at whatever instants one looks.
        z = (self._dip_seed + (window + 1) * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        chance, depth = (z >> 32) / 2**32, (z & 0xFFFFFFFF) / 2**32
        return 1.0 - p.dip_depth * depth if chance < p.dip_probability else 1.0

    # Looks at the present instant

    def voltage(self, amps: float) -> float:
        """V = I R_s + v1 + v2; with a short, the electrolyte carries the rest of the current."""
        if self.short is None:
            return amps * self.series_resistance() + self.v1 + self.v2 + self._v_arcs
        short = self.short_resistance
        through = (amps * short - self.v1 - self.v2 - self._v_arcs) / (self.series_resistance() + short)
        volts = (amps - through) * short
        return volts * self._dip() if self.short == "soft" else volts

    def current(self, volts: float) -> float:
        """I = (V - v1 - v2) / R_s, plus what the short takes."""
        if self.short is None:
            return (volts - self.v1 - self.v2 - self._v_arcs) / self.series_resistance()
        if self.short == "soft":
            volts /= self._dip()
        through = (volts - self.v1 - self.v2 - self._v_arcs) / self.series_resistance()
        return through + volts / self.short_resistance

    def voltage_bound(self, amps: float) -> float:
        """All resistances at their largest, plus what is charged now."""
        magnitude = abs(amps)
        r_s = self.series_resistance()
        # Growth within one interval is far below the 10 % allowed for it.
        stored = abs(self.v1) + abs(self.v2) + abs(self._v_arcs)
        return 1.1 * magnitude * (r_s + self._r1 + self._r2 + self._r_arcs) + stored

    def impedance(self, frequency_hz: float, amps: float = 0.0) -> complex:
        """Arcs of bulk, grain boundaries and interfaces, the slow polarisation; a short is parallel to all.

        What has grown over the cell's life belongs to the interfaces. Raises ``ValueError`` for no frequency.
        """
        p = self.parameters
        omega = angular(frequency_hz)
        bulk_time = self._r_bulk * p.area * p.bulk_capacitance
        z = self._r_bulk / (1.0 + 1j * omega * bulk_time)
        if self._r_boundary > 0.0:
            time = self._r_boundary * p.area * p.grain_boundary_capacitance
            z += constant_phase_arc(self._r_boundary, time, p.grain_boundary_exponent, omega)
        interface = self._r_interface + self.series_resistance() - self._r_bulk
        # Two equal interfaces in series: twice the resistance, half the capacitance.
        time = 0.5 * interface * p.area * p.interface_capacitance
        z += constant_phase_arc(interface, time, p.interface_exponent, omega)
        x = amps * self._inverse_area / p.polarisation_scale
        z += self._r2 / math.sqrt(1.0 + x * x) / (1.0 + 1j * omega * p.polarisation_time_constant)
        if self.short is not None:
            z = z * self.short_resistance / (z + self.short_resistance)
        return p.at_terminals(z, frequency_hz)

    def voltage_after(self, amps: float, duration: float) -> float:
        """Try it, look, and take it back."""
        kept = (self.v1, self.v2, self.age, self.charge, self.damage, self.short, self.short_resistance)
        rest = (self._shorted_at, self.voltage_noise, self._arc_volts, self._v_arcs)
        self._silent = True
        try:
            self.hold_current(amps, duration)
            return self.voltage(amps)
        finally:
            self._silent = False
            self.v1, self.v2, self.age, self.charge, self.damage, self.short, self.short_resistance = kept
            self._shorted_at, self.voltage_noise, self._arc_volts, self._v_arcs = rest
