"""Cathode | solid electrolyte | Li or Li-In: a battery, with its losses.

    V = U(x + e_1 + ... + e_5) - U_anode + v_ct + I R_s

``x`` is the part of the cathode's lithium that is out. ``e_k`` are the modes of diffusion in its particles (a
plate: relaxation times tau / k^2, all charged alike by the current): how far their surface is ahead of their
mean. ``v_ct`` is charge transfer, 2 RT/F asinh(i / 2 i_0), parallel to a double layer. At a constant current all
of them are exponentials or straight lines in time, whatever the interval.

Diffusion in a composite is not linear in the current: what a rate leaves unused is a parameter, ``lags`` at
``lag_rates``, and the relaxation time at that current follows from it.

Losses: the first charge to any depth consumes charge that never comes back; a part of every charge is lost to side
reactions; the capacity fades with the charge that passes, faster at high rate and high potential. Fading is
counted all the time and takes effect where a discharge ends and a charge begins.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

from galvanode_simulator.cells.base import (
    FARADAY,
    GAS_CONSTANT,
    REFERENCE_K,
    angular,
    arrhenius,
    resistivity_factor,
)
from galvanode_simulator.cells.full_cell_parameters import FullCellParameters
from galvanode_simulator.cells.open_circuit import CATHODES

_TEMPERATURE_RESOLUTION_K = 0.005
_MODES = 5
_WEIGHT = 1.0 / sum(1.0 / k**2 for k in range(1, _MODES + 1))
"""Part of the steady lag that the slowest mode holds."""
_CURRENT_TOLERANCE = 1e-12
_STEP_TOLERANCE = 2e-7
"""Of the state of charge, in one step of a held voltage."""
_SHORTEST_STEP_S = 1e-5
_MOST_STRESS = 100.0
"""So much at most does a rate multiply: a held voltage begins with a spike of current, not with the cell's end."""
_LEAST_CAPACITY = 1e-3
_SMALL_RATE = 1e-9
"""C-rate below which everything is linear, and quotients of small numbers are not taken."""


