"""The design of an ablation (axes with levels, the arms at their crossings, the reference), and the
results of its arms: metrics by repetition, a metric of each test series by run, and clusters."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from anomalynet.config.schema import DataConfig
from anomalynet.data.sources.simulated import radio_cells
from anomalynet.errors import ConfigError, DataError
from anomalynet.metrics.kernels import NAN, confusion, point_metrics, ranking_metrics
from anomalynet.reporting.ablation.contrasts import SeriesKey, clusters
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


@dataclass(frozen=True, slots=True)
class AblationArm:
    """One configuration of a sweep."""

    name: str  # unique label, such as `model.attention=false`
    # the level of every axis; outside the axes only the keys that it sets
    levels: dict[str, object]
    on_axes: bool  # False for an arm that is not a point of the axes, such as one of equal size
    reference: bool  # whether the others are compared with it
    records: tuple[RunRecord, ...]  # finished runs, in any order
    expected: int  # number of runs that the sweep wants
    failed: int = 0  # number of runs that failed

    def level(self, axis: str) -> str | None:
        """Its level of an axis as text, None if it sets none."""
        return level_text(self.levels[axis]) if axis in self.levels else None


@dataclass(frozen=True, slots=True)
class Ablation:
    """A sweep that measures the contribution of a part or a setting."""

    name: str  # the sweep's
    question: str  # one line
    design: str  # `one_at_a_time` or `factorial`
    axes: dict[str, list[object]]  # dotted key → levels, in order
    metric: str  # `test/` and the name of a metric that is computed from single steps
    arms: tuple[AblationArm, ...]  # in the order of the tables
    command: str = ""  # that makes the report again
    preset: str = ""  # of the sweep's file

    @property
    def reference(self) -> AblationArm | None:
        """The arm that the others are compared with; None if there is none."""
        return next((arm for arm in self.arms if arm.reference), None)

    def levels(self, axis: str) -> list[str]:
        """Levels of an axis as text, in its order. A level of the reference that the axis does not
        list comes first; other levels that only arms have come last."""
        listed = [level_text(level) for level in self.axes[axis]]
        usual = self.usual(axis)
        first = [] if usual is None or usual in listed else [usual]
        used = [level for arm in self.arms if arm.on_axes and (level := arm.level(axis))]
        return list(dict.fromkeys([*first, *listed, *used]))

    def usual(self, axis: str) -> str | None:
        """The reference's level of an axis as text."""
        return self.reference.level(axis) if self.reference else None


def level_text(level: object) -> str:
    """A level as a configuration shows it: `true`, `0.001`, `hybrid`."""
    return level if isinstance(level, str) else json.dumps(level)


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

IncidentKey = tuple[str, int | str]
"""What joins series: (fingerprint, number of an incident), as data of other worlds number theirs
otherwise; or (fingerprint, radio cell), whose nodes share a channel."""

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
    """Every arm, in the ablation's order, and series → its cluster, as joined by the incidents of
    all runs. The scores of every run are read once."""
    metric = ablation.metric.removeprefix("test/")
    of_series = by_series((metric,))
    tested: dict[int, set[int]] = defaultdict(set)
    for record in (record for arm in ablation.arms for record in arm.records):
        tested[record.result.folds].add(record.result.fold)
    touched: set[tuple[SeriesKey, IncidentKey]] = set()
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


@dataclass(frozen=True, slots=True)
class ModelsView:
    """A factorial that crosses experiments with one other axis."""

    axis: str  # dotted key of the other axis
    levels: Mapping[str, str]  # its levels as text, in order → their names in table and figure
    arms: Mapping[str, Mapping[str, MeasuredArm]]  # experiment → level → its arm

    @property
    def title(self) -> str:
        """What the names of the levels are."""
        counted = [*self.levels] != [*self.levels.values()]
        return f"worlds to learn from ({self.axis})" if counted else self.axis

    @property
    def n(self) -> int:
        """The most repetitions that an arm has."""
        return max(len(arm.metrics.values) for own in self.arms.values() for arm in own.values())


