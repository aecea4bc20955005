"""The arms of an ablation with the results of their runs: metrics by repetition, a metric of each
test series by run, and clusters of series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from anomalynet.metrics.kernels import NAN, confusion, point_metrics, ranking_metrics
from anomalynet.reporting.ablation.contrasts import SeriesKey, clusters
from anomalynet.reporting.ablation.design import Ablation, AblationArm, level_text
from anomalynet.reporting.aggregate import (
    ArmMetrics,
    Scored,
    Summary,
    aggregate,
    difference,
    summarise,
)
from anomalynet.reporting.arms import Arm, Repetition, repetitions_of
from anomalynet.reporting.measures import RANKING, primary
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.scores import read_test_steps

OTHERS = ("average_precision", "auroc", "f1_attack", "balanced_accuracy")
"""Metrics that are shown in addition to the metric of comparison."""

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

Crossing = tuple[str, ...]  # a level of each axis, as text, in the order of the axes

RunKey = tuple[int, int, int, int | None]
"""(seed, fold, assignment, world); two arms' runs with the same key are a pair."""

SeriesValues = Mapping[RunKey, Mapping[SeriesKey, float]]
"""Run → series → a metric, a fraction or a count; NaN if it is undefined."""


@dataclass(frozen=True, slots=True)
class MeasuredArm:
    """An arm and its numbers."""

    design: AblationArm
    metrics: ArmMetrics
    runs: Mapping[RunKey, RunRecord]
    series: SeriesValues  # values of the metric of comparison

    @property
    def name(self) -> str:
        """The arm's label."""
        return self.design.name

    @property
    def complete(self) -> bool:
        """Whether every run that the sweep wants is finished."""
        enough = len(self.runs) >= max(self.design.expected, 1)
        return enough and self.metrics.arm.complete

    @property
    def status(self) -> str:
        """`complete`, `not run`, or the number of finished runs; and the number of failed ones."""
        if self.complete:
            return "complete"
        failed = f", {self.design.failed} failed" if self.design.failed else ""
        finished = f"{len(self.runs)} of {max(self.design.expected, len(self.runs))} runs"
        return (finished if self.runs else "not run") + failed

    def undefined(self, metric: str) -> int:
        """The number of runs whose metric is undefined."""
        own = (record.result.metrics.get(f"test/{metric}") for record in self.runs.values())
        return sum(value is None for value in own)


def measure(ablation: Ablation) -> tuple[tuple[MeasuredArm, ...], dict[SeriesKey, SeriesKey]]:
    """Measure every arm; the scores of every run are read once.

    Returns:
        the arms in the ablation's order, and series → its cluster, as joined by the incidents of
        all runs.
    Raises:
        RunError: a run's scores cannot be read.
    """
    metric = ablation.metric.removeprefix("test/")
    of_series = by_series((metric,))
    tested: dict[int, set[int]] = defaultdict(set)
    for record in (record for arm in ablation.arms for record in arm.records):
        tested[record.result.folds].add(record.result.fold)
    touched: set[tuple[SeriesKey, int]] = set()
    found = []
    for design in ablation.arms:
        arm = _arm(design, tested)
        (metrics,) = aggregate([arm], [of_series])
        parts = metrics.of(of_series).values()
        touched.update(*(part.touched for part in parts))
        series = {run: own for part in parts for run, own in part.values[metric].items()}
        runs = {run_key(record): record for record in arm.records}
        found.append(MeasuredArm(design, metrics, runs, series))
    every = {key for arm in found for values in arm.series.values() for key in values}
    return tuple(found), clusters(every, sorted(touched, key=str))


def _arm(design: AblationArm, tested: Mapping[int, set[int]]) -> Arm:
    """The arm with its missing folds: a repetition lacks the folds that another run of the sweep
    has; folds that the sweep does not ask for are not missing."""
    repetitions, duplicates = repetitions_of(design.name, design.records, ())
    complete = []
    for repetition in repetitions:
        present = {record.result.fold for record in repetition.records}
        wanted = tested[repetition.records[0].result.folds]
        complete.append(replace(repetition, missing=tuple(sorted(wanted - present))))
    return Arm(design.name, design.name, "", tuple(complete), duplicates, heading=design.name)


