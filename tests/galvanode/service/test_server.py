"""The web process as a whole: what it listens on, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from galvanode.errors import InvalidInput
from galvanode.service.server import serve_web

_PROGRAM = """
import asyncio, sys
from pathlib import Path
from galvanode.service.server import serve_web
asyncio.run(serve_web(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), mqtt=None))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def served(data_dir: Path, host: str) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """The web process on a free port."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, str(data_dir), host, str(port),
        stderr=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    try:
        async with asyncio.timeout(20), httpx.AsyncClient() as client:
            while True:
                with suppress(httpx.TransportError):
                    await client.get(f"http://127.0.0.1:{port}/healthz")
                    break
                await asyncio.sleep(0.05)
        yield port, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_beyond_loopback_a_token_is_shown_and_asked_for(tmp_path: Path) -> None:
    async with served(tmp_path, "0.0.0.0") as (port, process):
        assert process.stderr is not None
        shown = (await asyncio.wait_for(process.stderr.readline(), 5)).decode()
        token = (tmp_path / "web-token").read_text().strip()
        assert token in shown
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/api/status")).status_code == 401
            login = {"authorization": f"Bearer {token}"}
            assert (await client.get("/api/status", headers=login)).json()["available"] is False
            assert (await client.get("/api/status", headers={**login, "host": "evil.example"})).status_code == 400


async def test_on_loopback_there_is_no_token_and_a_signal_ends_it(tmp_path: Path) -> None:
    async with served(tmp_path, "127.0.0.1") as (port, process):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/api/status")).status_code == 200
            assert (await client.post("/api/stop-all")).status_code == 503
        assert not (tmp_path / "web-token").exists()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            await process.wait()


async def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInput, match=f"cannot listen on 127.0.0.1 port {port}"):
            await serve_web(tmp_path, "127.0.0.1", port, mqtt=None)
