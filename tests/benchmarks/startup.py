"""How long ``galvanode serve`` takes until it answers, against the bare import of the libraries that it is made of.

    python -m tests.benchmarks.startup [--times 5]

The floor is one interpreter that imports them and ends; ``serve`` is three processes, of which the web side and the
engine start side by side. It has answered when the page's status says that the engine is there. Both are measured in
turn, the fastest of each counts: the others were disturbed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.stack.harness import GALVANODE, free_port

LIBRARIES = (
    "aiomqtt", "fastapi", "fastapi_offline", "filelock", "lark", "numpy", "plotly", "prometheus_client", "pyarrow",
    "pyarrow.compute", "pyarrow.parquet", "pydantic", "pyvisa", "pyvisa_py", "rich.console", "ruamel.yaml", "serial",
    "tsdownsample", "typer", "uvicorn", "websockets",
)  # fmt: skip
"""What the project's requirements name and the three processes use; scipy and pint are for figures and left out."""
BENCH = "title: One\ninstruments:\n  smu: {driver: keithley2450, simulated: {cell: resistor}}\n"


def bare_import_s() -> float:
    """Seconds that an interpreter takes to import the libraries."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {', '.join(LIBRARIES)}"], check=True)
    return time.perf_counter() - began


def serve_s(folder: Path) -> tuple[float, float]:
    """Seconds until the web side answers, and until it says that the engine does."""
    bench, port = folder / "bench.yaml", free_port()
    bench.write_text(BENCH)
    began = time.perf_counter()
    serving = subprocess.Popen(
        [*GALVANODE, "serve", "--bench", str(bench), "--data", str(folder / "d"), "--port", str(port)],
        stderr=subprocess.DEVNULL,
    )
    try:
        answers = None
        while not _says(port, "/healthz"):
            time.sleep(0.01)
        answers = time.perf_counter() - began
        while (_says(port, "/api/status") or {}).get("available") is not True:
            time.sleep(0.01)
        return answers, time.perf_counter() - began
    finally:
        serving.terminate()
        serving.wait()


def _says(port: int, path: str) -> dict[str, object] | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return json.load(answer)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    bare: list[float] = []
    served: list[tuple[float, float]] = []
    for _ in range(times):
        bare.append(bare_import_s())
        with tempfile.TemporaryDirectory() as folder:
            served.append(serve_s(Path(folder)))
    floor, page, engine = min(bare), min(each[0] for each in served), min(each[1] for each in served)
    print(f"{'bare import of the libraries':<44}{floor:>8.2f} s")
    print(f"{'serve until the page answers':<44}{page:>8.2f} s  ratio {page / floor:.2f}")
    print(f"{'serve until the engine answers through it':<44}{engine:>8.2f} s  ratio {engine / floor:.2f}")


if __name__ == "__main__":
    main()
