"""One recipe on instruments of two roles: polled ones, and one that runs it alone and outlives the host."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.stack.harness import Instruments, Station, record_indices, served, simulated, start, until

from galvanode.store.read import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]

CCCV = """
title: Charge with a hold, discharge
record: {every: 1 min}
safety: {check_every: 5 s}
method:
  - charge: {rate: 0.5C, until: voltage >= 4 V, then_hold: {until: current <= 0.05C, for: 10 h}}
  - rest: {for: 10 min}
  - discharge: {rate: 0.5C, until: voltage <= 2.5 V, for: 10 h}
"""
LFP = """
name: LFP | ZnI2@LLZTO | Li
area: 0.785 cm^2
electrolyte_thickness: 0.8 mm
temperature: 25 degC
stack_pressure: unknown
active_mass: 2 mg
specific_capacity: 170 mAh/g
envelope: {voltage: {min: 2 V, max: 4.4 V}, current_density: {max: 5 mA/cm^2}}
"""
THREE = """
title: Three instruments, each at such a cell
instruments:
  smu2450: {driver: keithley2450, simulated: {cell: lfp-zni2}}
  smu2400: {driver: keithley2400, simulated: {cell: lfp-zni2}}
  box: {driver: neware, options: {current: 50 mA}, simulated: {cell: lfp-zni2}}
"""
ACCURACY = 0.005
"""At 0.17 mA: 0.3 % is 0.05 % of the 1 mA range (Neware), 0.15 % the 2400's own; a poll passes an end a little."""


