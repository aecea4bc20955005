"""The section "Detection over time": its table, CSV, and figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anomalynet.metrics.ranges.ranges import Floats
from anomalynet.reporting import figures
from anomalynet.reporting.aggregate import summarise
from anomalynet.reporting.arms import RepetitionKey
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.formats.markdown import grid, metric_title
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.sections.over_time.measured import (
    ALWAYS_ON,
    BUDGETS,
    MODEL,
    RANDOM,
    WIDEST_BUFFER,
    Detection,
    judge,
    judge_trivial,
    over,
    reasons,
)
from anomalynet.reporting.tables import Row, csv_file, metric_text, scaled

TITLE = "Detection over time"
FIGURE, FIGURE_TITLE = "over_time", "Incidents detected by false alarms per day, and by delay"

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
undetected. *PA-F1* counts a range as found by one alarmed step: """

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
    parts = [
        f"## {TITLE}",
        NOTE + _inflated(found, trivial[RANDOM]),
        grid(header, lines, "l" + "r" * len(SHOWN)),
        context.caption(TITLE, why, "over_time.csv"),
        context.figure(
            FIGURE,
            FIGURE_TITLE,
            "Left: thresholds from the test part. Right: the run's own.",
            "over_time_budgets.csv",
        ),
    ]
    every = [(one.arm.name, MODEL, found[one.arm.name]) for one in context.run]
    every += [(context.base.arm.name, who, own) for who, own in trivial.items()]
    files = csv_file("over_time", _rows(every, context))
    files |= csv_file("over_time_budgets", _curves(every, context.data))
    drawn = figures.drawn(
        FIGURE, FIGURE_TITLE, context.facts(), lambda: _figure(context, found, trivial)
    )
    return Section(parts, files | drawn)


def _inflated(found: Mapping[str, Judged], random: Judged) -> str:
    """How far point adjustment lifts random alarms, with the values that they reach here."""
    chance = over(random, "pa_f1").mean
    behind = sum(over(own, "pa_f1").mean < chance for own in found.values())
    return f"random alarms reach {100 * chance:.2f} %, more than {behind} of {len(found)} models."


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
            yield {
                "table": "over_time_budgets",
                "model": arm,
                "data": data,
                "detector": detector,
                "false_alarms_per_device_day": f"{budget:g}",
                "event_recall": recall,
                "spread": spread,
                "n": at.n,
            }


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
