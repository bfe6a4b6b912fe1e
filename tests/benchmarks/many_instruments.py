"""Many instruments at 10 Hz over TCP: how many readings are missed, and how late the others are.

    python -m tests.benchmarks.many_instruments [--instruments 128] [--seconds 60]

The instruments are simulated in a process of their own, the station serves them in three others. A reading is due
every 100 ms from the first of its run on; the time that is stored with it says how late it was.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import tempfile
from pathlib import Path

import numpy as np
from tests.stack.harness import Station, served, simulated, wired_bench

EVERY_S = 0.1
RECIPE = f"""
title: Ten readings a second
safety: {{voltage: {{min: -1 V, max: 1 V}}, check_every: {EVERY_S} s}}
record: {{every: {EVERY_S} s}}
method:
  - plate: {{current_density: 0.1 mA/cm^2, for: 10 h}}
"""


def _bench(count: int) -> str:
    entries = (f"  s{n}: {{driver: keithley2450, simulated: {{cell: llzto-zni2, seed: {n}}}}}" for n in range(count))
    return "title: Many\ninstruments:\n" + "\n".join(entries) + "\n"


async def measure(count: int, seconds: float, folder: Path) -> tuple[int, np.ndarray]:
    """Return how many readings were missed, and how late each of the others was, s."""
    async with (
        simulated(_bench(count), folder) as instruments,
        served(wired_bench(folder, instruments), folder / "d") as station,
    ):
        runs = [await station.submit(f"s{number}", RECIPE) for number in range(count)]
        await asyncio.sleep(seconds)
        found = [_late(station, run, seconds) for run in runs]
    return sum(missed for missed, _ in found), np.concatenate([late for _, late in found])


def _late(station: Station, run: str, seconds: float) -> tuple[int, np.ndarray]:
    """Look at the last so many seconds of a run, when all of them were under way."""
    times = station.store.samples(run).column("Test Time / s").to_numpy()
    times = times[times > times[-1] - seconds]
    turns = np.floor((times - times[0]) / EVERY_S + 0.5)
    late = times - times[0] - turns * EVERY_S
    return int(turns[-1]) + 1 - len(np.unique(turns)), late - late.min()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instruments", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        missed, late = asyncio.run(measure(options.instruments, options.seconds, Path(folder)))
    p50, p99, worst = (math.ceil(value * 1e4) / 10 for value in np.quantile(late, [0.5, 0.99, 1.0]))
    print(f"{options.instruments} instruments, {len(late):,} readings, {missed} missed")
    print(f"late by {p50:.1f} ms (median), {p99:.1f} ms (99 of 100), {worst:.1f} ms (at most)")


if __name__ == "__main__":
    main()
