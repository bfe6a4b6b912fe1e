"""pytest plugin: the fixture ``bench``, simulated instruments and cells in simulated time, for a laboratory's own CI.

Loaded by every pytest of the environment, so it imports nothing that is not needed before the fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from galvanode.testing import SimulatedBench

INI_OPTION = MARKER = "galvanode_bench"

pytest.register_assert_rewrite("galvanode.testing.conformance")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the ini file."""
    said = "bench file of the fixture 'bench', from the folder of the ini file, or a name in Galvanode's library"
    parser.addini(INI_OPTION, said, default="simulated")
    group = parser.getgroup("galvanode")
    group.addoption(
        "--record-transcripts",
        action="store_true",
        help="write transcripts of drivers that are missing or no longer true anew, from the simulated instrument",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", f"{MARKER}(file): the bench file that this test's fixture 'bench' uses")


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedBench]:
    """Simulated instruments with simulated cells: ``result = bench.run("recipe.yaml", cell="lfp-li-zni2")``."""
    from galvanode.testing import SimulatedBench

    rootpath, folder = request.config.rootpath, request.path.parent
    simulated = SimulatedBench(tmp_path_factory.mktemp("galvanode"), look_in=(folder, rootpath))
    marker = request.node.get_closest_marker(MARKER)
    if marker is not None and (len(marker.args) != 1 or marker.kwargs):
        raise pytest.UsageError(f"@pytest.mark.{MARKER} takes one argument, the bench file")
    simulated.use(request.config.getini(INI_OPTION) if marker is None else marker.args[0])
    request.node.stash[_USED] = simulated
    yield simulated
    simulated.close()


_USED = pytest.StashKey["SimulatedBench"]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Tell of the runs that a failed test made: how they ended, and what happened in them."""
    report = yield
    simulated = item.stash.get(_USED, None)
    if simulated is not None and report.when == "call" and report.failed and simulated.runs:
        report.sections.append(("Galvanode", "\n\n".join(run.told() for run in simulated.runs)))
    return report
