"""The fixture ``bench``, as a laboratory's own tests use it: each test here runs pytest on such tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from galvanode.testing import SimulatedBench

pytest_plugins = ["pytester"]

# Without Hypothesis's plugin, which would be imported anew for each of these tests.
INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
addopts = --strict-markers -p no:hypothesispytest
galvanode_bench = mine.yaml
"""
RECIPE = """
title: A few cycles
parameters:
  half_cycle: {default: 30 min}
safety: {voltage: {min: -1 V, max: 1 V}, check_every: 1 min}
record: {every: 1 min}
analysis: [polarisation]
method:
  - rest: {for: 10 min}
  - repeat:
      - plate: {current_density: 0.1 mA/cm^2, for: $half_cycle}
      - strip: {current_density: 0.1 mA/cm^2, for: $half_cycle}
    times: 3
"""
MINE = """
title: My bench
instruments:
  smu: {driver: keithley2450, simulated: {cell: llzto-zni2}}
  oven: {driver: espec, setpoint: 25 degC, simulated: {}}
channels:
  smu: {cycler: smu, chamber: oven}
"""


@pytest.fixture(scope="module", autouse=True)
def _everything_is_imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """pytester forgets what is imported under it, and NumPy can be imported only once."""
    SimulatedBench(tmp_path_factory.mktemp("warm")).run(RECIPE, cell="llzto-zni2")


