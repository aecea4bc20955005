"""What a trial is worth: the mean of each objective over its runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from anomalynet.errors import RunError
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder


def run_value(folder: RunFolder, objective: str) -> float:
    """An objective of one finished run: a metric on validation, microseconds a window (`latency`),
    or trained weights (`parameters`).

    `validation/loss` is that of the epoch whose model was kept.

    Raises:
        RunError: it is undefined there.
    """
    if objective == "latency":
        value = read_json(folder.timings).get("microseconds_per_window")
    elif objective == "parameters":
        value = folder.read_result().parameters
    elif objective == "validation/loss":
        lines = {line.get("epoch"): line.get(objective) for line in folder.read_progress()}
        value = lines.get(folder.read_result().best_epoch)
    else:
        value = folder.read_result().metrics.get(objective)
    if value is None or not math.isfinite(value):
        raise RunError(f"{objective} is undefined in {folder.path.parent.name}/{folder.path.name}")
    return float(value)


def trial_values(folders: Sequence[RunFolder], objectives: Sequence[str]) -> list[float]:
    """The mean of each objective over the runs of a trial.

    Raises:
        RunError: one is undefined in one of them.
    """
    return [
        sum(run_value(folder, objective) for folder in folders) / len(folders)
        for objective in objectives
    ]
