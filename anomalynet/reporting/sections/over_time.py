"""The section "Detection over time": metrics of ranges for every repetition, beside a random, an
always-on and a majority detector; its table, CSV and figure.

A labelled step without a score raises no alarm, and an attack on it is undetected: alarms are
judged on every labelled step. The ranking of scores, as in AUROC, is only defined for scored steps:
there a step without a score ends a stretch. A step without a label ends a stretch everywhere, and
its alarms only count against a budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anomalynet.metrics.events import detection_delays, event_metrics, step_seconds
from anomalynet.metrics.kernels import NAN, confusion, decision_metrics, ranking_metrics
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
from anomalynet.reporting import figures
from anomalynet.reporting.aggregate import Summary, summarise
from anomalynet.reporting.arms import Repetition, RepetitionKey
from anomalynet.reporting.captions import ReportContext, Section
from anomalynet.reporting.formats.markdown import grid, metric_title
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.tables import Row, csv_file, metric_text, scaled
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.scores import read_test_steps

MODEL, RANDOM, ALWAYS_ON, MAJORITY = "model", "random", "always on", "majority"

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

    @property
    def judged(self) -> dict[str, Any]:
        """What the metrics of incidents are computed from."""
        names = ("labels", "scores", "incidents", "series", "step_seconds")
        return {name: getattr(self, name) for name in names}

    def stretches(self, mask: Booleans) -> NDArray[np.int64]:
        """The number of the stretch of each step in a mask; other steps are dropped."""
        return stretches(self.series[mask], self.times[mask], self.step_seconds)


def read_steps(record: RunRecord) -> RunSteps:
    """Read a run's test part."""
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


def detection(folds: Sequence[RunSteps]) -> Detection:
    """Judge the folds of a repetition.

    Metrics of alarms are computed once from the steps, ranges and incidents of all folds, each with
    its own threshold. Metrics of scores (VUS, budgets) are computed for each fold and averaged,
    because scores of different folds need not share a scale. An incident that several folds test
    counts once per fold."""
    volumes = [_volumes(fold) for fold in folds]
    budgets = [event_recall_at_budgets(**fold.judged, budgets=BUDGETS) for fold in folds]
    recalls = zip(*budgets, strict=True)
    at = dict(zip(BUDGETS, map(_mean, recalls), strict=True))
    delays = np.concatenate(
        [detection_delays(fold.labels, fold.alarms, fold.incidents, fold.times) for fold in folds]
    )
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
    return Detection(values, tuple(value.value for value in at.values()), delays)


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
class Trivial:
    """A detector that reads no sensor, in one repetition."""

    detection: Detection
    values: Mapping[str, float]  # the metrics of the leaderboard, as `ArmMetrics.values` names them


def judge(repetition: Repetition) -> Detection:
    """Judge the model of a repetition."""
    return detection([read_steps(record) for record in repetition.records])


def judge_trivial(repetition: Repetition) -> dict[str, Trivial]:
    """Judge a random, an always-on and a majority detector on the steps of a repetition.

    The random scores depend on seed and fold alone, and alarm on as many steps as are attack."""
    found: dict[str, list[RunSteps]] = {RANDOM: [], ALWAYS_ON: [], MAJORITY: []}
    for record in repetition.records:
        part, place = read_steps(record), (record.result.seed, record.result.fold)
        usable = (part.labels >= 0) & ~np.isnan(part.scores)
        attack = (part.labels == 1) & usable
        drawn, alarms = random_detector(part.scores, attack, place)
        found[RANDOM].append(replace(part, scores=drawn, alarms=alarms))
        level, always = always_on(part.scores)
        found[ALWAYS_ON].append(replace(part, scores=level, alarms=always))
        common = always & (2 * attack.sum() > usable.sum())
        found[MAJORITY].append(replace(part, scores=level, alarms=common))
    return {name: _trivial(name, folds) for name, folds in found.items()}


