"""Goldens: compares the values that a run computes in 20 optimiser steps, along the whole pipeline,
with the stored values. Source: not in the paper."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from anomalynet.metrics.suite import METRICS
from anomalynet.regression.baseline import PARTS_OF_DATA, Golden, Tolerances, Values
from anomalynet.regression.finding import MISSING, NEW, OTHER_RUN, REGRESSION, SAME, Finding, noted
from anomalynet.runs.folder import RunFolder

SAMPLE = 64  # scores stored per part, evenly spaced
RANKS = ("auroc", "average_precision")
RANK_STEP = 1e-4
"""Smallest tolerance of rank metrics: rounding can swap two nearly equal scores, which changed
AUROC by 1.6e-5."""

CROSSINGS = 2
"""Number of scores of a part that may cross the threshold in another environment. Each one changes
all metrics that are based on counts."""

COUNTS = ("true_negatives", "false_positives", "false_negatives", "true_positives")
UNCOUNTED = ("auroc", "average_precision", "accuracy_at_half", "prevalence")
"""Metrics that do not depend on the threshold."""


def summarise(folder: RunFolder) -> Values:
    """The golden values of a finished run, read without torch: windows, losses, scores, threshold
    and metrics, in the order in which they are computed; 9 digits each, None if a metric is
    undefined. Errors of the normalisation show in losses and scores."""
    import numpy as np

    from anomalynet.runs.scores import read

    result = folder.read_result()
    values: Values = {"windows": [float(part.windows) for part in result.parts.values()]}
    lines = folder.read_progress()
    names = {name for line in lines for name in line} - {"epoch", "best", "train/learning_rate"}
    for name in sorted(names):
        values[f"{name} by epoch"] = [rounded(line.get(name)) for line in lines]
    if result.best_epoch is not None:
        values["best epoch"] = [float(result.best_epoch)]
    table = read(folder.scores, lambda rows: rows.select("split", "score").drop_nulls("score"))
    for part in PARTS_OF_DATA:
        scores = table.filter(split=part)["score"].to_numpy()
        chosen = np.linspace(0, max(len(scores) - 1, 0), min(SAMPLE, len(scores))).round()
        moments = float(scores.mean()), float(scores.std())
        values[f"{part} scores"] = [rounded(one) for one in scores[chosen.astype(int)].tolist()]
        values[f"{part} scores, mean and deviation"] = [rounded(one) for one in moments]
    values["threshold"] = [rounded(result.threshold)]
    return values | {name: [rounded(value)] for name, value in sorted(result.metrics.items())}


def rounded(value: float | None) -> float | None:
    """A value with nine digits, as stored in the baseline."""
    return None if value is None else float(f"{value:.9g}")


def compare(
    experiment: str, record: Golden, now: Values, limits: Tolerances, run: str, elsewhere: str = ""
) -> list[Finding]:
    """One finding if all values agree; otherwise one per quantity that differs, in pipeline order.

    Two values agree if |now - before| ≤ tolerance · (1 + |before|), with a tolerance of at least
    1e-4 for rank metrics. In another environment one or two scores of a part may cross the
    threshold; metrics based on counts are then not compared. `elsewhere`: environment of the record
    if it is not the current one."""
    tolerance = limits.elsewhere if elsewhere else limits.golden
    before, excused = record.values, _crossed(record.values, now) if elsewhere else set()
    compared = [name for name in before if name in now and name not in excused]
    worst = [_finding(experiment, name, before[name], now[name], tolerance) for name in compared]
    found = [finding for finding in worst if finding]
    found += [Finding("golden", experiment, name, MISSING) for name in before if name not in now]
    found += [Finding("golden", experiment, name, NEW) for name in now if name not in before]
    note = f"against {elsewhere}" if elsewhere else ""
    if found:
        note = "; ".join(filter(None, [OTHER_RUN if run != record.run else "", note]))
        return [noted(finding, note) for finding in found]
    count = sum(len(values) for name, values in now.items() if name not in excused)
    if excused:
        why = f"because up to {CROSSINGS} scores crossed the threshold"
        note += f"; {len(excused)} not compared, {why}"
    what = f"all {count} values"
    return [Finding("golden", experiment, what, SAME, tolerance=tolerance, note=note)]


def _finding(
    experiment: str,
    name: str,
    before: Sequence[float | None],
    now: Sequence[float | None],
    tolerance: float,
) -> Finding | None:
    """A finding on the largest deviation of a quantity; None if it is within the tolerance."""
    finding = partial(Finding, "golden", experiment, name, REGRESSION)
    if len(before) != len(now):
        return finding(len(before), len(now), tolerance=0, note="number of values")
    if any(word in name for word in RANKS):
        tolerance = max(tolerance, RANK_STEP)
    # The worst value, not the mean: a fault may change only one epoch or one score.
    deviations = [_deviation(one, other) for one, other in zip(before, now, strict=True)]
    worst = max(deviations)
    if worst <= tolerance:
        return None
    at = deviations.index(worst)
    note = f"value {at + 1} of {len(before)}" if len(before) > 1 else ""
    return finding(before[at], now[at], tolerance=tolerance, note=note)


def _crossed(before: Values, now: Values) -> set[str]:
    """The metrics whose change up to `CROSSINGS` scores that crossed the threshold explain."""
    excused: set[str] = set()
    for part in PARTS_OF_DATA:
        names = [f"{part}/{name}" for name in COUNTS]
        pairs = [(before.get(name, [None])[0], now.get(name, [None])[0]) for name in names]
        counts = [(one, other) for one, other in pairs if one is not None and other is not None]
        if len(counts) < len(COUNTS):
            continue
        if 0 < max(abs(other - one) for one, other in counts) <= CROSSINGS:
            counted = {f"{part}/{name}" for name in METRICS if name not in UNCOUNTED}
            excused |= counted & before.keys() & now.keys()
        half = f"{part}/accuracy_at_half"
        if half in before and half in now:
            moved = _deviation(before[half][0], now[half][0], 0) * sum(one for one, _ in counts)
            if 0 < moved <= CROSSINGS + 1e-6:
                excused.add(half)
    return excused


def _deviation(before: float | None, now: float | None, relative: int = 1) -> float:
    if before is None or now is None:
        return 0.0 if before is now else float("inf")
    return abs(now - before) / (1 + relative * abs(before))
