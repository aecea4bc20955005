"""Draws an ablation's figures: the metric along each axis, and every arm's difference from the
reference. The same rows give the same bytes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anomalynet.reporting.ablation.arms import (
    Ablation,
    Crossing,
    MeasuredArm,
    ModelsView,
    crossings,
)
from anomalynet.reporting.ablation.contrasts import BETTER, WORSE
from anomalynet.reporting.ablation.effects import Comparison
from anomalynet.reporting.ablation.tables import unit_text
from anomalynet.reporting.aggregate import Summary, summarise
from anomalynet.reporting.arms import RepetitionKey, title_of
from anomalynet.reporting.captions import INCOMPLETE
from anomalynet.reporting.figures import BLUE, GREEN, VERMILION, looks_of, panel
from anomalynet.reporting.formats.markdown import unit
from anomalynet.reporting.measures import MEASURES, primary

DIFFERENCES, MODELS = "differences", "models"
NOTHING = summarise(())

REFERENCE, LEVEL, EXTRA, GREY = BLUE, "#404040", VERMILION, "#8C8C8C"
VERDICTS = {BETTER: GREEN, WORSE: VERMILION}
"""Okabe–Ito colours; verdicts are also shown by filled markers and as text."""
DASHED: dict[str, Any] = {
    "color": REFERENCE,
    "linewidth": 0.8,
    "linestyle": (0, (4, 3)),
    "zorder": 0,
}


@dataclass(frozen=True, slots=True)
class Point:
    """A level of an axis, or an arm outside the axes that sets it."""

    label: str  # the level, or the arm's name
    values: Mapping[RepetitionKey, float]  # mean over the arms of the point; NaN if undefined
    reference: bool  # whether this is the reference's level
    extra: bool  # whether this is an arm outside the axes
    incomplete: bool  # whether an arm of the point lacks runs

    @property
    def summary(self) -> Summary:
        """Mean ± spread over repetitions."""
        return summarise(self.values.values())


@dataclass(frozen=True, slots=True)
class AxisView:
    """The points of one axis; the other axes are fixed, or averaged alike for all points."""

    axis: str  # dotted key
    points: tuple[Point, ...]  # the levels in order, then arms outside the axes
    combinations: int  # number of combinations of other levels that each level is averaged over
    balanced: bool  # whether these are the same for every level that has been run

    @property
    def note(self) -> str:
        """How the other axes were treated."""
        if not self.balanced:
            return "levels share no combination of the other axes and are not comparable"
        if self.combinations > 1:
            return f"mean over {self.combinations} combinations of the other axes"
        return "other axes as in the reference"

    @property
    def file(self) -> str:
        """Name of its figure, without its ending."""
        return f"axis_{self.axis.replace('.', '_')}"


def axis_view(ablation: Ablation, axis: str, arms: Sequence[MeasuredArm], metric: str) -> AxisView:
    """Average each level over the combinations of other levels that have been run with every level;
    in the design `one_at_a_time`, that is only the reference's combination."""
    index = list(ablation.axes).index(axis)
    by_level: dict[str, dict[Crossing, MeasuredArm]]
    by_level = {level: {} for level in ablation.levels(axis)}
    for crossing, arm in crossings(ablation, arms).items():
        if arm.runs:
            by_level[crossing[index]][(*crossing[:index], *crossing[index + 1 :])] = arm
    run = [set(own) for own in by_level.values() if own]
    shared = set.intersection(*run) if run else set()
    usual, points = ablation.usual(axis), []
    for level, own in by_level.items():
        group = [arm for rest, arm in sorted(own.items()) if rest in shared or not shared]
        points.append(_average(level, group, metric, reference=level == usual))
    for arm in arms:
        if not arm.design.on_axes and axis in arm.design.levels:
            points.append(_average(arm.name, [arm], metric, extra=True))
    return AxisView(axis, tuple(points), len(shared), bool(shared) or not run)


def _average(
    label: str,
    arms: Sequence[MeasuredArm],
    metric: str,
    *,
    reference: bool = False,
    extra: bool = False,
) -> Point:
    """A point with the mean over the arms, for each repetition that all of them have."""
    own, name = [arm.metrics.values for arm in arms], primary(metric)
    keys = set.intersection(*map(set, own)) if own else set()
    values = {key: sum(one[key][name] for one in own) / len(own) for key in sorted(keys, key=str)}
    return Point(label, values, reference, extra, any(not arm.complete for arm in arms))


