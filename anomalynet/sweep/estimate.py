"""How long what is left of a sweep will take, from runs that were measured."""

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
    """Mean seconds of an experiment's finished runs: an epoch, or a whole fit where the model has
    none."""

    seconds: float
    epochs: bool


COUNTS = ("data.scenario", "data.window", "data.stride", "data.view", "training.batch_size")
"""Keys that change how much work an epoch is, on the same data set."""
ENOUGH = 5  # runs of an experiment that are looked into


def measured(runs: Path, jobs: Sequence[Job]) -> dict[str, Cost]:
    """The cost of each experiment of some jobs that has finished runs on their data, with epochs as
    large as theirs."""
    costs = {}
    for name, job in {job.run.loaded.name: job for job in jobs}.items():
        config = job.run.loaded.config
        same = [value_of(config, key) for key in COUNTS]
        seconds: list[float] = []
        for path in sorted((runs / name).glob("*/result.json")):
            folder, result = RunFolder(path.parent), read_json(path)
            spent = seconds_of(folder)
            if result.get("data") != config.data.title or spent is None or _counts(folder) != same:
                continue
            seconds.append(spent / (result["epochs"] or 1))
            costs[name] = Cost(sum(seconds) / len(seconds), result["epochs"] is not None)
            if len(seconds) == ENOUGH:
                break
    return costs


def _counts(folder: RunFolder) -> list[object]:
    flat = {leaf.key: leaf.value for leaf in read_yaml(folder.config)}
    return [flat.get(key) for key in COUNTS]


def left(jobs: Sequence[Job]) -> list[Job]:
    """Those that a launch would work on."""
    return [job for job in jobs if job.state in ("waiting", "running", "stopped")]


def unmeasured(jobs: Sequence[Job], costs: dict[str, Cost]) -> list[str]:
    """Experiments among the unfinished jobs of which nothing is known yet."""
    return sorted({job.run.loaded.name for job in left(jobs)} - costs.keys())


def at_most(jobs: Sequence[Job], costs: dict[str, Cost], slots: int) -> float:
    """Seconds that the unfinished jobs take if none stops early, spread over the slots. A run costs
    what finished runs of its own arm took, else what its experiment costs, else nothing."""
    own: dict[str, list[float]] = defaultdict(list)
    for job in jobs:
        if job.state == "done" and (spent := seconds_of(job.folder)) is not None:
            own[job.run.arm.name].append(spent)
    total = 0.0
    for job in left(jobs):
        same, cost = own.get(job.run.arm.name), costs.get(job.run.loaded.name)
        if same:
            total += sum(same) / len(same)
        elif cost:
            total += cost.seconds * (job.run.loaded.config.training.epochs if cost.epochs else 1)
    return total / slots
