"""Goldens: what a run computes in 20 optimiser steps, step by step along the pipeline, against what it computed before.

Source: not in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalynet.gate.baseline import Golden, Values
from anomalynet.gate.finding import GONE, NEW, REGRESSION, SAME, Finding, noted
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.schema import Result

SAMPLE = 64
"""Scores kept of each part, at even distances."""

RANKS = ("auroc", "average_precision")
RANK_STEP = 1e-4
"""Tolerance, at least, of metrics made of ranks: two scores that differ by rounding change places, which moved AUROC by 1.6e-5."""


def summarise(folder: RunFolder) -> Values:
    """What is kept of a finished run: windows, losses, scores, threshold, metrics, in the order in which they are computed.

    The normalisation is in the losses and scores: no other number of a run is left out of it.

    Args:
        folder: of a finished run; read without torch.

    Returns: 9 digits of each value, null where a metric is undefined.
    """
    result = folder.read_result()
    values: Values = {"windows": [float(part.windows) for part in result.parts.values()]}
    lines = folder.read_progress()
    for name in sorted(set().union(*lines) - {"epoch", "best"} if lines else ()):
        values[f"{name} by epoch"] = [_rounded(line.get(name)) for line in lines]
    if result.best_epoch is not None:
        values["best epoch"] = [float(result.best_epoch)]
    values |= _scores(folder.scores)
    values["threshold"] = [_rounded(result.threshold)]
    return values | _metrics(result)


def _metrics(result: Result) -> Values:
    return {name: [_rounded(value)] for name, value in sorted(result.metrics.items())}


def _scores(path: Path) -> Values:
    import numpy as np
    import polars as pl

    table = pl.read_parquet(path, columns=["split", "score"]).drop_nulls("score")
    values: Values = {}
    for part in ("validation", "test"):
        scores = table.filter(pl.col("split") == part)["score"].to_numpy()
        chosen = np.linspace(0, max(len(scores) - 1, 0), min(SAMPLE, len(scores))).round().astype(np.int64)
        values[f"{part} scores"] = [_rounded(value) for value in scores[chosen].tolist()]
        values[f"{part} scores, mean and deviation"] = [_rounded(float(scores.mean())), _rounded(float(scores.std()))]
    return values


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.9g}")


def compare(experiment: str, record: Golden, now: Values, tolerance: float, run: str, note: str = "") -> list[Finding]:
    """One finding where all agrees; else one for each quantity that does not, first those that are computed first.

    Two values agree where |now - before| ≤ tolerance · (1 + |before|).

    Args:
        experiment: its name.
        record: of the baseline.
        now: of `summarise`.
        tolerance: absolute and relative.
        run: id of the run now; another than the record's means another configuration or other data.
        note: what a reader must know of the comparison.
    """
    changed = [_finding(experiment, name, values, now[name], tolerance) for name, values in record.values.items() if name in now]
    found = [finding for finding in changed if finding is not None]
    found += [Finding("golden", experiment, name, GONE) for name in record.values if name not in now]
    found += [Finding("golden", experiment, name, NEW) for name in now if name not in record.values]
    if not found:
        count = sum(map(len, now.values()))
        return [Finding("golden", experiment, f"all {count} values", SAME, tolerance=tolerance, note=note)]
    if run != record.run:
        note = "; ".join(filter(None, ["its configuration or data changed, too", note]))
    return [noted(finding, note) for finding in found]


def _finding(experiment: str, name: str, before: Sequence[float | None], now: Sequence[float | None], tolerance: float) -> Finding | None:
    """The largest deviation of a quantity beyond the tolerance; None where there is none."""
    if len(before) != len(now):
        return Finding("golden", experiment, name, REGRESSION, len(before), len(now), note="numbers of values", tolerance=0)
    if any(word in name for word in RANKS):
        tolerance = max(tolerance, RANK_STEP)
    worst, at = max((_deviation(one, other), -at) for at, (one, other) in enumerate(zip(before, now, strict=True)))
    if worst <= tolerance:
        return None
    at = -at
    note = f"value {at + 1} of {len(before)}" if len(before) > 1 else ""
    return Finding("golden", experiment, name, REGRESSION, before[at], now[at], tolerance=tolerance, note=note)


def _deviation(before: float | None, now: float | None) -> float:
    if before is None or now is None:
        return 0.0 if before is now else float("inf")
    return abs(now - before) / (1 + abs(before))
