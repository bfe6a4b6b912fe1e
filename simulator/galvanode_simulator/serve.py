"""Serves every simulated instrument of a bench to other programs, on TCP ports and serial lines."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TextIO

from galvanode.clock import install_clock, process_clock, simulated_clock
from galvanode.errors import InvalidInput
from galvanode_simulator.bench import SimulatedInstrument, read_and_build
from galvanode_simulator.eventlog import EventLog
from galvanode_simulator.links.serial_pty import SerialPort
from galvanode_simulator.links.tcp import TcpServer

_TICK_S = 0.5
"""Real time between two looks at cells that nobody asks about, so that a short is logged when it happens."""


async def serve(
    bench_path: Path,
    speed: float,
    seed: int,
    ready: Callable[[list[dict[str, str]]], None],
    log: TextIO | None = None,
) -> None:
    """Serve until cancelled.

    ``speed`` is simulated seconds per real second. ``ready`` is called once, when every instrument listens,
    with ``{"name", "driver", "resource"}`` for each. ``log`` receives the event log (``EventLog``). Raises
    ``InvalidInput`` for a bench file that is not acceptable or a port that is taken.
    """
    if not (math.isfinite(speed) and speed > 0):
        raise InvalidInput(f"speed is {speed}; expected a finite number above 0: other programs wait in real time")
    before = process_clock()
    if speed != 1.0:
        install_clock(simulated_clock(speed))
    try:
        instruments = read_and_build(bench_path, seed)
        if not instruments:
            raise InvalidInput("no instrument of this bench is simulated", source=bench_path)
        events = None if log is None else EventLog(log)
        async with AsyncExitStack() as stack:
            listening: list[dict[str, str]] = []
            for instrument in instruments.values():
                instrument.report_to(events)
                resource = await _listen(stack, instrument, bench_path)
                listening.append({"name": instrument.name, "driver": instrument.driver, "resource": resource})
            ready(listening)
            while True:
                await asyncio.sleep(_TICK_S)
                for instrument in instruments.values():
                    instrument.wire.device.advance()
    finally:
        install_clock(before)


async def _listen(stack: AsyncExitStack, instrument: SimulatedInstrument, bench_path: Path) -> str:
    link = (
        SerialPort(instrument.wire) if instrument.link == "serial" else TcpServer(instrument.wire, instrument.port or 0)
    )
    try:
        await stack.enter_async_context(link)
    except OSError as error:
        raise InvalidInput(f"{instrument.name} cannot be served: {error}", source=bench_path) from error
    return link.resource
