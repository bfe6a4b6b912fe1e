"""What a bench file says of a Neware unit."""

from __future__ import annotations

import getpass
import tempfile
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from galvanode.instrument.family import Options
from galvanode.units import Amps, Volts


def default_folder() -> Path:
    """Folder for step files where the server is on this computer: of this user, and of nobody else."""
    return Path(tempfile.gettempdir()) / f"galvanode-step-files-{getpass.getuser()}"


class NewareOptions(Options):
    """The ``options:`` of a unit: eight channels, say, of a server that may have many units."""

    current: Annotated[Amps, Field(gt=0)]
    """Largest current of a channel, as the unit's plate says: ``6 A``, ``50 mA``."""
    voltage_min: Volts = 0.0
    """Lowest voltage that a channel drives to."""
    voltage_max: Volts = 5.0
    """Highest voltage that a channel drives to."""
    channels: Annotated[int, Field(ge=1, le=64)] = 8
    devid: int | None = None
    """Number of the device; may be left out where the server has one only."""
    subdevid: int = 1
    """Number of the unit in the device."""
    username: str = "admin"
    password: str = "neware"  # noqa: S105  the maker's own, the same on every server
    step_files: Path = Field(default_factory=default_folder)
    """Folder where step files are put: on this computer, or one that is shared with the server's."""
    step_files_at_server: str | None = None
    """The same folder as the server's computer calls it, ``D:\\galvanode``; left out where it is called the same."""
    backup: str | None = None
    r"""Folder of the server's computer where the server keeps its own copy of every test, ``D:\tests``."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.voltage_min >= self.voltage_max:
            raise ValueError("expected a 'voltage_min' below 'voltage_max'")
        return self
