"""What the supervisor makes safe by itself before its first engine opens an instrument, and what it leaves alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from filelock import FileLock, Timeout
from tests.stack.harness import free_port

from galvanode.commands.serving import serve_bench
from galvanode.engine import rescue
from galvanode.engine.rescue import ENGINE_LOCK, Rescue
from galvanode.engine.supervisor import StationBusy, Supervisor
from galvanode.errors import GalvanodeError, InvalidInput
from galvanode.store.read import Store

ASKED, SAFE = ":OUTP?;:OUTP:SMOD?", "0;HIMP"


@dataclass
class Keithley:
    """The other end of a network cable: writes down what it is told, and says that its output is off."""

    port: int
    says: Callable[[], str | None] = lambda: SAFE
    """The answer to the question for its state; None is silence."""
    heard: list[str] = field(default_factory=list)
    connected: int = 0

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        with contextlib.suppress(asyncio.CancelledError):
            await self._converse(reader, writer)
        self.connected -= 1
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).decode().strip():
            self.heard.append(line)
            if line == ASKED and (answer := self.says()) is not None:
                writer.write(f"{answer}\n".encode())

    @property
    def is_off(self) -> bool:
        return ":OUTP OFF" in self.heard


@asynccontextmanager
async def keithley(says: Callable[[], str | None] = lambda: SAFE) -> AsyncGenerator[Keithley]:
    instrument = Keithley(free_port(), says)
    server = await asyncio.start_server(instrument.listen, "127.0.0.1", instrument.port)
    async with server:
        yield instrument


def bench_of(folder: Path, **ports: int) -> Path:
    path = folder / "bench.yaml"
    entries = [f"  {n}: {{driver: keithley2400, resource: 'TCPIP::127.0.0.1::{p}::SOCKET'}}" for n, p in ports.items()]
    path.write_text("\n".join(["title: On the wire", "instruments:", *entries]) + "\n")
    return path


@dataclass
class Told:
    """The supervisor's log."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, kind: str, message: str, **details: Any) -> None:
        self.lines.append((kind, message))

    def about(self, name: str) -> list[str]:
        return [kind for kind, message in self.lines if message.startswith(f"{name} ")]


def is_free(folder: Path) -> bool:
    """Whether an engine could open the instruments now."""
    lock = FileLock(folder / ENGINE_LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    lock.release()
    return True


async def _over(folder: Path, within_s: float) -> float:
    began = time.monotonic()
    async with asyncio.timeout(within_s):
        while not is_free(folder):
            await asyncio.sleep(0.01)
    return time.monotonic() - began


def make(folder: Path, bench: Path, *, accelerated: bool = False) -> tuple[Rescue, Told]:
    rescue._bench_in(bench)  # what is imported on the way is not timed here
    told = Told()
    return Rescue(folder, bench, told, accelerated=accelerated), told


async def test_what_was_left_on_is_off_and_let_go_of_before_an_engine_may_open_it(tmp_path: Path):
    async with keithley() as one, keithley() as other:
        guard, told = make(tmp_path, bench_of(tmp_path, one=one.port, other=other.port))
        await guard.begin()
        await _over(tmp_path, 10)
        for instrument, name in ((one, "one"), (other, "other")):
            assert instrument.heard == [":ABOR", ":OUTP:SMOD HIMP", ":OUTP OFF", ASKED]
            assert told.about(name) == ["safe_at_start"]
            assert instrument.connected == 0
        await guard.leave_off()


async def test_no_engine_opens_an_instrument_while_one_of_them_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rescue, "_CHILDREN_WAIT_S", 0.4)
    async with keithley(lambda: None) as silent, keithley() as healthy:
        bench = bench_of(tmp_path, silent=silent.port, healthy=healthy.port)
        bench.write_text(bench.read_text().replace("}", ", timeout: 20 s}"))
        guard, told = make(tmp_path, bench)
        await guard.begin()  # the other processes do not wait for all of it
        async with asyncio.timeout(10):
            while "healthy" not in {message.split()[0] for _, message in told.lines}:
                await asyncio.sleep(0.01)
        assert not is_free(tmp_path)
        assert await _over(tmp_path, 15) < 10.0
        assert told.about("healthy") == ["safe_at_start"]
        assert set(told.about("silent")) == {"not_safe"}
        await guard.leave_off()