def _trivial(name: str, folds: Sequence[RunSteps]) -> Trivial:
    judged = detection(folds)
    labels, alarms = (
        np.concatenate([getattr(fold, part)[~np.isnan(fold.scores)] for fold in folds])
        for part in ("labels", "alarms")
    )
    values = decision_metrics(confusion(labels[labels >= 0], alarms[labels >= 0]))
    if not alarms.any():  # no step is called an attack, so none is found
        silent = ("f1_attack", "false_alarms_per_device_day_fold_mean", "event_recall_at_1")
        values |= dict.fromkeys(silent, 0.0)
    usable = [(fold, (fold.labels >= 0) & ~np.isnan(fold.scores)) for fold in folds]
    ranked = [ranking_metrics(fold.labels[mask], fold.scores[mask]) for fold, mask in usable]
    for metric in ("auroc", "average_precision"):
        values[f"{metric}_fold_mean"] = summarise(own[metric] for own in ranked).mean
    if name != RANDOM:  # all alarms of a stretch would count as one
        nothing = dict.fromkeys(("event_recall_at_1", "event_recall_at_10"), undefined(ONE_ALARM))
        curve = (NAN,) * len(BUDGETS)
        return Trivial(replace(judged, values={**judged.values, **nothing}, curve=curve), values)
    rates = (_events(fold)["false_alarms_per_device_day"] for fold in folds)
    values["false_alarms_per_device_day_fold_mean"] = summarise(rates).mean
    values["event_recall_at_1"] = judged.values["event_recall_at_1"].value
    return Trivial(judged, values)


def _events(fold: RunSteps) -> dict[str, float]:
    threshold = float(np.min(fold.scores[fold.alarms], initial=np.inf))
    return event_metrics(**fold.judged, times=fold.times, threshold=threshold)


def over(found: Mapping[RepetitionKey, Detection], metric: str) -> Summary:
    """The mean and spread of a metric over repetitions."""
    return summarise(one.values[metric].value for one in found.values())


def reasons(found: Mapping[RepetitionKey, Detection], metric: str) -> str:
    """Why a metric is undefined in some repetitions; empty if it is always defined."""
    return "; ".join(sorted({one.values[metric].reason for one in found.values()} - {""}))


TITLE = "Detection over time"
FIGURE, FIGURE_TITLE = "over_time", "Incidents detected by false alarms per day, and by delay"
FIGURE_NOTE = "Left: thresholds from the test part. Right: the run's own."

SHOWN: tuple[str, ...] = ("vus_pr", "range_f1", "affiliation_precision", "affiliation_recall")
SHOWN += ("event_recall_at_10", "undetected", "delay_p50", "delay_p90", "pa_f1")
ALL: tuple[str, ...] = ("vus_pr", "vus_roc", "range_f1", "range_precision", "range_recall")
ALL += ("affiliation_precision", "affiliation_recall", "affiliation_unjudged")
ALL += ("event_recall_at_1", "event_recall_at_10", "undetected")
ALL += ("delay_p10", "delay_p50", "delay_p90", "pa_f1", "pa_20", "pa_area")

NOTE = f"""\
Incidents have inexact borders: *VUS-PR* (Paparrizos 2022) widens them by up to {WIDEST_BUFFER} \
steps, *range* F1 (Tatbul 2018) counts each once, *affiliation* (Huet 2022) measures nearness \
(random alarms: 50 % precision). *Delay* is of the detected alone: read it beside the share \
undetected. *PA-F1* counts a range as found by one alarmed step: random alarms reach """

Judged = Mapping[RepetitionKey, Detection]


def over_time_section(context: ReportContext) -> Section:
    """Table, figure and CSV of detection over time, for the models that have runs; empty if none
    has."""
    if not context.run:
        return Section()
    found = {one.arm.name: one.of(judge) for one in context.run}
    trivial = {
        who: {key: own[who].detection for key, own in context.base.of(judge_trivial).items()}
        for who in (RANDOM, ALWAYS_ON)
    }
    lines = [
        _line(f"**{one.arm.title}**{context[one].sign}", found[one.arm.name]) for one in context.run
    ]
    lines += [_line(f"*{who.capitalize()}*", own) for who, own in trivial.items()]
    header = ["Model", *map(metric_title, SHOWN)]
    why = _reasons(context, found)
    chance = over(trivial[RANDOM], "pa_f1").mean  # how far point adjustment lifts random alarms
    behind = sum(over(own, "pa_f1").mean < chance for own in found.values())
    parts = [
        f"## {TITLE}",
        f"{NOTE}{100 * chance:.2f} %, more than {behind} of {len(found)} models.",
        grid(header, lines, "l" + "r" * len(SHOWN)),
        context.caption(TITLE, why, "over_time.csv"),
        context.figure(FIGURE, FIGURE_TITLE, FIGURE_NOTE, "over_time_budgets.csv"),
    ]
    every = [(one.arm.name, MODEL, found[one.arm.name]) for one in context.run]
    every += [(context.base.arm.name, who, own) for who, own in trivial.items()]
    files = csv_file("over_time", _rows(every, context))
    files |= csv_file("over_time_budgets", _curves(every, context.data))
    build = partial(_figure, context, found, trivial)
    return Section(parts, files | figures.drawn(FIGURE, FIGURE_TITLE, context.facts(), build))


