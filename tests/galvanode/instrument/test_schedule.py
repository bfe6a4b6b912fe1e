"""What an instrument that runs a whole recipe is handed."""

from __future__ import annotations

from galvanode.instrument.schedule import (
    Bounds,
    CannotExpress,
    Current,
    Ending,
    Recording,
    Repeat,
    Rest,
    Schedule,
    ScheduledStep,
)


def step(number: int, drive: Rest | Current) -> ScheduledStep:
    ends = (Ending("time", ">=", 60.0),)
    return ScheduledStep(number, "a step", drive, ends, Recording(every_s=1.0), Bounds(), line=number)


def test_steps_are_numbered_through_nested_blocks() -> None:
    inner = Repeat((step(2, Current(1e-3)), step(3, Rest())), times=5, line=2)
    schedule = Schedule("nested", (step(1, Rest()), Repeat((inner, step(4, Rest())), times=2, line=2)))
    assert [item.number for item in schedule.steps] == [1, 2, 3, 4]


def test_what_cannot_be_done_is_named_with_its_line() -> None:
    refused = CannotExpress(12, "a question to the operator needs the host")
    assert str(refused) == "line 12: a question to the operator needs the host"
    assert (refused.line, refused.what) == (12, "a question to the operator needs the host")
