"""Time and memory of `anomalynet simulate smart_city`, 24 h at 30 s, each world in a process of its
own.

    python tests/benchmarks/simulate.py [--nodes 10 25 50 100 200] [--workers 1 2]

Prints seconds and peak resident memory of each size with one worker, in all and per node, then the
largest size with each number of workers, whose folders must hold the same bytes. Times include the
start of Python (about a second).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ARGUMENTS = ("duration=24h", "sampling.period=30")


def simulate(folder: Path, nodes: int, workers: int) -> tuple[float, float]:
    """Simulate one world.

    Returns: seconds, and the peak resident memory in MiB of the largest of its processes.
    """
    command = [
        sys.executable,
        "-m",
        "anomalynet",
        "simulate",
        "smart_city",
        *ARGUMENTS,
        f"deployment.nodes={nodes}",
    ]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--out", str(folder), "--workers", str(workers)], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} ended with status {status}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def files(folder: Path) -> dict[str, str]:
    """Path → SHA-256 of everything that a world's manifest lists."""
    return {
        name: facts["sha256"]
        for name, facts in json.loads((folder / "manifest.json").read_text())["files"].items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, nargs="+", default=[10, 25, 50, 100, 200])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    print(
        f"{'nodes':>6} {'seconds':>8} {'ms/node':>8} {'peak MiB':>9} {'MiB/node':>9} "
        f"{'MB on disk':>11}"
    )
    with tempfile.TemporaryDirectory() as home:
        for nodes in args.nodes:
            folder = Path(home) / f"nodes-{nodes}"
            seconds, peak = simulate(folder, nodes, 1)
            size = sum(path.stat().st_size for path in folder.rglob("*.*")) / 1e6
            print(
                f"{nodes:>6} {seconds:>8.2f} {1000 * seconds / nodes:>8.1f} {peak:>9.0f} "
                f"{peak / nodes:>9.2f} {size:>11.1f}",
                flush=True,
            )
        print(f"\n{max(args.nodes)} nodes:")
        first: tuple[float, dict[str, str]] | None = None
        for workers in args.workers:
            folder = Path(home) / f"workers-{workers}"
            seconds, _ = simulate(folder, max(args.nodes), workers)
            first = first or (seconds, files(folder))
            same = "same bytes" if files(folder) == first[1] else "OTHER BYTES"
            print(
                f"--workers {workers}: {seconds:.2f} s, {first[0] / seconds:.2f} times as fast, "
                f"{same}",
                flush=True,
            )


if __name__ == "__main__":
    main()
