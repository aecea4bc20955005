"""How many runs an hour a sweep makes with two slots against one, in turns on the same runs.

`python -m tests.benchmarks.throughput [ROUNDS]` prints medians. Nothing else should run meanwhile.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.jobs import Job, jobs_of
from anomalynet.sweep.launch import Launch
from anomalynet.sweep.plan import plan
from anomalynet.sweep.slots import Slot

EPOCHS = 6


def hybrid(folder: Path, *overrides: str) -> list[Job]:
    """Five folds of two seeds, as the preset `quick` trains them, none stopping early."""
    sweep = replace(read_sweep("paper_models", "quick"), experiments=["hybrid"], seeds=[0, 1])
    keys = [f"training.epochs={EPOCHS}", f"training.patience={EPOCHS}", *overrides]
    return jobs_of(plan(sweep, keys), folder)


def launched(slots: int, batch: int) -> tuple[float, float]:
    """Seconds of a launch with its start, and without each worker's first, small run."""
    quick = replace(read_sweep("paper_models", "quick"), experiments=["cnn"], seeds=[0])
    with tempfile.TemporaryDirectory() as folder, Launch([Slot()] * slots) as launch:
        started = time.perf_counter()
        small = jobs_of(plan(quick, ["training.epochs=1"]), Path(folder))
        launch.run(small[:slots], lambda: None, interval=0.05)
        warm = time.perf_counter()
        jobs = hybrid(Path(folder), f"training.batch_size={batch}")
        launch.run(jobs, lambda: None, interval=0.05)
        ended = time.perf_counter()
        assert all(job.state == "done" for job in jobs)
    return ended - started, ended - warm


def main(rounds: int) -> None:
    """Two slots against one, at two batch sizes."""
    for batch in (32, 128):
        ratios: list[tuple[float, float]] = []
        for _ in range(rounds):
            one, two = (launched(count, batch) for count in (1, 2))
            ratios.append((one[0] / two[0], one[1] / two[1]))
            print(
                f"batch {batch}: one slot {one[1]:.1f} s, two {two[1]:.1f} s: "
                f"{ratios[-1][1]:.2f} x; with start {ratios[-1][0]:.2f} x"
            )
        whole, work = (statistics.median(ratio) for ratio in zip(*ratios, strict=True))
        print(
            f"batch {batch}: median of {rounds}: {work:.2f} x, with the workers' start "
            f"{whole:.2f} x"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
