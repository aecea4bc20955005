"""How long what is left of a sweep will take, from runs that were measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.sweep.launch import Job


@dataclass(frozen=True, slots=True)
class Cost:
    """Mean seconds of an experiment's finished runs: an epoch, or a whole fit where the model has none."""

    seconds: float
    epochs: bool


def measured(runs: Path, data: str) -> dict[str, Cost]:
    """The cost of each experiment that has finished runs on a data set, evaluation included."""
    seconds: dict[str, list[float]] = defaultdict(list)
    epochs: dict[str, bool] = {}
    for path in runs.glob("*/*/result.json"):
        result, timings = read_json(path), read_json(RunFolder(path.parent).timings)
        if result.get("data") == data and "train_seconds" in timings:
            name = result["experiment"]
            epochs[name] = result["epochs"] is not None
            seconds[name].append((timings["train_seconds"] + timings.get("score_seconds", 0.0)) / (result["epochs"] or 1))
    return {name: Cost(sum(values) / len(values), epochs[name]) for name, values in seconds.items()}


def unmeasured(jobs: Iterable[Job], costs: dict[str, Cost]) -> list[str]:
    """Experiments among the unfinished jobs of which nothing is known yet."""
    return sorted({job.run.loaded.name for job in jobs if job.state != "done"} - costs.keys())


def at_most(jobs: Sequence[Job], costs: dict[str, Cost], slots: int) -> float:
    """Seconds that the unfinished jobs take if none stops early, spread over the slots; experiments without a cost count nothing."""
    total = 0.0
    for job in jobs:
        cost = costs.get(job.run.loaded.name)
        if job.state != "done" and cost:
            total += cost.seconds * (job.run.loaded.config.training.epochs if cost.epochs else 1)
    return total / slots
