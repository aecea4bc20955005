"""What tracking costs a training step: runs that differ in nothing else, side by side.

    python tests/benchmarks/tracking.py [--repeats N] [--epochs N]

Each repetition trains the hybrid on the tests' tiny world without tracking, with W&B offline, and
with W&B online at a server that accepts connections and never answers, in turn. Printed are
medians: milliseconds a step, from the first step to the last, epochs' ends included, and the same
in CPU time of the training thread, which other programs on the machine disturb less; the ratios to
the run without tracking of the same repetition; seconds until the first step, and of the whole run.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("OMP_NUM_THREADS", "1")
from anomalynet.training.run import train
from tests.training.small import short

KINDS = {
    "disabled": {},
    "offline": {"WANDB_MODE": "offline"},
    "silent server": {"WANDB_API_KEY": "0" * 40},
}


class Watch:
    """Notes when steps are done."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Note it."""
        self.wall.append(time.perf_counter())
        self.cpu.append(time.thread_time())

    def epoch(self, line: dict[str, Any], epochs: int) -> None:
        """Nothing to do."""


def measured(kind: str, url: str, epochs: int, folder: Path) -> dict[str, float]:
    """Train once and return its times."""
    for key in ("WANDB_MODE", "WANDB_API_KEY"):
        os.environ.pop(key, None)
    os.environ |= {**KINDS[kind], "WANDB_BASE_URL": url}
    tracking = "disabled" if kind == "disabled" else "wandb"
    loaded = short(
        "hybrid",
        f"tracking={tracking}",
        "data.stride=2",
        f"training.epochs={epochs}",
        f"training.patience={epochs}",
    )
    watch, since, before = (
        Watch(),
        time.perf_counter(),
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    train(loaded, folder, listener=watch, group="benchmark")
    whole, steps = time.perf_counter() - since, len(watch.wall) - 1
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "ms a step": 1e3 * (watch.wall[-1] - watch.wall[0]) / steps,
        "CPU ms a step": 1e3 * (watch.cpu[-1] - watch.cpu[0]) / steps,
        "s to the first step": watch.wall[0] - since,
        "s in all": whole,
        "CPU s of W&B's processes": after.ru_utime
        + after.ru_stime
        - before.ru_utime
        - before.ru_stime,
        "steps": steps,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=6)
    args = parser.parse_args()
    server = socket.create_server(("127.0.0.1", 0))
    held: list[Any] = []

    def accept() -> None:
        while True:
            held.append(server.accept())

    threading.Thread(target=accept, daemon=True).start()
    url = f"http://127.0.0.1:{server.getsockname()[1]}"
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        os.environ["ANOMALYNET_DATA"] = str(Path(name) / "data")
        measured("disabled", url, 1, Path(name) / "warm-up")
        for number in range(args.repeats):
            for kind in np.random.default_rng(number).permutation(list(KINDS)):
                found[str(kind)].append(
                    measured(str(kind), url, args.epochs, Path(name) / f"{kind}{number}")
                )
    for kind in KINDS:
        rows = found[kind]
        text = [f"{what} {statistics.median(row[what] for row in rows):.3g}" for what in rows[0]]
        for what in ("ms a step", "CPU ms a step"):
            ratios = [
                row[what] / base[what] for row, base in zip(rows, found["disabled"], strict=True)
            ]
            text.append(
                f"{what} ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} … "
                f"{max(ratios):.3f})"
            )
        print(f"{kind:<14}", ", ".join(text), flush=True)


if __name__ == "__main__":
    main()
