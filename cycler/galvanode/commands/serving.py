"""Serving a bench until a signal ends it. What the children need is imported by them, so that they start soon."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from galvanode.engine.signals import ending_signals
from galvanode.engine.supervisor import Supervisor
from galvanode.errors import GalvanodeError, InputRefused
from galvanode.library import find_file
from galvanode.service.listening import check_address


async def serve_bench(*, bench: Path, data_dir: Path, host: str, port: int, speed: float | None, seed: int) -> None:
    """Serve a bench until a signal ends it. Runs that an earlier station left are taken up.

    Raises ``InvalidInput`` for an address that cannot be had, ``InputRefused`` for a bench that the engine refuses.
    """
    check_address(host, port)
    supervisor = Supervisor(
        data_dir,
        find_file(bench, "benches"),
        speed=speed,
        seed=seed,
        web_arguments=["--host", host, "--port", str(port)],
    )
    await supervisor.start()
    try:
        await _until_the_engine_has_begun(supervisor)
        await until_it_answers(supervisor, host, port)
        typer.echo(f"Galvanode serves {bench} on http://{host}:{port} (Ctrl-C ends it)", err=True)
        await until_ended(supervisor)
    finally:
        await supervisor.close()


async def _until_the_engine_has_begun(supervisor: Supervisor) -> None:
    while supervisor.failure is None and not supervisor.engine_has_begun:  # noqa: ASYNC110  (a beat sets no event)
        await asyncio.sleep(0.02)
    if supervisor.input_was_refused:
        raise InputRefused(supervisor.failure)


async def until_it_answers(supervisor: Supervisor, host: str, port: int) -> None:
    """Wait until the web side listens; a page opened now finds it."""
    while supervisor.failure is None:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


async def until_ended(supervisor: Supervisor) -> None:
    """Return on SIGINT or SIGTERM; raise if the station fails for good."""
    ending = ending_signals()
    failing = asyncio.ensure_future(supervisor.wait())
    try:
        await asyncio.wait([ending, failing], return_when=asyncio.FIRST_COMPLETED)
        if failing.done():
            failing.result()
            if supervisor.input_was_refused:
                raise InputRefused(supervisor.failure)
            raise GalvanodeError(supervisor.failure or "the station ended")
    finally:
        ending.cancel()
        failing.cancel()
