"""Heat map of alarms: types of incident by models, right alarms above, false alarms below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from anomalynet.reporting.captions import marks, short_facts
from anomalynet.reporting.figures import encode, foot, style
from anomalynet.reporting.incidents import CAUSES, Group, IncidentTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from anomalynet.reporting.aggregate import ArmMetrics

NAME, TITLE = "by_type", "Alarms by type of incident"

HALVES = {
    True: ("label 1: should be alarmed", "Blues"),
    False: ("label 0: every alarm is false", "Oranges"),
}
"""Label → heading, colours. Blue and orange are told apart by everyone, and lightness says how
many."""

INCH = 0.27
"""Height of a line."""


def draw(table: IncidentTable, models: Sequence[ArmMetrics]) -> dict[str, bytes]:
    """The figure as file name → content, SVG and PNG."""
    with style():
        return {f"{NAME}.{suffix}": content for suffix, content in encode(_figure(table, models))}


def _figure(table: IncidentTable, models: Sequence[ArmMetrics]) -> Figure:
    from matplotlib.figure import Figure

    halves = {
        positive: [group for group in table.groups if group.positive is positive]
        for positive in HALVES
    }
    shown = {positive: groups for positive, groups in halves.items() if groups}
    heights = [len(groups) for groups in shown.values()]
    size = (max(8.0, 2.6 + 0.85 * len(table.arms)), 2.3 + INCH * sum(heights) + 0.4 * len(heights))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(shown), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    signs = marks(table.arms)
    names = [
        arm.title.replace(" (", "\n(").replace(", ", ",\n") + signs[arm.name] for arm in table.arms
    ]
    for place, (axes, (positive, groups)) in enumerate(zip(grid[:, 0], shown.items(), strict=True)):
        heading, colours = HALVES[positive]
        image = _half(axes, table, groups, colours)
        axes.set_title(heading, loc="left", fontsize=9.5)
        axes.set_xticks(
            range(len(names)),
            names if place == 0 else [],
            rotation=40,
            ha="left",
            rotation_mode="anchor",
        )
        figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01, label="steps alarmed, %")
    figure.suptitle(
        f"{TITLE} (cause, number of incidents), percent of scored steps",
        x=0.012,
        ha="left",
        fontsize=11,
        fontweight="bold",
    )
    foot(figure, short_facts(models))
    return figure


def _half(axes: Axes, table: IncidentTable, groups: Sequence[Group], colours: str) -> AxesImage:
    shares = [[_share(table, arm.name, group) for arm in table.arms] for group in groups]
    image = axes.imshow(shares, cmap=colours, vmin=0, vmax=100, aspect="auto")
    for line, row in enumerate(shares):
        for column, share in enumerate(row):
            text = "–" if math.isnan(share) else f"{share:.0f}" if share >= 9.95 else f"{share:.1f}"
            axes.text(
                column,
                line,
                text,
                ha="center",
                va="center",
                fontsize=8,
                color="white" if share > 60 else "black",
            )
    axes.set_yticks(range(len(groups)), [_label(table, group) for group in groups])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return image


def _share(table: IncidentTable, arm: str, group: Group) -> float:
    cell = table.cells.get((arm, group))
    return math.nan if cell is None else 100 * cell.alarmed.mean


def _label(table: IncidentTable, group: Group) -> str:
    """Type, cause and number of incidents."""
    incidents = max(cell.incidents for (_, own), cell in table.cells.items() if own == group)
    name = group.type.replace("_", " ")
    return (
        name
        if not incidents
        else f"{name} ({f'{group.cause}, ' if group.cause in CAUSES else ''}{incidents})"
    )
