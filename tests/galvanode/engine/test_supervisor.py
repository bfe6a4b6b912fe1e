"""What the supervisor leaves alone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from galvanode.engine.supervisor import LOG_FILE, Supervisor

BENCH = "title: T\ninstruments:\n  smu: {driver: keithley2450, resource: 'TCPIP::smu.invalid::5025::SOCKET'}\n"


@pytest.mark.parametrize(("bench", "speed"), [(BENCH, 10.0), ("title: nothing else\n", None)])
async def test_where_the_engine_refuses_its_input_no_instrument_is_touched(
    tmp_path: Path, bench: str, speed: float | None
):
    path = tmp_path / "bench.yaml"
    path.write_text(bench)
    supervisor = Supervisor(tmp_path / "d", path, speed=speed)
    await supervisor.start()
    await asyncio.wait_for(supervisor.wait(), 50)
    await supervisor.close()
    assert supervisor.input_was_refused
    assert supervisor.not_safe == []
    told = [json.loads(line)["kind"] for line in (tmp_path / "d" / LOG_FILE).read_text().splitlines()]
    assert told == ["engine_started", "engine_ended"]
