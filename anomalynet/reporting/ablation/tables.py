"""An ablation's tables: arms, tests and effects, as tidy CSV and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from anomalynet.metrics.suite import METRICS
from anomalynet.reporting import captions
from anomalynet.reporting.ablation.arms import MeasuredArm, shown_metrics
from anomalynet.reporting.ablation.comparison import Comparison, reference_of, run_difference
from anomalynet.reporting.ablation.contrasts import Contrast
from anomalynet.reporting.ablation.design import level_text
from anomalynet.reporting.ablation.effects import Effect
from anomalynet.reporting.ablation.sentences import effect_verdict, p_text, signed, unit_text
from anomalynet.reporting.aggregate import Summary
from anomalynet.reporting.markdown import grid, unit
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.tables import defined, parameters_text, to_csv

ARM_COLUMNS = (
    "arm",
    "levels",
    "on_axes",
    "reference",
    "data",
    "metric",
    "mean",
    "spread",
    "n",
    "difference",
    "difference_spread",
    "pairs",
    "unit",
    "runs",
    "expected",
    "failed",
    "undefined",
    "parameters",
    "split",
    "prevalence",
    "seeds",
    "folds",
    "worlds",
    "status",
)
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
EFFECT_COLUMNS = (
    "effect",
    "axis",
    "usual",
    "level",
    "axis_2",
    "usual_2",
    "level_2",
    "metric",
    *CONTRAST_COLUMNS,
    "matched",
    "wanted",
    "verdict",
)


def arms_csv(arms: Sequence[MeasuredArm], metric: str) -> str:
    """One line an arm and metric; shares in percent, differences of them in points."""
    reference = reference_of(arms)
    return to_csv(
        ARM_COLUMNS,
        (_arm_row(arm, reference, name) for arm in arms for name in shown_metrics(metric)),
    )


def _arm_row(arm: MeasuredArm, reference: MeasuredArm | None, metric: str) -> list[object]:
    one, measure = arm.metrics, MEASURES[metric]
    summary, gap = one.summary(metric), run_difference(arm, reference, metric)
    return [
        arm.name,
        "; ".join(f"{key}={level_text(level)}" for key, level in arm.design.levels.items()),
        level_text(arm.design.on_axes),
        level_text(arm.design.reference),
        captions.data_text(one.arm),
        metric,
        defined(summary.mean, measure.scale),
        defined(summary.spread, measure.scale),
        summary.n,
        defined(gap.mean, measure.scale),
        defined(gap.spread, measure.scale),
        gap.n,
        measure.unit,
        len(arm.runs),
        arm.design.expected,
        arm.design.failed,
        arm.undefined(metric),
        parameters_text(one.arm),
        captions.split_text(one.arm),
        defined(captions.prevalence(one)),
        captions.seeds_text(one.arm),
        captions.folds_text(one.arm) if arm.runs else "",
        captions.worlds_text(one.arm),
        arm.status,
    ]


def _contrast_cells(one: Contrast | None, metric: str) -> list[object]:
    if one is None:
        return [None] * 5 + [0, 0, 0, None, None, MEASURES[metric].unit]
    scale = MEASURES[metric].scale
    return [
        *(defined(value, scale) for value in (one.mean, one.low, one.high)),
        *(_p(value) for value in (one.p, one.adjusted)),
        one.clusters,
        one.series,
        one.left_out,
        *(_p(value) for value in (one.smallest, one.reachable)),
        MEASURES[metric].unit,
    ]


def _p(value: float) -> str:
    """Six digits: four decimals would make a small p zero."""
    return "" if math.isnan(value) else f"{value:.6g}"


def _verdict(one: Contrast | None, metric: str, otherwise: str) -> str:
    return otherwise if one is None else one.verdict(metric)


def comparisons_csv(comparisons: Sequence[Comparison], metric: str) -> str:
    """One line an arm."""
    return to_csv(
        TEST_COLUMNS,
        (
            [
                one.arm.name,
                metric,
                *_contrast_cells(one.contrast, metric),
                one.shared,
                _verdict(one.contrast, metric, one.why_not),
            ]
            for one in comparisons
        ),
    )


def effects_csv(effects: Iterable[Effect], metric: str) -> str:
    """One line a main effect or interaction."""

    def row(one: Effect) -> list[object]:
        changes = [
            cell for change in one.changes for cell in (change.axis, change.usual, change.level)
        ]
        kind = "main" if len(one.changes) == 1 else "interaction"
        numbers = _contrast_cells(one.contrast, metric)
        return [
            kind,
            *changes,
            *[""] * (6 - len(changes)),
            metric,
            *numbers,
            one.matched,
            one.wanted,
            effect_verdict(one, metric),
        ]

    return to_csv(EFFECT_COLUMNS, map(row, effects))


def arms_table(arms: Sequence[MeasuredArm], metric: str, signs: Mapping[str, str]) -> str:
    """One line an arm: runs, the metric with its difference from the reference, other metrics,
    parameters."""
    reference, names = reference_of(arms), shown_metrics(metric)
    lines = []
    for arm in arms:
        gap = run_difference(arm, reference, metric)
        first, *others = (_mean(arm, name) for name in names)
        runs = f"{len(arm.runs)} of {arm.design.expected}"
        label = f"**{arm.name}**{signs[arm.name]}" + (
            " (reference)" if arm is reference and arm.name != "reference" else ""
        )
        lines.append(
            [
                label,
                runs,
                str(len(arm.metrics.values)),
                first,
                _gap(gap, metric),
                *others,
                parameters_text(arm.metrics.arm) or "–",
            ]
        )
    first, *others = (METRICS[name].title + unit(MEASURES[name].unit) for name in names)
    header = ["Arm", "runs", "n", first, f"difference, {unit_text(metric)}", *others, "parameters"]
    return grid(header, lines, "l" + "r" * (len(header) - 1))


def _mean(arm: MeasuredArm, metric: str) -> str:
    summary, scale = arm.metrics.summary(metric), MEASURES[metric].scale
    text = captions.summary_text(
        metric, defined(summary.mean, scale), defined(summary.spread, scale)
    )
    return f"{text} (n = {summary.n})" if 0 < summary.n < len(arm.metrics.values) else text


def _gap(gap: Summary, metric: str) -> str:
    if not gap.n:
        return "–"
    spread = (
        ""
        if math.isnan(gap.spread)
        else f" ± {MEASURES[metric].text(gap.spread * MEASURES[metric].scale)}"
    )
    return f"{signed(gap.mean, metric)}{spread} ({gap.n} pair{'s' if gap.n > 1 else ''})"


CONTRAST_HEADER = ("95 % interval", "p", "Holm", "clusters", "series", "left out", "verdict")


def _contrast_line(label: str, one: Contrast | None, metric: str, otherwise: str) -> list[str]:
    if one is None:
        return [label, *["–"] * 7, otherwise]
    interval = (
        "–" if math.isnan(one.low) else f"{signed(one.low, metric)} to {signed(one.high, metric)}"
    )
    numbers = [str(number) for number in (one.clusters, one.series, one.left_out)]
    return [
        label,
        signed(one.mean, metric),
        interval,
        p_text(one.p),
        p_text(one.adjusted),
        *numbers,
        one.verdict(metric),
    ]


def comparisons_table(
    comparisons: Sequence[Comparison], metric: str, signs: Mapping[str, str]
) -> str:
    """One line an arm."""
    lines = [
        _contrast_line(
            f"**{one.arm.name}**{signs[one.arm.name]}", one.contrast, metric, one.why_not
        )
        for one in comparisons
    ]
    return grid(["Arm", f"difference, {unit_text(metric)}", *CONTRAST_HEADER], lines, "lrrrrrrrl")


def effects_table(effects: Sequence[Effect], metric: str) -> str:
    """One line a main effect or interaction."""
    lines = []
    for one in effects:
        label, *numbers, _ = _contrast_line(f"**{one.label}**", one.contrast, metric, "")
        lines.append(
            [label, f"{one.matched} of {one.wanted}", *numbers, effect_verdict(one, metric)]
        )
    return grid(
        ["Effect", "combinations", f"difference, {unit_text(metric)}", *CONTRAST_HEADER],
        lines,
        "lrrrrrrrrl",
    )
