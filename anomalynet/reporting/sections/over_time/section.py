"""The section "Detection over time": its tables, CSV, and figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anomalynet.metrics.ranges.ranges import Floats
from anomalynet.reporting.aggregate import Summary, summarise
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.figures import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    drawn,
    foot,
    heading,
)
from anomalynet.reporting.formats.markdown import grid, unit
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.sections.over_time.measured import (
    ALWAYS_ON,
    BUDGETS,
    DETECTORS,
    MODEL,
    RANDOM,
    WIDEST_BUFFER,
    ArmTimeline,
    timeline_of,
)
from anomalynet.reporting.tables import scaled, to_csv

TITLE = "Detection over time"
ADJUSTED_TITLE = "Point-adjusted, for comparison with papers that use it"
FIGURE, FIGURE_TITLE = "over_time", "Event recall by false alarms per day, and by delay"

VOLUMES = ("vus_pr", "vus_roc")
RANGES = ("range_f1", "range_precision", "range_recall")
AFFILIATION = ("affiliation_precision", "affiliation_recall")
EVENTS = ("event_recall_at_1", "event_recall_at_10", "undetected")
DELAYS = ("delay_p50", "delay_p90")
ADJUSTED = ("pa_f1", "pa_20", "pa_area")
SHOWN = (*VOLUMES, *RANGES, *AFFILIATION, *EVENTS, *DELAYS)
ALL: tuple[str, ...] = (*VOLUMES, *RANGES, *AFFILIATION, "affiliation_unjudged", *EVENTS)
ALL += ("delay_p10", *DELAYS, *ADJUSTED)

COLUMNS: tuple[str, ...] = ("table", "model", "data", "detector", "metric", "mean", "spread", "n")
COLUMNS += ("undefined", "split", "prevalence", "seeds", "folds", "unit", "status", "worlds")
CURVE_COLUMNS: tuple[str, ...] = ("table", "model", "data", "detector")
CURVE_COLUMNS += ("false_alarms_per_device_day", "event_recall", "spread", "n")

COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK)
MARKERS = "osD^vP*X<>hd"
"""Okabe–Ito colours, and markers for readers who cannot tell the colours apart. Line k has the k-th
of each; there are 7 and 12, so that a pair repeats only after 84 lines."""

NOTE = f"""\
An incident is a range of steps, and its borders are not exact; these metrics take that into \
account. Higher is better, except for delays and the share undetected.

- *VUS-PR*, *VUS-ROC* (Paparrizos et al. 2022): areas under the curves of labels whose ranges grow \
a buffer, averaged over its width from 0 to the median length of a range, at most {WIDEST_BUFFER} \
steps; every score is a threshold. Only scored steps count. Random scores may reach a VUS-ROC \
above 50 %.
- *Range* precision and recall (Tatbul et al. 2018; α 0, flat, one over the number of pieces): \
each range counts once, long or short.
- *Affiliation* precision and recall (Huet et al. 2022): how near alarms and attacks are; random \
alarms reach 50 % precision, and frequent ones a recall near 100 %. It ignores alarms in a \
recording without attack; the CSV contains their share.
- *Event recall at 1 and 10 false alarms per day*: at the lowest threshold such that neither it \
nor any higher threshold raises more false alarms in the *test* part. This is a diagnosis, never \
an operating point: no operator knows these thresholds. A day is one day of one series; \
neighbouring alarmed steps are one alarm. A detector that is always on would raise only one alarm \
per recording, so its line has no value here.
- *Delay*: seconds from an incident's first step to its first alarm, at the run's own threshold, \
within which 50 % and 90 % of the *detected* incidents are detected. Read it together with the \
share undetected: a detector that finds only easy incidents is fast.

