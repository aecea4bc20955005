"""How long what is left of a sweep will take, from runs that were measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.sweep.jobs import Job


@dataclass(frozen=True, slots=True)
class Cost:
    """Mean seconds of an experiment's finished runs: an epoch, or a whole fit where the model has none."""

    seconds: float
    epochs: bool


def _seconds(folder: RunFolder) -> float | None:
    """What a finished run took, evaluation included."""
    timings = read_json(folder.timings)
    return timings["train_seconds"] + timings.get("score_seconds", 0.0) if "train_seconds" in timings else None


def measured(runs: Path, data: str) -> dict[str, Cost]:
    """The cost of each experiment that has finished runs on a data set."""
    seconds: dict[str, list[float]] = defaultdict(list)
    epochs: dict[str, bool] = {}
    for path in runs.glob("*/*/result.json"):
        result = read_json(path)
        if result.get("data") == data and (spent := _seconds(RunFolder(path.parent))) is not None:
            name = result["experiment"]
            epochs[name] = result["epochs"] is not None
            seconds[name].append(spent / (result["epochs"] or 1))
    return {name: Cost(sum(values) / len(values), epochs[name]) for name, values in seconds.items()}


def left(jobs: Sequence[Job]) -> list[Job]:
    """Those that a launch would work on."""
    return [job for job in jobs if job.state in ("waiting", "running", "stopped")]


def unmeasured(jobs: Sequence[Job], costs: dict[str, Cost]) -> list[str]:
    """Experiments among the unfinished jobs of which nothing is known yet."""
    return sorted({job.run.loaded.name for job in left(jobs)} - costs.keys())


def at_most(jobs: Sequence[Job], costs: dict[str, Cost], slots: int) -> float:
    """Seconds that the unfinished jobs take if none stops early, spread over the slots.

    A run costs what finished runs of its own arm took, else what its experiment costs; an experiment without a cost counts nothing.
    """
    own: dict[str, list[float]] = defaultdict(list)
    for job in jobs:
        if job.state == "done" and (spent := _seconds(job.folder)) is not None:
            own[job.run.arm.name].append(spent)
    total = 0.0
    for job in left(jobs):
        same, cost = own.get(job.run.arm.name), costs.get(job.run.loaded.name)
        if same:
            total += sum(same) / len(same)
        elif cost:
            total += cost.seconds * (job.run.loaded.config.training.epochs if cost.epochs else 1)
    return total / slots