def axis_figure(view: AxisView, metric: str) -> Figure:
    """Mean ± spread at each level, and a line per repetition through the levels that share it."""
    measure = MEASURES[primary(metric)]
    count, scale = len(view.points), measure.scale
    up = f"{measure.title}{unit(measure.unit)}"
    figure, axes = panel(max(4.5, 1.2 + 0.8 * count), 3.4, view.axis, up, "y")
    keys = dict.fromkeys(key for point in view.points for key in point.values)
    levels = [at for at, point in enumerate(view.points) if not point.extra]
    for key in keys:
        values = [scale * view.points[at].values.get(key, math.nan) for at in levels]
        axes.plot(levels, values, ".-", color=GREY, alpha=0.6, linewidth=0.7, markersize=3)
    for at, point in enumerate(view.points):
        _point(axes, at, point, scale)
    if len(levels) < count:
        axes.axvline(len(levels) - 0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xticks(range(count), [_tick(point) for point in view.points])
    axes.set_xlim(-0.6, count - 0.4)
    return figure


def _point(axes: Axes, at: int, point: Point, scale: float) -> None:
    """Draw the mean with its spread, and the repetitions of an arm outside the axes."""
    colour = REFERENCE if point.reference else EXTRA if point.extra else LEVEL
    known = [value * scale for value in point.values.values() if not math.isnan(value)]
    if not known:
        text, where = "undefined" if point.values else "no run", ("data", "axes fraction")
        axes.annotate(text, (at, 0.02), xycoords=where, ha="center", fontsize=7.5)
        return
    if point.extra:
        axes.plot([at] * len(known), known, ".", color=GREY, alpha=0.6, markersize=3)
    spread = None if math.isnan(point.summary.spread) else point.summary.spread * scale
    sign = "D" if point.reference else "^" if point.extra else "o"
    look: Any = {"color": colour, "markersize": 6, "capsize": 3, "linewidth": 1.2, "zorder": 3}
    axes.errorbar(at, point.summary.mean * scale, yerr=spread, fmt=sign, **look)


def models_figure(view: ModelsView, metric: str) -> Figure:
    """Mean ± spread of each model at the levels of the other axis, a line per model."""
    measure, looks = MEASURES[primary(metric)], looks_of(sorted(view.arms))
    up = f"{measure.title}{unit(measure.unit)}"
    figure, axes = panel(6.4, max(3.4, 0.8 + 0.25 * len(view.arms)), view.title, up, "y")
    for place, (experiment, own) in enumerate(view.arms.items()):
        # beside each other, so that no interval hides another
        shift = 0.3 * ((place + 0.5) / len(view.arms) - 0.5)
        arms = [own.get(level) for level in view.levels]
        found = [arm.metrics.summary(primary(metric)) if arm else NOTHING for arm in arms]
        incomplete = any(arm is not None and not arm.complete for arm in arms)
        label = title_of(experiment) + (INCOMPLETE if incomplete else "")
        means = [one.mean * measure.scale for one in found]
        spreads = [np.nan_to_num(one.spread) * measure.scale for one in found]
        look = {**looks[experiment], "markersize": 5, "linewidth": 1.2, "elinewidth": 0.8}
        axes.errorbar(np.arange(len(found)) + shift, means, yerr=spreads, label=label, **look)
    axes.set_xticks(range(len(view.levels)), [_wrapped(name) for name in view.levels.values()])
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _wrapped(name: str) -> str:
    return "\n".join(textwrap.wrap(name, 14)) or name


def _tick(point: Point) -> str:
    sign = INCOMPLETE if point.incomplete else ""
    return f"{_wrapped(point.label)}{sign}" + ("\n(reference)" if point.reference else "")


def difference_figure(comparisons: Sequence[Comparison], metric: str) -> Figure:
    """Every arm's difference with its interval; a filled point is better or worse."""
    better = "right" if MEASURES[metric].higher_is_better else "left"
    across = f"difference, {unit_text(metric)} ({better} of 0 is better)"
    figure, axes = panel(7.0, 0.9 + 0.3 * max(len(comparisons), 1), across, lines="x")
    scale = MEASURES[metric].scale
    axes.axvline(0, **DASHED)
    for at, one in enumerate(comparisons):
        found, verdict = one.contrast, one.verdict(metric)
        if found is None or not found.clusters:
            axes.annotate(verdict, (0, at), fontsize=7.5, va="center", ha="center")
            continue
        colour = VERDICTS.get(verdict, LEVEL if found.testable else GREY)
        if found.clusters > 1:
            ends = [found.low * scale, found.high * scale]
            axes.plot(ends, [at, at], color=colour, linewidth=1.4)
        filled, mean = colour if verdict in VERDICTS else "white", found.mean * scale
        axes.plot(mean, at, "o", markersize=6, markeredgecolor=colour, markerfacecolor=filled)
    names = [
        "\n".join(textwrap.wrap(one.arm.name, 44)) + ("" if one.arm.complete else INCOMPLETE)
        for one in comparisons
    ]
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(comparisons) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    return figure
