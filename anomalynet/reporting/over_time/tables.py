"""The tables of the section "Detection over time" and its numbers as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anomalynet.reporting import captions
from anomalynet.reporting.aggregate import Summary, summarise
from anomalynet.reporting.markdown import grid, unit
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.over_time.measured import (
    ALWAYS_ON,
    BUDGETS,
    DETECTORS,
    MODEL,
    RANDOM,
    ArmTimeline,
)
from anomalynet.reporting.tables import defined, facts, to_csv

SHOWN = (
    "vus_pr",
    "vus_roc",
    "range_f1",
    "range_precision",
    "range_recall",
    "affiliation_precision",
    "affiliation_recall",
    "event_recall_at_1",
    "event_recall_at_10",
    "undetected",
    "delay_p50",
    "delay_p90",
)
ADJUSTED = ("pa_f1", "pa_20", "pa_area")
ALL = (*SHOWN[:7], "affiliation_unjudged", *SHOWN[7:10], "delay_p10", *SHOWN[10:], *ADJUSTED)

COLUMNS = (
    "table",
    "model",
    "data",
    "detector",
    "metric",
    "mean",
    "spread",
    "n",
    "undefined",
    "split",
    "prevalence",
    "seeds",
    "folds",
    "unit",
    "status",
    "worlds",
)
CURVE_COLUMNS = (
    "table",
    "model",
    "data",
    "detector",
    "false_alarms_per_day",
    "event_recall",
    "spread",
    "n",
)


def beside(timelines: Sequence[ArmTimeline]) -> ArmTimeline:
    """The model whose random and always-on twins stand in the first table: that with the median
    share of alarms, of two the lower."""
    order = sorted(timelines, key=lambda one: (one.alarm_share, one.model.arm.name))
    return order[(len(order) - 1) // 2]


def main_table(timelines: Sequence[ArmTimeline], signs: Mapping[str, str]) -> str:
    """One line a model, then the two detectors that see nothing."""
    twin = beside(timelines)
    lines = [
        _line(f"**{one.model.arm.title}**{signs[one.model.arm.name]}", one, MODEL, SHOWN)
        for one in timelines
    ]
    lines.append(_line(f"*Random, alarms as often as {twin.model.arm.title}*", twin, RANDOM, SHOWN))
    lines.append(_line("*Always on*", twin, ALWAYS_ON, SHOWN))
    return grid(["Model", *map(_title, SHOWN), "n"], lines, "l" + "r" * (len(SHOWN) + 1))


def adjusted_table(timelines: Sequence[ArmTimeline], signs: Mapping[str, str]) -> str:
    """One line a model, each metric beside that of random alarms as frequent as the model's."""
    lines = []
    for one in timelines:
        pairs = [
            _cell(one, detector, metric) for metric in ADJUSTED for detector in (MODEL, RANDOM)
        ]
        lines.append(
            [
                f"**{one.model.arm.title}**{signs[one.model.arm.name]}",
                *pairs,
                str(len(one.found[MODEL])),
            ]
        )
    twin = beside(timelines)
    always = [cell for metric in ADJUSTED for cell in (_cell(twin, ALWAYS_ON, metric), "–")]
    lines.append(["*Always on*", *always, str(len(twin.found[ALWAYS_ON]))])
    header = [title for metric in ADJUSTED for title in (_title(metric), "random")]
    return grid(["Model", *header, "n"], lines, "l" + "r" * (len(header) + 1))


def _title(metric: str) -> str:
    return MEASURES[metric].title + unit(MEASURES[metric].unit)


def _line(name: str, one: ArmTimeline, detector: str, metrics: Sequence[str]) -> list[str]:
    return [
        name,
        *(_cell(one, detector, metric) for metric in metrics),
        str(len(one.found[detector])),
    ]


def _cell(one: ArmTimeline, detector: str, metric: str) -> str:
    """Mean ± spread; n where fewer repetitions define it."""
    summary = one.summary(detector, metric)
    few = f" (n = {summary.n})" if 0 < summary.n < len(one.found[detector]) else ""
    return captions.summary_text(metric, *_scaled(metric, summary)) + few


def _scaled(metric: str, summary: Summary) -> tuple[float | None, float | None]:
    scale = MEASURES[metric].scale
    return defined(summary.mean, scale), defined(summary.spread, scale)


def reasons(timelines: Sequence[ArmTimeline]) -> list[str]:
    """Why a model's metric is undefined in some repetitions, one sentence a model and reason."""
    found = []
    for one in timelines:
        by_reason: dict[str, list[str]] = {}
        for metric in (*SHOWN, *ADJUSTED):
            if reason := one.reasons(MODEL, metric):
                by_reason.setdefault(reason, []).append(MEASURES[metric].title)
        found += [
            f"{one.model.arm.title}: {', '.join(titles)} undefined: {reason}."
            for reason, titles in by_reason.items()
        ]
    return found


def csv(timelines: Sequence[ArmTimeline], data: str) -> str:
    """One line a model, detector and metric; shares in percent."""
    lines: list[list[object]] = []
    for one in timelines:
        *beside, status, worlds = facts(one.model)
        for detector in DETECTORS:
            for metric in ALL:
                summary = one.summary(detector, metric)
                own = [
                    "over_time",
                    one.model.arm.name,
                    data,
                    detector,
                    metric,
                    *_scaled(metric, summary),
                    summary.n,
                ]
                lines.append(
                    [
                        *own,
                        one.reasons(detector, metric),
                        *beside,
                        MEASURES[metric].unit,
                        status,
                        worlds,
                    ]
                )
    return to_csv(COLUMNS, lines)


def curve(one: ArmTimeline, detector: str) -> list[Summary]:
    """Event recall over repetitions at each of `BUDGETS`, a fraction."""
    return [
        summarise(found.curve[place] for found in one.found[detector].values())
        for place in range(len(BUDGETS))
    ]


def curves_csv(timelines: Sequence[ArmTimeline], data: str) -> str:
    """One line a model, detector and budget; shares in percent."""
    lines = [
        [
            "over_time_budgets",
            one.model.arm.name,
            data,
            detector,
            f"{budget:g}",
            defined(at.mean, 100),
            defined(at.spread, 100),
            at.n,
        ]
        for one in timelines
        for detector in DETECTORS
        for budget, at in zip(BUDGETS, curve(one, detector), strict=True)
    ]
    return to_csv(CURVE_COLUMNS, lines)