@pytest.fixture
def laboratory(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder of tests as a laboratory has them, with a recipe and a bench of its own."""
    pytester.makefile(".ini", pytest=INI)
    (pytester.path / "recipes").mkdir()
    (pytester.path / "recipes" / "cycles.yaml").write_text(RECIPE)
    (pytester.path / "mine.yaml").write_text(MINE)
    return pytester


def passes(laboratory: pytest.Pytester, text: str, count: int = 1) -> None:
    laboratory.makepyfile(text)
    laboratory.runpytest_inprocess("-q").assert_outcomes(passed=count)


def test_a_run_gives_state_steps_samples_and_analyses(laboratory: pytest.Pytester):
    passes(
        laboratory,
        """
        import pytest

        def test_cycles(bench):
            result = bench.run("recipes/cycles.yaml", cell="llzto-zni2", parameters={"half_cycle": "20 min"}, seed=3)
            assert result.state == "completed", result.end_reason
            assert result.duration_s == pytest.approx(600 + 6 * 1200)
            assert [step.name for step in result.steps] == ["rest"] + ["plate", "strip"] * 3
            plate = result.steps[1]
            assert plate.end_reason == "for 20 min"
            assert plate.duration_s == pytest.approx(1200)
            assert plate.charge_c == pytest.approx(78.5e-6 * 1200, rel=1e-3)
            assert result.samples["Voltage / V"].to_numpy().max() < 0.1
            assert result.samples.num_rows == result.record.samples
            assert result.analyses["polarisation"].unit == "mV"
            assert "ended" in [event.kind for event in result.events]
        """,
    )


def test_the_same_seed_gives_the_same_samples_and_each_run_a_new_cell(laboratory: pytest.Pytester):
    passes(
        laboratory,
        """
        def voltages(bench, seed):
            return bench.run("recipes/cycles.yaml", cell="llzto-zni2", seed=seed).samples["Voltage / V"].to_pylist()

        def test_seeds(bench):
            first = voltages(bench, 1)
            assert voltages(bench, 1) == first
            assert voltages(bench, 2) != first
            assert len(bench.runs) == 3
        """,
    )


def test_a_tripped_run_is_a_result_and_a_recipe_may_be_a_text(laboratory: pytest.Pytester):
    passes(
        laboratory,
        '''
        RECIPE = """
        title: Too far
        safety: {voltage: {max: 1 mV}}
        record: {every: 10 s}
        method:
          - plate: {current_density: 0.1 mA/cm^2, for: 1 h}
        """.replace("\\n        ", "\\n")

        def test_trips(bench):
            result = bench.run(RECIPE, cell="llzto-zni2")
            assert result.state == "tripped"
            assert "above its limit" in result.end_reason
        ''',
    )


def test_a_fault_on_the_wire_strikes_one_run(laboratory: pytest.Pytester):
    passes(
        laboratory,
        """
        def test_faults(bench):
            bench.inject("reading", value="9.91E37", after="15 min")
            broken = bench.run("recipes/cycles.yaml", cell="llzto-zni2")
            assert broken.state == "tripped"
            assert broken.end_reason == "9.91E37 means not-a-number"
            assert broken.duration_s < 16 * 60
            bench.inject("drop_reply", "smu", match=":READ?", skip=5, count=1)
            survived = bench.run("recipes/cycles.yaml", cell="llzto-zni2")
            assert survived.state == "completed"
            assert "link" in [event.kind for event in survived.events]
            assert bench.run("recipes/cycles.yaml", cell="llzto-zni2").state == "completed"
        """,
    )


def test_a_fault_that_there_is_not_is_refused(laboratory: pytest.Pytester):
    passes(
        laboratory,
        """
        import pytest
        from galvanode.testing import InvalidInput

        def test_fault(bench):
            bench.inject("gremlin")
            with pytest.raises(InvalidInput, match="fault 'gremlin'"):
                bench.run("recipes/cycles.yaml", cell="llzto-zni2")
            bench.inject("garble", "nobody")
            with pytest.raises(InvalidInput, match="'nobody' is no simulated instrument"):
                bench.run("recipes/cycles.yaml", cell="llzto-zni2")
        """,
    )


@pytest.mark.parametrize("way", ["marker", "ini", "use"])
def test_the_bench_file_is_chosen(laboratory: pytest.Pytester, way: str):
    (laboratory.path / "other.yaml").write_text(MINE.replace("smu", "theirs"))
    if way == "ini":
        laboratory.makefile(".ini", pytest=INI.replace("mine.yaml", "other.yaml"))
    marker = '@pytest.mark.galvanode_bench("other.yaml")' if way == "marker" else ""
    use = 'bench.use("other.yaml")' if way == "use" else ""
    passes(
        laboratory,
        f"""
        import pytest

        {marker}
        def test_mine(bench):
            {use}
            assert bench.run("recipes/cycles.yaml", cell="llzto-bare").record.channel == "theirs"
        """,
    )


def test_the_library_has_a_channel_for_each_cell(laboratory: pytest.Pytester):
    laboratory.makefile(".ini", pytest=INI.replace("galvanode_bench = mine.yaml", ""))
    passes(
        laboratory,
        """
        import pytest
        from galvanode.library import library
        from galvanode.testing import InvalidInput

        def test_channels(bench, tmp_path):
            assert bench.check("recipes/cycles.yaml", cell="llzto-bare").warnings == []
            own = tmp_path / "own.yaml"
            own.write_text((library() / "cells" / "llzto-bare.yaml").read_text())
            with pytest.raises(InvalidInput, match="no channel named after the cell file 'own.yaml'"):
                bench.run("recipes/cycles.yaml", cell=own)
            assert bench.run("recipes/cycles.yaml", cell=own, like="llzto-i2").record.channel == "llzto_i2"
        """,
    )


def test_the_driver_of_a_bench_file_is_the_one_that_is_installed(laboratory: pytest.Pytester):
    """A laboratory's own driver registers in the entry point group; here one that counts what it is asked."""
    site = laboratory.path / "site"
    info = site / "lab_driver-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-driver\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[galvanode.families]\ncounting2450 = lab_driver:FAMILY\n")
    (site / "lab_driver.py").write_text(
        "from dataclasses import replace\n"
        "from galvanode_drivers.keithley2450 import FAMILY\n"
        "from galvanode_drivers.keithley2450.driver import Keithley2450\n\n\n"
        "FAMILY = replace(FAMILY, name='counting2450', driver='lab_driver:Counting2450', simulator=None)\n\n\n"
        "class Counting2450(Keithley2450):\n"
        '    """A 2450 that counts."""\n\n'
        "    readings = 0\n\n"
        "    async def read(self):\n"
        "        type(self).readings += 1\n"
        "        return await super().read()\n"
    )
    laboratory.syspathinsert(site)
    passes(
        laboratory,
        '''
        from lab_driver import Counting2450

        BENCH = """
        title: My driver on the simulated instrument
        instruments:
          smu: {driver: counting2450, simulated: {instrument: keithley2450, cell: llzto-zni2}}
          oven: {driver: espec, setpoint: 25 degC, simulated: {}}
        channels: {smu: {cycler: smu, chamber: oven}}
        """.replace("\\n        ", "\\n")

        def test_driver(bench):
            bench.use(BENCH)
            assert bench.run("recipes/cycles.yaml", cell="llzto-zni2").state == "completed"
            assert Counting2450.readings > 190
        ''',
    )


def test_check_gives_the_program_and_its_warnings(laboratory: pytest.Pytester):
    passes(
        laboratory,
        """
        def test_warnings(bench):
            checked = bench.check("recipes/cycles.yaml", cell="llzto-zni2", parameters={"half_cycle": "30 s"})
            assert checked.program.title == "A few cycles"
            assert [line for line, _ in checked.warnings] == [11, 12]
            assert "recorded every 1 min but lasts 30 s" in str(checked)
            assert not bench.check("recipes/cycles.yaml", cell="llzto-zni2").warnings
            assert bench.runs == []
        """,
    )


