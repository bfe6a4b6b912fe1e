"""What the REST API takes and gives, typed. Units are in the names; a number that does not exist is null."""

# ruff: noqa: N815 (a unit keeps its case: mV is not MV)

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from galvanode.engine import contract
from galvanode.engine.contract import ChamberState, Commanded, EngineState, Number

MAX_TEXT = 512 * 1024
"""Longest recipe or cell text that is taken, in characters."""

_NAME = r"^[^\x00-\x1f\x7f]*$"


Column = list[float | int | str | bool | None]


class _Answer(BaseModel):
    """An answer always has every key: what the API promises is the answer, not what the engine may leave out."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(_Answer):
    """Why a request was not carried out, and where the fault is if it is in a text."""

    error: str
    source: str | None = None
    line: int | None = Field(default=None, description="1-based")
    column: int | None = Field(default=None, description="1-based")


class Question(_Answer):
    """What a run has asked its operator and waits for."""

    id: int = Field(description="of the event; sent with the answer, so that it meets the question it was meant for")
    message: str
    wants: Literal["confirmation", "number", "photo"]
    name: str | None = Field(default=None, description="variable that a number becomes")
    line: int | None = Field(default=None, description="of the recipe")
    dimension: str | None = Field(default=None, description="of that number")
    min: Number = Field(default=None, description="SI; counts as inside")
    max: Number = Field(default=None, description="SI; counts as inside")
    range: str | None = Field(default=None, description="both for people, with units")
    expected: str | None = Field(default=None, description="such as: a mass such as '12 mg'")
    units: list[str] = Field(default=[], description="in which the number is usually given")
    unit: str | None = Field(default=None, description="the likeliest of them")
    asked_unix_s: Number = Field(default=None, description="process time, UTC")
    within_s: Number = Field(default=None, description="the run fails without an answer after so long; null: it waits")


class ChannelState(contract.ChannelState):
    """One channel, as it is now, with what the store knows of its run."""

    current_density_mA_cm2: Number = Field(default=None, description="over the area of the run's cell")
    question: Question | None = Field(default=None, description="what its run waits for")


class Status(_Answer):
    """The whole station at one moment."""

    engine: EngineState | None = Field(default=None, description="null while the engine is unavailable")
    available: bool = Field(description="false: the engine is down or restarting, the rest is the last known")
    channels: list[ChannelState] = []
    chambers: list[ChamberState] = []


class RecipeParameter(_Answer):
    """What may be set when a recipe is started."""

    name: str
    default: str | None = Field(default=None, description="with its unit; null: must be given")
    min: str | None = None
    max: str | None = None
    description: str | None = None


class LibraryRecipe(_Answer):
    """A recipe that comes with Galvanode."""

    name: str
    title: str
    description: str | None = None
    text: str
    parameters: list[RecipeParameter] = []


class LibraryCell(_Answer):
    """A cell description that comes with Galvanode."""

    name: str
    title: str
    text: str


class CheckRequest(_Request):
    """A recipe to look at without starting anything."""

    recipe: str = Field(max_length=MAX_TEXT, description="YAML")
    recipe_name: str = Field(default="recipe.yaml", max_length=200, pattern=_NAME)
    cell: str | None = Field(None, max_length=MAX_TEXT, description="YAML; without it only the recipe is read")
    cell_name: str = Field(default="cell.yaml", max_length=200, pattern=_NAME)
    parameters: dict[str, str] = Field(default={}, max_length=100, description="name to text with unit")


class ScheduleLine(_Answer):
    """One line of the recipe as it would be run: a step, or the head of a loop (``step_id`` null)."""

    indent: int = Field(description="loops around it")
    step_id: int | None = None
    what: str
    setpoint: str
    ends: str
    record: str
    limits: str
    line: int = Field(description="of the recipe")


class ScheduleWarning(_Answer):
    """Something that looks wrong in a recipe that is valid."""

    line: int | None = Field(default=None, description="of the recipe, 1-based; null where it is about the whole")
    text: str


class Schedule(_Answer):
    """What would be run."""

    title: str
    parameters: list[RecipeParameter] = []
    values: dict[str, str] = Field(default={}, description="parameters as they would be used")
    lines: list[ScheduleLine] = []
    shortest_s: Number = Field(default=None, description="whole run at least, if nothing trips")
    longest_s: Number = Field(default=None, description="whole run at most; null where nothing bounds it")
    most_samples: Number = Field(default=None, description="null where nothing bounds it")
    limits: list[str] = Field(default=[], description="what trips the run")
    analyses: list[str] = []
    warnings: list[ScheduleWarning] = Field(default=[], description="what looks wrong; it can be run all the same")


class SubmitRequest(_Request):
    """Start a recipe on a channel."""

    channel: str = Field(max_length=100, pattern=_NAME)
    recipe: str = Field(max_length=MAX_TEXT, description="YAML")
    recipe_name: str = Field(default="recipe.yaml", max_length=200, pattern=_NAME)
    cell: str = Field(max_length=MAX_TEXT, description="YAML")
    cell_name: str = Field(default="cell.yaml", max_length=200, pattern=_NAME)
    parameters: dict[str, str] = Field(default={}, max_length=100)


class AnswerRequest(_Request):
    """The answer to a run's question: one of the two. A photo is uploaded instead."""

    confirmed: Literal[True] | None = None
    number: str | None = Field(default=None, max_length=200, description="with its unit, such as '12.3 mg'")
    question: int | None = Field(default=None, description="the question's id; refused if another one is open by then")


