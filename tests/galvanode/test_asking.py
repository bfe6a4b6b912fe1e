"""Questions of a run in the foreground: what the command line answers, what a person types, what is refused at once."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from galvanode.commands.asking import Answer, Lines, Operator, Unanswered, answers_given, read_answers
from galvanode.engine.contract import ChannelState
from galvanode.errors import EngineUnavailable, InvalidInput, Refused
from galvanode.recipe.program import Ask, Limits, Program
from galvanode.store.journal import Journal
from galvanode.store.records import Event, NewRun, RunCommit

JPEG = b"\xff\xd8\xff\xe0 a photo"
MASS = Ask(
    message="Weigh the cell", wants="number", name="mass", dimension="mass", min=1e-6, max=20e-6, default=1e-5, line=6
)
VALVE = Ask(message="Open the valve", wants="confirmation", line=8)
GAUGE = Ask(message="Photograph the gauge", wants="photo", line=9)
RECIPE = Path("ask.yaml")


def program(*asks: Ask) -> Program:
    return Program(title="Questions", instructions=asks, safety=Limits())


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "gauge.jpg"
    path.write_bytes(JPEG)
    return path


# --- what the command line says ---------------------------------------------------------------------------


def test_options_answer_by_name_or_by_line(photo: Path) -> None:
    given = answers_given(["mass=12.3 mg", " 8 = yes ", f"9={photo}"])
    answers = read_answers(program(MASS, VALVE, GAUGE), RECIPE, given, ask=False)
    assert answers == {"mass": Answer(value=12.3e-6), "8": Answer(), "9": Answer(photo=JPEG)}


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            MASS,
            "6: asks 'Weigh the cell', and there is no terminal to ask on; expected a mass such as '12 mg', 1 mg to",
        ),
        (MASS, "--answer mass='12 mg'"),
        (VALVE, "8: asks 'Open the valve', and there is no terminal"),
        (VALVE, "--answer 8=yes"),
        (GAUGE, "9: asks 'Photograph the gauge', and there is no terminal"),
        (GAUGE, "--answer 9=photo.jpg"),
    ],
)
def test_without_a_terminal_a_question_without_an_answer_is_refused_with_its_line(ask: Ask, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_answers(program(ask), RECIPE, {}, ask=False)
    assert str(refused.value).startswith("ask.yaml:")
    assert said in str(refused.value)
    assert read_answers(program(ask), RECIPE, {}, ask=True) == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mass": "12 V"}, "ask.yaml:6: --answer mass is '12 V'; expected a mass such as '12 mg'"),
        ({"mass": "21 mg"}, "ask.yaml:6: --answer mass is '21 mg'; expected 1 mg to 20 mg"),
        ({"mass": "12"}, "without a unit"),
        ({"8": "no"}, "ask.yaml:8: --answer 8 is 'no'; expected a confirmation: 'yes'"),
        ({"9": "nowhere.jpg"}, "ask.yaml:9: --answer 9 is 'nowhere.jpg': No such file"),
        ({"9": __file__}, "expected a JPEG or a PNG"),
        ({"weight": "12 mg"}, "ask.yaml: --answer weight: no such question; the recipe asks for mass, 8, 9"),
    ],
)
def test_a_given_answer_that_does_not_fit_is_refused_before_anything_is_started(
    given: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_answers(program(MASS, VALVE, GAUGE), RECIPE, given, ask=True)
    assert said in str(refused.value)


def test_an_answer_to_a_recipe_that_asks_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="the recipe asks nothing"):
        read_answers(program(), RECIPE, {"mass": "12 mg"}, ask=True)


@pytest.mark.parametrize("text", ["mass", "=12 mg", "mass=", ""])
def test_an_option_is_a_name_and_a_value(text: str) -> None:
    with pytest.raises(InvalidInput, match="NAME=VALUE"):
        answers_given([text])


# --- a run that asks ----------------------------------------------------------------------------------------


@dataclass
class Station:
    """What is used of a session, over a real store; an answer is committed as the engine does it."""

    data_dir: Path
    journal: Journal
    run: str
    told: list[tuple[float | None, str | None]] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    state: str = "running"
    time: float = 0.0

    def _commit(self, state: str, kind: str, message: str, details: dict[str, Any]) -> None:
        self.time += 1
        self.state = state
        events = [Event(self.run, self.time, self.time, kind, message, details)]
        self.journal.commit([RunCommit(self.run, [], None, state, None, self.time, (), events)])

    def ask(self, question: Ask) -> None:
        self._commit("waiting", "question", question.message, question.model_dump(exclude={"kind", "default"}))

    async def answer(self, run: str, value: float | None, attachment: str | None) -> None:
        if self.trouble:
            raise self.trouble.pop(0)
        self.told.append((value, attachment))
        self._commit("running", "answered", "answered", {})

    @property
    def states(self) -> dict[str, ChannelState]:
        return {self.run: ChannelState(name="ch1", run=self.run, state=self.state)}


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    new = NewRun(
        channel="ch1", title="Questions", recipe_name="ask.yaml", recipe_text="", cell_name="c", cell_text="",
        parameters={}, program_json="{}", seed=0, speed=1.0, instrument="", created_unix_s=0.0, area_m2=None,
    )  # fmt: skip
    with Journal(tmp_path / "data") as journal:
        yield Station(tmp_path / "data", journal, journal.create_run(new))


@asynccontextmanager
async def looking(station: Station, operator: Operator) -> AsyncIterator[None]:
    """Let the operator look as often as a command does."""

    async def look_for_ever() -> None:
        while True:
            operator.look(station, station.states)  # type: ignore[arg-type]
            await asyncio.sleep(0.01)

    task = asyncio.create_task(look_for_ever())
    try:
        yield
    finally:
        task.cancel()
        await operator.close()


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_given_answers_reach_the_engine_each_time_that_the_run_asks(station: Station) -> None:
    operator = Operator({"mass": Answer(value=12e-6), "8": Answer(), "9": Answer(photo=JPEG)}, ask=False)
    async with looking(station, operator):
        for count, question in enumerate((MASS, VALVE, GAUGE, MASS), start=1):
            station.ask(question)
            await until(lambda count=count: len(station.told) == count)
    (kept,) = (station.data_dir / "runs").glob("*.attachments/*.jpg")
    assert kept.read_bytes() == JPEG
    assert station.told == [(12e-6, None), (None, None), (None, kept.name), (12e-6, None)]


async def test_one_question_is_answered_once_however_long_the_run_seems_to_wait(station: Station) -> None:
    operator = Operator({"8": Answer()}, ask=False)
    async with looking(station, operator):
        station.ask(VALVE)
        await until(lambda: station.told)
        station.state = "waiting"  # the engine already asks the next one, which is not in the store yet
        await asyncio.sleep(0.2)
    assert station.told == [(None, None)]


async def test_an_engine_that_is_being_restarted_is_told_again(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("galvanode.commands.asking._ENGINE_AGAIN_S", 0.01)
    station.trouble = [EngineUnavailable("gone"), EngineUnavailable("gone")]
    operator = Operator({"8": Answer()}, ask=False)
    async with looking(station, operator):
        station.ask(VALVE)
        await until(lambda: station.told)


async def test_a_given_answer_that_the_engine_refuses_ends_the_command(station: Station) -> None:
    station.trouble = [Refused("no")]
    operator = Operator({"8": Answer()}, ask=True)
    async with looking(station, operator):
        station.ask(VALVE)
        with pytest.raises(Unanswered, match="--answer 8 was refused: no"):
            await asyncio.wait_for(operator.failed, 5)


async def test_without_anybody_to_ask_the_command_ends_rather_than_waits(station: Station) -> None:
    operator = Operator({}, ask=False)
    async with looking(station, operator):
        station.ask(VALVE)
        with pytest.raises(Unanswered, match="r0001 waits for a confirmation: 'yes': Open the valve"):
            await asyncio.wait_for(operator.failed, 5)


# --- a person at a terminal -----------------------------------------------------------------------------------


@dataclass
class Terminal:
    """A terminal whose keyboard is the test."""

    keyboard: int
    screen: io.StringIO
    console: Console

    def type(self, text: str) -> None:
        os.write(self.keyboard, text.encode())

    async def shows(self, text: str) -> None:
        await until(lambda: text in self.screen.getvalue())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    keyboard, end = pytest.importorskip("pty", reason="needs a POSIX terminal").openpty()
    stdin = SimpleNamespace(fileno=lambda: end, encoding="utf-8", isatty=lambda: True)
    monkeypatch.setattr("galvanode.commands.asking.sys.stdin", stdin)
    screen = io.StringIO()
    yield Terminal(keyboard, screen, Console(file=screen, width=200))
    os.close(keyboard)  # ends the thread that reads
    os.close(end)


async def test_a_person_is_asked_until_the_answer_fits(station: Station, terminal: Terminal, photo: Path) -> None:
    shown: list[bool] = []
    operator = Operator({}, ask=True, shown=shown.append, console=terminal.console)
    async with looking(station, operator):
        station.ask(MASS)
        await terminal.shows("mass (1 mg to 20 mg):")
        terminal.type("12\n")
        await terminal.shows("the answer is '12' without a unit; expected a mass such as '12 mg'")
        terminal.type("30 mg\n")
        await terminal.shows("the answer is '30 mg'; expected 1 mg to 20 mg")
        assert station.told == []
        terminal.type("12.3 mg\n")
        await until(lambda: len(station.told) == 1)
        station.ask(VALVE)
        await terminal.shows("r0001 waits for you: Open the valve\nDone? [yes]")
        terminal.type("\n")
        await terminal.shows("the answer is ''; expected a confirmation: 'yes'")
        terminal.type("yes\n")
        await until(lambda: len(station.told) == 2)
        station.ask(GAUGE)
        await terminal.shows("Path of a JPEG or PNG:")
        terminal.type(f"'{photo}'\n")
        await until(lambda: len(station.told) == 3)
    assert [value for value, _ in station.told] == [12.3e-6, None, None]
    assert shown == [False, True] * 3


async def test_what_the_engine_says_against_an_answer_is_shown_and_asked_again(
    station: Station, terminal: Terminal
) -> None:
    station.trouble = [Refused("the answer is 12 mg; expected less")]
    operator = Operator({}, ask=True, console=terminal.console)
    async with looking(station, operator):
        station.ask(MASS)
        await terminal.shows("mass (1 mg")
        terminal.type("12 mg\n")
        await terminal.shows("expected less")
        terminal.type("11 mg\n")
        await until(lambda: station.told == [(11e-6, None)])


async def test_what_was_typed_before_the_question_does_not_answer_it(station: Station, terminal: Terminal) -> None:
    operator = Operator({}, ask=True, console=terminal.console)
    terminal.type("yes\n")
    await asyncio.sleep(0.05)
    async with looking(station, operator):
        station.ask(VALVE)
        await terminal.shows("Done?")
        await asyncio.sleep(0.1)
        assert station.told == []


async def test_a_question_that_is_over_is_no_longer_asked(station: Station, terminal: Terminal) -> None:
    shown: list[bool] = []
    operator = Operator({}, ask=True, shown=shown.append, console=terminal.console)
    async with looking(station, operator):
        station.ask(VALVE)
        await terminal.shows("Done?")
        station.state = "running"  # its time was over, or somebody else has answered
        await until(lambda: shown == [False, True])
        terminal.type("yes\n")
        station.ask(MASS)
        await terminal.shows("mass (1 mg")
        await asyncio.sleep(0.1)
        assert station.told == []


async def test_a_terminal_that_is_closed_ends_the_command(station: Station, terminal: Terminal) -> None:
    operator = Operator({}, ask=True, console=terminal.console)
    async with looking(station, operator):
        station.ask(VALVE)
        await terminal.shows("Done?")
        terminal.type("\x04")
        with pytest.raises(Unanswered, match="the terminal was closed while r0001 waited"):
            await asyncio.wait_for(operator.failed, 5)


async def test_a_line_that_nobody_waits_for_is_dropped(terminal: Terminal) -> None:
    lines = Lines()
    terminal.type("first\n")
    assert await asyncio.wait_for(lines.next(), 5) == "first"
    terminal.type("lost\n")
    await asyncio.sleep(0.1)
    waiting = asyncio.create_task(lines.next())
    await asyncio.sleep(0.05)
    terminal.type("second\n")
    assert await asyncio.wait_for(waiting, 5) == "second"