def _line(name: str, own: Judged) -> list[str]:
    return [name, *(metric_text(metric, over(own, metric), len(own)) for metric in SHOWN)]


def _reasons(context: ReportContext, found: Mapping[str, Judged]) -> str:
    """Why metrics are undefined in some repetitions, one sentence per model and reason."""
    own: dict[tuple[str, str], list[str]] = {}
    for one in context.run:
        for metric in SHOWN:
            if reason := reasons(found[one.arm.name], metric):
                own.setdefault((one.arm.title, reason), []).append(MEASURES[metric].title)
    return " ".join(
        f"{model}: {', '.join(titles)} undefined: {reason}."
        for (model, reason), titles in own.items()
    )


def _rows(every: Sequence[tuple[str, str, Judged]], context: ReportContext) -> Iterator[Row]:
    """One line per model, detector and metric; shares in percent."""
    for arm, detector, found in every:
        head = {"table": "over_time", "model": arm, "data": context.data, "detector": detector}
        for metric in ALL:
            summary, measure = over(found, metric), MEASURES[metric]
            mean, spread = scaled(summary, measure.scale)
            own = {"metric": metric, "mean": mean, "spread": spread, "n": summary.n}
            own["undefined"] = reasons(found, metric)
            yield {**head, **own, **context.by_arm[arm].cells(unit=measure.unit)}


def _curves(every: Sequence[tuple[str, str, Judged]], data: str) -> Iterator[Row]:
    """One line per model, detector and budget; event recall over repetitions, percent."""
    for arm, detector, found in every:
        curves = zip(*(one.curve for one in found.values()), strict=True)
        for budget, at in zip(BUDGETS, map(summarise, curves), strict=True):
            recall, spread = scaled(at, 100)
            row = {"table": "over_time_budgets", "model": arm, "data": data, "detector": detector}
            row["false_alarms_per_device_day"] = f"{budget:g}"
            yield row | {"event_recall": recall, "spread": spread, "n": at.n}


def _figure(
    context: ReportContext, found: Mapping[str, Judged], trivial: Mapping[str, Judged]
) -> Figure:
    """Event recall against false alarms per day, and the share of incidents detected within a
    delay: one line per model, two for the trivial detectors."""
    figure = Figure(figsize=(9.0, max(3.6, 1.6 + 0.2 * len(found))), layout="constrained")
    budgets, delays = figure.subplots(1, 2, sharey=True)
    own = figures.looks(context)
    lines: list[tuple[Judged, dict[str, Any]]] = []
    for one in context.run:
        label = one.arm.title + context[one].sign
        look = {**own[one.arm.name], "label": label, "linewidth": 1.2, "markersize": 4}
        lines.append((found[one.arm.name], look))
    for (who, judged), dashes in zip(trivial.items(), ("--", ":"), strict=True):
        look = {"color": "#707070", "linewidth": 1.0, "linestyle": dashes, "label": who}
        lines.append((judged, look))
    for judged, look in lines:
        # The always-on detector has no values at budgets: this only adds it to the legend.
        curves = zip(*(one.curve for one in judged.values()), strict=True)
        budgets.plot(BUDGETS, [100 * summarise(at).mean for at in curves], **look)
        _draw_within(delays, np.concatenate([one.delays for one in judged.values()]), look)
    budgets.set_xscale("log")
    budgets.set_xticks([1, 10, 100], ["1", "10", "100"])
    budgets.set_xlabel("false alarms per node and day")
    budgets.set_ylabel("incidents detected, %")
    delays.set_xlabel("seconds after the incident's first step")
    for axes in (budgets, delays):
        axes.set_ylim(0, 102)
        axes.grid(color="#E5E5E5", linewidth=0.6)
    figure.legend(*budgets.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return figure


def _draw_within(axes: Axes, delays: Floats, look: dict[str, Any]) -> None:
    """Draw the share of all incidents, detected or not, that are detected within each delay."""
    detected = np.sort(delays[np.isfinite(delays)])
    if len(detected):
        values, last = np.unique(detected, return_index=True)
        share = 100 * np.append(last[1:], len(detected)) / len(delays)
        every = max(1, len(values) // 8)
        axes.plot(values, share, drawstyle="steps-post", markevery=every, **look)
