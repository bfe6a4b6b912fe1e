"""Questions of a run in the foreground: answered from the command line, or by somebody at the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from galvanode.commands.session import Session
from galvanode.engine.contract import ChannelState
from galvanode.errors import EngineUnavailable, GalvanodeError, InvalidInput, Refused
from galvanode.recipe.language.values import NUMBER, expected_words
from galvanode.recipe.program import Ask, Program
from galvanode.service.answers import WAITING, number_of, open_question, range_text
from galvanode.service.models import Question
from galvanode.store.attachments import check_photo, save_attachment
from galvanode.store.read import Store
from galvanode.units import DIMENSIONS

err = Console(stderr=True)

_ENGINE_AGAIN_S = 0.5
_YES = frozenset({"y", "yes"})


class Unanswered(GalvanodeError):
    """A run waits for an answer, and there is nobody who could give it."""


@dataclass(frozen=True)
class Answer:
    """What the engine is told."""

    value: float | None = None
    photo: bytes | None = None
    """Kept with the run before the engine is told."""


@dataclass(frozen=True)
class Asked:
    """One question, as the recipe or a run under way puts it."""

    wants: str
    name: str | None
    line: int
    dimension: str
    low: float | None
    high: float | None
    message: str

    @classmethod
    def of(cls, asked: Ask | Question) -> Asked:
        """Return what both say."""
        dimension = asked.dimension or NUMBER
        return cls(asked.wants, asked.name, asked.line or 0, dimension, asked.min, asked.max, asked.message)

    @property
    def key(self) -> str:
        """What ``--answer`` calls it: its name, or without one its line."""
        return self.name or str(self.line)

    @property
    def expected(self) -> str:
        """What is due, for people."""
        if self.wants == "confirmation":
            return "a confirmation: 'yes'"
        if self.wants == "photo":
            return "a photo: the path of a JPEG or PNG"
        bounds = range_text(self.dimension, self.low, self.high)
        return expected_words(self.dimension) + (f", {bounds}" if bounds else "")

    @property
    def example(self) -> str:
        """The option that answers it."""
        if self.wants == "photo":
            return f"--answer {self.key}=photo.jpg"
        if self.wants == "confirmation":
            return f"--answer {self.key}=yes"
        given = DIMENSIONS[self.dimension].example if self.dimension in DIMENSIONS else "1"
        return f"--answer {self.key}='{given}'"

    def read(self, text: str) -> Answer:
        """Return the answer that a person has written. Raises ``ValueError`` with what was expected."""
        text = text.strip()
        if self.wants == "number":
            return Answer(value=number_of(text, self.dimension, self.low, self.high))
        if self.wants == "photo":
            return Answer(photo=_photo(text))
        if text.lower() not in _YES:
            raise ValueError(f"is '{text[:40]}'; expected {self.expected}")
        return Answer()


def _photo(text: str) -> bytes:
    """Return a file that is a photo; a path that was dropped on the terminal comes in quotes."""
    path = Path(text.strip("'\"")).expanduser()
    try:
        data = path.read_bytes()
        check_photo(data)
    except OSError as error:
        raise ValueError(f"is '{text[:80]}': {error.strerror}; expected the path of a JPEG or PNG") from None
    except InvalidInput as error:
        raise ValueError(f"is '{text[:80]}': {error.message}") from None
    return data


def read_answers(program: Program, source: Path, given: Mapping[str, str], *, ask: bool) -> dict[str, Answer]:
    """Return what ``--answer`` says to the questions of a program, by key.

    Without a terminal to ``ask`` on, every question needs its answer now: a run that would wait for ever is not
    started. Raises ``InvalidInput`` with the question's line.
    """
    questions = [Asked.of(item) for item in program.instructions if isinstance(item, Ask)]
    known = {question.key: question for question in questions}
    for key in given:
        if key not in known:
            what = f"the recipe asks for {', '.join(known)}" if known else "the recipe asks nothing"
            raise InvalidInput(f"--answer {key}: no such question; {what}", source=source)
    answers: dict[str, Answer] = {}
    for question in questions:
        if question.key in given:
            try:
                answers[question.key] = question.read(given[question.key])
            except ValueError as error:
                raise InvalidInput(f"--answer {question.key} {error}", source=source, line=question.line) from None
        elif not ask:
            raise InvalidInput(
                f"asks '{question.message}', and there is no terminal to ask on; expected {question.expected}: "
                f"{question.example}",
                source=source,
                line=question.line,
            )
    return answers


def can_ask() -> bool:
    """Tell whether somebody sits at a terminal: where questions are shown, and where answers come from."""
    return sys.stdin.isatty() and sys.stderr.isatty()


class Operator:
    """Answers what runs ask. ``shown`` hides (False) and shows again (True) what else is on the terminal."""

    def __init__(
        self,
        answers: Mapping[str, Answer],
        *,
        ask: bool,
        shown: Callable[[bool], None] = lambda _: None,
        console: Console = err,
    ) -> None:
        self._answers = answers
        self._ask = ask
        self.shown = shown
        self._console = console
        self._lines = Lines()
        self._turn = asyncio.Lock()
        self._answering: dict[str, asyncio.Task[None]] = {}
        self._done: dict[str, int] = {}
        """Run -> id of the question that was answered last."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Ends with the reason why a question cannot be answered."""

    def look(self, station: Session, states: Mapping[str, ChannelState]) -> None:
        """See which runs wait; ``states`` are those under way, by run."""
        for run, task in list(self._answering.items()):
            if task.done() or run not in states or states[run].state != WAITING:
                task.cancel()
                del self._answering[run]
        for run, state in states.items():
            if state.state == WAITING and run not in self._answering:
                self._answering[run] = asyncio.create_task(self._see_to(station, run), name=f"question of {run}")

    async def close(self) -> None:
        """Ask no more."""
        for task in self._answering.values():
            task.cancel()
        await asyncio.gather(*self._answering.values(), return_exceptions=True)
        if not self.failed.cancel():
            self.failed.exception()  # seen: whoever waited for it has been told, or something worse came first

    async def _see_to(self, station: Session, run: str) -> None:
        try:
            async with self._turn:  # one question at a time on one terminal
                await self._answer(station, run)
        except Exception as error:  # a defect of ours, too, must end the command rather than leave a run waiting
            if not self.failed.done():
                self.failed.set_exception(error)

    async def _answer(self, station: Session, run: str) -> None:
        """Answer the question that the run has committed, if it is another one than the last."""
        question = _open(station, run)
        if question is None or self._done.get(run) == question.id:
            return
        asked = Asked.of(question)
        answer = self._answers.get(asked.key)
        if answer is not None:
            try:
                await _tell(station, run, answer)
            except Refused as refusal:
                raise Unanswered(f"{run}: --answer {asked.key} was refused: {refusal}") from None
        else:
            await self._ask_until_told(station, run, asked)
        self._done[run] = question.id

    async def _ask_until_told(self, station: Session, run: str, asked: Asked) -> None:
        if not self._ask:
            raise Unanswered(f"{run} waits for {asked.expected}: {asked.message}")
        self.shown(False)
        try:
            self._console.print(Text.assemble((f"{run} waits for you: ", "bold yellow"), (asked.message, "bold")))
            self._lines.forget()
            while True:
                self._console.print(Text(f"{_prompt(asked)} "), end="")
                text = await self._lines.next()
                if text is None:
                    raise Unanswered(f"the terminal was closed while {run} waited for an answer: {asked.message}")
                try:
                    await _tell(station, run, asked.read(text))
                except ValueError as error:
                    self._say(f"the answer {error}")
                except Refused as refusal:
                    self._say(str(refusal))
                else:
                    return
        finally:
            self.shown(True)

    def _say(self, text: str) -> None:
        self._console.print(text, style="red", markup=False, highlight=False, soft_wrap=True)