class Photo(_Answer):
    """A photo that answered a run's question."""

    name: str = Field(description="its address is /api/runs/{run}/attachments/{name}")
    sha256: str
    media_type: str
    size: int = Field(description="bytes")


class PhotoList(_Answer):
    """The photos of a run, oldest first."""

    attachments: list[Photo]


class PhotoTaken(Commanded):
    """The run after a photo has answered its question."""

    attachment: Photo


class Run(_Answer):
    """One run, without its texts."""

    id: str
    channel: str
    title: str
    recipe_name: str
    cell_name: str
    parameters: dict[str, str] = {}
    instrument: str | None = None
    seed: int | None = None
    speed: float | str | None = None
    state: str
    end_reason: str | None = None
    created_unix_s: Number = None
    started_unix_s: Number = None
    ended_unix_s: Number = None
    test_time_s: Number = None
    samples: int | None = None
    area_m2: Number = None
    analyses: list[str] = []
    question: Question | None = Field(default=None, description="what it waits for, where its state is waiting")


class RunDetail(Run):
    """One run with the texts that it was started from."""

    recipe_text: str
    cell_text: str


class RunList(_Answer):
    """Runs, the newest first."""

    runs: list[Run]
    total: int


class Samples(_Answer):
    """A stretch of a run's samples by column (Battery Data Format labels)."""

    run: str
    columns: dict[str, Column]
    count: int
    next_after: int | None = Field(default=None, description="pass as `after` to go on; null: no more for now")


class Overview(_Answer):
    """A run's samples thinned out for a plot; extremes are kept."""

    run: str
    columns: dict[str, Column]
    count: int


class Table(_Answer):
    """Rows of a table by column."""

    run: str
    columns: dict[str, Column]
    count: int = Field(description="rows here")
    total: int = Field(description="rows there are")


class RunEvent(_Answer):
    """Something that happened: a command, a trip, a gap, a restart."""

    id: int = Field(description="pass the last one as `after` to go on")
    run: str | None = None
    unix_time_s: Number = None
    test_time_s: Number = None
    kind: str
    message: str
    details: dict[str, Any] = {}


class EventList(_Answer):
    """Events in the order in which they happened."""

    events: list[RunEvent]


class AnalysisResult(_Answer):
    """One figure of merit."""

    value: float | int | str | None = None
    unit: str | None = None
    low: Number = Field(default=None, description="lower end of the 95 % interval, where there is one")
    high: Number = Field(default=None, description="upper end of it")


class PlotSeries(_Answer):
    """One line of a plot, or its abscissa."""

    name: str
    unit: str
    values: list[Number]
    x: list[Number] | None = Field(default=None, description="its own abscissa, instead of the plot's")
    markers: bool = Field(default=False, description="points rather than a line")


class AnalysisPlot(_Answer):
    """The plot that belongs to an analysis: lines over one abscissa."""

    name: str = Field(description="of the analysis")
    title: str
    x: PlotSeries
    y: list[PlotSeries]
    equal_axes: bool = Field(default=False, description="one unit is as long on both axes")
    log_x: bool = False
    log_y: bool = False


class Analysis(_Answer):
    """What the data of a run say."""

    run: str
    analyses: list[str] = Field(description="that the recipe asks for")
    problem: str | None = Field(default=None, description="why there are no results (yet)")
    results: dict[str, AnalysisResult] = {}
    plots: list[AnalysisPlot] = []


class Health(_Answer):
    """The web side answers; the engine may not."""

    web: Literal["ok"] = "ok"
    engine: Literal["ok", "unavailable"]


class LoginRequest(_Request):
    """The station's token, from the terminal where it was started."""

    token: str = Field(max_length=200)
