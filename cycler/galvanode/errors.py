"""Errors that reach a person: what happened, where, what to do."""

from __future__ import annotations

from pathlib import Path

_LONGEST = 1000
_ENDING = 300


class GalvanodeError(Exception):
    """Base of every error that Galvanode raises on purpose.

    A message may quote what came from outside, megabytes perhaps; a person is told its beginning and its end.
    """

    def __str__(self) -> str:
        text = super().__str__()
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - _ENDING]} [...] {text[-_ENDING:]}"


class InputRefused(GalvanodeError):
    """A process that this one started refused its input, and has said why on the terminal."""


class InvalidInput(GalvanodeError):
    """A file or an argument that a person wrote is not acceptable.

    Shown as one line: ``file:line:column: message``. Lines and columns count from 1; both are None
    where the fault has no place in a file (a command line parameter, say).
    """

    def __init__(
        self,
        message: str,
        *,
        source: str | Path | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        self.message = message
        self.source = None if source is None else str(source)
        self.line = line
        self.column = column
        super().__init__(message)

    def __str__(self) -> str:
        place = [str(part) for part in (self.source, self.line, self.column) if part is not None]
        return ":".join(place) + ": " + self.message if place else self.message


class EngineUnavailable(GalvanodeError):
    """The engine is not running, is just being restarted, or does not answer."""


class Refused(GalvanodeError):
    """The engine understood and said no."""

    def __init__(
        self,
        message: str,
        source: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message)
        self.source, self.line, self.column = source, line, column

    def __str__(self) -> str:
        place = [str(part) for part in (self.source, self.line, self.column) if part is not None]
        return ":".join([*place, " " + self.args[0]]) if place else str(self.args[0])
