"""Is a model worse than it was? The same seeds, folds and worlds then and now, as pairs; a world is
one witness.

Runs in one world see the same incidents, so that their differences are no independent ones: pairs
of a world are averaged, and worlds are what the bootstrap draws. Data that has one world only is
judged over seeds, and the verdict is about that data alone.

False alarms: over few worlds the bootstrap interval alone is too narrow, so the exact sign-flip
test must agree. With eight worlds it calls a change that is none a regression in at most 2.35 % of
comparisons (six of 256 assignments of signs). A correction over the 28 comparisons of a check could
never be passed, for the lowest p is 0.0078; the tolerances do that work. Where weights, shuffling
and dropout alone were drawn again, simulated differences of the observed spread gave at most 1.0 %
a comparison and 3.3 % a check (`python -m tests.benchmarks.gate_alarms`); tolerances of 0.02, 0.02,
0.03 and 5 a day would have given 12.3 %.

Source: not in the paper. Bootstrap percentile interval: Efron (1979); sign-flip test: Fisher
(1935).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from anomalynet.metrics.suite import METRICS
from anomalynet.regression.baseline import RunMetrics
from anomalynet.regression.finding import (
    GONE,
    IMPROVEMENT,
    NEW,
    NO_EVIDENCE,
    REGRESSION,
    SAME,
    UNTESTABLE,
    Finding,
)
from anomalynet.reporting.ablation.resampling import bootstrap_interval, sign_flip_p, smallest_p

LEVEL = 0.05

Place = tuple[int, int, int | None]
"""(seed, fold, world)"""


Runs = Sequence[RunMetrics]


def compare(experiment: str, metric: str, before: Runs, now: Runs, tolerance: float) -> Finding:
    """A regression only where the mean loss exceeds the tolerance, the interval leaves zero out and
    p is below 5 %; improvements alike.

    With fewer witnesses than let any paired test come below 5 % (six), nothing is said but that;
    where the baseline has enough, the numbers are gone. So they are where the metric is undefined
    in more runs than before: that is no pass either."""
    for word, runs in ((GONE, now), (NEW, before)):
        if not any(metric in run.metrics for run in runs):
            return Finding("statistical", experiment, metric, word)
    then, current = (
        {(run.seed, run.fold, run.world): run.metrics.get(metric) for run in runs}
        for runs in (before, now)
    )
    shared = [place for place in then if place in current]
    pairs = {
        place: (a, b)
        for place in shared
        if (a := then[place]) is not None and (b := current[place]) is not None
    }
    missing = sum(current[place] is None for place in shared)
    had_missing = sum(then[place] is None for place in shared)
    told = []
    if missing != had_missing:
        told.append(f"undefined in {missing} of {len(shared)} runs, before in {had_missing}")
    if lost := len(then) - len(shared):
        told.append(f"{lost} runs of the baseline are not there any more")
    clusters = _clusters({place: b - a for place, (a, b) in pairs.items()})
    low = high = None
    if smallest_p(len(clusters)) < LEVEL:
        low, high = bootstrap_interval(clusters)
        verdict = _verdict(metric, clusters, low, high, tolerance)
    else:
        told.insert(0, f"with {len(pairs)} pairs in {len(clusters)} worlds or seeds")
        enough = _clusters({place: value for place, value in then.items() if value is not None})
        verdict = GONE if smallest_p(len(enough)) < LEVEL else UNTESTABLE
    if missing > had_missing and verdict != REGRESSION:
        verdict = GONE
    first = _mean(_clusters({place: a for place, (a, _) in pairs.items()}))
    second = _mean(_clusters({place: b for place, (_, b) in pairs.items()}))
    size = first, second, low, high, tolerance
    return Finding("statistical", experiment, metric, verdict, *size, "; ".join(told))


def _verdict(
    metric: str, clusters: Sequence[float], low: float, high: float, tolerance: float
) -> str:
    if not any(clusters):
        return SAME
    mean = math.fsum(clusters) / len(clusters)
    if abs(mean) <= tolerance or low <= 0 <= high or sign_flip_p(clusters) >= LEVEL:
        return NO_EVIDENCE
    higher_is_better = METRICS[metric.partition("/")[2]].direction == "max"
    return IMPROVEMENT if (mean > 0) is higher_is_better else REGRESSION


def _clusters(values: dict[Place, float]) -> list[float]:
    """Mean of each world, or of each seed where there is one world only, in their order."""
    members: dict[tuple[int, int], list[float]] = defaultdict(list)
    for (seed, _, world), value in values.items():
        members[(0, seed) if world is None else (1, world)].append(value)
    return [math.fsum(own) / len(own) for _, own in sorted(members.items())]


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def means(runs: Sequence[RunMetrics]) -> dict[str, float | None]:
    """Mean of each metric over worlds; null where it is defined in none."""
    found = {}
    for metric in dict.fromkeys(name for run in runs for name in run.metrics):
        values = {(run.seed, run.fold, run.world): run.metrics.get(metric) for run in runs}
        known = {place: value for place, value in values.items() if value is not None}
        found[metric] = _mean(_clusters(known))
    return found