def _prompt(asked: Asked) -> str:
    if asked.wants == "confirmation":
        return "Done? [yes]"
    if asked.wants == "photo":
        return "Path of a JPEG or PNG:"
    bounds = range_text(asked.dimension, asked.low, asked.high)
    example = expected_words(asked.dimension)
    return f"{(asked.name or 'number').replace('_', ' ')} ({bounds or example}):"


def _open(station: Session, run: str) -> Question | None:
    store = Store(station.data_dir)
    return open_question(store, store.run(run))


async def _tell(station: Session, run: str, answer: Answer) -> None:
    """Tell the engine; while it is being restarted, again. Raises ``Refused``."""
    attachment = None
    if answer.photo is not None:
        kept, _ = save_attachment(station.data_dir, run, answer.photo)
        attachment = kept.name
    while True:
        try:
            await station.answer(run, answer.value, attachment)
        except EngineUnavailable:
            await asyncio.sleep(_ENGINE_AGAIN_S)
        else:
            return


class Lines:
    """Lines that somebody types, for a coroutine that can be cancelled while it waits for one.

    Read by a thread of its own, and past Python's buffer, whose lock a thread that never returns would hold for ever.
    What is typed while nobody waits is dropped: it answers no question.
    """

    def __init__(self) -> None:
        self._waiting: asyncio.Future[str | None] | None = None
        self._thread: threading.Thread | None = None

    def forget(self) -> None:
        """Drop what was typed before the question was shown."""
        with contextlib.suppress(ImportError, OSError):  # Windows has no such queue to empty
            import termios

            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)

    async def next(self) -> str | None:
        """Return the next line; None if there are no more."""
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._read, args=(loop,), name="terminal", daemon=True)
            self._thread.start()
        try:
            return await self._waiting
        finally:
            self._waiting = None

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        descriptor, encoding = sys.stdin.fileno(), sys.stdin.encoding or "utf-8"
        while True:
            try:
                data = os.read(descriptor, 4096)
            except OSError:
                data = b""
            line = data.decode(encoding, "replace").strip() if data else None
            try:
                loop.call_soon_threadsafe(self._take, line)
            except RuntimeError:  # the command has ended
                return
            if line is None:
                return

    def _take(self, line: str | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(line)


def answers_given(texts: Sequence[str]) -> dict[str, str]:
    """Read ``--answer NAME=VALUE`` options. Raises ``InvalidInput``."""
    given: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise InvalidInput(f"--answer {text!r}; expected NAME=VALUE, such as --answer mass='12 mg'")
        given[key.strip()] = value.strip()
    return given
