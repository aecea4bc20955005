"""What the runs of each model say of each test series, and which series are one witness."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalynet.reporting.ablation.clusters import SeriesKey, clusters
from anomalynet.reporting.ablation.series_scores import read_steps, series_metric
from anomalynet.reporting.aggregate import ArmMetrics, Scored, summarise
from anomalynet.reporting.statistics import confusion
from anomalynet.runs.collect import RunRecord

Place = tuple[int, int, int, int | None]
"""(seed, fold, assignment, world): two models' runs of one place saw the same data."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The runs of a report, read once.

    Attributes:
        values: experiment → metric → place → series → the metric, a fraction; NaN where it is undefined.
        counts: experiment → series → (true negatives, false positives, false negatives, true positives) over its runs: float64 (4,).
        clusters: series → its cluster.
    """

    values: Mapping[str, Mapping[str, Mapping[Place, Mapping[SeriesKey, float]]]]
    counts: Mapping[str, Mapping[SeriesKey, NDArray[np.float64]]]
    clusters: Mapping[SeriesKey, SeriesKey]

    def differences(self, one: str, other: str, metric: str) -> dict[SeriesKey, float]:
        """The metric of `one` minus `other`'s for each series that both tested in a shared place, averaged over these."""
        pairs: dict[SeriesKey, list[float]] = defaultdict(list)
        mine, theirs = self.values.get(one, {}).get(metric, {}), self.values.get(other, {}).get(metric, {})
        for place in sorted(mine.keys() & theirs.keys(), key=str):
            for key in mine[place].keys() & theirs[place].keys():
                pairs[key].append(mine[place][key] - theirs[place][key])
        return {key: summarise(values).mean for key, values in pairs.items()}

    def cluster_counts(self, experiment: str) -> NDArray[np.float64]:
        """Counts of the experiment's decisions over each cluster that it tested: float64 (cluster, 4)."""
        summed: dict[SeriesKey, NDArray[np.float64]] = {}
        for key, counts in sorted(self.counts.get(experiment, {}).items(), key=str):
            cluster = self.clusters[key]
            summed[cluster] = summed.get(cluster, np.zeros(4)) + counts
        return np.array(list(summed.values())).reshape(-1, 4)


def gather(models: Sequence[ArmMetrics], metrics: Sequence[str]) -> Evidence:
    """Read the counted runs of every experiment that has one arm; of one with several it could not be said which the claim is of.

    Raises:
        RunError: the scores of a run cannot be read.
    """
    names = [one.arm.experiment for one in models if one.arm.records]
    values: dict[str, dict[str, dict[Place, dict[SeriesKey, float]]]] = {}
    counts: dict[str, dict[SeriesKey, NDArray[np.float64]]] = {}
    touched: set[tuple[SeriesKey, int]] = set()
    for one in models:
        experiment = one.arm.experiment
        if names.count(experiment) != 1 or not one.arm.records:
            continue
        values[experiment], counts[experiment] = {metric: {} for metric in metrics}, {}
        for record in (record for repetition in one.arm.counted for record in repetition.records):
            place = _place(record)
            steps = read_steps(record)
            touched |= {((place[-1], name), number) for name, number in steps.incidents}
            for metric in metrics:
                own = {(place[-1], name): series_metric(metric, part, record.result.probability) for name, part in steps.series.items()}
                values[experiment][metric][place] = own
            for name, part in steps.series.items():
                key = (place[-1], name)
                counts[experiment][key] = counts[experiment].get(key, np.zeros(4)) + _counts(part)
    every = {key for own in counts.values() for key in own} | {key for key, _ in touched}
    return Evidence(values, counts, clusters(every, sorted(touched, key=str)))


def _counts(part: Scored) -> NDArray[np.float64]:
    found = confusion(part.labels, part.scores >= part.thresholds)
    return np.array([found.true_negatives, found.false_positives, found.false_negatives, found.true_positives], dtype=np.float64)


def _place(record: RunRecord) -> Place:
    result = record.result
    return result.seed, result.fold, result.assignment, result.world
