"""What the models of the family differ in.

Ranges and their numbers: maker's example repository (``mscript.py``). Potentials, currents and limits of
impedance: MethodSCRIPT manual 1.8, appendix B. Compliance, lowest frequencies and converters: data sheets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Range:
    """One current or potential range; it measures up to ``full``, A or V."""

    number: int
    """As it stands in a package."""
    full: float


@dataclass(frozen=True)
class Model:
    """One model. V, A, Hz, s."""

    key: str
    """First six characters of its answer to ``t``."""
    firmware: str
    built: str
    script_version: str
    serial_prefix: str
    current_ranges: tuple[Range, ...]
    high_speed_ranges: tuple[Range, ...]
    potential_ranges: tuple[Range, ...]
    potential: dict[int, tuple[float, float]]
    """Lowest and highest potential by potentiostat mode."""
    compliance: float
    step: float
    """Smallest step of the potential's converter."""
    frequency: tuple[float, float]
    amplitude: float
    """Highest amplitude of potentiostatic impedance, V rms."""
    galvanostat: bool
    cell_on_at_ocp: bool
    shortest_interval: float


def _decades(first: int, by: int, lowest: float, count: int, headroom: float) -> tuple[Range, ...]:
    return tuple(Range(first + by * nth, headroom * lowest * 10.0**nth) for nth in range(count))


# The EmStat4 measures three times the name of a range, and 200 mA in the one of 100 mA.
_LR_CURRENT = _decades(3, 3, 1e-9, 8, 3.0)
_HR_CURRENT = (*_decades(9, 3, 1e-7, 6, 3.0), Range(27, 0.2))
_GAINS = ((2, 0.05), (3, 0.1), (4, 0.2), (5, 0.5), (6, 1.0))


def _potential_ranges(full: float) -> tuple[Range, ...]:
    return tuple(Range(number, part * full) for number, part in _GAINS)


EMSTAT4_LR = Model(
    key="es4_lr",
    firmware="1500",
    built="Mar 12 2026 14:28:01",
    script_version="01.09.00",
    serial_prefix="ES4LR",
    current_ranges=_LR_CURRENT,
    high_speed_ranges=_LR_CURRENT,
    potential_ranges=_potential_ranges(3.0),
    potential=dict.fromkeys((2, 3, 4, 6), (-3.0, 3.0)),
    compliance=5.0,
    step=6.0 / 65_536,
    frequency=(1e-5, 200e3),
    amplitude=0.9,
    galvanostat=True,
    cell_on_at_ocp=False,
    shortest_interval=1e-3,
)
EMSTAT4_HR = replace(
    EMSTAT4_LR,
    key="es4_hr",
    serial_prefix="ES4HR",
    current_ranges=_HR_CURRENT,
    high_speed_ranges=_HR_CURRENT,
    potential_ranges=_potential_ranges(6.0),
    potential=dict.fromkeys((2, 3, 4, 6), (-6.0, 6.0)),
    compliance=8.0,
    step=12.0 / 65_536,
)
EMSTAT_PICO = Model(
    key="espico",
    firmware="1304",
    built="Oct 22 2021 14:38:26",
    script_version="01.03.00",
    serial_prefix="ESPICO",
    # Measurable up to 3 mA although the last range is called 5 mA (manual, table 38).
    current_ranges=tuple(
        Range(number, full)
        for number, full in enumerate(
            (60e-9, 1.17e-6, 2.34e-6, 4.68e-6, 9.38e-6, 18.7e-6, 37.5e-6, 75e-6, 150e-6, 300e-6, 600e-6, 3e-3)
        )
    ),
    high_speed_ranges=tuple(
        Range(128 + number, full)
        for number, full in enumerate(
            (60e-9, 0.6e-6, 3.6e-6, 7.8e-6, 15e-6, 30e-6, 60e-6, 120e-6, 600e-6, 3e-3)
        )
    ),
    potential_ranges=(Range(0, 2.0),),
    potential={2: (-1.25, 2.0), 3: (-1.7, 2.0), 4: (-1.7, 2.0)},
    compliance=2.0,
    step=537e-6,
    frequency=(0.016, 200e3),
    amplitude=0.429,
    galvanostat=False,
    cell_on_at_ocp=False,
    shortest_interval=2e-3,
)  # fmt: skip
NEXUS = Model(
    key="nexus1",
    firmware="1200",
    built="Jan 20 2026 09:12:44",
    script_version="01.08.00",
    serial_prefix="NEXUS",
    current_ranges=(
        Range(16, 2.1e-10),
        *(Range(number, 2.1 * 10.0 ** (number - 9)) for number in range(6)),
        Range(8, 2.1e-3),
        Range(9, 2.1e-2),
        Range(10, 2.1e-1),
        Range(11, 1.0),
    ),
    high_speed_ranges=(
        Range(16, 2.1e-10),
        *(Range(number, 2.1 * 10.0 ** (number - 9)) for number in range(6)),
        Range(8, 2.1e-3),
        Range(9, 2.1e-2),
        Range(10, 2.1e-1),
        Range(11, 1.0),
    ),
    potential_ranges=(Range(3, 1e-2), Range(2, 1e-1), Range(1, 1.0), Range(0, 10.0)),
    potential=dict.fromkeys((2, 3, 4, 6), (-10.0, 10.0)),
    compliance=12.0,
    step=76e-6,
    frequency=(1e-5, 1e6),
    amplitude=0.3,
    galvanostat=True,
    cell_on_at_ocp=True,
    shortest_interval=1e-3,
)

MODELS = {"emstat4_lr": EMSTAT4_LR, "emstat4_hr": EMSTAT4_HR, "emstat_pico": EMSTAT_PICO, "nexus": NEXUS}