class FullCell:
    """State of a battery under a held current or voltage."""

    def __init__(self, parameters: FullCellParameters, seed: int | str = 0) -> None:
        self.parameters = p = parameters
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None
        self.voltage_noise = p.voltage_noise
        scatter = random.Random(f"cell {seed}").gauss(0.0, 1.0)
        self._curve = CATHODES[p.cathode]
        self._potential = self._curve.potential
        self._fresh = p.active_mass * p.specific_capacity * math.exp(p.spread * max(-4.0, min(4.0, scatter)))
        self._one_c = p.active_mass * p.rate_capacity / 3600.0
        self._knots = (0.0, *p.lag_rates)
        self._lags = (0.0, *p.lags)
        self._first_slope = p.lags[0] / p.lag_rates[0]
        self._stress_at = self._curve.inverse(p.stress_potential)

        self.capacity = self._fresh
        """Charge that all of the cathode's lithium would make now, C."""
        self.x = 0.0
        """Part of the lithium that is out of the cathode."""
        self.farthest = 0.0
        """The largest ``x`` so far."""
        self.cycles = 0.0
        """Full cycles so far, each counted by the stress it was."""
        self.v_ct = 0.0
        """Overvoltage of charge transfer, V."""
        self.lag = (0.0,) * _MODES
        """Of the particles' surface ahead of their mean, by mode, in units of ``x``."""
        self._ahead = 0.0
        self._direction = 0.0
        self._amps = math.nan
        self._segment = 0.0
        """Where ``x`` was when the present current began."""
        self._rate = 0.0
        self._step = 1.0

        self._temperature = math.nan
        self._series = self._thermal = self._exchange = self._slowness = self._capacitance = 0.0
        self._target_ct = self._rate_ct = self._target_lag = self._rate_lag = 0.0
        self.set_temperature(REFERENCE_K)

    # Parameters at the present temperature and current

    def set_temperature(self, kelvin: float) -> None:
        """Arrhenius factors of electrolyte (sigma T), interface (R), charge transfer and diffusion."""
        if abs(kelvin - self._temperature) < _TEMPERATURE_RESOLUTION_K:
            return
        p = self.parameters
        if self._temperature == self._temperature:
            self._count_stress()
        self._temperature = kelvin
        bulk = resistivity_factor(p.conductivity_activation_energy, kelvin) * p.thickness / p.conductivity
        interface = arrhenius(p.interface_activation_energy, kelvin) * p.interface_resistance
        self._series = (bulk + interface) / p.area
        self._thermal = 2.0 * GAS_CONSTANT * kelvin / FARADAY
        self._exchange = 2.0 * p.exchange_current_density * p.area / arrhenius(p.exchange_activation_energy, kelvin)
        self._slowness = arrhenius(p.diffusion_activation_energy, kelvin)
        self._capacitance = p.double_layer_capacitance * p.area
        self._amps = math.nan

    def lag_of(self, amps: float) -> float:
        """Steady lag of the surface at a current, in units of ``x``: linear between the parameters' points."""
        rate = abs(amps) / self._one_c
        knots, lags = self._knots, self._lags
        n = min(max(1, bisect_left(knots, rate)), len(knots) - 1)
        slope = (lags[n] - lags[n - 1]) / (knots[n] - knots[n - 1])
        return math.copysign(self._slowness * (lags[n - 1] + slope * (rate - knots[n - 1])), amps)

    def _begin(self, amps: float) -> None:
        """Work out what holds for a current, once."""
        self._count_stress()
        if amps > 0.0 > self._direction:
            self._fade()
        if amps != 0.0:
            self._direction = math.copysign(1.0, amps)
        self._amps = amps
        time = self._slowness * self.parameters.diffusion_time_constant
        self._rate = abs(amps) / self._one_c
        self._target_lag = self.lag_of(amps)
        if self._rate < _SMALL_RATE:
            self._rate_lag = 1.0 / time
            self._target_ct = amps * self._thermal / self._exchange
            self._rate_ct = self._exchange / (self._thermal * self._capacitance)
            return
        # The surface's capacity is what it is: a larger lag at this current is a slower relaxation.
        self._rate_lag = self._charging() * amps / self._target_lag
        self._target_ct = self._thermal * math.asinh(amps / self._exchange)
        self._rate_ct = amps / (self._target_ct * self._capacitance)

    def _charging(self) -> float:
        """By how much each mode's lag rises at first, per ampere and second and unit of weight."""
        return self._first_slope / (self.parameters.diffusion_time_constant * self._one_c)

    def _count_stress(self) -> None:
        """Count what has passed since the present current began as a part of a cycle."""
        here, start = self.x, self._segment
        if here == start:
            return
        p = self.parameters
        low, high = (start, here) if here > start else (here, start)
        stress = high - low
        if p.stress_width < math.inf:
            at, width = self._stress_at, p.stress_width
            stress += width * (math.exp((high - at) / width) - math.exp((low - at) / width))
        if p.stress_rate < math.inf:
            stress *= min(_MOST_STRESS, 1.0 + min(1e3, self._rate / p.stress_rate) ** p.stress_exponent)
        self.cycles += 0.5 * stress
        self._segment = here

    def _fade(self) -> None:
        p = self.parameters
        early = 1.0 - p.early_fade * -math.expm1(-self.cycles / p.early_cycles)
        left = early * math.exp(-min(700.0, p.fade_per_cycle * self.cycles))
        self.capacity = self._fresh * max(_LEAST_CAPACITY, left)

    # Time

    def hold_current(self, amps: float, duration: float) -> None:
        """Exact for any duration."""
        if duration <= 0.0:
            return
        if amps != self._amps:
            self._begin(amps)
        t = self._target_ct
        self.v_ct = t + (self.v_ct - t) * math.exp(-min(700.0, self._rate_ct * duration))
        # exp(-k^2 y) for k = 1 ... 5 by squaring.
        y = self._rate_lag * duration
        d1 = math.exp(-y) if y < 700.0 else 0.0
        d2 = d1 * d1
        d4 = d2 * d2
        d8 = d4 * d4
        d16 = d8 * d8
        t = self._target_lag * _WEIGHT
        e1, e2, e3, e4, e5 = self.lag
        e1 = t + (e1 - t) * d1
        t2 = 0.25 * t
        e2 = t2 + (e2 - t2) * d4
        t3 = t / 9.0
        e3 = t3 + (e3 - t3) * d8 * d1
        t4 = 0.0625 * t
        e4 = t4 + (e4 - t4) * d16
        t5 = 0.04 * t
        e5 = t5 + (e5 - t5) * d16 * d8 * d1
        self.lag = (e1, e2, e3, e4, e5)
        self._ahead = e1 + e2 + e3 + e4 + e5
        if amps < 0.0:
            self.x += amps * duration / self.capacity
        elif amps > 0.0:
            self._charge(amps * duration)

    def _charge(self, charge: float) -> None:
        """Take lithium out; beyond the farthest so far a part of the charge is consumed for good."""
        p = self.parameters
        charge *= p.charge_efficiency
        capacity = self.capacity
        x = self.x + charge / capacity
        if x > self.farthest:
            known = max(0.0, self.farthest - self.x)
            start = max(self.x, self.farthest)
            left = charge - known * capacity
            each = capacity + self._fresh * p.first_charge_loss
            shallow = max(0.0, p.first_charge_loss_depth - start)
            if left <= shallow * each:
                x = start + left / each
            else:
                start += shallow
                left -= shallow * each
                # Beyond that depth, each rises by ``growth`` with every part of the lithium that comes out.
                growth = self._fresh * p.first_charge_loss_growth
                each += growth * (start - p.first_charge_loss_depth)
                # Not the textbook's root: its difference would lose the small ones.
                x = start + 2.0 * left / (each + math.sqrt(each * each + 2.0 * growth * left))
            self.farthest = x
        self.x = x

    def hold_voltage(self, volts: float, duration: float) -> float:
        """Pass time in steps of constant current, each ending at ``volts``, so short that halving changes nothing."""
        left = duration
        step = self._step
        while left > 0.0:
            step = min(step, left)
            state = self.__dict__.copy()
            self.hold_current(self._current_to(volts, step), step)
            x = self.x
            self.__dict__.update(state)
            for _ in range(2):
                self.hold_current(self._current_to(volts, 0.5 * step), 0.5 * step)
            # Relative too, for a cell that is charged or discharged far beyond its ends.
            error = abs(self.x - x) / (1.0 + 500.0 * abs(self.x - state["x"]))
            if error > _STEP_TOLERANCE and step > _SHORTEST_STEP_S:
                self.__dict__.update(state)
                step = max(_SHORTEST_STEP_S, step * max(0.1, 0.8 * math.sqrt(_STEP_TOLERANCE / error)))
                continue
            left -= step
            growth = 4.0 if error == 0.0 else min(4.0, 0.8 * math.sqrt(_STEP_TOLERANCE / error))
            if left > 0.0 or growth < 1.0 or step >= self._step:
                self._step = max(_SHORTEST_STEP_S, step * growth)
            step = self._step
        return duration

    def _current_to(self, volts: float, duration: float) -> float:
        """Return the constant current after which, in ``duration``, the terminals are at ``volts``."""
        state = self.__dict__.copy()

        def miss(amps: float) -> float:
            self.hold_current(amps, duration)
            result = self.voltage(amps) - volts
            self.__dict__.update(state)
            return result

        guess = 0.0 if self._amps != self._amps else self._amps
        at = miss(guess)
        if at == 0.0:
            return guess
        # The voltage rises with the current by at least the series resistance.
        other = guess - at / self._series
        at_other = miss(other)
        low, f_low, high, f_high = (guess, at, other, at_other) if at < 0.0 else (other, at_other, guess, at)
        side = 0
        for _ in range(60):
            if f_high == f_low:
                return high
            amps = (low * f_high - high * f_low) / (f_high - f_low)
            if abs(high - low) <= _CURRENT_TOLERANCE * self._one_c:
                return amps
            f = miss(amps)
            if abs(f) < 1e-10:
                return amps
            # Illinois: halve the end that stays, so that both close in.
            if f > 0.0:
                high, f_high = amps, f
                f_low *= 0.5 if side == 1 else 1.0
                side = 1
            else:
                low, f_low = amps, f
                f_high *= 0.5 if side == -1 else 1.0
                side = -1
        return 0.5 * (low + high)

    # Looks at the present instant

    def open_circuit(self) -> float:
        """Voltage that a long rest would lead to, V."""
        return self._potential(self.x) - self.parameters.anode_potential

    def voltage(self, amps: float) -> float:
        """U at the particles' surface, charge transfer and ohmic drop."""
        u = self._potential(self.x + self._ahead)
        return u - self.parameters.anode_potential + self.v_ct + amps * self._series

    def current(self, volts: float) -> float:
        """Through the series resistance."""
        return (volts - self.voltage(0.0)) / self._series

    def voltage_bound(self, amps: float) -> float:
        """Ends of the open-circuit curve, and all overvoltages."""
        magnitude = abs(amps)
        transfer = max(abs(self.v_ct), self._thermal * math.asinh(magnitude / self._exchange))
        anode = self.parameters.anode_potential
        ends = max(self._curve.highest - anode, anode - self._curve.lowest)
        return ends + transfer + magnitude * self._series

    def voltage_after(self, amps: float, duration: float) -> float:
        """Try it, look, and take it back."""
        if amps == self._amps:  # what a source asks at every poll: only these change
            kept = (self.v_ct, self.lag, self._ahead, self.x, self.farthest)
            self.hold_current(amps, duration)
            result = self.voltage(amps)
            self.v_ct, self.lag, self._ahead, self.x, self.farthest = kept
            return result
        state = self.__dict__.copy()
        try:
            self.hold_current(amps, duration)
            return self.voltage(amps)
        finally:
            self.__dict__.update(state)

    def impedance(self, frequency_hz: float, amps: float = 0.0) -> complex:
        """Electrolyte, charge transfer and diffusion, around the present state and a direct current."""
        p = self.parameters
        jw = 1j * angular(frequency_hz)
        x = abs(amps) / self._exchange
        small = self._thermal / self._exchange
        secant = small * (math.asinh(x) / x if x > 1e-6 else 1.0)
        # Around a current: the tangent's resistance, relaxing as the secant says.
        z = self._series + small / math.sqrt(1.0 + x * x) / (1.0 + jw * secant * self._capacitance)
        near = 1e-6 * self._one_c
        low, high = max(0.0, abs(amps) - near), abs(amps) + near
        per_amp = (self.lag_of(high) - self.lag_of(low)) / (high - low)
        rate = self._charging() * high / self.lag_of(high)
        modes = sum(_WEIGHT * rate * per_amp / (jw + k * k * rate) for k in range(1, _MODES + 1))
        slope = self._curve.slope(self.x + self._ahead)
        return p.at_terminals(z + slope * (modes + 1.0 / (jw * self.capacity)), frequency_hz)
