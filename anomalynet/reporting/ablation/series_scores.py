"""A metric of each test series of a run, and the incidents that the series saw; one reading of the
scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from anomalynet.reporting.aggregate import Scored
from anomalynet.reporting.statistics import NAN, point_metrics, ranking_metrics
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.scores import SCORED, read_test_part

RANKING = ("auroc", "average_precision")

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
class SeriesScores:
    """What a report keeps of a run's scores.

    Attributes:
        values: series → the metric over its labelled, scored test steps, a fraction or a count; NaN
        where it is undefined. incidents: (series, number of an incident) of every test step in an
        incident, labelled or not, scored or not. scored: labelled, scored test steps. attack: those
        of label 1.
    """

    values: dict[str, float]
    incidents: frozenset[tuple[str, int]]
    scored: int
    attack: int


@dataclass(frozen=True, slots=True)
class SeriesSteps:
    """A run's test part by series.

    Attributes:
        series: series → its labelled, scored test steps, none of them where it has none.
        incidents: (series, number of an incident) of every test step in an incident, labelled or
        not, scored or not.
    """

    series: dict[str, Scored]
    incidents: frozenset[tuple[str, int]]


def read_series(record: RunRecord, metric: str) -> SeriesScores:
    """Compute a metric for each series of a run's test part, with the run's own threshold.

    Raises:
        RunError: `scores.parquet` is absent, damaged, or lacks a column.
    """
    steps = read_steps(record)
    return SeriesScores(
        values={
            name: series_metric(metric, part, record.result.probability)
            for name, part in steps.series.items()
        },
        incidents=steps.incidents,
        scored=sum(len(part.labels) for part in steps.series.values()),
        attack=sum(int((part.labels == 1).sum()) for part in steps.series.values()),
    )


def read_steps(record: RunRecord) -> SeriesSteps:
    """Read a run's test part by series, in order of their names.

    Raises:
        RunError: `scores.parquet` is absent, damaged, or lacks a column.
    """
    columns = (
        pl.col("series").cast(pl.String),
        pl.col("label").cast(pl.Int8),
        pl.col("incident").cast(pl.Int64),
        pl.col("score").cast(pl.Float64),
        pl.col("threshold").cast(pl.Float64),
    )
    test = read_test_part(record, lambda steps: steps.select(columns))
    touched = test.select("series", "incident").drop_nulls().unique()
    scored = test.filter(pl.col("label").is_not_null() & SCORED)
    parts = {
        str(key[0]): _arrays(part)
        for key, part in scored.partition_by("series", as_dict=True).items()
    }
    names = sorted(test["series"].unique())
    return SeriesSteps(
        {name: parts.get(name, _arrays(scored.clear())) for name in names},
        frozenset(touched.iter_rows()),
    )


def _arrays(part: pl.DataFrame) -> Scored:
    return Scored(part["label"].to_numpy(), part["score"].to_numpy(), part["threshold"].to_numpy())


def series_metric(metric: str, steps: Scored, probability: bool) -> float:
    """A metric of one series; NaN where it is undefined, or means nothing because one class was
    seen only."""
    if not len(steps.labels) or (metric not in OF_ONE_CLASS and len(np.unique(steps.labels)) < 2):
        return NAN
    if metric in RANKING:
        return ranking_metrics(steps.labels, steps.scores)[metric]
    return point_metrics(steps.labels, steps.scores, steps.thresholds, probability)[metric]
