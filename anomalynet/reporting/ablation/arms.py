"""An ablation's arms with what their runs found: run metrics by repetition, series metrics by run,
and clusters of series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from anomalynet.reporting.ablation.contrasts import SeriesKey, clusters
from anomalynet.reporting.ablation.design import Ablation, AblationArm
from anomalynet.reporting.ablation.series_scores import read_steps
from anomalynet.reporting.aggregate import ArmMetrics, Summary, aggregate, difference, summarise
from anomalynet.reporting.arms import Arm, repetitions_of
from anomalynet.reporting.measures import primary
from anomalynet.runs.collect import RunRecord

OTHERS = ("average_precision", "auroc", "f1_attack", "balanced_accuracy")
"""Shown beside the metric that arms are compared by."""

Place = tuple[int, int, int, int | None]
"""(seed, fold, assignment, world): two arms' runs of one place are a pair."""

SeriesValues = Mapping[Place, Mapping[SeriesKey, float]]
"""Place → series → a metric, a fraction or a count; NaN where it is undefined."""


@dataclass(frozen=True, slots=True)
class MeasuredArm:
    """An arm and its numbers."""

    design: AblationArm  # what the sweep says of it
    metrics: ArmMetrics
    runs: Mapping[Place, RunRecord]  # the run of each place
    series: SeriesValues  # the metric of comparison

    @property
    def name(self) -> str:
        """The arm's label."""
        return self.design.name

    @property
    def complete(self) -> bool:
        """Whether every run that the sweep wants is there."""
        enough = len(self.runs) >= max(self.design.expected, 1)
        return enough and self.metrics.arm.complete

    @property
    def status(self) -> str:
        """`complete`, `not run`, or how many runs are there, and how many of the others failed."""
        if self.complete:
            return "complete"
        failed = f", {self.design.failed} failed" if self.design.failed else ""
        there = f"{len(self.runs)} of {max(self.design.expected, len(self.runs))} runs"
        return (there if self.runs else "not run") + failed

    def undefined(self, metric: str) -> int:
        """Runs whose own metric is undefined."""
        own = (record.result.metrics.get(f"test/{metric}") for record in self.runs.values())
        return sum(value is None for value in own)


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
        series = {}
        for place, record in runs.items():
            own = read_steps(record)
            touched |= {((place[-1], name), number) for name, number in own.incidents}
            values = own.metric(metric, record.result.probability)
            series[place] = {(place[-1], name): value for name, value in values.items()}
        (metrics,) = aggregate([arm])
        found.append(MeasuredArm(design, metrics, runs, series))
    every = {key for arm in found for values in arm.series.values() for key in values}
    return tuple(found), clusters(every, sorted(touched, key=str))


def _arm(design: AblationArm, tested: Mapping[int, set[int]]) -> Arm:
    """A repetition lacks the folds that another run of the sweep has; folds that the sweep does not
    ask for are not missing."""
    repetitions, duplicates = repetitions_of(design.name, design.records, ())
    known = []
    for one in repetitions:
        there = {record.result.fold for record in one.records}
        wanted = tested[one.records[0].result.folds]
        known.append(replace(one, missing=tuple(sorted(wanted - there))))
    return Arm(design.name, design.name, "", tuple(known), duplicates, heading=design.name)


def place_of(record: RunRecord) -> Place:
    """Where a run is."""
    result = record.result
    return result.seed, result.fold, result.assignment, result.world


def shown_metrics(metric: str) -> tuple[str, ...]:
    """Their names in tables, the metric of comparison first."""
    return tuple(dict.fromkeys(map(primary, (metric, *OTHERS))))


def paired_differences(one: SeriesValues, other: SeriesValues) -> dict[SeriesKey, float]:
    """A metric of each series minus another's, paired by run and averaged over them.

    Returns:
        each series that both tested in a shared place; NaN where no such pair is defined.
    """
    pairs: dict[SeriesKey, list[float]] = defaultdict(list)
    for place in _shared(one, other):
        for key in one[place].keys() & other[place].keys():
            pairs[key].append(one[place][key] - other[place][key])
    return {key: summarise(values).mean for key, values in pairs.items()}


def gap(arm: MeasuredArm, reference: MeasuredArm | None, metric: str) -> Summary:
    """The arm's metric minus the reference's, mean ± spread over the repetitions that both have."""
    if reference is None or arm is reference:
        return summarise(())
    return difference(arm.metrics, reference.metrics, metric)


def _shared(one: Mapping[Place, object], other: Mapping[Place, object]) -> Iterable[Place]:
    return sorted(one.keys() & other.keys(), key=str)