async def test_the_bound_holds_for_an_instrument_whose_link_waits_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rescue, "_ANSWER_WITHIN_S", 0.3)
    async with keithley(lambda: None) as silent:
        bench = bench_of(tmp_path, silent=silent.port)
        bench.write_text(bench.read_text().replace("}", ", timeout: 20 s}"))
        guard, told = make(tmp_path, bench)
        await guard.begin()
        assert await _over(tmp_path, 15) < 10.0
        assert told.lines == [("not_safe", "silent is not safe: no answer within 0.3 s; the engine tries again")]
        await guard.leave_off()


async def test_an_output_that_is_still_on_is_switched_off_again_and_then_left_to_the_engine(tmp_path: Path):
    answers, still_on = iter(["1;HIMP", SAFE]), Mock(return_value="1;HIMP")
    async with keithley(lambda: next(answers)) as late, keithley(still_on) as stuck:
        guard, told = make(tmp_path, bench_of(tmp_path, late=late.port, stuck=stuck.port))
        await guard.begin()
        await _over(tmp_path, 10)
        assert told.about("late") == ["not_safe", "safe_at_start"]
        assert still_on.call_count > 1
        assert told.about("stuck") == ["not_safe"]  # once: what does not change is not said again
        await guard.leave_off()


async def test_an_instrument_that_cannot_be_reached_is_left_to_the_engine(tmp_path: Path):
    guard, told = make(tmp_path, bench_of(tmp_path, away=free_port()))
    await guard.begin()
    await _over(tmp_path, 10)
    assert set(told.about("away")) == {"not_safe"}
    assert guard.not_safe == []  # that is said when the engine has tried as well
    await guard.leave_off()


async def test_an_end_in_the_middle_lets_go_of_instruments_and_lock(tmp_path: Path):
    async with keithley(lambda: None) as silent:
        guard, _ = make(tmp_path, bench_of(tmp_path, silent=silent.port))
        beginning = asyncio.create_task(guard.begin())
        async with asyncio.timeout(10):
            while not silent.is_off:
                await asyncio.sleep(0.01)
            await beginning
        await guard.leave_off()
        assert is_free(tmp_path)
        async with asyncio.timeout(5):
            while silent.connected:
                await asyncio.sleep(0.01)


async def test_what_works_alone_what_is_simulated_in_the_engine_and_chambers_are_left_alone(tmp_path: Path):
    from galvanode.instrument.bench import read_bench

    path = tmp_path / "bench.yaml"
    path.write_text(
        "title: Of each kind\ninstruments:\n"
        "  polled: {driver: keithley2400, resource: 'TCPIP::10.0.0.5::5025::SOCKET'}\n"
        "  scripted: {driver: emstat4, resource: 'ASRL/dev/ttyACM0::INSTR'}\n"
        "  alone: {driver: neware, resource: 'TCPIP::10.0.0.6::502::SOCKET', options: {current: 1 A, step_files: .}}\n"
        "  air: {driver: espec, resource: 'ASRL/dev/ttyUSB0::INSTR'}\n"
        "  inside: {driver: keithley2450, simulated: {cell: resistor}}\n"
    )
    left = rescue._left_driving(read_bench(path))
    assert list(left.instruments) == ["polled", "scripted"]


async def test_nobody_touches_instruments_that_may_be_real_at_an_accelerated_time(tmp_path: Path):
    path = tmp_path / "bench.yaml"
    path.write_text(
        "title: T\ninstruments:\n  smu: {driver: keithley2400, resource: 'TCPIP::smu.invalid::1::SOCKET'}\n"
    )
    guard, told = make(tmp_path, path, accelerated=True)
    await guard.begin()
    assert is_free(tmp_path)
    assert told.lines == []
    await guard.leave_off()


async def test_a_simulated_bench_has_nothing_to_make_safe_and_nothing_is_read_or_held(tmp_path: Path):
    path = tmp_path / "bench.yaml"
    path.write_text("title: One\ninstruments:\n  smu: {driver: keithley2450, simulated: {cell: resistor}}\n")
    guard, _ = make(tmp_path, path)
    await guard.begin()
    assert guard._reading is None
    assert is_free(tmp_path)
    await guard.leave_off()


