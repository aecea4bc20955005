"""Computes the metrics of detection over time for every repetition and for two trivial detectors,
from `scores.parquet`.

A labelled step without a score raises no alarm, and an attack on it is undetected: alarms are
judged on every labelled step. The ranking of scores, as in AUROC, is only defined for scored steps:
there a step without a score ends a stretch. A step without a label ends a stretch everywhere, and
its alarms only count against a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from anomalynet.metrics.events import detection_delays, step_seconds
from anomalynet.metrics.kernels import NAN
from anomalynet.metrics.ranges.affiliation import affiliation
from anomalynet.metrics.ranges.budget import (
    always_on,
    delay_quantile,
    event_recall_at_budgets,
    random_detector,
    undetected,
)
from anomalynet.metrics.ranges.ranges import (
    Booleans,
    Floats,
    Integers,
    Value,
    adjusted,
    range_f1,
    range_precision,
    range_recall,
    ranges,
    stretches,
    undefined,
)
from anomalynet.metrics.ranges.vus import vus
from anomalynet.reporting.aggregate import ArmMetrics, Summary, summarise
from anomalynet.reporting.arms import RepetitionKey
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.scores import read_test_steps

MODEL, RANDOM, ALWAYS_ON = "model", "random", "always on"
DETECTORS = (MODEL, RANDOM, ALWAYS_ON)

# False alarms per day at which event recall is computed
BUDGETS = (0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 70.0, 100.0, 150.0, 200.0)

ONE_ALARM = "one score for every step: a stretch is one alarm"

WIDEST_BUFFER = 100  # steps; VUS uses the median length of the ranges, at most this


@dataclass(frozen=True, slots=True)
class RunSteps:
    """The test part of a run, ordered by (series, time), arrays of shape (steps,)."""

    labels: NDArray[np.int8]  # int8, 1 attack, 0 normal, -1 unlabelled
    scores: Floats  # float64, NaN if the step was missed
    alarms: Booleans  # bool, false if the step was missed
    incidents: Integers  # number of the incident, -1 none
    series: Integers  # number of the series
    times: NDArray[np.int64]  # int64, microseconds
    step_seconds: float  # median time between neighbouring steps of a series; NaN if there are none

    def stretches(self, mask: Booleans) -> NDArray[np.int64]:
        """The number of the stretch of each step in a mask; other steps are dropped."""
        return stretches(self.series[mask], self.times[mask], self.step_seconds)


def read_steps(record: RunRecord) -> RunSteps:
    """Read a run's test part.

    Raises: RunError: `scores.parquet` is missing, damaged, or lacks a column.
    """
    table = read_test_steps(record).select(
        pl.col("label").fill_null(-1),
        pl.col("score").fill_null(np.nan),
        (pl.col("score") >= pl.col("threshold")).fill_null(False).alias("alarm"),
        pl.col("incident").fill_null(-1),
        pl.col("series").rle_id().cast(pl.Int64),
        pl.col("time").cast(pl.Int64),
    )
    labels, scores, alarms, incidents, series, times = (column.to_numpy() for column in table)
    seconds = step_seconds(series, times)
    return RunSteps(labels, scores, alarms, incidents, series, times, seconds)


@dataclass(frozen=True, slots=True)
class Detection:
    """The results of a detector in one repetition."""

    values: Mapping[str, Value]  # name in `measures.MEASURES` → value as a fraction or in seconds
    curve: tuple[float, ...]  # event recall at each of `BUDGETS`
    delays: Floats  # (incidents of all folds,) seconds, inf if undetected
    alarm_share: float  # share of the scored steps that are alarmed


def _without_budgets(found: Detection) -> Detection:
    """The same without values at budgets, which mean nothing for a detector with one score for
    every step: all its alarms of a stretch count as one."""
    nothing = dict.fromkeys(("event_recall_at_1", "event_recall_at_10"), undefined(ONE_ALARM))
    return replace(found, values={**found.values, **nothing}, curve=(NAN,) * len(BUDGETS))


def detection(folds: Sequence[RunSteps]) -> Detection:
    """Judge the folds of a repetition.

    Metrics of alarms are computed once from the steps, ranges and incidents of all folds, each with
    its own threshold. Metrics of scores (VUS, budgets) are computed for each fold and averaged,
    because scores of different folds need not share a scale. An incident that several folds test
    counts once per fold."""
    volumes = [_volumes(fold) for fold in folds]
    recalls = zip(*(_at_budgets(fold) for fold in folds), strict=True)
    at = dict(zip(BUDGETS, map(_mean, recalls), strict=True))
    delays = np.concatenate(
        [detection_delays(fold.labels, fold.alarms, fold.incidents, fold.times) for fold in folds]
    )
    scored = sum(int((~np.isnan(fold.scores)).sum()) for fold in folds)
    values = {
        "vus_pr": _mean(pr for pr, _ in volumes),
        "vus_roc": _mean(roc for _, roc in volumes),
        **_alarm_metrics(folds),
        "event_recall_at_1": at[1.0],
        "event_recall_at_10": at[10.0],
        "delay_p10": delay_quantile(delays, 0.1),
        "delay_p50": delay_quantile(delays, 0.5),
        "delay_p90": delay_quantile(delays, 0.9),
        "undetected": undetected(delays),
    }
    share = sum(int(fold.alarms.sum()) for fold in folds) / scored if scored else NAN
    return Detection(values, tuple(value.value for value in at.values()), delays, share)


def _mean(values: Iterable[Value]) -> Value:
    """The mean of the defined values; undefined if there are none, with the first reason."""
    every = list(values)
    mean = summarise(value.value for value in every).mean
    return Value(mean, every[0].reason if np.isnan(mean) else "")


def _volumes(fold: RunSteps) -> tuple[Value, Value]:
    labelled = fold.labels >= 0
    lengths = ranges(fold.labels[labelled] == 1, fold.stretches(labelled)).lengths
    widest = min(int(np.median(lengths)), WIDEST_BUFFER) if len(lengths) else 0
    usable = labelled & ~np.isnan(fold.scores)
    found = vus(fold.labels[usable], fold.scores[usable], fold.stretches(usable), widest)
    return found.pr, found.roc


def _at_budgets(fold: RunSteps) -> tuple[Value, ...]:
    return event_recall_at_budgets(
        labels=fold.labels,
        scores=fold.scores,
        incidents=fold.incidents,
        series=fold.series,
        step_seconds=fold.step_seconds,
        budgets=BUDGETS,
    )


def _alarm_metrics(folds: Sequence[RunSteps]) -> dict[str, Value]:
    parts, offset = [], 0
    for fold in folds:
        labelled = fold.labels >= 0
        stretch = fold.stretches(labelled) + offset  # numbers of different folds must differ
        parts.append((fold.labels[labelled], fold.alarms[labelled], stretch))
        offset += len(fold.labels)
    steps = tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    near, inflated = affiliation(*steps), adjusted(*steps)
    return {
        "range_f1": range_f1(*steps),
        "range_precision": range_precision(*steps),
        "range_recall": range_recall(*steps),
        "affiliation_precision": near.precision,
        "affiliation_recall": near.recall,
        "affiliation_unjudged": near.unjudged,
        "pa_f1": inflated.f1,
        "pa_20": inflated.at_20,
        "pa_area": inflated.area,
    }


@dataclass(frozen=True, slots=True)
class ArmTimeline:
    """The results of an arm's model, and of the trivial detectors on the same steps."""

    model: ArmMetrics
    found: Mapping[str, Mapping[RepetitionKey, Detection]]  # detector → counted repetition → result

    def summary(self, detector: str, metric: str) -> Summary:
        """The mean and spread of a metric over repetitions."""
        return summarise(one.values[metric].value for one in self.found[detector].values())

    def reasons(self, detector: str, metric: str) -> str:
        """Why a metric is undefined in some repetitions; empty if it is always defined."""
        reasons = {one.values[metric].reason for one in self.found[detector].values()}
        return "; ".join(sorted(reasons - {""}))

    @property
    def alarm_share(self) -> float:
        """Share of the scored steps that the model alarms, mean over repetitions."""
        return summarise(one.alarm_share for one in self.found[MODEL].values()).mean


def timeline_of(model: ArmMetrics) -> ArmTimeline:
    """Judge every counted repetition of an arm; only the scores of one are in memory at a time.

    The random detector draws the same scores for all models of a seed and fold. In each fold it
    raises as many alarms as the model.

    Raises: RunError: a run's scores cannot be read.
    """
    found: dict[str, dict[RepetitionKey, Detection]] = {detector: {} for detector in DETECTORS}
    for repetition in model.arm.counted:
        parts = [(record.result, read_steps(record)) for record in repetition.records]
        random, constant = [], []
        for result, part in parts:
            scores, alarms = random_detector(part.scores, part.alarms, (result.seed, result.fold))
            random.append(replace(part, scores=scores, alarms=alarms))
            scores, alarms = always_on(part.scores)
            constant.append(replace(part, scores=scores, alarms=alarms))
        found[MODEL][repetition.key] = detection([part for _, part in parts])
        found[RANDOM][repetition.key] = detection(random)
        found[ALWAYS_ON][repetition.key] = _without_budgets(detection(constant))
    return ArmTimeline(model, found)
