"""A metric of each test series of a run, and the incidents that the series saw; one reading of the
scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomalynet.metrics.kernels import NAN, point_metrics, ranking_metrics
from anomalynet.reporting.aggregate import Scored
from anomalynet.reporting.measures import RANKING
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.scores import read_test_steps

OF_ONE_CLASS = (
    "recall_normal",
    "recall_attack",
    "accuracy",
    "accuracy_at_half",
    "true_negatives",
    "false_positives",
    "false_negatives",
    "true_positives",
)
"""Metrics that mean something where only one class was seen. Others need both: an F1 of a series
without attack would be defined only where there is a false alarm."""


@dataclass(frozen=True, slots=True)
class SeriesSteps:
    """A run's test part by series."""

    # series → its labelled, scored test steps, none of them where it has none
    series: dict[str, Scored]
    # (series, number of an incident) of every test step in an incident, labelled or not, scored or
    # not
    incidents: frozenset[tuple[str, int]]

    def metric(self, name: str, probability: bool) -> dict[str, float]:
        """A metric of each series with the run's own threshold, a fraction or a count; NaN where it
        is undefined."""
        return {series: _metric(name, steps, probability) for series, steps in self.series.items()}


def read_steps(record: RunRecord) -> SeriesSteps:
    """Read a run's test part by series, in order of their names.

    Raises: RunError: `scores.parquet` is absent, damaged, or lacks a column.
    """
    test = read_test_steps(record)
    scored = test.drop_nulls(["label", "score"])
    parts = scored.partition_by("series", as_dict=True)
    named = {name: parts.get((name,), scored.clear()) for name in sorted(test["series"].unique())}
    touched = test.select("series", "incident").drop_nulls().unique()
    return SeriesSteps(
        {
            name: Scored(*(part[column].to_numpy() for column in ("label", "score", "threshold")))
            for name, part in named.items()
        },
        frozenset(touched.iter_rows()),
    )


def _metric(name: str, steps: Scored, probability: bool) -> float:
    if not len(steps.labels) or (name not in OF_ONE_CLASS and len(np.unique(steps.labels)) < 2):
        return NAN
    if name in RANKING:
        return ranking_metrics(steps.labels, steps.scores)[name]
    return point_metrics(steps.labels, steps.scores, steps.thresholds, probability)[name]
