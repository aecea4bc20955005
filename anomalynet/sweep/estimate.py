"""Estimates the time for a sweep's unfinished runs from the durations of finished ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalynet.config.check import value_of
from anomalynet.config.leaves import read_yaml
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.sweeps import seconds_of
from anomalynet.sweep.jobs import Job


@dataclass(frozen=True, slots=True)
class Cost:
    """Mean duration of an experiment's finished runs."""

    seconds: float  # per epoch, or per run if the model has no epochs
    epochs: bool  # whether `seconds` is per epoch


WORK_KEYS: tuple[str, ...] = ("data.scenario", "data.window", "data.stride", "data.view")
WORK_KEYS += ("data.worlds", "training.batch_size", "training.windows_per_epoch")
"""Keys that change how much work an epoch is, on the same data set."""
MAX_RUNS = 5  # runs per experiment that are read


def read_costs(runs: Path, jobs: Sequence[Job]) -> dict[str, Cost]:
    """The cost of each experiment with finished runs on the same data and epochs as large."""
    costs = {}
    for name, job in {job.run.loaded.name: job for job in jobs}.items():
        config = job.run.loaded.config
        work = [value_of(config, key) for key in WORK_KEYS]
        seconds: list[float] = []
        for path in sorted((runs / name).glob("*/result.json")):
            folder, result = RunFolder(path.parent), read_json(path)
            spent = seconds_of(folder)
            if result.get("data") != config.data.title or spent is None or _work(folder) != work:
                continue
            epochs = result.get("epochs")
            if epochs is not None and type(epochs) is not int:
                continue  # damaged
            seconds.append(spent / (epochs or 1))
            costs[name] = Cost(sum(seconds) / len(seconds), epochs is not None)
            if len(seconds) == MAX_RUNS:
                break
    return costs


def _work(folder: RunFolder) -> list[object]:
    flat = {leaf.key: leaf.value for leaf in read_yaml(folder.config)}
    return [flat.get(key) for key in WORK_KEYS]


def unfinished_jobs(jobs: Sequence[Job]) -> list[Job]:
    """The jobs that a launch would work on; failed ones are not among them."""
    return [job for job in jobs if job.state in ("waiting", "running", "stopped")]


def seconds_left(runs: Path, jobs: Sequence[Job], slots: int) -> tuple[float | None, list[str]]:
    """Seconds for the unfinished jobs if none stops early, spread over the slots; None if some of
    their experiments have no cost, and the names of these. A run counts with the mean of its arm's
    finished runs, else with its experiment's cost."""
    costs, unfinished = read_costs(runs, jobs), unfinished_jobs(jobs)
    if unmeasured := sorted({job.run.loaded.name for job in unfinished} - costs.keys()):
        return None, unmeasured
    own: dict[str, list[float]] = defaultdict(list)
    for job in jobs:
        if job.state == "done" and (spent := seconds_of(job.folder)) is not None:
            own[job.run.arm.name].append(spent)
    total = 0.0
    for job in unfinished:
        cost, took = costs[job.run.loaded.name], own[job.run.arm.name]
        epochs = job.run.loaded.config.training.epochs if cost.epochs else 1
        total += sum(took) / len(took) if took else cost.seconds * epochs
    return total / slots, []
