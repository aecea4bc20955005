"""Makes an ablation's tables of arms, tests and effects, as tidy CSV and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from anomalynet.reporting.ablation.arms import MeasuredArm, gap, reference_of, shown_metrics
from anomalynet.reporting.ablation.contrasts import Contrast
from anomalynet.reporting.ablation.design import level_text
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
from anomalynet.reporting.formats.markdown import grid, unit
from anomalynet.reporting.measures import MEASURES, primary, series_mean
from anomalynet.reporting.tables import defined, parameters_text, scaled, to_csv

CONTRAST_COLUMNS = (
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "clusters",
    "series",
    "left_out",
    "smallest_p",
    "smallest_p_holm",
    "detectable",
    "unit",
)
TEST_COLUMNS = ("arm", "metric", *CONTRAST_COLUMNS, "pairs", "verdict", "reason")
CHANGES = ("axis", "usual", "level", "axis_2", "usual_2", "level_2")
EFFECT_COLUMNS = ("effect", *CHANGES, "metric", *CONTRAST_COLUMNS, "matched", "wanted", "verdict")


def arms_csv(arms: Sequence[MeasuredArm], metric: str, context: ReportContext) -> str:
    """One line per arm and metric; shares in percent, differences of them in points."""
    reference, names = reference_of(arms), shown_metrics(metric)
    rows = [_arm_row(arm, reference, name, context) for arm in arms for name in names]
    return to_csv(rows[0], (row.values() for row in rows))


def _arm_row(
    arm: MeasuredArm, reference: MeasuredArm | None, metric: str, context: ReportContext
) -> dict[str, object]:
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
        **facts.cells,
    }


def _contrast_cells(one: Contrast | None, metric: str) -> list[object]:
    scale, name = MEASURES[metric].scale, MEASURES[metric].unit
    if one is None:
        return [None] * 5 + [0, 0, 0, None, None, None, name]
    return [
        *(defined(value, scale) for value in (one.mean, one.low, one.high)),
        *(_p(value) for value in (one.p, one.adjusted)),
        *(one.clusters, one.series, one.left_out),
        *(_p(value) for value in (one.smallest, one.reachable)),
        defined(one.detectable, scale),
        name,
    ]


def _p(value: float) -> str:
    """A p with six digits; four decimals would round a small p to zero."""
    return "" if math.isnan(value) else f"{value:.6g}"


def comparisons_csv(comparisons: Sequence[Comparison], metric: str) -> str:
    """One line per arm."""
    rows = (
        [
            one.arm.name,
            series_mean(metric),
            *_contrast_cells(one.contrast, metric),
            one.shared,
            one.verdict(metric),
            one.reason,
        ]
        for one in comparisons
    )
    return to_csv(TEST_COLUMNS, rows)


def effects_csv(effects: Iterable[Effect], metric: str) -> str:
    """One line per main effect or interaction."""

    def row(one: Effect) -> list[object]:
        changes = [cell for own in one.changes for cell in (own.axis, own.usual, own.level)]
        changes += [""] * (len(CHANGES) - len(changes))
        kind = "main" if len(one.changes) == 1 else "interaction"
        numbers = _contrast_cells(one.contrast, metric)
        last = one.matched, one.wanted, effect_verdict(one, metric)
        return [kind, *changes, series_mean(metric), *numbers, *last]

    return to_csv(EFFECT_COLUMNS, map(row, effects))


def arms_table(arms: Sequence[MeasuredArm], metric: str, signs: Mapping[str, str]) -> str:
    """One line per arm: runs, the metric, its difference, other metrics, parameters."""
    reference, names = reference_of(arms), shown_metrics(metric)
    lines = []
    for arm in arms:
        first, *others = (_mean(arm, name) for name in names)
        mark = " (reference)" if arm is reference and arm.name != "reference" else ""
        between = _gap(gap(arm, reference, primary(metric)), metric)
        label = f"**{arm.name}**{signs[arm.name]}{mark}"
        runs, n = f"{len(arm.runs)} of {arm.design.expected}", str(len(arm.metrics.values))
        parameters = parameters_text(arm.metrics.arm) or "–"
        lines.append([label, runs, n, first, between, *others, parameters])
    first, *others = (MEASURES[name].title + unit(MEASURES[name].unit) for name in names)
    header = ["Arm", "runs", "n", first, f"difference, {unit_text(metric)}", *others, "parameters"]
    return grid(header, lines, "l" + "r" * (len(header) - 1))


def _mean(arm: MeasuredArm, metric: str) -> str:
    summary = arm.metrics.summary(metric)
    text = MEASURES[metric].text(*scaled(summary, MEASURES[metric].scale))
    return f"{text} (n = {summary.n})" if 0 < summary.n < len(arm.metrics.values) else text


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
