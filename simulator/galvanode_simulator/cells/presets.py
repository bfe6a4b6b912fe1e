"""Cells of the papers by the name that a bench file gives them.

A: EES Batteries 2025, 10.1039/d5eb00116a. B: Chem. Commun. 2025, 10.1039/D5CC02859K. D: Chem. Sci. 2024, 15,
7144. Numbers that a row of these papers gives are marked with it; all others are choices of this simulator.
"""

from __future__ import annotations

from typing import Any

from galvanode_simulator.cells.base import Cell, CellParameters
from galvanode_simulator.cells.blocking import BlockingCell, BlockingParameters
from galvanode_simulator.cells.composite import CompositeCell, CompositeParameters
from galvanode_simulator.cells.full_cell import FullCell
from galvanode_simulator.cells.full_cell_parameters import FullCellParameters
from galvanode_simulator.cells.li_symmetric import LiSymmetricCell
from galvanode_simulator.cells.parameters import PRESETS, LiSymmetricParameters

_MS_PER_CM = 0.1
_S_PER_CM = 100.0
_KJ_PER_EV = 96.48533212
_MAH_PER_G = 3600.0
_OHM_CM2 = 1e-4
_MA_PER_CM2 = 10.0


def _ev(energy: float) -> float:
    return 1e3 * _KJ_PER_EV * energy


CELLS: dict[str, CellParameters] = dict(PRESETS)
"""Every preset of every kind of cell. Frozen: take a copy to change one."""


def build_cell(parameters: CellParameters, seed: int | str = 0) -> Cell:
    """Make the cell that these parameters are of. Raises ``TypeError`` for an unknown kind."""
    match parameters:
        case LiSymmetricParameters():
            return LiSymmetricCell(parameters, seed)
        case BlockingParameters():
            return BlockingCell(parameters, seed)
        case CompositeParameters():
            return CompositeCell(parameters, seed)
        case FullCellParameters():
            return FullCell(parameters, seed)
        case _:
            raise TypeError(f"no cell is known for {type(parameters).__name__}")


# --- Pellets between blocking electrodes: A1, A2, A3, B1, B2, B3


def _pellet(conductivity: float, energy: float, electronic: float, **others: Any) -> BlockingParameters:
    """Conductivities in mS/cm and S/cm, energy in eV."""
    return BlockingParameters().model_copy(
        update={
            "conductivity": conductivity * _MS_PER_CM,
            "conductivity_activation_energy": _ev(energy),
            "electronic_conductivity": electronic * _S_PER_CM,
            **others,
        }
    )


# A1: conductivity. A2: energy of x = 0 and 0.15. A3: electronic conductivity of x = 0, 0.05, 0.15. Energies and
# electronic conductivities between these are not in the paper: they lie on a line.
CELLS["lzc-pellet"] = _pellet(0.51, 0.349, 8.50e-10)
CELLS["lzc-n05-pellet"] = _pellet(0.93, 0.314, 5.08e-10)
CELLS["lzc-n10-pellet"] = _pellet(1.18, 0.279, 3.5e-10)
CELLS["lzc-n15-pellet"] = _pellet(1.50, 0.244, 1.99e-10)
CELLS["lzc-n20-pellet"] = _pellet(1.34, 0.255, 2.1e-10)
CELLS["lzc-n25-pellet"] = _pellet(0.74, 0.290, 2.4e-10)
# B1: conductivity (half for x = 0; annealed). B2: energy of x = 0.2. B3: electronic conductivity of both. The energy
# of the other two is not in the paper.
CELLS["lznc-pellet"] = _pellet(1.03, 0.327, 1.09e-9)
CELLS["lznc-x0-pellet"] = _pellet(0.515, 0.349, 8.11e-9)
# Crystallised: poorly conducting grains, so their arc comes into sight; boundaries at a realistic 1 nF/cm2.
CELLS["lznc-annealed-pellet"] = _pellet(1.46e-4, 0.45, 1.09e-9, grain_boundary_capacitance=1e-5)

# --- Voltammetry of electrolyte and carbon: A4, B4


def _composite(conductivity: float, energy: float, **others: Any) -> CompositeParameters:
    return CompositeParameters().model_copy(
        update={
            "conductivity": conductivity * _MS_PER_CM,
            "conductivity_activation_energy": _ev(energy),
            **others,
        }
    )


