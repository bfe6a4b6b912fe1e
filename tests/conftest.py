"""What all tests share."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
from hypothesis import settings

# Tests start some dozens of processes of this package, and each compiled it anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Numbers of examples stand in one place: few of other ones in every run, many in the session
# ``thorough``. A test whose single example takes long has its own number.
settings.register_profile("quick", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=200, deadline=None)
settings.load_profile("quick")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is missing, with a reason; in CI that is a failure."""
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if shutil.which(program, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"):
                continue
            if os.environ.get("GALVANODE_NO_SKIPS"):
                pytest.fail(f"{program} is missing, and this run must not skip")
            pytest.skip(f"needs {program}; install it from your distribution")
