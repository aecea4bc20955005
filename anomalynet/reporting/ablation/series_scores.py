"""Reads the scores of a run by test series: a metric of each series, and the incidents of each."""

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
"""Metrics that have a meaning for a series with only one class. Others need both classes: the F1 of
a series without attack would be defined only if there is a false alarm."""


@dataclass(frozen=True, slots=True)
class SeriesSteps:
    """A run's test part by series."""

    series: dict[str, Scored]  # series → its test steps that have a label and a score; may be empty
    incidents: frozenset[tuple[str, int]]  # (series, number of an incident) of all its test steps

    def metric(self, name: str, probability: bool) -> dict[str, float]:
        """A metric of each series at the run's threshold, a fraction or count; NaN if undefined."""
        return {series: _metric(name, steps, probability) for series, steps in self.series.items()}


def read_steps(record: RunRecord) -> SeriesSteps:
    """Read a run's test part by series, in order of their names.

    Raises: RunError: `scores.parquet` is missing, damaged, or lacks a column.
    """
    test = read_test_steps(record)
    scored = test.drop_nulls(["label", "score"])
    parts = scored.partition_by("series", as_dict=True)
    named = {name: parts.get((name,), scored.clear()) for name in sorted(test["series"].unique())}
    touched = test.select("series", "incident").drop_nulls().unique()
    steps = {name: Scored.of(part) for name, part in named.items()}
    return SeriesSteps(steps, frozenset(touched.iter_rows()))


def _metric(name: str, steps: Scored, probability: bool) -> float:
    if not len(steps.labels) or (name not in OF_ONE_CLASS and len(np.unique(steps.labels)) < 2):
        return NAN
    if name in RANKING:
        return ranking_metrics(steps.labels, steps.scores)[name]
    return point_metrics(steps.labels, steps.scores, steps.thresholds, probability)[name]
