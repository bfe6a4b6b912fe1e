"""Several ESPEC controllers on one RS-485 bus: each hears its own address alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pyvisa

from galvanode.errors import InvalidInput
from galvanode.instrument.bench import Bench, open_bench, read_bench
from galvanode.instrument.links.base import LinkTimeout


def bench(folder: Path, address: int) -> Bench:
    path = folder / "bench.yaml"
    path.write_text(
        "title: t\ninstruments:\n"
        f"  oven: {{driver: espec, resource: 'ASRL1::INSTR', options: {{address: {address}}}, simulated: {{}}}}\n"
    )
    return read_bench(path)


async def test_the_address_goes_before_each_command(tmp_path: Path):
    opened = open_bench(bench(tmp_path, 3))
    oven: Any = opened.units["oven"]
    assert (await oven.identify()).model == "SCP-220"
    await oven.set_temperature(313.15)
    assert (await oven.read()).setpoint == pytest.approx(313.15)
    await oven.make_safe()
    library: Any = pyvisa.ResourceManager(opened.bench.backend("oven")).visalib
    library.instruments["oven"].wire.device.address = 4
    with pytest.raises(LinkTimeout):
        await oven.read()
    await opened.close()


def test_an_address_beyond_the_bus_is_refused_with_its_place(tmp_path: Path):
    with pytest.raises(InvalidInput, match=r"bench\.yaml:3:.*address"):
        bench(tmp_path, 100)
