"""Drives for tests, one of each kind."""

from __future__ import annotations

from typing import Any

from galvanode.recipe import drives

EXAMPLES: dict[str, drives.AnyDrive] = {
    "rest": drives.Rest(),
    "current": drives.Current(setpoint=1e-3),
    "voltage": drives.Voltage(setpoint=1.0),
    "power": drives.Power(setpoint=1e-3),
    "resistance": drives.Resistance(setpoint=100.0),
    "profile": drives.Profile(quantity="current", times=(0.0, 1.0), values=(1e-3, 0.0)),
    "sweep": drives.Sweep(vertices=(0.0, 1.0), rate=0.1, step=0.1),
    "impedance": drives.Impedance(
        control="potentiostatic",
        frequency_max=1e5,
        frequency_min=1.0,
        points_per_decade=1,
        amplitude=0.01,
        bias="open_circuit",
    ),
}


def drive_of(what: str | drives.AnyDrive, setpoint: Any = None, **more: Any) -> drives.AnyDrive:
    """Return a drive: as it is given, or of a kind with a set point where that kind has one."""
    if not isinstance(what, str):
        return what
    given = {} if setpoint is None or "setpoint" not in drives.KINDS[what].model_fields else {"setpoint": setpoint}
    return EXAMPLES[what].model_copy(update={**given, **more})
