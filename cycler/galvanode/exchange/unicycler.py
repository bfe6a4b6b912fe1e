"""The JSON of aurora-unicycler 0.4 as validated models: what a protocol may say, in its own units."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from galvanode.document import found

VERSION = "0.4.6"
"""Of aurora-unicycler, whose models these follow."""
NO_NAME = "$NAME"
"""What a sample is called there whose name is not known yet."""

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)
_LONGEST = 60


def _number(value: object) -> object:
    """Read a number, or the text of one: the forms that the program itself writes and takes."""
    if isinstance(value, float) or value is None:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return _float(str(value))
    if not isinstance(value, str):
        raise ValueError(f"is {found(value)}; expected a number")  # noqa: TRY004 (pydantic wants ValueError)
    text = value.strip()
    if not text:
        return None
    if len(text) > _LONGEST or _NUMBER.fullmatch(text) is None:
        raise ValueError(f"is {found(value)}; expected a number")
    return _float(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"is {found(text)}, too large for a number")
    return value


_RATE = re.compile(r"(\d*\.?\d*)([CD]?)(\d*\.?\d*)/(\d+\.?\d*|\.\d+)", re.ASCII)


def _rate(value: object) -> object:
    """Read a C-rate: a number, or ``C/5``, ``D/2`` (a discharge), ``1/20``."""
    text = "".join(value.split()) if isinstance(value, str) else ""
    match = _RATE.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return _number(value)
    before, letter, after, below = match.groups()
    above = before + after
    if (before and after) or (not above and not letter) or above == "." or float(below) == 0:
        raise ValueError(f"is {found(value)}; expected a C-rate such as 0.2 or 'C/5'")
    share = float(above or "1") / float(below)
    return -share if letter == "D" else share


def _whole(value: object) -> object:
    """Read a whole number, also as text or with a point: ``3``, ``"3"``, ``3.0``."""
    number = _number(value) if isinstance(value, (str, float)) else value
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _given(value: object) -> object:
    number = _number(value)
    if number is None:
        raise ValueError("is empty; expected a number")
    return number


def _text(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty; expected text")
    return value


Maybe = Annotated[float | None, BeforeValidator(_number)]
Number = Annotated[float, BeforeValidator(_given)]
MaybeRate = Annotated[float | None, BeforeValidator(_rate)]
Count = Annotated[int, Field(strict=True, gt=0), BeforeValidator(_whole)]


class Part(BaseModel):
    """A part of a protocol: only the keys it knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Made(Part):
    """Which version wrote it."""

    version: str = VERSION


class Sample(Part):
    """The cell."""

    name: str = NO_NAME
    capacity_mAh: Maybe = None  # noqa: N815 (as it is written there, here and below)


class Record(Part):
    """When a reading is kept."""

    current_mA: Maybe = None  # noqa: N815
    voltage_V: Maybe = None  # noqa: N815
    time_s: Number


class Safety(Part):
    """Limits of the whole protocol."""

    max_voltage_V: Maybe = None  # noqa: N815
    min_voltage_V: Maybe = None  # noqa: N815
    max_current_mA: Maybe = None  # noqa: N815
    min_current_mA: Maybe = None  # noqa: N815
    max_capacity_mAh: Maybe = None  # noqa: N815
    delay_s: Maybe = None


class AnyStep(Part):
    """What every step may say."""

    id: Annotated[str, BeforeValidator(_text)] | None = None


class OpenCircuitVoltage(AnyStep):
    """A rest."""

    step: Literal["open_circuit_voltage"]
    until_time_s: Number


class ConstantCurrent(AnyStep):
    """A current, positive charges; ends by time or at a voltage."""

    step: Literal["constant_current"]
    rate_C: MaybeRate = None  # noqa: N815
    current_mA: Maybe = None  # noqa: N815
    until_time_s: Maybe = None
    until_voltage_V: Maybe = None  # noqa: N815


class ConstantVoltage(AnyStep):
    """A voltage; ends by time or once the current is small."""

    step: Literal["constant_voltage"]
    voltage_V: Number  # noqa: N815
    until_time_s: Maybe = None
    until_rate_C: MaybeRate = None  # noqa: N815
    until_current_mA: Maybe = None  # noqa: N815


class ImpedanceSpectroscopy(AnyStep):
    """A spectrum."""

    step: Literal["impedance_spectroscopy"]
    amplitude_V: Maybe = None  # noqa: N815
    amplitude_mA: Maybe = None  # noqa: N815
    start_frequency_Hz: Number  # noqa: N815
    end_frequency_Hz: Number  # noqa: N815
    points_per_decade: Count = 10
    measures_per_point: Count = 1
    drift_correction: Annotated[bool, Field(strict=True)] | None = False


class VoltageScan(AnyStep):
    """A linear sweep."""

    step: Literal["voltage_scan"]
    start_voltage_V: Number  # noqa: N815
    end_voltage_V: Number  # noqa: N815
    scan_rate_mV_per_s: Number  # noqa: N815


class Loop(AnyStep):
    """Back to a tag, or to a step by its number from 1, until that was gone through so many times."""

    step: Literal["loop"]
    loop_to: Annotated[int, Field(strict=True, gt=0)] | Annotated[str, BeforeValidator(_text)] = 1
    cycle_count: Count


class Tag(AnyStep):
    """A name for the step that follows."""

    step: Literal["tag"]
    tag: Annotated[str, BeforeValidator(_text)]


Step = OpenCircuitVoltage | ConstantCurrent | ConstantVoltage | ImpedanceSpectroscopy | VoltageScan | Loop | Tag

STEPS: dict[str, type[Step]] = {
    "open_circuit_voltage": OpenCircuitVoltage,
    "constant_current": ConstantCurrent,
    "constant_voltage": ConstantVoltage,
    "impedance_spectroscopy": ImpedanceSpectroscopy,
    "voltage_scan": VoltageScan,
    "loop": Loop,
    "tag": Tag,
}


class Protocol(Part):
    """A whole protocol; its steps are read one by one."""

    unicycler: Made = Made()
    sample: Sample = Sample()
    record: Record
    safety: Safety = Safety()
    method: Annotated[list[Any], Field(min_length=1)]