def models_view(ablation: Ablation, arms: Sequence[MeasuredArm]) -> ModelsView | None:
    """The arms by model and level; None if the sweep has other axes than `experiment` and one."""
    others = [axis for axis in ablation.axes if axis != "experiment"]
    if ablation.design != "factorial" or len(ablation.axes) != 2 or len(others) != 1:
        return None
    index = [*ablation.axes].index("experiment")
    found: dict[str, dict[str, MeasuredArm]] = {one: {} for one in ablation.levels("experiment")}
    for crossing, arm in crossings(ablation, arms).items():
        found[crossing[index]][crossing[1 - index]] = arm
    levels = ablation.levels(others[0])
    names = _level_names(others[0], levels, arms)
    return ModelsView(others[0], dict(zip(levels, names, strict=True)), found)


def _level_names(axis: str, levels: list[str], arms: Sequence[MeasuredArm]) -> list[str]:
    """The levels; those of `data.worlds` by the number of worlds that their runs learn from, if
    each has its own number."""
    learnt: dict[str | None, set[int]] = defaultdict(set)
    for arm in arms if axis == "data.worlds" else ():
        for record in arm.runs.values():
            series = record.result.parts["train"].series
            learnt[arm.design.level(axis)].add(len({one.rpartition("/")[0] for one in series}))
    counts = [count for level in levels for count in learnt[level]]
    every = len(counts) == len(set(counts)) == len(levels) and all(map(learnt.get, levels))
    return [str(count) for count in counts] if every else levels


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
    """The difference of a metric for each series that both tested in a run with the same key,
    averaged over these pairs; NaN if no pair is defined."""
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


def _metric(name: str, steps: Scored, probability: bool) -> float:
    """A metric of a series at the run's threshold, a fraction or count; NaN if undefined."""
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
    touched: frozenset[tuple[SeriesKey, IncidentKey]]


@cache
def by_series(metrics: tuple[str, ...]) -> Callable[[Repetition], SeriesResults]:
    """What measures these metrics, and the counts of decisions, for each series of a repetition."""

    def measured(repetition: Repetition) -> SeriesResults:
        values: dict[str, dict[RunKey, dict[SeriesKey, float]]] = {name: {} for name in metrics}
        counts: dict[SeriesKey, NDArray[np.int64]] = {}
        touched: set[tuple[SeriesKey, IncidentKey]] = set()
        for record in repetition.records:
            key, world, test = run_key(record), record.result.world, read_test_steps(record)
            numbers = test.select("series", "incident").drop_nulls().unique()
            data = record.result.fingerprint
            touched |= {((world, name), (data, number)) for name, number in numbers.iter_rows()}
            cells = _radio_cells(record, test["series"].unique().to_list())
            touched |= {((world, name), (data, cell)) for name, cell in cells.items()}
            scored = test.drop_nulls(["label", "score"])
            parts = scored.partition_by("series", as_dict=True)
            for metric in metrics:
                values[metric][key] = {}
            for name in sorted(test["series"].unique()):
                part = Scored.without_gaps(parts.get((name,), scored.clear()))
                for metric in metrics:
                    value = _metric(metric, part, record.result.probability)
                    values[metric][key][world, name] = value
                table = astuple(confusion(part.labels, part.scores >= part.thresholds))
                own = np.array(table, np.int64)
                counts[world, name] = counts.get((world, name), 0) + own
        return SeriesResults(values, counts, frozenset(touched))

    return measured


def _radio_cells(record: RunRecord, series: Sequence[str]) -> dict[str, str]:
    """Series → radio cell, of a run on generated data whose scenario can be read."""
    given = record.config.get("data", {})
    keys = ("name", "root", "scenario", "world", "worlds")
    with suppress(DataError, ConfigError):  # a file of the scenario is not here
        return radio_cells(DataConfig(**{key: given[key] for key in keys if key in given}), series)
    return {}
