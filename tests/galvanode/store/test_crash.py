"""Kill -9 of a writing engine, and a web side that hangs while it reads."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from galvanode.store.read import Store
from galvanode.store.schema import RECORD

WRITER = """
import sys
from pathlib import Path
from galvanode.store.journal import Journal, RunCommit
from galvanode.store.records import Sample
journal = Journal(Path(sys.argv[1]))
run = journal.unfinished()[0]
record = run.samples
tick = 0
while True:
    tick += 1
    count = tick % 40
    rows = []
    for _ in range(count):
        record += 1
        counters = (*[0.0] * 4, record, None, None, None)
        rows.append(Sample(float(record), 1e9 + record, 0.013, 1e-4, 1, 1, 1, 0.0, None, *counters))
    journal.commit([RunCommit(run.id, rows, str(record), "running", None, 1e9 + record)])
    print(record, flush=True)
    if tick % 9 == 0:
        journal.seal(run.id)
"""

HUNG_READER = """
import sys, time
from pathlib import Path
from galvanode.store.database import reading
with reading(Path(sys.argv[1])) as connection:
    print(connection.execute("SELECT count(*) FROM chunks").fetchone()[0], flush=True)
    time.sleep(600)
"""


def start(program: str, directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program, str(directory)], stdout=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> str:
    process.kill()
    rest, _ = process.communicate()
    return rest


def test_no_committed_sample_is_lost_or_doubled_by_kill_9(journal, new_run, tmp_path):
    run = journal.create_run(new_run)
    journal.close()
    chance = random.Random(1)
    for _ in range(6):
        writer = start(WRITER, tmp_path)
        try:
            assert writer.stdout is not None
            told = int(writer.stdout.readline())
            time.sleep(chance.uniform(0.02, 0.4))
        finally:
            rest = end(writer).splitlines(keepends=True)
        # The last line may have been cut off by the kill.
        told = max([told, *(int(line) for line in rest if line.endswith("\n"))])
        store = Store(tmp_path)
        found = store.samples(run, [RECORD])[RECORD].to_pylist()
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= told
        record = store.run(run)
        assert record.samples == len(found)
        assert record.position_json == str(len(found))


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP here")
def test_a_reader_that_hangs_blocks_neither_commits_nor_seals(journal, new_run, commit_of, tmp_path):
    run = journal.create_run(new_run)
    journal.commit([commit_of(run, 1, 100)])
    hung = start(HUNG_READER, tmp_path)
    try:
        assert hung.stdout is not None
        assert hung.stdout.readline().strip() == "1"
        os.kill(hung.pid, signal.SIGSTOP)
        slowest = 0.0
        for first in range(101, 8101, 40):  # enough to pass several automatic checkpoints
            commit = commit_of(run, first, 40, position_json="x" * 20_000)
            began = time.perf_counter()
            journal.commit([commit])
            slowest = max(slowest, time.perf_counter() - began)
        journal.seal(run)
        assert slowest < 2.0
        assert Store(tmp_path).samples(run, [RECORD])[RECORD].to_pylist() == list(range(1, 8101))
        journal.close()
    finally:
        hung.kill()
        hung.communicate()
