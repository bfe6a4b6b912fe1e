"""What a station does with its channels, in process: requests, commits, resumption, chambers, unsafe channels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pyvisa

from galvanode.clock import Clock, JumpingClock, ScaledClock, install_clock, process_clock
from galvanode.engine import channels as channels_module
from galvanode.engine import commits as commits_module
from galvanode.engine.compiling import put_together
from galvanode.engine.contract import ChannelState, Status, Submit, parse_request
from galvanode.engine.station import Station
from galvanode.errors import InvalidInput, Refused
from galvanode.instrument.bench import Bench, open_bench, read_bench
from galvanode.store.journal import Journal
from galvanode.store.read import Store
from galvanode.store.records import RunCommit

BENCH = """
title: Two cells in a chamber, one beside it
instruments:
  oven: {driver: espec, setpoint: 30 degC, simulated: {}}
  a: {driver: keithley2450, simulated: {cell: llzto-zni2, seed: 1}}
  b: {driver: keithley2450, simulated: {cell: llzto-zni2, seed: 2}}
  c: {driver: keithley2450, simulated: {cell: resistor}}
channels:
  a: {cycler: a, chamber: oven}
  b: {cycler: b, chamber: oven}
  c: {cycler: c}
"""

CELL = """
name: Cell
area: 1 cm^2
electrolyte_thickness: 1 mm
temperature: 25 degC
stack_pressure: unknown
envelope: {voltage: {min: -5 V, max: 5 V}, current: {max: 0.1 A}}
"""

SHORT = """
title: Cycling
safety: {voltage: {min: -1 V, max: 1 V}, check_every: 10 s}
record: {every: 10 s}
method:
  - rest: {for: 60 s}
  - repeat:
      - plate: {current_density: 0.1 mA/cm^2, for: 600 s}
      - strip: {current_density: 0.1 mA/cm^2, for: 600 s}
    times: 3