async def _capacities(folder: Path, channel: str) -> list[float]:
    """Charge and discharge capacity of one run in the foreground, Ah."""
    recipe, cell, bench = folder / "cccv.yaml", folder / "lfp.yaml", folder / "three.yaml"
    recipe.write_text(CCCV)
    cell.write_text(LFP)
    bench.write_text(THREE)
    data = folder / channel
    arguments = (
        "--cell",
        str(cell),
        "--bench",
        str(bench),
        "--channel",
        channel,
        "--speed",
        "max",
        "--data",
        str(data),
    )
    process = await start("run", str(recipe), *arguments, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.process.communicate()
    assert process.process.returncode == 0, output.decode()
    samples = Store(data).samples("r0001")
    return [samples.column(f"{way} Capacity / Ah").to_pylist()[-1] for way in ("Charging", "Discharging")]


async def test_a_charge_with_a_hold_gives_the_same_capacities_on_a_2450_a_2400_and_a_neware_channel(tmp_path: Path):
    charged: list[float] = []
    discharged: list[float] = []
    for channel in ("smu2450", "smu2400", "box_1"):
        charge, discharge = await _capacities(tmp_path, channel)
        charged.append(charge)
        discharged.append(discharge)
    print("charged", charged, "Ah, discharged", discharged, "Ah")
    for capacities in (charged, discharged):
        middle = sorted(capacities)[1]
        assert capacities == [pytest.approx(middle, rel=ACCURACY)] * 3


WIRED = """
title: One that is polled, one that works alone
instruments:
  smu: {{driver: keithley2400, {smu}}}
  box: {{driver: neware, options: {{current: 50 mA, channels: 2, step_files: {steps}}}, {box}}}
"""
CAPACITOR = "{cell: capacitor, overrides: {resistance: 10 ohm}}"
SHORT = """
title: Charge with a hold, discharge
record: {every: 0.5 s}
safety: {check_every: 0.2 s}
method:
  - rest: {for: 1 s}
  - charge: {current: 10 mA, until: voltage >= 3.4 V, then_hold: {until: current <= 2 mA, for: 5 min}}
  - rest: {for: 2 s}
  - discharge: {current: 10 mA, until: voltage <= 3 V}
"""
"""30 s, 16 s, 2 s and 29 s at 1 F behind 10 ohm."""
ONE_FARAD = """
name: 1 F
area: 1 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
envelope: {voltage: {min: 2 V, max: 4 V}, current: {max: 20 mA}}
"""


async def test_a_neware_channel_goes_on_alone_whoever_is_killed_and_a_2400_is_made_safe_and_resumed(tmp_path: Path):
    steps, data = tmp_path / "steps", tmp_path / "data"
    apart = WIRED.format(smu=f"simulated: {CAPACITOR}", box=f"simulated: {CAPACITOR}", steps=steps)
    async with simulated(apart, tmp_path) as instruments:
        bench = tmp_path / "bench.yaml"
        where = {name: f"resource: '{resource}'" for name, resource in instruments.resources.items()}
        bench.write_text(WIRED.format(**where, steps=steps))
        async with served(bench, data) as station:
            runs = [await station.submit(channel, SHORT, ONE_FARAD) for channel in ("smu", "box_1")]
            await until(lambda: all(station.store.run(run).samples > 10 for run in runs), 60)
            took = await _engine_and_web_side_are_killed(station, instruments)
            print(f"with the supervisor alive the 2400 was off after {took:.2f} s")
            assert took < 2.0
            stored = station.store.run(runs[0]).samples
            await until(lambda: station.store.run(runs[0]).samples > stored + 5, 120)
            _kill(station, "supervisor", "engine", "web")
        before = [station.store.samples(run) for run in runs]
        offs = len(_offs(instruments, "smu"))
        await asyncio.sleep(5.0)  # nobody is there
        assert _offs(instruments, "box") == []
        imported_s, began = await _importing(), time.time()
        async with served(bench, data) as station:
            off = (await until(lambda: _offs(instruments, "smu")[offs:], 60))[0]
            print(f"after all were killed: off {off - began:.2f} s after the start; an import takes {imported_s:.2f} s")
            assert off - began < max(2.0, 1.5 * imported_s)  # where the machine is busy, everything takes longer
            await until(lambda: all(station.store.run(run).state == "completed" for run in runs), 400)
            for run, samples in zip(runs, before, strict=True):
                _goes_on_from(station.store.samples(run), samples)
            _is_whole(station, runs[1])
            assert [event.kind for event in station.store.events(runs[0])].count("resumed") == 2
    assert len(_offs(instruments, "box")) == 1  # at its end, and not before


async def _engine_and_web_side_are_killed(station: Station, instruments: Instruments) -> float:
    """Real seconds until the output of the 2400 was off."""
    offs, sent = len(_offs(instruments, "smu")), time.time()
    _kill(station, "engine", "web")
    return (await until(lambda: _offs(instruments, "smu")[offs:], 20))[0] - sent


async def _importing() -> float:
    """Real seconds that this machine takes now to import an engine: about 1 s where it has nothing else to do."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import galvanode.engine.host")
    assert await process.wait() == 0
    return time.monotonic() - began


def _kill(station: Station, *names: str) -> None:
    """SIGKILL, as near to at once as can be."""
    for name in names:
        os.kill(station.process.process.pid if name == "supervisor" else station.child(name), signal.SIGKILL)


def _offs(instruments: Instruments, name: str) -> list[float]:
    """When outputs of an instrument went off."""
    return [
        event["unix_time_s"]
        for event in instruments.events()
        if event["instrument"] == name and event["event"] == "output" and event["on"] is False
    ]


def _goes_on_from(samples: Any, before: Any) -> None:
    """What was committed is there as it was, and what follows is numbered on."""
    assert before.num_rows > 10
    assert samples.slice(0, before.num_rows).equals(before)
    assert record_indices(samples) == list(range(1, samples.num_rows + 1))


def _is_whole(station: Station, run: str) -> None:
    """No gap longer than the record interval, nothing twice, and the charge that 1 F takes."""
    samples = station.store.samples(run)
    times = samples.column("Test Time / s").to_pylist()
    gaps = [after - before for before, after in pairwise(times)]
    assert min(gaps) >= 0.0
    assert max(gaps) < 0.61
    charged = samples.column("Charging Capacity / Ah").to_pylist()[-1] * 3600.0
    discharged = samples.column("Discharging Capacity / Ah").to_pylist()[-1] * 3600.0
    assert charged == pytest.approx(0.38, rel=0.01)  # 3.0 V to 3.38 V at 1 F: 2 mA x 10 ohm below 3.4 V
    assert discharged == pytest.approx(0.28, rel=0.01)  # to 3.1 V: 10 mA x 10 ohm above 3 V
