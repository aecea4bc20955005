"""How many runs an hour a sweep makes: two slots against one, and against a fresh process per run
with Lightning's defaults.

`python -m tests.benchmarks.throughput [slots|plain] [ROUNDS]`. Each round measures its arms one
after the other on the same runs of the hybrid on the default data, so that ratios hold when the
machine's speed drifts; medians are printed. Nothing else should run meanwhile.
"""

from __future__ import annotations

import os
import statistics
import subprocess
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


def hybrid(folder: Path, seeds: int, *overrides: str) -> list[Job]:
    """Five folds of some seeds, as the preset `quick` trains them, none stopping early."""
    sweep = replace(
        read_sweep("paper_models", "quick"), experiments=["hybrid"], seeds=list(range(seeds))
    )
    return jobs_of(
        plan(sweep, [f"training.epochs={EPOCHS}", f"training.patience={EPOCHS}", *overrides]),
        folder,
    )


def launched(slots: int, seeds: int, *overrides: str) -> tuple[float, float]:
    """Seconds of a launch with its start, and without: the workers' first run, a small one, is not
    counted."""
    with tempfile.TemporaryDirectory() as folder, Launch([Slot()] * slots) as launch:
        started = time.perf_counter()
        small = jobs_of(
            plan(
                replace(read_sweep("paper_models", "quick"), experiments=["cnn"], seeds=[0]),
                ["training.epochs=1"],
            ),
            Path(folder),
        )
        launch.run(small[:slots], lambda: None, interval=0.05)
        warm = time.perf_counter()
        jobs = hybrid(Path(folder), seeds, *overrides)
        launch.run(jobs, lambda: None, interval=0.05)
        ended = time.perf_counter()
        assert all(job.state == "done" for job in jobs)
    return ended - started, ended - warm


def slots(rounds: int) -> None:
    """Two slots against one, at two batch sizes."""
    for batch in (32, 128):
        ratios: list[tuple[float, float]] = []
        for _ in range(rounds):
            one, two = (launched(count, 2, f"training.batch_size={batch}") for count in (1, 2))
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


def plain(rounds: int) -> None:
    """A launch with two slots, start included, against fresh processes one after another."""
    ratios = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            runs = hybrid(Path(folder), 4)
            started = time.perf_counter()
            with Launch([Slot(), Slot()]) as launch:
                launch.run(runs, lambda: None, interval=0.05)
            ours = (time.perf_counter() - started) / len(runs)
            assert all(job.state == "done" for job in runs)
        environment = {**os.environ, "OMP_NUM_THREADS": "2"}
        started = time.perf_counter()
        folds = range(3)
        for fold in folds:
            command = [sys.executable, "-m", "tests.benchmarks.plain", "0", str(fold), str(EPOCHS)]
            subprocess.run(
                command,
                check=True,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        theirs = (time.perf_counter() - started) / len(folds)
        ratios.append(theirs / ours)
        print(
            f"a run: {ours:.2f} s ({3600 / ours:.0f} an hour) against {theirs:.2f} s "
            f"({3600 / theirs:.0f} an hour): {ratios[-1]:.2f} x"
        )
    print(f"median of {rounds}: {statistics.median(ratios):.2f} x runs per hour")


if __name__ == "__main__":
    arms = {"slots": slots, "plain": plain}
    named = [arms[sys.argv[1]]] if len(sys.argv) > 1 else list(arms.values())
    for arm in named:
        arm(int(sys.argv[2]) if len(sys.argv) > 2 else 3)