A labelled step without a score raises no alarm. No range, buffer or zone crosses the end of \
a recording or a gap. VUS and event recall at a budget are means over folds, whose scores need not \
share a scale; all other metrics are computed once from the ranges and incidents of all folds of a \
repetition; an incident that several folds test counts once per fold. Mean ± standard deviation \
over repetitions."""


def over_time_section(context: ReportContext) -> Section:
    """Tables, figure and CSV of detection over time, for the models that have runs; empty if none
    has.

    Raises: RunError: a run's scores cannot be read.
    """
    run, signs = context.run, context.signs
    if not run:
        return Section()
    timelines = [timeline_of(one) for one in run]
    reasons = _reasons(timelines)
    parts = [
        f"## {TITLE}",
        NOTE,
        _main_table(timelines, signs),
        *(["\n".join(f"- {reason}" for reason in reasons)] if reasons else []),
        context.caption(TITLE, run, "over_time.csv"),
        context.figure(FIGURE, FIGURE_TITLE, run),
        "Numbers: [over_time_budgets.csv](tables/over_time_budgets.csv).",
        f"### {ADJUSTED_TITLE}",
        _inflated(timelines),
        _adjusted_table(timelines, signs),
        context.caption(ADJUSTED_TITLE, run, "over_time.csv"),
    ]
    files = {
        "tables/over_time.csv": _csv(timelines, context).encode(),
        "tables/over_time_budgets.csv": _curves_csv(timelines, context.data).encode(),
    }
    return Section(parts, files | drawn(FIGURE, lambda: _figure(timelines, context)))


def _inflated(timelines: Sequence[ArmTimeline]) -> str:
    """Why these metrics are inflated, with the values that random alarms reach here."""
    pairs = [[one.summary(who, "pa_f1").mean for who in (MODEL, RANDOM)] for one in timelines]
    ahead = sum(random > model for model, random in pairs)
    several = "s" if len(pairs) != 1 else ""
    return (
        "Point adjustment counts a whole range of attack as detected if one of its steps is "
        "alarmed, so that each random alarm can count as a whole range: here random alarms reach a "
        f"higher PA-F1 than the model that alarms as often for {ahead} of {len(pairs)} "
        f"model{several}. *PA%20* adjusts only ranges of which more than 20 % is alarmed, *PA%K* "
        "is averaged over K = 0 … 100 (Kim et al. 2022). *Random* draws as many alarms as the "
        "model raises."
    )


def compared_model(timelines: Sequence[ArmTimeline]) -> ArmTimeline:
    """The model whose trivial detectors are shown: it has the (lower) median share of alarms."""
    order = sorted(timelines, key=lambda one: (one.alarm_share, one.model.arm.name))
    return order[(len(order) - 1) // 2]


def _main_table(timelines: Sequence[ArmTimeline], signs: Mapping[str, str]) -> str:
    """One line per model, then the two trivial detectors."""
    twin = compared_model(timelines)
    random = f"*Random, alarms as often as {twin.model.arm.title}*"
    shown = [(_name(one, signs), one, MODEL) for one in timelines]
    shown += [(random, twin, RANDOM), ("*Always on*", twin, ALWAYS_ON)]
    lines = []
    for name, one, detector in shown:
        cells = [_cell(one, detector, metric) for metric in SHOWN]
        lines.append([name, *cells, str(len(one.found[detector]))])
    return grid(["Model", *map(_title, SHOWN), "n"], lines, "l" + "r" * (len(SHOWN) + 1))


def _adjusted_table(timelines: Sequence[ArmTimeline], signs: Mapping[str, str]) -> str:
    """One line per model; next to each metric its value for equally frequent random alarms."""
    columns = [(metric, detector) for metric in ADJUSTED for detector in (MODEL, RANDOM)]
    lines = []
    for one in timelines:
        cells = [_cell(one, detector, metric) for metric, detector in columns]
        lines.append([_name(one, signs), *cells, str(len(one.found[MODEL]))])
    twin = compared_model(timelines)
    always = [cell for metric in ADJUSTED for cell in (_cell(twin, ALWAYS_ON, metric), "–")]
    lines.append(["*Always on*", *always, str(len(twin.found[ALWAYS_ON]))])
    header = [title for metric in ADJUSTED for title in (_title(metric), "random")]
    return grid(["Model", *header, "n"], lines, "l" + "r" * (len(header) + 1))


def _name(one: ArmTimeline, signs: Mapping[str, str]) -> str:
    return f"**{one.model.arm.title}**{signs[one.model.arm.name]}"


def _title(metric: str) -> str:
    return MEASURES[metric].title + unit(MEASURES[metric].unit)


def _cell(one: ArmTimeline, detector: str, metric: str) -> str:
    """Mean ± spread; also n if it is undefined in some repetitions."""
    summary = one.summary(detector, metric)
    few = f" (n = {summary.n})" if 0 < summary.n < len(one.found[detector]) else ""
    return MEASURES[metric].text(*scaled(summary, MEASURES[metric].scale)) + few


def _reasons(timelines: Sequence[ArmTimeline]) -> list[str]:
    """Why metrics are undefined in some repetitions, one sentence per model and reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in timelines:
        for metric in (*SHOWN, *ADJUSTED):
            if reason := one.reasons(MODEL, metric):
                found.setdefault((one.model.arm.title, reason), []).append(MEASURES[metric].title)
    return [
        f"{model}: {', '.join(titles)} undefined: {reason}."
        for (model, reason), titles in found.items()
    ]