def test_a_failed_test_tells_how_its_runs_ended(laboratory: pytest.Pytester):
    laboratory.makepyfile(
        """
        def test_fails(bench):
            bench.inject("disconnect", after="15 min")
            bench.inject("refuse_connection", after="15 min")
            result = bench.run("recipes/cycles.yaml", cell="llzto-zni2")
            assert result.state == "completed"
        """
    )
    result = laboratory.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*assert 'communication_lost' == 'completed'*",
            "*- Galvanode -*",
            "cycles.yaml with llzto-zni2.yaml on smu: communication_lost: *",
            "  step 1 rest: 600 s, *: for 10 min",
            "  step 2 plate: *communication_lost: *",
            "  *link: reading failed, attempt 2 of 3*",
        ]
    )


def test_a_mistake_in_a_recipe_is_told_at_its_place_without_a_tour_of_the_engine(laboratory: pytest.Pytester):
    (laboratory.path / "recipes" / "cycles.yaml").write_text(RECIPE.replace("10 min}", "10}"))
    laboratory.makepyfile(
        """
        def test_broken(bench):
            bench.run("recipes/cycles.yaml", cell="llzto-zni2")
        """
    )
    result = laboratory.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    printed = result.stdout.str()
    assert "cycles.yaml:9:17: 'rest.for' is 10 without a unit; expected a time such as '30 min'" in printed
    assert "testing.py" not in printed
    assert len(printed.splitlines()) < 25, printed


def test_async_tests_keep_their_own_loop(laboratory: pytest.Pytester):
    passes(
        laboratory,
        """
        import asyncio

        async def test_async(bench):
            loop = asyncio.get_running_loop()
            assert bench.run("recipes/cycles.yaml", cell="llzto-zni2").state == "completed"
            assert asyncio.get_running_loop() is loop
            await asyncio.sleep(0.001)

        def test_sync_after_it(bench):
            assert bench.run("recipes/cycles.yaml", cell="llzto-zni2").state == "completed"
        """,
        count=2,
    )


def test_the_clock_of_the_process_is_as_it_was(laboratory: pytest.Pytester):
    passes(
        laboratory,
        """
        from galvanode.clock import process_clock

        def test_clock(bench):
            before = process_clock()
            bench.run("recipes/cycles.yaml", cell="llzto-zni2")
            assert process_clock() is before
        """,
    )


def test_an_instrument_that_may_be_real_is_refused(laboratory: pytest.Pytester):
    (laboratory.path / "mine.yaml").write_text(
        "title: Real\ninstruments: {smu: {driver: keithley2450, resource: 'GPIB0::24::INSTR'}}\n"
    )
    passes(
        laboratory,
        """
        import pytest
        from galvanode.testing import InvalidInput

        def test_real(bench):
            bench.use("mine.yaml")
            with pytest.raises(InvalidInput, match="GPIB0::24::INSTR"):
                bench.run("recipes/cycles.yaml", cell="llzto-zni2")
        """,
    )


def test_a_recipe_that_never_ends_is_ended_with_its_test(laboratory: pytest.Pytester):
    laboratory.makepyfile(
        """
        import threading
        import pytest

        ENDLESS = "title: t\\nrecord: {every: 10 min}\\nmethod:\\n  - rest: {for: 200000 h}\\n"

        @pytest.mark.timeout(1, method="signal", func_only=True)
        def test_endless(bench):
            bench.run(ENDLESS, cell="llzto-zni2")

        def test_afterwards(bench):
            assert not [thread for thread in threading.enumerate() if thread.name == "galvanode bench"]
            assert bench.run("recipes/cycles.yaml", cell="llzto-zni2").state == "completed"
        """
    )
    result = laboratory.runpytest_inprocess()
    result.assert_outcomes(failed=1, passed=1)


def test_the_plugin_is_registered_and_imports_nothing_heavy():
    """Every pytest of the environment loads it, whether it has to do with cells or not."""
    program = (
        "import sys, pytest; before = set(sys.modules); import galvanode.pytest_plugin;"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == ["galvanode", "galvanode.pytest_plugin"]
    from importlib.metadata import entry_points

    assert [entry.value for entry in entry_points(group="pytest11", name="galvanode")] == ["galvanode.pytest_plugin"]


def test_outside_pytest_a_bench_is_made_by_hand(tmp_path: Path):
    with SimulatedBench(tmp_path) as bench:
        result = bench.run(RECIPE, cell="llzto-zni2")
    assert repr(result) == "<run completed: end of recipe>"