def crossings(ablation: Ablation, arms: Sequence[MeasuredArm]) -> dict[Crossing, MeasuredArm]:
    """The arms on the axes by their levels."""
    return {
        tuple(level_text(arm.design.levels[axis]) for axis in ablation.axes): arm
        for arm in reversed(arms)
        if arm.design.on_axes
    }


def reference_of(arms: Sequence[MeasuredArm]) -> MeasuredArm | None:
    """The arm that the others are compared with, if there is one."""
    return next((arm for arm in arms if arm.design.reference), None)


def run_key(record: RunRecord) -> RunKey:
    """The key by which runs of two arms are paired."""
    result = record.result
    return result.seed, result.fold, result.assignment, result.world


def shown_metrics(metric: str) -> tuple[str, ...]:
    """The names of the shown metrics in tables, the metric of comparison first."""
    return tuple(dict.fromkeys(map(primary, (metric, *OTHERS))))


def paired_differences(one: SeriesValues, other: SeriesValues) -> dict[SeriesKey, float]:
    """The difference of a metric for each series, paired by run and averaged over the pairs.

    Returns:
        each series that both tested in a run with the same key; NaN if no pair is defined.
    """
    pairs: dict[SeriesKey, list[float]] = defaultdict(list)
    for run in sorted(one.keys() & other.keys(), key=str):
        for key in one[run].keys() & other[run].keys():
            pairs[key].append(one[run][key] - other[run][key])
    return {key: summarise(values).mean for key, values in pairs.items()}


def gap(arm: MeasuredArm, reference: MeasuredArm | None, metric: str) -> Summary:
    """The arm's metric minus the reference's, mean ± spread over the repetitions that both have."""
    if reference is None or arm is reference:
        return summarise(())
    return difference(arm.metrics, reference.metrics, metric)


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
    steps = {name: Scored.without_gaps(part) for name, part in named.items()}
    return SeriesSteps(steps, frozenset(touched.iter_rows()))


def _metric(name: str, steps: Scored, probability: bool) -> float:
    if not len(steps.labels) or (name not in OF_ONE_CLASS and len(np.unique(steps.labels)) < 2):
        return NAN
    if name in RANKING:
        return ranking_metrics(steps.labels, steps.scores)[name]
    return point_metrics(steps.labels, steps.scores, steps.thresholds, probability)[name]


@dataclass(frozen=True, slots=True)
class SeriesResults:
    """The results of a repetition's runs by series."""

    values: Mapping[str, SeriesValues]  # metric → its values by run and series
    # series → (true negatives, false positives, false negatives, true positives), int64 (4,)
    counts: Mapping[SeriesKey, NDArray[np.int64]]
    touched: frozenset[tuple[SeriesKey, int]]  # series and numbers of their incidents


@cache
def by_series(metrics: tuple[str, ...]) -> Callable[[Repetition], SeriesResults]:
    """What measures these metrics, and the counts of decisions, for each series of a repetition."""

    def measured(repetition: Repetition) -> SeriesResults:
        values: dict[str, dict[RunKey, dict[SeriesKey, float]]] = {name: {} for name in metrics}
        counts: dict[SeriesKey, NDArray[np.int64]] = {}
        touched: set[tuple[SeriesKey, int]] = set()
        for record in repetition.records:
            key, steps, world = run_key(record), read_steps(record), record.result.world
            touched |= {((world, name), number) for name, number in steps.incidents}
            for metric in metrics:
                found = steps.metric(metric, record.result.probability)
                values[metric][key] = {(world, name): value for name, value in found.items()}
            for name, part in steps.series.items():
                cells = astuple(confusion(part.labels, part.scores >= part.thresholds))
                own = np.array(cells, np.int64)
                counts[world, name] = counts.get((world, name), 0) + own
        return SeriesResults(values, counts, frozenset(touched))

    return measured