def _csv(timelines: Sequence[ArmTimeline], context: ReportContext) -> str:
    """One line per model, detector and metric; shares in percent."""
    lines: list[list[object]] = []
    for one in timelines:
        *facts, status, worlds = context[one.model].cells.values()
        for detector, metric in ((who, metric) for who in DETECTORS for metric in ALL):
            summary, measure = one.summary(detector, metric), MEASURES[metric]
            own = [*scaled(summary, measure.scale), summary.n, one.reasons(detector, metric)]
            lines.append(["over_time", one.model.arm.name, context.data, detector, metric, *own])
            lines[-1] += [*facts, measure.unit, status, worlds]
    return to_csv(COLUMNS, lines)


def _curve(one: ArmTimeline, detector: str) -> list[Summary]:
    """Event recall over repetitions at each of `BUDGETS`, a fraction."""
    curves = [found.curve for found in one.found[detector].values()]
    return [summarise(at) for at in zip(*curves, strict=True)]


def _curves_csv(timelines: Sequence[ArmTimeline], data: str) -> str:
    """One line per model, detector and budget; shares in percent."""
    lines: list[list[object]] = []
    for one, detector in ((one, detector) for one in timelines for detector in DETECTORS):
        head = ["over_time_budgets", one.model.arm.name, data, detector]
        for budget, at in zip(BUDGETS, _curve(one, detector), strict=True):
            lines.append([*head, f"{budget:g}", *scaled(at, 100), at.n])
    return to_csv(CURVE_COLUMNS, lines)


def _figure(timelines: Sequence[ArmTimeline], context: ReportContext) -> Figure:
    """Event recall against false alarms per day, and the share of incidents detected within a
    delay: one line per model, two for the trivial detectors."""
    figure = Figure(figsize=(12.0, max(4.6, 1.6 + 0.2 * len(timelines))), layout="constrained")
    budgets, delays = figure.subplots(1, 2, sharey=True)
    for one, detector, look in _lines(timelines, context.signs):
        # The always-on detector has no values at budgets: this only adds it to the legend.
        budgets.plot(BUDGETS, [100 * at.mean for at in _curve(one, detector)], **look)
        every = [found.delays for found in one.found[detector].values()]
        _draw_detected_within(delays, np.concatenate(every), look)
    budgets.set_xscale("log")
    budgets.set_xticks([1, 10, 100], ["1", "10", "100"])
    budgets.set_xlabel("false alarms per day and series, at a threshold chosen on the test part")
    budgets.set_ylabel("incidents detected, %")
    title = "A diagnosis: incidents detected within a budget of false alarms"
    budgets.set_title(title, loc="left", fontsize=9.5)
    delays.set_xlabel("seconds after the incident's first step")
    title = "At the run's own threshold: incidents detected within …"
    delays.set_title(title, loc="left", fontsize=9.5)
    for axes in (budgets, delays):
        axes.set_ylim(0, 102)
        axes.grid(color="#E5E5E5", linewidth=0.6)
    figure.legend(*budgets.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    heading(figure, FIGURE_TITLE)
    foot(figure, context.short_facts([one.model for one in timelines]))
    return figure


def _lines(
    timelines: Sequence[ArmTimeline], signs: Mapping[str, str]
) -> list[tuple[ArmTimeline, str, dict[str, Any]]]:
    twin = compared_model(timelines)
    lines: list[tuple[ArmTimeline, str, dict[str, Any]]] = []
    for index, one in enumerate(timelines):
        look: dict[str, Any] = {
            "color": COLOURS[index % len(COLOURS)],
            "marker": MARKERS[index % len(MARKERS)],
            "linestyle": "-" if index < len(COLOURS) else "-.",
            "label": one.model.arm.title + signs[one.model.arm.name],
        }
        lines.append((one, MODEL, {**look, "linewidth": 1.2, "markersize": 4}))
    grey = {"color": "#707070", "linewidth": 1.0}
    random = f"random, as often as {twin.model.arm.title}"
    lines.append((twin, RANDOM, {**grey, "linestyle": "--", "label": random}))
    lines.append((twin, ALWAYS_ON, {**grey, "linestyle": ":", "label": "always on"}))
    return lines


def _draw_detected_within(axes: Axes, delays: Floats, look: dict[str, Any]) -> None:
    """Draw the share of all incidents, detected or not, that are detected within each delay."""
    detected = np.sort(delays[np.isfinite(delays)])
    if len(detected):
        values, last = np.unique(detected, return_index=True)
        share = 100 * np.append(last[1:], len(detected)) / len(delays)
        every = max(1, len(values) // 8)
        axes.plot(values, share, drawstyle="steps-post", markevery=every, **look)
