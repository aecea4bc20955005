"""The metrics of detection over time of every repetition, and of two detectors that see nothing,
from `scores.parquet` alone.

A labelled step without a score raises no alarm, and an attack on it goes undetected: alarms are
judged on every labelled step. How scores rank can only be asked of scored steps, as AUROC does:
there a step without a score ends a stretch. A step without a label ends a stretch everywhere, and
its alarms count in a budget alone."""

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

# False alarms a day at which the curve of event recall is read
BUDGETS = (0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 70.0, 100.0, 150.0, 200.0)

ONE_ALARM = "one score for every step: a stretch is one alarm"

WIDEST_BUFFER = 100  # steps. VUS grows ranges by up to their median length, at most this.


@dataclass(frozen=True, slots=True)
class Steps:
    """The test part of a run, ordered by (series, time), arrays of shape (steps,)."""

    labels: NDArray[np.int8]  # int8, 1 attack, 0 normal, -1 unlabelled
    scores: Floats  # float64, NaN where a step was missed
    alarms: Booleans  # bool, false where a step was missed
    incidents: Integers  # number of the event, -1 none
    series: Integers  # number of the series
    times: NDArray[np.int64]  # int64, microseconds
    # median time between neighbouring steps of a series; NaN where there are none
    step_seconds: float

    def stretches(self, of: Booleans) -> NDArray[np.int64]:
        """Stretches of some of the steps, one number for each of these."""
        return stretches(self.series[of], self.times[of], self.step_seconds)


def read_steps(record: RunRecord) -> Steps:
    """Read a run's test part.

    Raises: RunError: `scores.parquet` is absent, damaged, or lacks a column.
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
    return Steps(labels, scores, alarms, incidents, series, times, seconds)


@dataclass(frozen=True, slots=True)
class Detection:
    """What a detector reached in one repetition."""

    values: Mapping[str, Value]  # name in `measures.MEASURES` → value as a fraction or in seconds
    curve: tuple[float, ...]  # event recall at each of `BUDGETS`
    delays: Floats  # (incidents of all folds,) seconds, inf where undetected
    alarm_share: float  # share of the scored steps that are alarmed


def _without_budgets(found: Detection) -> Detection:
    """Of a detector with one score for every step a budget says nothing: all its alarms of a
    stretch count as one."""
    nothing = dict.fromkeys(("event_recall_at_1", "event_recall_at_10"), undefined(ONE_ALARM))
    return replace(found, values={**found.values, **nothing}, curve=(NAN,) * len(BUDGETS))


def detection(folds: Sequence[Steps]) -> Detection:
    """Judge the folds of a repetition.

    What judges alarms is computed once from the steps, ranges and incidents of all folds, each
    alarmed by its own threshold. What judges scores (VUS, budgets) is computed for each fold,
    because scores of different folds need not share a scale, and averaged. An incident that several
    folds test is several."""
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
        **_of_alarms(folds),
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
    """Of the defined ones; where there is none, the first reason."""
    given = list(values)
    mean = summarise(value.value for value in given).mean
    return Value(mean, given[0].reason if np.isnan(mean) else "")


def _volumes(fold: Steps) -> tuple[Value, Value]:
    labelled = fold.labels >= 0
    lengths = ranges(fold.labels[labelled] == 1, fold.stretches(labelled)).lengths
    widest = min(int(np.median(lengths)), WIDEST_BUFFER) if len(lengths) else 0
    known = labelled & ~np.isnan(fold.scores)
    found = vus(fold.labels[known], fold.scores[known], fold.stretches(known), widest)
    return found.pr, found.roc


def _at_budgets(fold: Steps) -> tuple[Value, ...]:
    return event_recall_at_budgets(
        labels=fold.labels,
        scores=fold.scores,
        incidents=fold.incidents,
        series=fold.series,
        step_seconds=fold.step_seconds,
        budgets=BUDGETS,
    )


def _of_alarms(folds: Sequence[Steps]) -> dict[str, Value]:
    parts, last = [], 0
    for fold in folds:
        known = fold.labels >= 0
        parts.append((fold.labels[known], fold.alarms[known], fold.stretches(known) + last))
        last += len(fold.labels)
    steps = tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    near, paid = affiliation(*steps), adjusted(*steps)
    return {
        "range_f1": range_f1(*steps),
        "range_precision": range_precision(*steps),
        "range_recall": range_recall(*steps),
        "affiliation_precision": near.precision,
        "affiliation_recall": near.recall,
        "affiliation_unjudged": near.unjudged,
        "pa_f1": paid.f1,
        "pa_20": paid.at_20,
        "pa_area": paid.area,
    }


@dataclass(frozen=True, slots=True)
class ArmTimeline:
    """An arm with what its model, and detectors that see nothing on the same steps, reached in each
    counted repetition."""

    model: ArmMetrics
    found: Mapping[str, Mapping[RepetitionKey, Detection]]

    def summary(self, detector: str, metric: str) -> Summary:
        """A metric over repetitions."""
        return summarise(one.values[metric].value for one in self.found[detector].values())

    def reasons(self, detector: str, metric: str) -> str:
        """Why it is undefined in some repetitions; nothing where it is not."""
        reasons = {one.values[metric].reason for one in self.found[detector].values()}
        return "; ".join(sorted(reasons - {""}))

    @property
    def alarm_share(self) -> float:
        """Share of the scored steps that the model alarms, mean over repetitions."""
        return summarise(one.alarm_share for one in self.found[MODEL].values()).mean


def timeline_of(model: ArmMetrics) -> ArmTimeline:
    """Judge every counted repetition of an arm, one repetition's scores in memory at a time.

    The random detector draws the same scores for all models of a seed and fold, and alarms in each
    fold as often as the model.

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
