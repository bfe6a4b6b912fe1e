"""Between two steps nothing is left undriven or unrecorded for longer than the instrument needs to tell its end."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from galvanode.testing import SimulatedBench

BENCH = """
title: A potentiostat at a resistor
instruments:
  pot: {driver: emstat4, simulated: {cell: resistor, overrides: {resistance: 10 ohm}}}
channels: {c: {analyzer: pot}}
"""
CELL = """
name: R
area: 1 cm^2
electrolyte_thickness: 1 mm
temperature: 25 degC
stack_pressure: unknown
envelope: {voltage: {min: -5 V, max: 5 V}, current: {max: 500 mA}}
"""
HOLDS = """
title: Durations that are no multiple of the interval of the checks
method:
  - constant_voltage: {voltage: 1 V, for: 25 s}
  - constant_voltage: {voltage: 1 V, for: 5 s}
  - constant_current: {current: 50 mA, for: 14 s}
  - rest: {for: 3 s}
  - constant_current: {current: 50 mA, for: 90 s, record: {every: 8 s}}
"""
PULSES = """
title: Looked at once a minute
safety: {check_every: 60 s}
method:
  - constant_current: {current: 50 mA, for: 1 s, record: {every: 0.1 s}}
  - rest: {for: 1 s, record: {every: 0.1 s}}
  - sweep: {from: 0 V, to: 0.1 V, rate: 100 mV/s}
  - constant_current: {current: 50 mA, until: current >= 40 mA, record: {every: 0.5 s}}
  - impedance: {from: 1 kHz, to: 100 Hz, bias: 0 V}
  - rest: {for: 1 s}
"""


@pytest.mark.parametrize("recipe", [HOLDS, PULSES])
def test_a_step_of_a_script_begins_when_the_last_has_ended(recipe: str, tmp_path: Path):
    for name, text in (("bench", BENCH), ("recipe", recipe), ("cell", CELL)):
        (tmp_path / f"{name}.yaml").write_text(text)
    with SimulatedBench(tmp_path, bench=tmp_path / "bench.yaml") as bench:
        run = bench.run(tmp_path / "recipe.yaml", cell=tmp_path / "cell.yaml")
        assert run.state == "completed", run.told()
        steps, samples = run.steps, run.samples
    gaps = [later.started_s - sooner.started_s - sooner.duration_s for sooner, later in itertools.pairwise(steps)]
    assert max(gaps) < 0.1
    assert min(gaps) >= 0.0
    times = samples["Test Time / s"].to_numpy()
    impedance = ~np.isnan(samples["Frequency / Hz"].to_numpy(zero_copy_only=False).astype(float))
    for step in steps:
        within = (times >= step.started_s - 1e-6) & (times <= step.started_s + step.duration_s + 1e-6)
        if not impedance[within].any():  # the first point of a spectrum is one when it has been measured
            assert times[within][0] - step.started_s < 0.1
