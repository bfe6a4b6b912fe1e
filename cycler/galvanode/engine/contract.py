"""What may be asked of the engine and what it answers: one typed contract for both ends.

A request is a model that names its method, its answer and the real time within which that may be expected. The engine
refuses what it does not know; whoever asks drops what a newer engine adds: the two are upgraded apart.
"""

# ruff: noqa: N815 (a unit keeps its case: mV is not MV)

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from galvanode.errors import Refused
from galvanode.quantities import BY_NAME, SAMPLED


def _finite(value: object) -> object:
    """NaN and infinity have no JSON: they become null, as a reading that does not exist."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]


class Answer(BaseModel):
    """What comes back. Unknown keys of a newer engine are dropped, not refused."""

    # An answer always has every key: what is promised is the answer, not what an older engine may leave out.
    model_config = ConfigDict(extra="ignore", json_schema_serialization_defaults_required=True)


A = TypeVar("A", bound=Answer)


class Request(BaseModel, Generic[A]):
    """What is asked, and what kind of answer belongs to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: ClassVar[str]
    answer: ClassVar[type[Answer]]
    within_s: ClassVar[float] = 15.0
    """Real seconds after which an answer is not waited for any longer."""
    urgent: ClassVar[bool] = False
    """Never made to wait for its turn, however much else is being asked."""


# --- how things stand --------------------------------------------------------------------------------------


class EngineState(Answer):
    """The engine process."""

    pid: int | None = None
    started_unix_s: Number = None
    speed: float | str | None = Field(default=None, description="process seconds per real second, or 'max'")
    simulated: bool = False
    clock_unix_s: Number = Field(default=None, description="process time, UTC")
    commit_failures: int | None = Field(default=None, description="commits that the disk did not take since it started")


def _live() -> dict[str, Any]:
    kinds = {"float64": Number, "int32": int | None, "int64": int | None}
    return {
        quantity.live: (kinds[quantity.column.type], Field(default=None, description=quantity.told))
        for quantity in SAMPLED
        if quantity.live is not None and quantity.column is not None
    }


if TYPE_CHECKING:
    _Live = Answer
else:
    _Live = create_model("_Live", __base__=Answer, **_live())


class ChannelState(_Live):
    """One channel, as it is now. Positive current charges the cell. Of quantities it has what their table says."""

    name: str
    instrument: str | None = None
    driver: str | None = None
    resource: str | None = None
    simulated: bool = False
    chamber: str | None = None
    idn: str | None = None
    state: str = Field(description="idle, running, waiting (for an answer), paused, unsafe or lost")
    run: str | None = None
    title: str | None = None
    recipe: str | None = None
    cell: str | None = None
    step_name: str | None = None
    auxiliary: dict[str, Number] = Field(
        default={}, description="auxiliary readings by name, in the unit of their column"
    )
    progress: Number = Field(default=None, description="0 to 1; null where it cannot be known")
    message: str | None = None

    def live(self, quantity: str) -> float | None:
        """Return a quantity by its name, in the unit of its column; None where it is not known."""
        field = BY_NAME[quantity].live
        return None if field is None else getattr(self, field)


class ChamberState(Answer):
    """One temperature chamber, as it is now."""

    name: str
    temperature_degC: Number = None
    setpoint_degC: Number = None
    alarm: str | None = None
    ok: bool = False
    message: str | None = Field(default=None, description="what is wrong with it, if something is")


class StationState(Answer):
    """The engine, its channels and its chambers at one moment."""

    engine: EngineState
    channels: list[ChannelState]
    chambers: list[ChamberState]


class Status(Request[StationState]):
    """How do things stand?"""

    method = "status"
    answer = StationState


# --- what a person asks for --------------------------------------------------------------------------------


class Submitted(Answer):
    """The run that was started."""

    run: str


class Submit(Request[Submitted]):
    """Compile a recipe for a cell, check it against the channel, and start it."""

    method = "submit"
    answer = Submitted
    within_s = 120.0

    channel: str
    recipe: str
    recipe_name: str
    cell: str
    cell_name: str
    parameters: dict[str, str] = {}
    files: dict[str, str] = {}
    """Texts of the recipes and profiles beside the recipe that it names."""


class Commanded(Answer):
    """The run after a command."""

    run: str
    state: str | None = None


class Pause(Request[Commanded]):
    """Make the run's channel safe and hold its position."""

    method = "pause"
    answer = Commanded

    run: str


class Resume(Request[Commanded]):
    """Go on with a paused run."""

    method = "resume"
    answer = Commanded

    run: str


class Reply(Request[Commanded]):
    """Answer what a run waits for: a confirmation (neither), a number in SI, the name of a stored photo."""

    method = "answer"
    answer = Commanded

    run: str
    value: float | None = None
    attachment: str | None = None


class Stopped(Commanded):
    """The run after a stop. The output is off before the record of it is on disk."""

    safe_unix_s: Number = Field(
        default=None, description="process time at which the safe state was read back; null: it has not been"
    )
    durable: bool = Field(default=False, description="the end of the run is on disk already")
    message: str | None = Field(default=None, description="why the channel is not known to be safe")


class Stop(Request[Stopped]):
    """End a run now."""

    method = "stop"
    answer = Stopped
    urgent = True

    run: str


class StoppedAll(Answer):
    """The runs that were stopped."""

    stopped: list[str] = Field(description="ended")
    not_safe: list[str] = Field(default=[], description="of these the safe state has not been read back (yet)")
    durable: bool = Field(default=False, description="their ends are on disk already")


class StopAll(Request[StoppedAll]):
    """End every run now."""

    method = "stop_all"
    answer = StoppedAll
    urgent = True


REQUESTS: dict[str, type[Request[Any]]] = {
    request.method: request for request in (Status, Submit, Pause, Resume, Reply, Stop, StopAll)
}


def parse_request(method: object, params: object) -> Request[Any]:
    """Return the request that was meant. Raises ``Refused``."""
    if not isinstance(method, str) or method not in REQUESTS:
        raise Refused(f"unknown request {method!r}; expected one of {', '.join(REQUESTS)}")
    try:
        return REQUESTS[method].model_validate(params)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "parameters"
        raise Refused(f"{method}: {where}: {fault['msg']}") from error
