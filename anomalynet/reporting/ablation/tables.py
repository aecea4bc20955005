"""Makes an ablation's tables of arms, tests and effects, as tidy CSV and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from anomalynet.metrics.kernels import NAN
from anomalynet.reporting.ablation.arms import (
    MeasuredArm,
    gap,
    level_text,
    reference_of,
    shown_metrics,
)
from anomalynet.reporting.ablation.contrasts import Contrast
from anomalynet.reporting.ablation.effects import Comparison, Effect
from anomalynet.reporting.ablation.sentences import (
    counted,
    effect_verdict,
    p_text,
    signed,
    unit_text,
)
from anomalynet.reporting.aggregate import Summary
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.formats.markdown import grid, metric_title
from anomalynet.reporting.measures import MEASURES, primary, series_mean
from anomalynet.reporting.tables import Row, defined, metric_text, parameters_text, scaled

CHANGES = ("axis", "usual", "level", "axis_2", "usual_2", "level_2")


def arm_rows(arms: Sequence[MeasuredArm], metric: str, context: ReportContext) -> Iterator[Row]:
    """One line per arm and metric; shares in percent, differences of them in points."""
    reference, names = reference_of(arms), shown_metrics(metric)
    return (_arm_row(arm, reference, name, context) for arm in arms for name in names)


def _arm_row(
    arm: MeasuredArm, reference: MeasuredArm | None, metric: str, context: ReportContext
) -> Row:
    one, scale, facts = arm.metrics, MEASURES[metric].scale, context[arm.metrics]
    levels = (f"{key}={level_text(level)}" for key, level in arm.design.levels.items())
    summary, between = one.summary(metric), gap(arm, reference, metric)
    mean, spread = scaled(summary, scale)
    return {
        "arm": arm.name,
        "levels": "; ".join(levels),
        "on_axes": level_text(arm.design.on_axes),
        "reference": level_text(arm.design.reference),
        "data": facts.data,
        "metric": metric,
        "mean": mean,
        "spread": spread,
        "n": summary.n,
        "difference": defined(between.mean, scale),
        "difference_spread": defined(between.spread, scale),
        "pairs": between.n,
        "unit": MEASURES[metric].unit,
        "runs": len(arm.runs),
        "expected": arm.design.expected,
        "failed": arm.design.failed,
        "undefined": arm.undefined(metric.removesuffix("_fold_mean")),
        "parameters": parameters_text(one.arm),
        **facts.cells(),
    }


def _contrast(one: Contrast | None, metric: str) -> Row:
    """A contrast's columns, the same without any."""
    scale = MEASURES[metric].scale
    one = one or Contrast(NAN, NAN, NAN, p=NAN, smallest=NAN, clusters=0, series=0, left_out=0)
    return {
        "difference": defined(one.mean, scale),
        "low": defined(one.low, scale),
        "high": defined(one.high, scale),
        "p": _p(one.p),
        "p_holm": _p(one.adjusted),
        "clusters": one.clusters,
        "series": one.series,
        "left_out": one.left_out,
        "smallest_p": _p(one.smallest),
        "smallest_p_holm": _p(one.reachable),
        "detectable": defined(one.detectable, scale),
        "unit": MEASURES[metric].unit,
    }


def _p(value: float) -> str:
    """A p with six digits; four decimals would round a small p to zero."""
    return "" if math.isnan(value) else f"{value:.6g}"


def comparison_row(one: Comparison, metric: str) -> Row:
    """The line of an arm in CSV."""
    last = {"pairs": one.shared, "verdict": one.verdict(metric), "reason": one.reason}
    head = {"arm": one.arm.name, "metric": series_mean(metric)}
    return {**head, **_contrast(one.contrast, metric), **last}


def effect_row(one: Effect, metric: str) -> Row:
    """The line of a main effect or interaction in CSV."""
    kind = "main" if len(one.changes) == 1 else "interaction"
    changes = [cell for own in one.changes for cell in (own.axis, own.usual, own.level)]
    head = {"effect": kind, **dict(zip_longest(CHANGES, changes, fillvalue=""))}
    last = {"matched": one.matched, "wanted": one.wanted, "verdict": effect_verdict(one, metric)}
    return {**head, "metric": series_mean(metric), **_contrast(one.contrast, metric), **last}


def arms_table(arms: Sequence[MeasuredArm], metric: str, signs: Mapping[str, str]) -> str:
    """One line per arm: runs, the metric, its difference, other metrics, parameters."""
    reference, names = reference_of(arms), shown_metrics(metric)
    lines = []
    for arm in arms:
        one = arm.metrics
        texts = (metric_text(name, one.summary(name), len(one.values)) for name in names)
        first, *others = texts
        mark = " (reference)" if arm is reference and arm.name != "reference" else ""
        between = _gap(gap(arm, reference, primary(metric)), metric)
        label = f"**{arm.name}**{signs[arm.name]}{mark}"
        runs, n = f"{len(arm.runs)} of {arm.design.expected}", str(len(one.values))
        parameters = parameters_text(one.arm) or "–"
        lines.append([label, runs, n, first, between, *others, parameters])
    first, *others = map(metric_title, names)
    header = ["Arm", "runs", "n", first, f"difference, {unit_text(metric)}", *others, "parameters"]
    return grid(header, lines, "l" + "r" * (len(header) - 1))


def _gap(between: Summary, metric: str) -> str:
    if not between.n:
        return "–"
    spread = between.spread * MEASURES[metric].scale
    shown = "" if math.isnan(spread) else f" ± {MEASURES[metric].text(spread)}"
    return f"{signed(between.mean, metric)}{shown} ({counted(between.n, 'pair')})"


def _numbers(one: Contrast | None, metric: str, tested: bool) -> list[str]:
    """Difference, interval, p if anything is tested, and clusters of a line."""
    if one is None:
        return ["–"] * (5 if tested else 3)
    interval = f"{signed(one.low, metric)} to {signed(one.high, metric)}"
    return [
        signed(one.mean, metric),
        "–" if math.isnan(one.low) else interval,
        *([p_text(one.p), p_text(one.adjusted)] if tested else []),
        str(one.clusters),
    ]


def _header(first: Sequence[str], metric: str, tested: bool) -> list[str]:
    names = [f"difference, {unit_text(metric)}", "95 % interval", *(["p", "Holm"] * tested)]
    return [*first, *names, "clusters", *(["verdict"] * tested)]


def comparisons_table(
    comparisons: Sequence[Comparison], metric: str, signs: Mapping[str, str]
) -> str:
    """One line per arm; without p and verdicts if no arm could pass."""
    tested = any(one.contrast is not None and one.contrast.testable for one in comparisons)
    lines = [
        [
            f"**{one.arm.name}**{signs[one.arm.name]}",
            *_numbers(one.contrast, metric, tested),
            *([", ".join(filter(None, (one.verdict(metric), one.reason)))] * tested),
        ]
        for one in comparisons
    ]
    header = _header(["Arm"], metric, tested)
    return grid(header, lines, "l" + "r" * (len(header) - 1 - tested))


def effects_table(effects: Sequence[Effect], metric: str) -> str:
    """One line per main effect or interaction that could pass its test."""
    lines = [
        [
            f"**{one.label}**",
            f"{one.matched} of {one.wanted}",
            *_numbers(one.contrast, metric, tested=True),
            effect_verdict(one, metric),
        ]
        for one in effects
    ]
    header = _header(["Effect", "combinations"], metric, tested=True)
    return grid(header, lines, "l" + "r" * (len(header) - 2))
