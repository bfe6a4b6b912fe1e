"""Every model of the family does what it says it can, at its simulated instrument."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvisa

from galvanode.errors import InvalidInput
from galvanode.instrument.bench import open_bench, read_bench
from galvanode.instrument.roles import Envelope, OutOfRange
from galvanode.instrument.tasks import HoldCurrent, HoldVoltage, Impedance, OpenCircuit, Sweep, Task
from galvanode.testing.instruments import HandClock
from galvanode_simulator.bench import read_and_build
from galvanode_simulator.emstat4.models import MODELS

TASKS: list[Task] = [
    OpenCircuit(2.0, 0.5),
    HoldVoltage(0.5, 0.002, 2.0, 0.5),
    HoldVoltage(-0.5, 0.002, 300.0, 100.0),
    Sweep((-0.5, 0.5, -0.5), 0.5, 0.1, 0.002),
    Impedance("potentiostatic", 1e5, 10.0, 5, 0.01, 0.1, 0.002),
    HoldCurrent(-0.001, 2.0, 0.5),
    Impedance("galvanostatic", 1e5, 10.0, 5, 1e-4, 0.0, 0.002),
]


def bench(folder: Path, simulated: str) -> Path:
    path = folder / "bench.yaml"
    path.write_text(
        "title: t\ninstruments:\n"
        "  smu: {driver: keithley2450, simulated: {cell: resistor}}\n"
        f"  em: {{driver: emstat4, simulated: {simulated}}}\n"
    )
    return path


@pytest.fixture
def opened(clock: HandClock, tmp_path: Path) -> Iterator[Any]:
    paths: list[Path] = []

    def open_model(model: str) -> Any:
        paths.append(bench(tmp_path, f"{{cell: resistor, model: {model}}}"))
        return open_bench(read_bench(paths[-1])).units["em"]

    yield open_model
    for path in paths:
        pyvisa.ResourceManager(read_bench(path).backend("em")).close()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
@pytest.mark.parametrize("model", MODELS)
async def test_each_model_carries_out_what_its_capabilities_name(model: str, task: Task, opened: Any, clock: HandClock):
    driver = opened(model)
    identity = await driver.identify()
    assert identity.model.replace(" ", "_").lower() == model
    await driver.prepare(Envelope(-2.0, 2.0, 0.002))
    galvanostatic = isinstance(task, HoldCurrent) or getattr(task, "kind", "") == "galvanostatic"
    if galvanostatic and "current" not in driver.capabilities.modes:
        with pytest.raises(OutOfRange, match="no galvanostat"):
            await driver.start(task)
        return
    await driver.start(task)
    clock.pass_time(400.0)
    got = await driver.collect()
    assert got.finished
    assert got.ended_by is None
    assert not [item for item in got.items if getattr(item, "in_compliance", False)]
    if isinstance(task, HoldVoltage | HoldCurrent):
        ohms = got.items[-1].voltage / got.items[-1].current
        assert ohms == pytest.approx(1000.0, rel=5e-3)


@pytest.mark.parametrize("model", MODELS)
async def test_what_a_model_says_of_its_bounds_the_instrument_takes(model: str, opened: Any, clock: HandClock):
    driver = opened(model)
    await driver.identify()
    can = driver.capabilities
    await driver.prepare(Envelope(-12.0, 12.0, 2.0))
    tasks: list[Task] = [HoldVoltage(volts, can.current[1], 1.0, can.fastest_poll_s) for volts in can.voltage]
    tasks.append(Impedance("potentiostatic", can.frequency[1], can.frequency[1] / 10, 2, 0.01, 0.0, can.current[1]))
    if "current" in can.modes:
        tasks += [HoldCurrent(amps, 1.0, 0.5) for amps in can.current]
    for task in tasks:
        await driver.start(task)
        clock.pass_time(10.0)
        assert (await driver.collect()).finished


@pytest.mark.parametrize(
    ("simulated", "message"),
    [
        ("{cell_of: smv}", r"bench.yaml:4:.*'cell_of' is 'smv'.*'smu'"),
        ("{cell_of: em}", r"'cell_of' is 'em'"),
        ("{model: nexus}", r"either 'cell'.*or 'cell_of'"),
        ("{cell: resistor, cell_of: smu}", r"either 'cell'.*or 'cell_of'"),
        ("{cell: resistor, model: emstat5}", r"model"),
        ("{cell: ressistor}", r"'ressistor'.*'resistor'"),
    ],
)
def test_a_bench_that_wires_it_wrongly_is_told_where(simulated: str, message: str, tmp_path: Path):
    with pytest.raises(InvalidInput, match=message):
        read_and_build(bench(tmp_path, simulated))


def test_two_instruments_of_a_bench_may_share_a_cell(clock: HandClock, tmp_path: Path):
    built = read_and_build(bench(tmp_path, "{cell_of: smu}"))
    assert built["em"].model.cell.resistance == built["smu"].model.cell.resistance == 1000.0
    assert built["em"].wire.talks
    assert not built["smu"].wire.talks
