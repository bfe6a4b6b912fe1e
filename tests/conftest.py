"""What all tests share."""

from __future__ import annotations

import os
import shutil

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is missing, with a reason; in CI that is a failure."""
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if shutil.which(program, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"):
                continue
            if os.environ.get("GALVANODE_NO_SKIPS"):
                pytest.fail(f"{program} is missing, and this run must not skip")
            pytest.skip(f"needs {program}; install it from your distribution")
