"""The arms of an ablation with the results of their runs: run metrics by repetition, series metrics
by run, and clusters of series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from anomalynet.reporting.ablation.contrasts import SeriesKey, clusters
from anomalynet.reporting.ablation.design import Ablation, AblationArm
from anomalynet.reporting.ablation.series_scores import read_steps
from anomalynet.reporting.aggregate import ArmMetrics, Summary, aggregate, difference, summarise
from anomalynet.reporting.arms import Arm, repetitions_of
from anomalynet.reporting.measures import primary
from anomalynet.runs.collect import RunRecord

OTHERS = ("average_precision", "auroc", "f1_attack", "balanced_accuracy")
"""Metrics that are shown in addition to the metric of comparison."""

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
    """Read the scores of every run once.

    Returns:
        the arms in the ablation's order, and series → its cluster, as joined by the incidents of
        all runs.
    Raises:
        UsageError: the metric is not computed from single steps.
        RunError: a run's scores cannot be read.
    """
    metric = ablation.measured
    tested: dict[int, set[int]] = defaultdict(set)
    for record in (record for arm in ablation.arms for record in arm.records):
        tested[record.result.folds].add(record.result.fold)
    touched: set[tuple[SeriesKey, int]] = set()
    found = []
    for design in ablation.arms:
        arm = _arm(design, tested)
        runs = {run_key(record): record for record in arm.records}
        series = {}
        for key, record in runs.items():
            own, world = read_steps(record), key[-1]
            touched |= {((world, name), number) for name, number in own.incidents}
            values = own.metric(metric, record.result.probability)
            series[key] = {(world, name): value for name, value in values.items()}
        (metrics,) = aggregate([arm])
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
