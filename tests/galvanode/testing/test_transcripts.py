"""Transcripts hold a driver to what was recorded, and are recorded by an option of pytest."""

from __future__ import annotations

import pytest

from galvanode.testing.instruments import bound, time_by_hand
from galvanode_drivers.espec import FAMILY

MODULE = """
from pathlib import Path

from galvanode.testing.transcripts import call, transcripts_of
from galvanode_drivers.espec import FAMILY

TestTranscripts = transcripts_of(FAMILY, Path(__file__).parent / "transcripts", {"standby": call("make_safe")})
"""
STANDBY = ["> MODE,STANDBY", "< OK:MODE,STANDBY", "> MODE?", "< STANDBY", "= None"]

pytest_plugins = ["pytester"]


@pytest.fixture(scope="module", autouse=True)
def _everything_is_imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """pytester forgets what is imported under it, and NumPy can be imported only once."""
    import galvanode.testing.transcripts  # noqa: F401

    with time_by_hand() as clock, bound(FAMILY, tmp_path_factory.mktemp("warm"), clock) as chamber:
        assert chamber.unit.name == "it"


@pytest.fixture
def package(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_transcripts=MODULE)
    return pytester


def run(package: pytest.Pytester, *options: str) -> pytest.RunResult:
    return package.runpytest_inprocess("-p", "no:asyncio", "-p", "no:cacheprovider", *options)


def test_what_is_missing_fails_with_what_the_simulated_instrument_says(package: pytest.Pytester):
    result = run(package)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*at the simulated instrument:", *(f"*{line}" for line in STANDBY)])
    assert not (package.path / "transcripts").exists()


def test_it_is_recorded_when_asked_for_and_holds_then(package: pytest.Pytester):
    run(package, "--record-transcripts").assert_outcomes(failed=1, passed=1)
    path = package.path / "transcripts" / "standby.txt"
    assert path.read_text().splitlines() == STANDBY
    run(package).assert_outcomes(passed=2)
    for wrong in ("> MODE,OFF", "< OK:MODE,STANDBY", "= True"):
        lines = ["# Read against the manual.", *STANDBY]
        lines[1 if wrong.startswith(">") else 3 if wrong.startswith("<") else 5] = wrong
        path.write_text("\n".join(lines) + "\n")
        run(package).assert_outcomes(passed=1, failed=1)
    run(package, "--record-transcripts").assert_outcomes(failed=1, passed=1)
    assert path.read_text().splitlines() == ["# Read against the manual.", *STANDBY]