"""
ENDLESS = SHORT.replace("times: 3", "times: 1000000").replace("record: {every: 10 s}", "record: {every: 30 s}")
SHORT_SAMPLES = 7 + 6 * 61


@dataclass
class Laboratory:
    """A station, what it stores, and the instruments that it does not know to be simulated."""

    station: Station
    journal: Journal
    bench: Bench
    data: Path
    library: Any

    @property
    def store(self) -> Store:
        return Store(self.data)

    def inject(self, instrument: str, kind: str | None = None, **options: Any) -> None:
        self.library.instruments[instrument].wire.inject(kind, **options)

    def model(self, instrument: str) -> Any:
        return self.library.instruments[instrument].model

    async def submit(self, channel: str, recipe: str = SHORT, cell: str = CELL) -> str:
        request = Submit(channel=channel, recipe=recipe, recipe_name="r.yaml", cell=cell, cell_name="c.yaml")
        return (await self.station.ask(request)).run

    async def ask(self, method: str, **params: Any) -> Any:
        return await self.station.ask(parse_request(method, params))

    async def channel(self, name: str) -> ChannelState:
        status = await self.station.ask(Status())
        return next(state for state in status.channels if state.name == name)

    async def ended(self, run: str, state: str) -> None:
        """Wait until the store has the run in that state, and its channel is free again."""
        await until(lambda: self.store.run(run).state == state)
        name = self.store.run(run).channel
        while (await self.channel(name)).run == run:
            await asyncio.sleep(0.005)

    async def has_samples(self, run: str, more_than: int = 0) -> int:
        await until(lambda: self.store.run(run).samples > more_than)
        return self.store.run(run).samples

    def kinds(self, run: str | None = None) -> list[str]:
        return [event.kind for event in self.store.events(run)]

    async def unsealed(self) -> list[str]:
        return await self.station.commits.write(self.journal.unsealed)

    def records(self, run: str) -> list[int]:
        return self.store.samples(run).column("Record Index / 1").to_pylist()

    def assert_whole(self, run: str) -> None:
        """Every sample is there exactly once, in order."""
        record = self.store.run(run)
        assert self.records(run) == list(range(1, record.samples + 1))
        times = self.store.samples(run).column("Test Time / s").to_pylist()
        assert times == sorted(times)


async def until(condition: Callable[[], Any], seconds: float = 8.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)
    return value


@dataclass
class Building:
    """Where laboratories are opened, one after the other, on the same data and the same instruments."""

    folder: Path
    clock: Clock

    def bench(self) -> Bench:
        path = self.folder / "bench.yaml"
        if not path.exists():
            path.write_text(BENCH)
        return read_bench(path)

    @asynccontextmanager
    async def open(self, seed: int = 0, end: bool = True) -> AsyncIterator[Laboratory]:
        bench = self.bench()
        journal = Journal(self.folder / "data")
        station = Station(journal, open_bench(bench, seed), self.clock, seed)
        library: Any = pyvisa.ResourceManager(bench.backend("a", seed)).visalib
        await station.start()
        try:
            yield Laboratory(station, journal, bench, self.folder / "data", library)
        finally:
            if end:
                await asyncio.wait_for(station.close(), 10)

    def demolish(self) -> None:
        for seed in (0, 1):
            pyvisa.ResourceManager(self.bench().backend("a", seed)).close()


@pytest.fixture
def building(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Building]:
    yield from _building(tmp_path, monkeypatch, JumpingClock())


@pytest.fixture
def slow_building(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Building]:
    monkeypatch.setattr(commits_module, "SEAL_EVERY_S", 0.3)
    yield from _building(tmp_path, monkeypatch, ScaledClock(5000.0))


def _building(folder: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Building]:
    monkeypatch.setattr(commits_module, "COMMIT_EVERY_S", 0.02)
    monkeypatch.setattr(channels_module, "RESUME_WITHIN_S", 1e9)
    monkeypatch.setattr(channels_module, "RETRY_SAFE_EVERY_S", 0.05)
    before = process_clock()
    install_clock(clock)
    house = Building(folder, clock)
    yield house
    house.demolish()
    install_clock(before)


@pytest.fixture
async def lab(building: Building) -> AsyncIterator[Laboratory]:
    """A laboratory at full simulated speed: a run of an hour is over in a moment."""
    async with building.open() as laboratory:
        yield laboratory


@pytest.fixture
async def slow_lab(slow_building: Building) -> AsyncIterator[Laboratory]:
    """A laboratory in which a run without end leaves the processor to the others."""
    async with slow_building.open() as laboratory:
        yield laboratory


class BrokenDisk:
    """Commits fail, all of them or those asked for."""

    def __init__(self, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
        self.to_fail = 0.0
        self.tried: list[list[RunCommit]] = []
        self._commit = journal.commit
        monkeypatch.setattr(journal, "commit", self.commit)

    def commit(self, commits: Any, events: Any = ()) -> None:
        self.tried.append(list(commits))
        if self.to_fail > 0:
            self.to_fail -= 1
            raise OSError(28, "No space left on device")
        self._commit(commits, events)


# --- requests ------------------------------------------------------------------------------------------


async def test_a_run_is_carried_out_and_every_sample_of_it_is_stored(lab: Laboratory):
    run = await lab.submit("c")
    assert (await lab.channel("c")).run == run
    await lab.ended(run, "completed")
    record = lab.store.run(run)
    assert record.end_reason == "end of recipe"
    assert record.samples == SHORT_SAMPLES
    assert record.test_time_s == pytest.approx(60 + 6 * 600)
    lab.assert_whole(run)
    assert (await lab.channel("c")).state == "idle"
    assert not lab.model("c").output


async def test_a_finished_run_is_sealed_into_one_file(lab: Laboratory):
    run = await lab.submit("c")
    await lab.ended(run, "completed")
    assert list((lab.data / "runs").glob("**/*.parquet"))
    assert await lab.unsealed() == []
    lab.assert_whole(run)


async def test_a_pause_makes_the_channel_safe_and_resuming_goes_on_in_the_same_step(slow_lab: Laboratory):
    run = await slow_lab.submit("c", ENDLESS)
    await slow_lab.has_samples(run)
    await slow_lab.ask("pause", run=run)
    await until(lambda: slow_lab.store.run(run).state == "paused")
    assert (await slow_lab.channel("c")).state == "paused"
    assert not slow_lab.model("c").output
    before = slow_lab.store.run(run).samples
    step = (await slow_lab.channel("c")).step_count
    with pytest.raises(Refused, match="is paused; only a running one"):
        await slow_lab.ask("pause", run=run)
    await slow_lab.ask("resume", run=run)
    await slow_lab.has_samples(run, before)
    with pytest.raises(Refused, match="only a paused one"):
        await slow_lab.ask("resume", run=run)
    assert (await slow_lab.ask("stop", run=run)).state == "stopped"
    await slow_lab.ended(run, "stopped")
    slow_lab.assert_whole(run)
    attempts = [row["attempt"] for row in slow_lab.store.steps(run).to_pylist() if row["step_count"] == step]
    assert attempts in ([1, 2], [1])  # [1] if the pause fell between two steps


async def test_stop_ends_one_run_and_stop_all_the_others(slow_lab: Laboratory):
    runs = {name: await slow_lab.submit(name, ENDLESS) for name in ("a", "b", "c")}
    assert (await slow_lab.ask("stop", run=runs["b"])).state == "stopped"
    await slow_lab.ended(runs["b"], "stopped")
    assert (await slow_lab.channel("a")).state == "running"
    answer = await slow_lab.ask("stop_all")
    assert sorted(answer.stopped) == sorted([runs["a"], runs["c"]])
    for name, run in runs.items():
        await slow_lab.ended(run, "stopped")
        assert slow_lab.store.run(run).end_reason == "stopped on request"
        assert not slow_lab.model(name).output
    with pytest.raises(Refused, match="is under way"):
        await slow_lab.ask("stop", run=runs["a"])


async def test_a_run_that_is_being_submitted_does_not_begin_after_everything_was_stopped(
    slow_lab: Laboratory, monkeypatch: pytest.MonkeyPatch
):
    began, goes_on = asyncio.Event(), asyncio.Event()

    async def slowly(*arguments: Any) -> Any:
        began.set()
        await goes_on.wait()
        return await put_together(*arguments)

    monkeypatch.setattr("galvanode.engine.requests.put_together", slowly)
    submitting = asyncio.ensure_future(slow_lab.submit("c", ENDLESS))
    await began.wait()
    await slow_lab.ask("stop_all")
    goes_on.set()
    with pytest.raises(Refused, match="everything was stopped while this run was being submitted"):
        await submitting
    assert (await slow_lab.channel("c")).state == "idle"
    assert not slow_lab.model("c").output
    assert [run.state for run in slow_lab.store.runs()] == ["stopped"]


async def test_a_stop_is_not_taken_back_by_a_pause_that_comes_after_it(slow_lab: Laboratory):
    run = await slow_lab.submit("c", ENDLESS)
    await slow_lab.has_samples(run)
    stopping = asyncio.ensure_future(slow_lab.ask("stop", run=run))
    await asyncio.sleep(0)
    await slow_lab.ask("pause", run=run)
    assert (await asyncio.wait_for(stopping, 5)).state == "stopped"


async def test_what_was_asked_of_the_station_is_on_record(slow_lab: Laboratory):
    run = await slow_lab.submit("c", ENDLESS)
    await slow_lab.has_samples(run)
    await slow_lab.ask("pause", run=run)
    await until(lambda: slow_lab.store.run(run).state == "paused")
    await slow_lab.ask("resume", run=run)
    await until(lambda: slow_lab.store.run(run).state == "running")
    await slow_lab.ask("stop", run=run)
    await slow_lab.ended(run, "stopped")
    kinds = slow_lab.kinds(run)
    assert [kind for kind in kinds if kind in ("submit", "pause", "resume", "stop")] == [
        "submit", "pause", "resume", "stop",
    ]  # fmt: skip
    assert "resumed" in kinds
    assert "ended" in kinds
    await slow_lab.ask("stop_all")
    await until(lambda: "stop_all" in slow_lab.kinds())


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (("explode", {}), "unknown request 'explode'"),
        (("pause", {"run": "r0099"}), "no run 'r0099' is under way"),
        (("pause", {"runn": "r0001"}), "pause: run: Field required"),
        (("submit", {"channel": "z", "recipe": "", "recipe_name": "", "cell": "", "cell_name": ""}), "no channel 'z'"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(lab: Laboratory, request_: Any, message: str):
    with pytest.raises(Refused, match=message):
        await lab.ask(request_[0], **request_[1])
    assert lab.store.runs() == []


async def test_a_busy_channel_is_refused_and_names_the_run_that_has_it(slow_lab: Laboratory):
    run = await slow_lab.submit("c", ENDLESS)
    with pytest.raises(Refused, match=f"'c' is busy with run {run}"):
        await slow_lab.submit("c")
    assert len(slow_lab.store.runs()) == 1


async def test_of_two_runs_submitted_at_once_to_a_channel_only_one_begins(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
):
    create = lab.journal.create_run

    def slowly(*arguments: Any) -> str:
        time.sleep(0.1)  # a busy disk
        return create(*arguments)

    monkeypatch.setattr(lab.journal, "create_run", slowly)
    answers = await asyncio.gather(lab.submit("c"), lab.submit("c"), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Refused", "str"]
    assert len(lab.store.runs()) == 1


async def test_a_channel_is_free_again_after_a_submission_that_failed(lab: Laboratory):
    with pytest.raises(InvalidInput):
        await lab.submit("c", "title: nothing else\n")
    await lab.ended(await lab.submit("c"), "completed")


@pytest.mark.parametrize(
    ("recipe", "place"),
    [
        (SHORT.replace("600 s", "600 V", 1), "r.yaml:8:"),
        (SHORT.replace("rest:", "rset:"), "r.yaml:6:"),
        (SHORT.replace("max: 1 V", "max: 6 V"), "r.yaml:3:"),
    ],
)
async def test_a_bad_recipe_is_refused_with_its_place_and_nothing_is_started(lab: Laboratory, recipe: str, place: str):
    with pytest.raises(InvalidInput) as raised:
        await lab.submit("c", recipe)
    assert place in str(raised.value)
    assert lab.store.runs() == []
    assert (await lab.channel("c")).state == "idle"


@pytest.mark.parametrize(
    ("recipe", "cell", "message"),
    [
        (SHORT.replace("0.1 mA/cm^2", "2 A/cm^2"), CELL.replace("0.1 A", "3 A"), r"r.yaml:8: 2 A is outside"),
        (SHORT.replace("check_every: 10 s", "check_every: 1 ms"), CELL, r"r.yaml:6: readings every 0.001 s"),
        (
            "title: t\nmethod:\n  - constant_voltage: {voltage: 1 V, current_limit: 2 A, for: 60 s}\n",
            CELL.replace("0.1 A", "3 A"),
            r"r.yaml:3: .*2 A",
        ),
    ],
)
async def test_a_program_beyond_the_instrument_is_refused_with_its_line(
    lab: Laboratory, recipe: str, cell: str, message: str
):
    with pytest.raises((Refused, InvalidInput), match=message):
        await lab.submit("c", recipe, cell)
    assert lab.store.runs() == []


async def test_a_cell_that_bears_more_than_the_instrument_gives_runs_all_the_same(lab: Laboratory):
    run = await lab.submit("c", SHORT, CELL.replace("0.1 A", "3 A"))
    await lab.ended(run, "completed")


async def test_two_runs_at_once_do_not_touch_each_other(lab: Laboratory):
    faulty, sound = await lab.submit("a", ENDLESS), await lab.submit("c")
    await lab.has_samples(faulty)
    lab.inject("a", "reading", match=":READ?", value="9.91E37")
    await lab.ended(faulty, "tripped")
    await lab.ended(sound, "completed")
    assert lab.store.run(sound).samples == SHORT_SAMPLES
    assert "not-a-number" in (lab.store.run(faulty).end_reason or "")
    lab.assert_whole(faulty)
    lab.assert_whole(sound)


async def test_a_driver_that_calls_exit_ends_its_own_run_and_no_other(
    slow_lab: Laboratory, monkeypatch: pytest.MonkeyPatch
):
    run, other = await slow_lab.submit("c", ENDLESS), await slow_lab.submit("a", ENDLESS)
    await slow_lab.has_samples(run)

    async def leave() -> None:
        raise SystemExit(1)

    with monkeypatch.context() as patched:
        patched.setattr(slow_lab.station._bench.units["c"], "read", leave)
        await slow_lab.ended(run, "failed")
    assert slow_lab.store.run(run).end_reason == "internal error: SystemExit: 1"
    assert not slow_lab.model("c").output
    assert (await slow_lab.channel("c")).state == "idle"
    await slow_lab.has_samples(other, slow_lab.store.run(other).samples)


@pytest.mark.parametrize("kind", ["drop_reply", "truncate", "garble", "disconnect"])
async def test_one_answer_that_is_lost_or_damaged_is_survived_and_on_record(lab: Laboratory, kind: str):
    lab.inject("c", kind, match=":READ?", skip=200, count=1)
    run = await lab.submit("c")
    await lab.ended(run, "completed")
    assert lab.kinds(run).count("link") == 1
    assert lab.store.run(run).samples == SHORT_SAMPLES
    lab.assert_whole(run)


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        ({"kind": "frozen_time"}, "tripped", "its own time stands still"),
        ({"kind": "frozen_reading"}, "tripped", "readings are frozen"),
        ({"kind": "reading", "value": "9.9E37"}, "tripped", "means overflow"),
        ({"kind": "reading", "value": "4.2"}, "tripped", "above its limit"),
        ({"kind": "garble"}, "communication_lost", "expected four numbers"),
        ({"kind": "drop_reply"}, "communication_lost", "did not answer in time"),
    ],
)
async def test_readings_that_cannot_be_trusted_end_the_run_and_those_before_are_stored(
    lab: Laboratory, fault: dict[str, Any], state: str, reason: str
):
    lab.inject("c", **fault, match=":READ?", skip=200)
    run = await lab.submit("c")
    await lab.ended(run, state)
    assert reason in (lab.store.run(run).end_reason or "")
    assert lab.store.run(run).samples >= 200
    assert not lab.model("c").output
    lab.assert_whole(run)


async def test_another_instrument_that_answers_after_a_lost_connection_is_a_trip_and_its_safe_state_proves_nothing(
    lab: Laboratory,
):
    run = await lab.submit("c", ENDLESS)
    await lab.has_samples(run)
    device = lab.library.instruments["c"].wire.device
    device.identification = "KEITHLEY INSTRUMENTS,MODEL 2450,99999999,1.7.12b"
    lab.inject("c", "disconnect", count=1)
    await lab.ended(run, "tripped")
    assert "MODEL 2450 number 99999999 answers where" in (lab.store.run(run).end_reason or "")
    assert "unsafe" in lab.kinds(run)


# --- commits -------------------------------------------------------------------------------------------


async def test_samples_of_a_commit_that_failed_are_stored_by_the_next_one_exactly_once(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch
):
    disk = BrokenDisk(lab.journal, monkeypatch)
    disk.to_fail = 2
    run = await lab.submit("c")
    await lab.ended(run, "completed")
    assert disk.to_fail == 0
    assert lab.store.run(run).samples == SHORT_SAMPLES
    lab.assert_whole(run)


async def test_when_samples_cannot_be_stored_the_runs_trip_and_later_all_samples_are_there(
    slow_lab: Laboratory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    run = await slow_lab.submit("c", ENDLESS)
    other = await slow_lab.submit("a", ENDLESS)
    await slow_lab.has_samples(run)
    await slow_lab.has_samples(other)
    disk = BrokenDisk(slow_lab.journal, monkeypatch)
    disk.to_fail = 1e9
    await until(lambda: not slow_lab.model("c").output and not slow_lab.model("a").output)
    await until(lambda: len(disk.tried) > 5)
    disk.to_fail = 0
    for name in (run, other):
        await slow_lab.ended(name, "tripped")
        assert "samples cannot be stored" in (slow_lab.store.run(name).end_reason or "")
        slow_lab.assert_whole(name)
    assert sum("commit failed" in text for text in caplog.messages) == 1  # a full disk is not filled with it
    await until(lambda: "stored_again" in slow_lab.kinds())
    while await slow_lab.unsealed():
        await asyncio.sleep(0.01)
    await slow_lab.ended(await slow_lab.submit("c"), "completed")


async def test_no_run_begins_while_samples_cannot_be_stored(slow_lab: Laboratory, monkeypatch: pytest.MonkeyPatch):
    disk = BrokenDisk(slow_lab.journal, monkeypatch)
    run = await slow_lab.submit("c", ENDLESS)
    disk.to_fail = 1e9
    await until(lambda: len(disk.tried) > 5)
    with pytest.raises(Refused, match="samples cannot be stored"):
        await slow_lab.submit("a", ENDLESS)
    disk.to_fail = 0
    await slow_lab.ended(run, "tripped")


async def test_a_channel_is_freed_even_if_its_run_cannot_be_sealed(lab: Laboratory, monkeypatch: pytest.MonkeyPatch):
    def full(run: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lab.journal, "seal", full)
    run = await lab.submit("c")
    await lab.ended(run, "completed")
    assert (await lab.channel("c")).state == "idle"
    await until(lambda: "not_sealed" in lab.kinds())
    lab.assert_whole(run)


# --- resumption ----------------------------------------------------------------------------------------


async def test_an_interrupted_run_goes_on_after_a_restart_where_it_was(slow_building: Building):
    async with slow_building.open() as lab:
        run = await lab.submit("c", ENDLESS)
        before = await lab.has_samples(run, 50)
    stored = Store(slow_building.folder / "data").run(run)
    assert stored.state == "interrupted"
    assert stored.samples >= before
    async with slow_building.open() as lab:
        await lab.has_samples(run, stored.samples + 50)
        assert (await lab.channel("c")).run == run
        assert "resumed" in lab.kinds(run)
        await lab.ask("stop", run=run)
        await lab.ended(run, "stopped")
        lab.assert_whole(run)
        charged = lab.store.samples(run).column("Charging Capacity / Ah").to_pylist()
        assert charged == sorted(charged)


async def test_a_paused_run_is_still_paused_after_a_restart(slow_building: Building):
    async with slow_building.open() as lab:
        run = await lab.submit("c", ENDLESS)
        await lab.has_samples(run)
        await lab.ask("pause", run=run)
        await until(lambda: lab.store.run(run).state == "paused")
    async with slow_building.open() as lab:
        await asyncio.sleep(0.1)
        assert (await lab.channel("c")).state == "paused"
        assert not lab.model("c").output
        assert lab.store.run(run).state == "paused"
        before = lab.store.run(run).samples
        await lab.ask("resume", run=run)
        await lab.has_samples(run, before)
        await lab.ask("stop", run=run)
        await lab.ended(run, "stopped")
        lab.assert_whole(run)


async def test_a_run_is_not_resumed_on_another_instrument(slow_building: Building):
    async with slow_building.open() as lab:
        run = await lab.submit("c", ENDLESS)
        await lab.has_samples(run)
    async with slow_building.open(seed=1) as lab:  # another seed gives other serial numbers
        await until(lambda: "not_resumed" in lab.kinds(run))
        assert (await lab.channel("c")).run is None
        assert not lab.model("c").output
        message = next(event.message for event in lab.store.events(run) if event.kind == "not_resumed")
        assert "it was KEITHLEY" in message
        assert lab.store.run(run).state == "interrupted"
        await lab.ended(await lab.submit("c"), "completed")


async def test_a_run_that_an_engine_left_running_and_nobody_can_take_up_is_not_said_to_run(slow_building: Building):
    async with slow_building.open() as lab:
        run = await lab.submit("c", ENDLESS)
        await lab.has_samples(run)
    with Journal(slow_building.folder / "data") as journal:  # what kill -9 leaves
        journal.commit([RunCommit(run, [], None, "running", None, 0.0)])
    async with slow_building.open(seed=1) as lab:
        await until(lambda: lab.store.run(run).state == "interrupted")
        assert "not resumed" in (lab.store.run(run).end_reason or "")
    async with slow_building.open() as lab:  # with its own instrument again
        before = lab.store.run(run).samples
        await lab.has_samples(run, before)
        await lab.ask("stop", run=run)
        await lab.ended(run, "stopped")
        lab.assert_whole(run)


async def test_a_run_that_was_away_for_long_waits_for_a_person(
    slow_building: Building, monkeypatch: pytest.MonkeyPatch
):
    async with slow_building.open() as lab:
        run = await lab.submit("c", ENDLESS)
        await lab.has_samples(run)
    monkeypatch.setattr(channels_module, "RESUME_WITHIN_S", 1.0)
    async with slow_building.open() as lab:
        await until(lambda: lab.store.run(run).state == "paused")
        assert "held" in lab.kinds(run)
        assert not lab.model("c").output


async def test_a_run_whose_channel_is_gone_is_told_and_left_as_it_is(slow_building: Building):
    async with slow_building.open() as lab:
        run = await lab.submit("c", ENDLESS)
        await lab.has_samples(run)
    (slow_building.folder / "bench.yaml").write_text(BENCH.replace("  c: {cycler: c}", "  d: {cycler: c}"))
    async with slow_building.open() as lab:
        await until(lambda: "not_resumed" in lab.kinds(run))
        assert lab.store.run(run).state == "interrupted"


# --- chambers ------------------------------------------------------------------------------------------


async def test_a_chamber_is_set_and_its_temperature_is_in_the_samples(lab: Laboratory):
    assert lab.model("oven").setpoint == pytest.approx(303.15)
    run = await lab.submit("a")
    await lab.ended(run, "completed")
    temperatures = lab.store.samples(run).column("Ambient Temperature / degC").to_pylist()
    assert temperatures[-1] == pytest.approx(30.0, abs=0.5)
    status = await lab.ask("status")
    assert status.chambers[0].ok


async def test_no_simulated_time_passes_before_a_run_in_a_chamber_has_begun(lab: Laboratory):
    before = process_clock().unix()
    run = await lab.submit("a")
    await lab.ended(run, "completed")
    started = lab.store.samples(run).column("Unix Time / s").to_pylist()[0]
    assert started == pytest.approx(before, abs=1.0)


async def test_a_chambers_alarm_trips_the_runs_in_it_and_only_those(slow_lab: Laboratory):
    inside = [await slow_lab.submit("a", ENDLESS), await slow_lab.submit("b", ENDLESS)]
    outside = await slow_lab.submit("c", ENDLESS)
    for run in (*inside, outside):
        await slow_lab.has_samples(run)
    slow_lab.model("oven").alarms[:] = [3]
    for run in inside:
        await slow_lab.ended(run, "tripped")
        assert slow_lab.store.run(run).end_reason == "chamber oven reports alarm 3"
    before = slow_lab.store.run(outside).samples
    await slow_lab.has_samples(outside, before)
    assert (await slow_lab.ask("status")).chambers[0].alarm == "alarm 3"


async def test_a_lost_chamber_trips_the_runs_in_it_and_refuses_others_until_it_answers(slow_lab: Laboratory):
    inside, outside = await slow_lab.submit("a", ENDLESS), await slow_lab.submit("c", ENDLESS)
    for run in (inside, outside):
        await slow_lab.has_samples(run)
    slow_lab.inject("oven", "drop_reply")
    await slow_lab.ended(inside, "tripped")
    assert "chamber oven is lost" in (slow_lab.store.run(inside).end_reason or "")
    with pytest.raises(Refused, match=r"chamber 'oven' of channel 'b': .* did not answer"):
        await slow_lab.submit("b")
    assert not (await slow_lab.ask("status")).chambers[0].ok
    assert (await slow_lab.channel("c")).state == "running"
    slow_lab.inject("oven")
    await slow_lab.ended(await slow_lab.submit("b"), "completed")
    assert (await slow_lab.ask("status")).chambers[0].ok


async def test_a_chamber_that_could_not_be_set_is_set_again_before_a_run_begins_in_it(slow_building: Building):
    faults = "[{kind: drop_reply, match: 'TEMP, S', count: 1}]"
    (slow_building.folder / "bench.yaml").write_text(BENCH.replace("simulated: {}", f"simulated: {{faults: {faults}}}"))
    async with slow_building.open() as lab:
        lab.model("oven").setpoint = 300.0  # the command was lost, too
        assert not (await lab.ask("status")).chambers[0].ok
        await lab.ended(await lab.submit("a"), "completed")
        assert lab.model("oven").setpoint == pytest.approx(303.15)


async def test_one_lost_answer_of_a_chamber_is_survived(lab: Laboratory):
    run = await lab.submit("a")
    lab.inject("oven", "drop_reply", skip=2, count=2)
    await lab.ended(run, "completed")


async def test_a_chamber_is_read_once_a_minute_however_many_runs_come_and_go(building: Building):
    building.clock = ScaledClock(40.0)
    install_clock(building.clock)
    async with building.open() as lab:
        asked: list[bytes] = []
        wire = lab.library.instruments["oven"].wire
        answer = wire.receive

        def count(message: bytes) -> bytes:
            asked.append(message)
            return answer(message)

        wire.receive = count
        for _ in range(4):
            await lab.ask("stop", run=await lab.submit("a", ENDLESS))
            await until(lambda: not lab.station.table.runs)
        await lab.submit("a", ENDLESS)
        asked.clear()
        await asyncio.sleep(1.75)  # 70 s of process time
        assert 1 <= asked.count(b"TEMP?") <= 2


# --- channels that are not as they should be -------------------------------------------------------------


async def test_a_channel_that_stays_unsafe_is_told_refused_and_comes_back_by_itself(slow_lab: Laboratory):
    run = await slow_lab.submit("c", ENDLESS)
    await slow_lab.has_samples(run)
    slow_lab.inject("c", "stuck_output")
    await slow_lab.ask("stop", run=run)
    await slow_lab.ended(run, "stopped")
    assert "the channel is not safe" in (slow_lab.store.run(run).end_reason or "")
    state = await slow_lab.channel("c")
    assert state.state == "unsafe"
    assert "Disconnect the cell by hand" in (state.message or "")
    assert "unsafe" in slow_lab.kinds(run)
    with pytest.raises(Refused, match="'c' is unsafe"):
        await slow_lab.submit("c")
    slow_lab.inject("c")
    while (await slow_lab.channel("c")).state != "idle":
        await asyncio.sleep(0.01)
    assert not slow_lab.model("c").output
    await until(lambda: "recovered" in slow_lab.kinds())
    await slow_lab.ended(await slow_lab.submit("c"), "completed")


async def test_a_pause_that_leaves_the_output_on_ends_the_run_as_tripped(slow_lab: Laboratory):
    run = await slow_lab.submit("c", ENDLESS)
    await slow_lab.has_samples(run)
    slow_lab.inject("c", "stuck_output")
    await slow_lab.ask("pause", run=run)
    await slow_lab.ended(run, "tripped")
    assert "expected '0;HIMP;HIMP'" in (slow_lab.store.run(run).end_reason or "")
    assert (await slow_lab.channel("c")).state == "unsafe"
    slow_lab.inject("c")


async def test_a_lost_instrument_ends_its_run_and_its_channel_comes_back_by_itself(slow_lab: Laboratory):
    run = await slow_lab.submit("c", ENDLESS)
    await slow_lab.has_samples(run)
    slow_lab.inject("c", "disconnect")
    slow_lab.inject("c", "refuse_connection")
    await slow_lab.ended(run, "communication_lost")
    slow_lab.assert_whole(run)
    assert (await slow_lab.channel("c")).state in ("lost", "unsafe")
    await until(lambda: "lost" in slow_lab.kinds())
    slow_lab.inject("c")
    while (await slow_lab.channel("c")).state != "idle":
        await asyncio.sleep(0.01)
    assert not slow_lab.model("c").output


async def test_a_station_starts_with_an_instrument_missing_and_takes_it_when_it_comes(building: Building):
    (building.folder / "bench.yaml").write_text(
        BENCH.replace("{cell: resistor}", "{cell: resistor, faults: [{kind: drop_reply, count: 4}]}")
    )
    async with building.open() as lab:
        assert (await lab.channel("c")).state == "lost"
        with pytest.raises(Refused, match="is lost"):
            await lab.submit("c")
        await lab.ended(await lab.submit("a"), "completed")
        while (await lab.channel("c")).state != "idle":
            await asyncio.sleep(0.01)
        await lab.ended(await lab.submit("c"), "completed")


async def test_a_station_that_is_closed_leaves_every_output_off(slow_building: Building):
    async with slow_building.open() as lab:
        runs = [await lab.submit(name, ENDLESS) for name in ("a", "b", "c")]
        for run in runs:
            await lab.has_samples(run)
        models = [lab.model(name) for name in ("a", "b", "c")]
    assert not any(model.output for model in models)
    store = Store(slow_building.folder / "data")
    assert {store.run(run).state for run in runs} == {"interrupted"}
