"""What the runs of each model say of each test series, and which series are one witness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalynet.reporting.ablation.arms import Place, paired_differences, place_of
from anomalynet.reporting.ablation.clusters import SeriesKey, clusters
from anomalynet.reporting.ablation.series_scores import read_steps, series_metric
from anomalynet.reporting.aggregate import ArmMetrics, Scored
from anomalynet.reporting.statistics import confusion


@dataclass(frozen=True, slots=True)
class Evidence:
    """The runs of a report, read once.

    Attributes:
        values: experiment → metric → place → series → the metric, a fraction; NaN where it is
        undefined. counts: experiment → series → (true negatives, false positives, false negatives,
        true positives) over its runs: int64 (4,). clusters: series → its cluster.
    """

    values: Mapping[str, Mapping[str, Mapping[Place, Mapping[SeriesKey, float]]]]
    counts: Mapping[str, Mapping[SeriesKey, NDArray[np.int64]]]
    clusters: Mapping[SeriesKey, SeriesKey]

    def differences(self, one: str, other: str, metric: str) -> dict[SeriesKey, float]:
        """The metric of `one` minus `other`'s for each series that both tested in a shared place,
        averaged over these."""
        return paired_differences(
            self.values.get(one, {}).get(metric, {}), self.values.get(other, {}).get(metric, {})
        )

    def cluster_counts(self, experiment: str) -> NDArray[np.int64]:
        """Counts of the experiment's decisions over each cluster that it tested: int64 (cluster,
        4)."""
        summed: dict[SeriesKey, NDArray[np.int64]] = {}
        for key, counts in sorted(self.counts.get(experiment, {}).items(), key=str):
            cluster = self.clusters[key]
            summed[cluster] = summed.get(cluster, np.zeros(4, np.int64)) + counts
        return np.array(list(summed.values()), np.int64).reshape(-1, 4)


def gather(models: Sequence[ArmMetrics], metrics: Sequence[str]) -> Evidence:
    """Read the counted runs of every experiment that has one arm; of one with several it could not
    be said which the claim is of.

    Raises:
        RunError: the scores of a run cannot be read.
    """
    names = [one.arm.experiment for one in models if one.arm.records]
    values: dict[str, dict[str, dict[Place, dict[SeriesKey, float]]]] = {}
    counts: dict[str, dict[SeriesKey, NDArray[np.int64]]] = {}
    touched: set[tuple[SeriesKey, int]] = set()
    for one in models:
        experiment = one.arm.experiment
        if names.count(experiment) != 1 or not one.arm.records:
            continue
        values[experiment], counts[experiment] = {metric: {} for metric in metrics}, {}
        for record in (record for repetition in one.arm.counted for record in repetition.records):
            place = place_of(record)
            steps = read_steps(record)
            touched |= {((place[-1], name), number) for name, number in steps.incidents}
            for metric in metrics:
                own = {
                    (place[-1], name): series_metric(metric, part, record.result.probability)
                    for name, part in steps.series.items()
                }
                values[experiment][metric][place] = own
            for name, part in steps.series.items():
                key = (place[-1], name)
                counts[experiment][key] = counts[experiment].get(
                    key, np.zeros(4, np.int64)
                ) + _counts(part)
    every = {key for own in counts.values() for key in own} | {key for key, _ in touched}
    return Evidence(values, counts, clusters(every, sorted(touched, key=str)))


def _counts(part: Scored) -> NDArray[np.int64]:
    found = confusion(part.labels, part.scores >= part.thresholds)
    return np.array(
        [found.true_negatives, found.false_positives, found.false_negatives, found.true_positives],
        dtype=np.int64,
    )
