"""Critical-difference diagram: models on the line of mean ranks, joined by a bar where no test
tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from anomalynet.reporting.comparison.ranking import Ranking
from anomalynet.reporting.figures import encode, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINE = 0.34
"""Inches a line of text."""


def draw(
    name: str, ranking: Ranking, titles: Sequence[str], heading: str, foot: str
) -> dict[str, bytes]:
    """The figure as file name → content, SVG and PNG."""
    with style():
        return {
            f"{name}.{suffix}": content
            for suffix, content in encode(_figure(ranking, titles, heading, foot))
        }


def _figure(ranking: Ranking, titles: Sequence[str], heading: str, foot: str) -> Figure:
    from matplotlib.figure import Figure

    models = len(titles)
    order = sorted(range(models), key=lambda one: (ranking.mean[one], one))
    left, cliques = (models + 1) // 2, ranking.cliques()
    bars = 0.5 * len(cliques) + 0.5
    depth = bars + left
    figure = Figure(figsize=(9.0, 1.5 + LINE * depth), layout="constrained")
    axes = figure.subplots()
    axes.set_xlim(1 - 0.42 * (models - 1), models + 0.42 * (models - 1))
    axes.set_ylim(depth + 0.4, -1.0)
    axes.axis("off")
    axes.plot([1, models], [0, 0], color="black", linewidth=1.0)
    for tick in range(1, models + 1):
        axes.plot([tick, tick], [0, -0.2], color="black", linewidth=1.0)
        axes.text(tick, -0.3, str(tick), ha="center", va="bottom")
    for place, model in enumerate(order):
        first = place < left
        line = bars + (place if first else models - 1 - place) + 0.3
        at, edge = (
            float(ranking.mean[model]),
            1 - 0.04 * models if first else models + 0.04 * models,
        )
        axes.plot([at, at, edge], [0, line, line], color="#606060", linewidth=0.8)
        text = f"{titles[model]} ({at:.2f}) " if first else f" {titles[model]} ({at:.2f})"
        axes.text(edge, line, text, ha="right" if first else "left", va="center")
    for number, clique in enumerate(cliques):
        ends = [float(ranking.mean[clique[0]]) - 0.03, float(ranking.mean[clique[-1]]) + 0.03]
        axes.plot(
            ends, [0.5 + 0.5 * number] * 2, color="#0072B2", linewidth=3.5, solid_capstyle="butt"
        )
    figure.suptitle(heading, x=0.012, ha="left", fontsize=11, fontweight="bold")
    figure.supxlabel(foot, fontsize=7, color="#404040", x=0.012, ha="left")
    return figure
