"""Reliability diagrams: a panel a model, share of attack over mean score, and how many steps each
bin has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from anomalynet.reporting.calibration.measured import Calibrated
from anomalynet.reporting.captions import marks, short_facts
from anomalynet.reporting.figures import encode, foot, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
"""Most panels beside each other."""

BLUE, GREY = "#0072B2", "#B8B8B8"


def draw(name: str, title: str, models: Sequence[Calibrated]) -> dict[str, bytes]:
    """The figure as file name → content, SVG and PNG."""
    with style():
        return {f"{name}.{suffix}": content for suffix, content in encode(_figure(title, models))}


def _figure(title: str, models: Sequence[Calibrated]) -> Figure:
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(models))
    lines = -(-len(models) // columns)
    figure = Figure(
        figsize=(max(2.5 * columns + 0.4, 6.0), 3.3 * lines + 0.8), layout="constrained"
    )
    grid = figure.subplots(2 * lines, columns, squeeze=False, height_ratios=[2.3, 1.0] * lines)
    signs = marks([one.metrics.arm for one in models])
    for place, one in enumerate(models):
        line, column = divmod(place, columns)
        above, below = grid[2 * line][column], grid[2 * line + 1][column]
        _reliability(above, one)
        _counts(below, one)
        above.set_title(
            one.metrics.arm.title.replace(" (", "\n(") + signs[one.metrics.arm.name],
            loc="left",
            fontsize=9.5,
        )
        if column == 0:
            above.set_ylabel("share of attack")
            below.set_ylabel("steps")
        below.set_xlabel("score")
    for place in range(len(models), lines * columns):
        for axes in (
            grid[2 * (place // columns)][place % columns],
            grid[2 * (place // columns) + 1][place % columns],
        ):
            axes.axis("off")
    figure.suptitle(title, x=0.012, ha="left", fontsize=11, fontweight="bold")
    foot(figure, short_facts([one.metrics for one in models]))
    return figure


def _reliability(axes: Axes, one: Calibrated) -> None:
    """Bins of all repetitions together, with the range over repetitions; the diagonal is
    perfect."""
    pooled, (low, high) = one.pooled, one.observed_range
    there = pooled.steps > 0
    axes.plot([0, 1], [0, 1], color="#808080", linewidth=0.8, linestyle=(0, (4, 3)))
    axes.vlines(pooled.predicted[there], low[there], high[there], color=BLUE, linewidth=1.0)
    axes.plot(
        pooled.predicted[there],
        pooled.observed[there],
        "o-",
        color=BLUE,
        markersize=3.5,
        linewidth=1.0,
    )
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.grid(color="#E5E5E5", linewidth=0.6)
    axes.set_xticks(np.linspace(0, 1, 6), [""] * 6)


def _counts(axes: Axes, one: Calibrated) -> None:
    """Steps by bin on a logarithmic scale: most scores are near zero."""
    pooled = one.pooled
    axes.bar(
        pooled.edges[:-1],
        pooled.steps,
        np.diff(pooled.edges),
        align="edge",
        color=GREY,
        edgecolor="#404040",
        linewidth=0.4,
    )
    if pooled.steps.any():
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks(np.linspace(0, 1, 6))
