"""An ablation's figures: the metric along each axis, and every arm's difference from the reference;
the same rows give the same bytes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from anomalynet.metrics.suite import METRICS
from anomalynet.reporting.ablation.axes import AxisView, Point
from anomalynet.reporting.ablation.comparison import Comparison
from anomalynet.reporting.ablation.contrasts import BETTER, WORSE
from anomalynet.reporting.ablation.sentences import p_text, signed, unit_text
from anomalynet.reporting.captions import INCOMPLETE, short_facts
from anomalynet.reporting.figures import encode, foot, style
from anomalynet.reporting.markdown import unit
from anomalynet.reporting.measures import MEASURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from anomalynet.reporting.ablation.arms import MeasuredArm

DIFFERENCES = "differences"

REFERENCE, LEVEL, EXTRA, GREY = "#0072B2", "#404040", "#D55E00", "#8C8C8C"
VERDICTS = {BETTER: "#009E73", WORSE: "#D55E00"}
"""Okabe–Ito colours; verdicts are also told by filled markers and by words."""


def axis_name(axis: str) -> str:
    """File name of an axis's figure, without its ending."""
    return f"axis_{axis.replace('.', '_')}"


def draw_axis(view: AxisView, metric: str) -> dict[str, bytes]:
    """Mean ± spread at each level, and a dot a repetition, as file name → content."""
    with style():
        return {
            f"{axis_name(view.axis)}.{suffix}": content
            for suffix, content in encode(_axis_figure(view, metric))
        }


def draw_differences(comparisons: Sequence[Comparison], metric: str) -> dict[str, bytes]:
    """Every arm's difference with its interval, as file name → content."""
    with style():
        return {
            f"{DIFFERENCES}.{suffix}": content
            for suffix, content in encode(_difference_figure(comparisons, metric))
        }


def axis_note(view: AxisView) -> str:
    """What each level is averaged over."""
    if not view.balanced:
        return "levels share no combination of the other axes and are not comparable"
    return (
        f"mean over {view.combinations} combinations of the other axes"
        if view.combinations > 1
        else "other axes as in the reference"
    )


def _axis_figure(view: AxisView, metric: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(7.5, 1.6 + 0.95 * len(view.points)), 4.6), layout="constrained")
    axes = figure.subplots()
    usual = next((point for point in view.points if point.reference and point.summary.n), None)
    if usual is not None:
        axes.axhline(
            usual.summary.mean * MEASURES[metric].scale,
            color=REFERENCE,
            linewidth=0.8,
            linestyle=(0, (4, 3)),
            zorder=0,
        )
    for place, point in enumerate(view.points):
        _point(axes, place, point, MEASURES[metric].scale)
    levels = sum(not point.extra for point in view.points)
    if levels < len(view.points):
        axes.axvline(levels - 0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(view.points)), [_tick(point) for point in view.points])
    axes.set_xlim(-0.6, len(view.points) - 0.4)
    axes.set_xlabel(view.axis)
    axes.set_ylabel(f"{METRICS[metric].title}{unit(MEASURES[metric].unit)}")
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.6)
    axes.set_title(
        f"{axis_note(view)}; mean ± spread, a dot a repetition", loc="left", fontsize=8.5
    )
    _frame(figure, f"{METRICS[metric].title} by {view.axis}", view.shown)
    return figure


def _point(axes: Axes, place: int, point: Point, scale: float) -> None:
    """The repetitions left of the mean, in their order."""
    colour = REFERENCE if point.reference else EXTRA if point.extra else LEVEL
    known = [value * scale for value in point.values.values() if not math.isnan(value)]
    if not known:
        axes.annotate(
            "undefined" if point.values else "no run",
            (place, 0.02),
            xycoords=("data", "axes fraction"),
            ha="center",
            fontsize=7.5,
        )
        return
    shifts = [-0.3 + 0.2 * index / max(len(known) - 1, 1) for index in range(len(known))]
    axes.scatter(
        [place + shift for shift in shifts], known, s=9, color=colour, alpha=0.55, linewidths=0
    )
    mean, spread = point.summary.mean * scale, point.summary.spread * scale
    marker = "D" if point.reference else "^" if point.extra else "o"
    axes.errorbar(
        place,
        mean,
        None if math.isnan(spread) else spread,
        fmt=marker,
        color=colour,
        markersize=6,
        capsize=3,
        linewidth=1.2,
    )


def _tick(point: Point) -> str:
    name = "\n".join(textwrap.wrap(point.label, 14)) or point.label
    sign = INCOMPLETE if point.incomplete else ""
    return f"{name}{sign}" + ("\n(reference)" if point.reference else "")


def _difference_figure(comparisons: Sequence[Comparison], metric: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 1.9 + 0.32 * max(len(comparisons), 1)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=REFERENCE, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    for place, one in enumerate(comparisons):
        _difference(axes, place, one, metric)
    names = [
        "\n".join(textwrap.wrap(one.arm.name, 44)) + ("" if one.arm.complete else INCOMPLETE)
        for one in comparisons
    ]
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(comparisons) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    better = "right" if MEASURES[metric].higher_is_better else "left"
    axes.set_xlabel(f"difference from the reference, {unit_text(metric)} ({better} of 0 is better)")
    axes.grid(axis="x", color="#E5E5E5", linewidth=0.6)
    title, note = (
        f"{METRICS[metric].title}: each arm against the reference",
        "mean over clusters of test series, 95 % interval; filled: better or worse",
    )
    _frame(figure, title, [one.arm for one in comparisons], note)
    return figure


def _difference(axes: Axes, place: int, one: Comparison, metric: str) -> None:
    """A line of the forest; what was found stands at its right."""
    scale, found = MEASURES[metric].scale, one.contrast
    verdict = one.why_not.partition(",")[0] if found is None else found.verdict(metric)
    if found is not None and found.clusters:
        colour = VERDICTS.get(verdict, LEVEL if found.testable else GREY)
        if found.clusters > 1:
            axes.plot(
                [found.low * scale, found.high * scale], [place, place], color=colour, linewidth=1.4
            )
        filled = colour if verdict in VERDICTS else "white"
        axes.plot(
            found.mean * scale,
            place,
            "o",
            markersize=6,
            markerfacecolor=filled,
            markeredgecolor=colour,
        )
        p = f", Holm p {p_text(found.adjusted)}" if found.testable else ""
        verdict = f"{signed(found.mean, metric)}{p}: {verdict}"
    axes.annotate(
        verdict,
        (1.01, place),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=7.5,
        annotation_clip=False,
    )


def _frame(figure: Figure, title: str, arms: Sequence[MeasuredArm], note: str = "") -> None:
    """Title above; below, what must be known to read the figure."""
    figure.suptitle(title, x=0.012, ha="left", fontsize=11, fontweight="bold")
    facts = short_facts([arm.metrics for arm in arms])
    if INCOMPLETE not in facts and any(not arm.complete for arm in arms):
        facts += f" · {INCOMPLETE} incomplete"
    foot(figure, facts, note)
