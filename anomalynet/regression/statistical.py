"""Tests whether a model became worse. Runs with the same seed, fold and world, before and now, are
paired. Worlds are the independent units (clusters).

Runs in one world see the same incidents, so their differences are not independent: they are
averaged per world, and the bootstrap resamples worlds. For data with only one world, seeds are the
clusters, and the verdict holds for that data only.

False alarms: with few worlds the bootstrap interval is too narrow, so the exact sign-flip test must
agree. With eight worlds it reports a regression without any change in at most 2.35 % of comparisons
(six of 256 sign assignments); the smallest p, 0.0078, is too large to correct for 28 comparisons.
When only the seeds of weights, shuffling and dropout change, simulated differences with the
observed spread gave at most 1.0 % per comparison and 3.3 % per check
(`python -m tests.benchmarks.gate_alarms`).

Source: not in the paper. Bootstrap percentile interval: Efron (1979); sign-flip test: Fisher
(1935).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from anomalynet.metrics.suite import METRICS
from anomalynet.regression import finding
from anomalynet.regression.baseline import RunMetrics
from anomalynet.reporting.ablation.contrasts import bootstrap_interval, sign_flip_p, smallest_p

LEVEL = 0.05
RunKey = tuple[int, int, int | None]  # (seed, fold, world)


def compare(
    experiment: str,
    metric: str,
    before: Sequence[RunMetrics],
    now: Sequence[RunMetrics],
    tolerance: float,
) -> finding.Finding:
    """Compare a metric over runs. It is a regression if the mean loss exceeds the tolerance, the
    interval excludes zero and p is below 5 %; an improvement is defined in the same way.

    With fewer clusters than a paired test needs for p < 5 % (six), the verdict is
    INSUFFICIENT_DATA, or MISSING if the baseline has enough. It is also MISSING if the metric is
    undefined in more runs than before, so that undefined metrics never pass."""
    for word, runs in ((finding.MISSING, now), (finding.NEW, before)):
        if not any(metric in run.metrics for run in runs):
            return finding.Finding("statistical", experiment, metric, word)
    then, current = _by_run(metric, before), _by_run(metric, now)
    shared = {key: (then[key], current[key]) for key in then if key in current}
    pairs = {key: (a, b) for key, (a, b) in shared.items() if a is not None and b is not None}
    missing = sum(b is None for _, b in shared.values())
    had_missing = sum(a is None for a, _ in shared.values())
    notes = []
    if missing != had_missing:
        notes.append(f"undefined in {missing} of {len(shared)} runs, before in {had_missing}")
    if absent := len(then) - len(shared):
        notes.append(f"{absent} runs of the baseline are missing")
    clusters = _clusters({key: b - a for key, (a, b) in pairs.items()})
    low = high = None
    if smallest_p(len(clusters)) < LEVEL:
        low, high = bootstrap_interval(clusters)
        verdict = _verdict(metric, clusters, low, high, tolerance)
    else:
        notes.insert(0, f"with {len(pairs)} pairs in {len(clusters)} worlds or seeds")
        enough = smallest_p(len(_clusters(then))) < LEVEL
        verdict = finding.MISSING if enough else finding.INSUFFICIENT_DATA
    if missing > had_missing and verdict != finding.REGRESSION:
        verdict = finding.MISSING
    return finding.Finding(
        "statistical",
        experiment,
        metric,
        verdict,
        before=_mean(_clusters({key: a for key, (a, _) in pairs.items()})),
        now=_mean(_clusters({key: b for key, (_, b) in pairs.items()})),
        low=low,
        high=high,
        tolerance=tolerance,
        note="; ".join(notes),
    )


def _verdict(
    metric: str, clusters: Sequence[float], low: float, high: float, tolerance: float
) -> str:
    if not any(clusters):
        return finding.SAME
    mean = math.fsum(clusters) / len(clusters)
    if abs(mean) <= tolerance or low <= 0 <= high or sign_flip_p(clusters) >= LEVEL:
        return finding.NO_EVIDENCE
    higher_is_better = METRICS[metric.partition("/")[2]].direction == "max"
    return finding.IMPROVEMENT if (mean > 0) is higher_is_better else finding.REGRESSION


def _by_run(metric: str, runs: Sequence[RunMetrics]) -> dict[RunKey, float | None]:
    return {(run.seed, run.fold, run.world): run.metrics.get(metric) for run in runs}


def _clusters(values: Mapping[RunKey, float | None]) -> list[float]:
    """Mean of each world, or of each seed for data with one world, in order; without None."""
    members: dict[tuple[int, int], list[float]] = defaultdict(list)
    for (seed, _, world), value in values.items():
        if value is not None:
            members[(0, seed) if world is None else (1, world)].append(value)
    return [math.fsum(own) / len(own) for _, own in sorted(members.items())]


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def means(runs: Sequence[RunMetrics]) -> dict[str, float | None]:
    """Mean of each metric over worlds; None if it is undefined in all runs."""
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    return {name: _mean(_clusters(_by_run(name, runs))) for name in names}
