"""What a file costs and what it loses against the run: its scores of every validation and test
step, its size and its speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from anomalynet.data.prepared import Float64
from anomalynet.detection.export.session import Session
from anomalynet.detection.export.verify import difference
from anomalynet.training import evaluate
from anomalynet.training.finished import FinishedRun

PARTS: tuple[Literal["validation", "test"], ...] = ("validation", "test")
MEASURED = ("average_precision", "f1_attack")
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Loss:
    """One file beside the run.

    Attributes:
        variant: `float32`, `float16`, `int8`.
        bytes: of the file.
        microseconds: to score one window by itself.
        difference: largest difference to a stored score of the run, of scores above 1 relative to
        it. alarms: steps that are an alarm for the file and none for the run, or the other way
        round. steps: that were compared. metrics: `validation/…` and `test/…` of `MEASURED`; None
        where undefined.
    """

    variant: str
    bytes: int
    microseconds: float
    difference: float
    alarms: int
    steps: int
    metrics: dict[str, float | None]


def latencies(run: FinishedRun, sessions: Mapping[str, Session]) -> dict[str, float]:
    """Microseconds to score one window by itself: the median, in the quickest of some rounds, which
    the files take in turn so that another load of the machine does not fall on one of them."""
    windows = max((run.data.windows(part) for part in PARTS), key=len)
    rounds = [
        {name: session.microseconds(windows) for name, session in sessions.items()}
        for _ in range(ROUNDS)
    ]
    return {name: min(found[name] for found in rounds) for name in sessions}


def measure(
    run: FinishedRun, session: Session, size: int, variant: str, limit: float, microseconds: float
) -> Loss:
    """Score every validation and test window with a file of `size` bytes; `limit` is its
    threshold."""
    metrics: dict[str, float | None] = {}
    differences, alarms, steps = [], 0, 0
    for part in PARTS:
        found = session.scores(run.data.windows(part))
        stored = stored_scores(run, part)
        differences.append(difference(found, stored))
        alarms += int(((found >= limit) != (stored >= run.result.threshold)).sum())
        steps += len(found)
        known = evaluate.metrics(
            run.data.steps(part, found), limit, probability=run.result.probability
        )
        metrics |= {f"{part}/{name}": known[name] for name in MEASURED}
    return Loss(variant, size, microseconds, float(np.max(differences)), alarms, steps, metrics)


def stored_scores(run: FinishedRun, part: Literal["validation", "test"]) -> Float64:
    """The run's stored score of each window of a part, float64 (window,)."""
    count = len(run.data.windows(part))
    numbered: Any = evaluate.scores_table(
        [run.data.steps(part, np.arange(count, dtype=np.float64))], np.inf
    )["score"]
    pairs = pl.DataFrame(
        {"window": numbered, "score": run.scores.filter(pl.col("split") == part)["score"]}
    ).drop_nulls("window")
    return pairs.sort("window")["score"].fill_null(np.nan).to_numpy()