def test_a_station_with_a_simulated_bench_starts_without_what_speaks_to_instruments():
    heavy = ("pydantic", "ruamel", "pyvisa", "numpy", "pyarrow", "rich", "fastapi")
    code = f"import sys, galvanode.cli, galvanode.commands.serving; print(sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_makes_instruments_safe_is_imported_without_numpy_which_stays_to_be_had(tmp_path: Path):
    bench = bench_of(tmp_path, smu=5025)
    code = (
        "import sys, pathlib; from galvanode.engine.rescue import _bench_in; "
        f"assert _bench_in(pathlib.Path({str(bench)!r})) is not None; "
        "assert 'pyvisa' in sys.modules and 'numpy' not in sys.modules; import numpy; numpy.zeros(1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_an_engine_that_was_left_behind_makes_its_channels_safe_first(tmp_path: Path):
    engine = FileLock(tmp_path / ENGINE_LOCK)
    engine.acquire()
    async with keithley() as instrument:
        guard, told = make(tmp_path, bench_of(tmp_path, smu=instrument.port))
        beginning = asyncio.create_task(guard.begin())
        await asyncio.sleep(0.5)
        assert instrument.heard == []
        engine.release()
        await asyncio.wait_for(beginning, 10)
        await _over(tmp_path, 10)
        assert [kind for kind, _ in told.lines] == ["safe_at_start"]
        await guard.leave_off()


async def test_an_engine_that_was_left_behind_and_hangs_keeps_no_current_flowing(tmp_path: Path):
    engine = FileLock(tmp_path / ENGINE_LOCK)
    async with keithley() as instrument:
        with engine:
            guard, told = make(tmp_path, bench_of(tmp_path, smu=instrument.port))
            await asyncio.wait_for(guard.begin(), 10)
            assert [kind for kind, _ in told.lines] == ["engine_left_behind", "safe_at_start"]
            await guard.leave_off()


async def test_who_does_not_get_the_data_directory_touches_no_instrument(tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir()
    async with keithley() as instrument:
        bench = bench_of(tmp_path, smu=instrument.port)
        with FileLock(data / "supervisor.lock"), pytest.raises(StationBusy):
            await serve_bench(bench=bench, data_dir=data, host="127.0.0.1", port=free_port(), speed=None, seed=0)
        await asyncio.sleep(0.2)
        assert instrument.heard == []
        assert not (data / "supervisor.jsonl").exists()


async def test_who_does_not_get_the_port_touches_no_instrument(tmp_path: Path):
    async with keithley() as instrument, keithley() as other_station:
        bench = bench_of(tmp_path, smu=instrument.port)
        with pytest.raises(InvalidInput, match="cannot listen"):
            await serve_bench(
                bench=bench, data_dir=tmp_path / "d", host="127.0.0.1", port=other_station.port, speed=None, seed=0
            )
        await asyncio.sleep(0.2)
        assert instrument.heard == []
        assert not (tmp_path / "d").exists()


async def test_an_engine_that_comes_after_makes_safe_again_and_says_what_it_cannot_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rescue, "_SAFE_WITHIN_S", 0.5)  # at the end
    async with keithley() as instrument:
        bench = bench_of(tmp_path, smu=instrument.port, away=free_port())
        supervisor = Supervisor(tmp_path / "d", bench)
        await supervisor.start()
        assert instrument.heard == [":ABOR", ":OUTP:SMOD HIMP", ":OUTP OFF", ASKED]
        async with asyncio.timeout(60):
            while instrument.heard.count(":OUTP OFF") < 2:
                await asyncio.sleep(0.05)
            while not supervisor.engine_has_begun:
                await asyncio.sleep(0.05)
        with pytest.raises(GalvanodeError, match="away"):
            await supervisor.close()
    assert any(event.kind == "lost" and "away" in event.message for event in Store(tmp_path / "d").events())
    lines = [json.loads(line) for line in (tmp_path / "d" / "supervisor.jsonl").read_text().splitlines()]
    kinds = [line["kind"] for line in lines]
    assert kinds.index("safe_at_start") < kinds.index("engine_started")
