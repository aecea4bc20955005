"""An ablation's tables: arms, tests and effects, as tidy CSV and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from anomalynet.metrics.suite import METRICS
from anomalynet.reporting import captions
from anomalynet.reporting.ablation.arms import MeasuredArm, run_difference, shown_metrics
from anomalynet.reporting.ablation.contrasts import Contrast
from anomalynet.reporting.ablation.design import level_text
from anomalynet.reporting.ablation.effects import Comparison, Effect, reference_of
from anomalynet.reporting.ablation.sentences import effect_verdict, p_text, signed, unit_text
from anomalynet.reporting.aggregate import Summary
from anomalynet.reporting.formats.markdown import grid, unit
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.tables import defined, parameters_text, to_csv

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
    "unit",
)
TEST_COLUMNS = ("arm", "metric", *CONTRAST_COLUMNS, "pairs", "verdict")
CHANGES = ("axis", "usual", "level", "axis_2", "usual_2", "level_2")
EFFECT_COLUMNS = ("effect", *CHANGES, "metric", *CONTRAST_COLUMNS, "matched", "wanted", "verdict")


def arms_csv(arms: Sequence[MeasuredArm], metric: str) -> str:
    """One line per arm and metric; shares in percent, differences of them in points."""
    reference = reference_of(arms)
    rows = [_arm_row(arm, reference, name) for arm in arms for name in shown_metrics(metric)]
    return to_csv(rows[0], (row.values() for row in rows))


def _arm_row(arm: MeasuredArm, reference: MeasuredArm | None, metric: str) -> dict[str, object]:
    one, scale = arm.metrics, MEASURES[metric].scale
    levels = (f"{key}={level_text(level)}" for key, level in arm.design.levels.items())
    summary, gap = one.summary(metric), run_difference(arm, reference, metric)
    return {
        "arm": arm.name,
        "levels": "; ".join(levels),
        "on_axes": level_text(arm.design.on_axes),
        "reference": level_text(arm.design.reference),
        "data": captions.data_text(one.arm),
        "metric": metric,
        "mean": defined(summary.mean, scale),
        "spread": defined(summary.spread, scale),
        "n": summary.n,
        "difference": defined(gap.mean, scale),
        "difference_spread": defined(gap.spread, scale),
        "pairs": gap.n,
        "unit": MEASURES[metric].unit,
        "runs": len(arm.runs),
        "expected": arm.design.expected,
        "failed": arm.design.failed,
        "undefined": arm.undefined(metric),
        "parameters": parameters_text(one.arm),
        "split": captions.split_text(one.arm),
        "prevalence": defined(captions.prevalence(one)),
        "seeds": captions.seeds_text(one.arm),
        "folds": captions.folds_text(one.arm) if arm.runs else "",
        "worlds": captions.worlds_text(one.arm),
        "status": arm.status,
    }


def _contrast_cells(one: Contrast | None, metric: str) -> list[object]:
    scale, name = MEASURES[metric].scale, MEASURES[metric].unit
    if one is None:
        return [None] * 5 + [0, 0, 0, None, None, name]
    return [
        *(defined(value, scale) for value in (one.mean, one.low, one.high)),
        *(_p(value) for value in (one.p, one.adjusted)),
        *(one.clusters, one.series, one.left_out),
        *(_p(value) for value in (one.smallest, one.reachable)),
        name,
    ]


def _p(value: float) -> str:
    """Six digits: four decimals would make a small p zero."""
    return "" if math.isnan(value) else f"{value:.6g}"


def _verdict(one: Comparison, metric: str) -> str:
    return one.why_not if one.contrast is None else one.contrast.verdict(metric)


def comparisons_csv(comparisons: Sequence[Comparison], metric: str) -> str:
    """One line per arm."""
    rows = (
        [
            one.arm.name,
            metric,
            *_contrast_cells(one.contrast, metric),
            one.shared,
            _verdict(one, metric),
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
        return [kind, *changes, metric, *numbers, *last]

    return to_csv(EFFECT_COLUMNS, map(row, effects))


def arms_table(arms: Sequence[MeasuredArm], metric: str, signs: Mapping[str, str]) -> str:
    """One line per arm: runs, the metric with its difference from the reference, other metrics,
    parameters."""
    reference, names = reference_of(arms), shown_metrics(metric)
    lines = []
    for arm in arms:
        first, *others = (_mean(arm, name) for name in names)
        mark = " (reference)" if arm is reference and arm.name != "reference" else ""
        gap = _gap(run_difference(arm, reference, metric), metric)
        label = f"**{arm.name}**{signs[arm.name]}{mark}"
        runs, n = f"{len(arm.runs)} of {arm.design.expected}", str(len(arm.metrics.values))
        parameters = parameters_text(arm.metrics.arm) or "–"
        lines.append([label, runs, n, first, gap, *others, parameters])
    first, *others = (METRICS[name].title + unit(MEASURES[name].unit) for name in names)
    header = ["Arm", "runs", "n", first, f"difference, {unit_text(metric)}", *others, "parameters"]
    return grid(header, lines, "l" + "r" * (len(header) - 1))


def _mean(arm: MeasuredArm, metric: str) -> str:
    summary, scale = arm.metrics.summary(metric), MEASURES[metric].scale
    mean, spread = defined(summary.mean, scale), defined(summary.spread, scale)
    text = captions.summary_text(metric, mean, spread)
    return f"{text} (n = {summary.n})" if 0 < summary.n < len(arm.metrics.values) else text


def _gap(gap: Summary, metric: str) -> str:
    if not gap.n:
        return "–"
    spread = gap.spread * MEASURES[metric].scale
    shown = "" if math.isnan(spread) else f" ± {MEASURES[metric].text(spread)}"
    return f"{signed(gap.mean, metric)}{shown} ({gap.n} pair{'s' if gap.n > 1 else ''})"


CONTRAST_HEADER = ("95 % interval", "p", "Holm", "clusters", "series", "left out", "verdict")


def _numbers(one: Contrast | None, metric: str) -> list[str]:
    """Difference, interval, p and counts of a line."""
    if one is None:
        return ["–"] * 7
    interval = f"{signed(one.low, metric)} to {signed(one.high, metric)}"
    return [
        signed(one.mean, metric),
        "–" if math.isnan(one.low) else interval,
        p_text(one.p),
        p_text(one.adjusted),
        *map(str, (one.clusters, one.series, one.left_out)),
    ]


def comparisons_table(
    comparisons: Sequence[Comparison], metric: str, signs: Mapping[str, str]
) -> str:
    """One line per arm."""
    lines = [
        [
            f"**{one.arm.name}**{signs[one.arm.name]}",
            *_numbers(one.contrast, metric),
            _verdict(one, metric),
        ]
        for one in comparisons
    ]
    return grid(["Arm", f"difference, {unit_text(metric)}", *CONTRAST_HEADER], lines, "lrrrrrrrl")


def effects_table(effects: Sequence[Effect], metric: str) -> str:
    """One line per main effect or interaction."""
    lines = [
        [
            f"**{one.label}**",
            f"{one.matched} of {one.wanted}",
            *_numbers(one.contrast, metric),
            effect_verdict(one, metric),
        ]
        for one in effects
    ]
    header = ["Effect", "combinations", f"difference, {unit_text(metric)}", *CONTRAST_HEADER]
    return grid(header, lines, "lrrrrrrrrl")
