"""An ablation's arms with what their runs found: run metrics by repetition, series metrics by run,
and clusters of series."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from anomalynet.reporting.ablation.clusters import SeriesKey, clusters
from anomalynet.reporting.ablation.design import Ablation, AblationArm
from anomalynet.reporting.ablation.series_scores import SeriesScores, read_series
from anomalynet.reporting.aggregate import ArmMetrics, summarise
from anomalynet.reporting.arms import Arm, repetitions_of
from anomalynet.reporting.statistics import NAN, ratio
from anomalynet.runs.collect import RunRecord

OTHERS = ("average_precision", "auroc", "f1_attack", "balanced_accuracy")
"""Shown beside the metric that arms are compared by."""

Place = tuple[int, int, int, int | None]
"""(seed, fold, assignment, world): two arms' runs of one place are a pair."""


@dataclass(frozen=True, slots=True)
class MeasuredArm:
    """An arm and its numbers.

    Attributes:
        design: what the sweep says of it.
        metrics: of each counted repetition the mean over its folds of the runs' own metrics,
        fractions. runs: the run of each place. series: place → series → the metric of comparison, a
        fraction or a count; NaN where it is undefined.
    """

    design: AblationArm
    metrics: ArmMetrics
    runs: Mapping[Place, RunRecord]
    series: Mapping[Place, Mapping[SeriesKey, float]]

    @property
    def name(self) -> str:
        """The arm's label."""
        return self.design.name

    @property
    def complete(self) -> bool:
        """Whether every run that the sweep wants is there."""
        return (
            bool(self.runs) and len(self.runs) >= self.design.expected and self.metrics.arm.complete
        )

    @property
    def status(self) -> str:
        """`complete`, `not run`, or how many runs are there, and how many of the others failed."""
        if self.complete:
            return "complete"
        failed = f", {self.design.failed} failed" if self.design.failed else ""
        return (
            f"{len(self.runs)} of {max(self.design.expected, len(self.runs))} runs{failed}"
            if self.runs
            else f"not run{failed}"
        )

    def run_metric(self, place: Place, metric: str) -> float:
        """What the run of a place says of its test part; NaN where it is undefined."""
        return _run_metric(self.runs[place], metric)

    def undefined(self, metric: str) -> int:
        """Runs whose metric is undefined."""
        return sum(math.isnan(self.run_metric(place, metric)) for place in self.runs)


def measure(ablation: Ablation) -> tuple[tuple[MeasuredArm, ...], dict[SeriesKey, SeriesKey]]:
    """Read the scores of every run once.

    Returns:
        the arms in the ablation's order, and series → its cluster, joined by the incidents of all
        runs.

    Raises:
        UsageError: the metric is none that steps determine.
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
        runs = {place_of(record): record for record in arm.records}
        scores = {place: read_series(record, metric) for place, record in runs.items()}
        touched |= {
            ((place[-1], name), number)
            for place, one in scores.items()
            for name, number in one.incidents
        }
        series = {
            place: {(place[-1], name): value for name, value in one.values.items()}
            for place, one in scores.items()
        }
        found.append(MeasuredArm(design, _metrics(arm, metric, scores), runs, series))
    every = {key for arm in found for values in arm.series.values() for key in values}
    return tuple(found), clusters(every, sorted(touched, key=str))


def _arm(design: AblationArm, tested: Mapping[int, set[int]]) -> Arm:
    """A repetition lacks the folds that another run of the sweep has; folds that the sweep does not
    ask for are not missed."""
    repetitions, duplicates = repetitions_of(design.name, design.records, ())
    known = (
        replace(
            one,
            missing=tuple(
                sorted(
                    tested[one.records[0].result.folds]
                    - {record.result.fold for record in one.records}
                )
            ),
        )
        for one in repetitions
    )
    return Arm(design.name, design.name, "", tuple(known), duplicates, heading=design.name)


def place_of(record: RunRecord) -> Place:
    """Where a run is."""
    result = record.result
    return result.seed, result.fold, result.assignment, result.world


def _run_metric(record: RunRecord, metric: str) -> float:
    value = record.result.metrics.get(f"test/{metric}")
    return NAN if value is None else value


def _metrics(arm: Arm, metric: str, scores: Mapping[Place, SeriesScores]) -> ArmMetrics:
    values = {}
    for one in arm.counted:
        tests = [record.result.parts["test"] for record in one.records]
        steps = [scores[place_of(record)] for record in one.records]
        values[one.key] = {
            **{
                name: summarise(_run_metric(record, name) for record in one.records).mean
                for name in shown_metrics(metric)
            },
            "prevalence": ratio(
                sum(part.attack for part in steps), sum(part.scored for part in steps)
            ),
            "missed": float(sum(part.missed for part in tests)),
            "missed_attack": float(sum(part.missed_attack for part in tests)),
        }
    return ArmMetrics(arm, values)


def shown_metrics(metric: str) -> tuple[str, ...]:
    """The metric of comparison first."""
    return tuple(dict.fromkeys((metric, *OTHERS)))


def series_differences(one: MeasuredArm, other: MeasuredArm) -> dict[SeriesKey, float]:
    """Series metric of `one` minus `other`'s, as `paired_differences` takes it."""
    return paired_differences(one.series, other.series)


def paired_differences(
    one: Mapping[Place, Mapping[SeriesKey, float]], other: Mapping[Place, Mapping[SeriesKey, float]]
) -> dict[SeriesKey, float]:
    """A metric of each series minus another's, paired by run and averaged over them.

    Returns:
        each series that both tested in a shared place; NaN where no such pair is defined.
    """
    pairs: dict[SeriesKey, list[float]] = defaultdict(list)
    for place in sorted(one.keys() & other.keys(), key=str):
        mine, theirs = one[place], other[place]
        for key in mine.keys() & theirs.keys():
            pairs[key].append(mine[key] - theirs[key])
    return {key: summarise(values).mean for key, values in pairs.items()}
