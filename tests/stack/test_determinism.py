"""Same seed, same samples, exactly, from one process to another; another seed, other noise.

Within one process tests/galvanode/test_pytest_plugin.py shows it in every run.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pyarrow as pa
import pytest
from tests.stack.harness import GALVANODE

from galvanode.store.read import Store


def _run(data: Path, seed: int) -> pa.Table:
    subprocess.run(
        [
            *GALVANODE,
            *("run", "d4-li-li-cycling", "--cell", "llzto-zni2", "--data", str(data), "--seed", str(seed)),
            *("-p", "duration=40 h", "--speed", "max", "--json"),
        ],
        check=True,
        capture_output=True,
    )
    return Store(data).samples("r0001")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_samples_to_the_last_bit(tmp_path: Path):
    first, second = _run(tmp_path / "a", 7), _run(tmp_path / "b", 7)
    assert first.num_rows > 14_000
    assert first.equals(second)


@pytest.mark.slow
def test_another_seed_gives_other_samples(tmp_path: Path):
    assert not _run(tmp_path / "a", 7).equals(_run(tmp_path / "b", 8))