# A4: onsets of both; N0.15 has a small wave near 3.6 V and less current beyond 4.55 V. Onsets are those of the
# tangent in a sweep at 0.3 mV/s; at 0.1 and 1 mV/s they are 6 mV less and 7 mV more extreme.
CELLS["lzc-composite"] = _composite(
    0.51,
    0.349,
    oxidation_onset=4.03,
    late_oxidation_height=0.2 * _MA_PER_CM2,
    oxidation_peak_height=0.0,
    reduction_onset=1.76,
)
CELLS["lzc-n15-composite"] = _composite(1.50, 0.244)
# B4: onset of LZNC; "slightly lower" for LZC. The reduction is not in the paper.
CELLS["lznc-composite"] = _composite(
    1.03, 0.327, oxidation_onset=4.02, late_oxidation_height=0.1 * _MA_PER_CM2, oxidation_peak_height=0.0
)
CELLS["lznc-x0-composite"] = _composite(
    0.515, 0.349, oxidation_onset=3.98, late_oxidation_height=0.2 * _MA_PER_CM2, oxidation_peak_height=0.0
)

# --- Batteries: A5 to A8, B5 to B7, D5, D6. Fitted parameters come from tests/galvanode_simulator/
# calibrate_full_cells.py, which cycles the model itself at constant current, five cycles at each rate.

# D5: 155.8, 147.6, 145.1, 143.7, 124.4, 112.0, 152.5 mAh/g. D6: 0.021 % per cycle at 0.5C, efficiency 99 %.
CELLS["lfp-zni2"] = FullCellParameters().model_copy(
    update={
        "specific_capacity": 161.0 * _MAH_PER_G,
        "rate_capacity": 170.0 * _MAH_PER_G,
        "lag_rates": (0.1, 0.2, 0.3, 0.5, 0.8, 1.0),
        "lags": (0.02107, 0.04606, 0.05337, 0.05714, 0.1161, 0.1518),
        "charge_efficiency": 0.99,
        "fade_per_cycle": 0.0001848,
        "stress_rate": 0.6101,
        "stress_exponent": 6.0,
    }
)


def _lco(conductivity: float, energy: float, **others: Any) -> FullCellParameters:
    return FullCellParameters().model_copy(
        update={
            "cathode": "lco",
            "thickness": 0.5e-3,
            "conductivity": conductivity * _MS_PER_CM,
            "conductivity_activation_energy": _ev(energy),
            "active_mass": 8e-6,
            "specific_capacity": 274.0 * _MAH_PER_G,
            "rate_capacity": 140.0 * _MAH_PER_G,
            "diffusion_time_constant": 300.0,
            **others,
        }
    )


# Against Li-In. A5: 141.7 mAh/g, ICE 96.9 % to 3.60 V. A6: 58.0 mAh/g at 1C. A7: 79 % after 150 cycles at 0.5C.
# A8 to 4.00 V: 218.4, 213.4, 209.7 mAh/g, ICE 94.3 %; 75.8 % after 120 cycles at 0.5C.
CELLS["lco-lzc-n15"] = _lco(
    1.50,
    0.244,
    anode_potential=0.62,
    interface_resistance=100.0 * _OHM_CM2,
    lag_rates=(0.1, 1.0),
    lags=(0.005, 0.06615),
    first_charge_loss_depth=0.1128,
    first_charge_loss_growth=0.2059,
    fade_per_cycle=0.001772,
    early_fade=0.07032,
    early_cycles=4.345,
    stress_width=0.4859,
)
# A5: 128.5 mAh/g, 93.3 %. A6: near zero. A8: 205.5, 196.8, 191.3 mAh/g, 92.3 %; 71.0 %.
CELLS["lco-lzc"] = _lco(
    0.51,
    0.349,
    anode_potential=0.62,
    interface_resistance=7.301 * _OHM_CM2,
    lag_rates=(0.1, 0.5, 1.0),
    lags=(0.02997, 0.1, 0.5),
    first_charge_loss_depth=0.2242,
    first_charge_loss_growth=0.2483,
    fade_per_cycle=0.004861,
    early_fade=0.1,
    early_cycles=1.553,
)
# Against Li, 2.5 to 4.2 V. B5: 127.4 mAh/g at 0.2C, ICE 95.19 %. B6: 122.1, 113.9, 107.1, 100 mAh/g, back to 92 %.
# B7: 91.4 % after 100 cycles at 0.2C.
CELLS["lco-lznc"] = _lco(
    1.03,
    0.327,
    interface_resistance=10.0 * _OHM_CM2,
    exchange_current_density=1.5 * _MA_PER_CM2,
    lag_rates=(0.2, 0.4, 0.6, 0.8, 1.0),
    lags=(0.02807, 0.03208, 0.04112, 0.04614, 0.04942),
    first_charge_loss=0.00148,
    fade_per_cycle=0.001351,
    stress_rate=0.2995,
)
# B5: 118.16 mAh/g, 92.35 %. B6: 50 mAh/g at 1C. B7: 59 % after 100 cycles.
CELLS["lco-lznc-x0"] = _lco(
    0.515,
    0.349,
    interface_resistance=50.0 * _OHM_CM2,
    exchange_current_density=1.5 * _MA_PER_CM2,
    lag_rates=(0.2, 1.0),
    lags=(0.0404, 0.06869),
    first_charge_loss=0.001015,
    fade_per_cycle=0.01235,
)
