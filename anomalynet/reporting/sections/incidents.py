"""The section "Incidents by type": which every model detects, beside chance; what else it alarms;
tables and a heat map."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from anomalynet.reporting import figures
from anomalynet.reporting.aggregate import Summary
from anomalynet.reporting.captions import FACTS, ReportContext
from anomalynet.reporting.formats.markdown import grid
from anomalynet.reporting.incidents import (
    CAUSES,
    CHANCE,
    Counted,
    Group,
    IncidentTable,
    incident_tables,
)
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.tables import defined, scaled, to_csv

COLUMNS: tuple[str, ...] = ("table", "model", "data", "label", "type", "cause", "severity")
COLUMNS += ("incidents", "steps", "missed", "visible", "detected", "detected_spread", "detected_n")
COLUMNS += ("at_one", "at_one_spread", "at_one_n", "alarmed", "alarmed_spread", "alarmed_n", *FACTS)
"""Shares are in percent. `detected` and `at_one` are empty if an alarm would be false; `type`,
`cause` and `severity` are empty unless the table is by them."""

NAME, TITLE = "by_type", "Alarms by type of incident, percent of scored steps"
BELOW = "↓"  # after a share that is lower than that of random scores

HALVES = {
    True: ("label 1: should be alarmed", "Blues"),
    False: ("other steps: should not be alarmed", "Oranges"),
}
"""Label → heading, colour map; lighter colours are smaller shares."""


def incident_section(context: ReportContext) -> Section:
    """Tables, CSV and heat map by kind of incident; empty if no type of incident is known.

    Raises: RunError: the scores or the incidents of a run cannot be read.
    """
    tables = incident_tables(context.models)
    if not tables:
        return Section()
    table = tables[0]
    positive = [group for group in table.groups if group.positive]
    others = [group for group in table.groups if not group.positive]
    note = (
        f"At one false alarm per node and day, as in the first table; {BELOW} less often than by "
        "random scores. *Missed*: steps without a score."
    )
    parts = [
        "## Incidents by type",
        _lines(context, table, positive, lambda cell: cell.at_one, chance=True),
        context.caption("Incidents of attack detected, percent", note, f"{NAME}.csv"),
    ]
    if others:
        note = (
            "At the run's own threshold; `evaluation.other_incidents` says if metrics count them."
        )
        parts.append(_lines(context, table, others, lambda cell: cell.alarmed))
        files = " ".join(f"{each.name}.csv" for each in tables)
        parts.append(context.caption("Other steps alarmed, percent", note, files))
    parts.append(context.figure(NAME, TITLE, "Brackets: cause, number of incidents."))
    csvs = {f"tables/{each.name}.csv": csv(each, context).encode() for each in tables}
    drawn = figures.drawn(NAME, TITLE, context.facts(), lambda: _figure(table, context))
    return Section(parts, csvs | drawn)


def csv(table: IncidentTable, context: ReportContext) -> str:
    """One line per model and group, and per group of random scores."""
    lines: list[list[object]] = []
    facts = {arm.name: context.by_arm[arm.name].cells.values() for arm in table.arms}
    for name in (*facts, CHANCE):
        for group in table.groups:
            if (cell := table.cells.get((name, group))) is not None:
                own = [int(group.positive), group.type, group.cause, group.severity]
                own += [cell.incidents, cell.steps, cell.missed, defined(cell.visible, 100)]
                shares = (cell.detected, cell.at_one, cell.alarmed)
                if name == CHANCE:  # random scores have no threshold of their own
                    shares = (
                        Summary(math.nan, math.nan, 0),
                        cell.at_one,
                        Summary(math.nan, math.nan, 0),
                    )
                own += [value for one in shares for value in (*scaled(one, 100), one.n)]
                known = facts.get(name) or [None] * len(FACTS)
                lines.append([table.name, name, context.data, *own, *known])
    return to_csv(COLUMNS, lines)


def _cell(share: Summary, below: bool = False) -> str:
    mean, spread = scaled(share, 100)
    if mean is None:
        return "–"
    return f"{mean:.1f}" + ("" if spread is None else f" ± {spread:.1f}") + f" {BELOW}" * below


def _lines(
    context: ReportContext,
    table: IncidentTable,
    groups: Sequence[Group],
    share: Callable[[Counted], Summary],
    chance: bool = False,
) -> str:
    """A line per group, a column per model, and one for chance; counts are those of the first model
    tested there."""
    names = [arm.name for arm in table.arms] + [CHANCE] * chance
    lines = []
    for group in groups:
        cells = [table.cells.get((name, group)) for name in names]
        first = next(cell for cell in cells if cell is not None)
        visible = "–" if math.isnan(first.visible) else f"{100 * first.visible:.1f}"
        least = share(cells[-1]).mean if chance and cells[-1] else -math.inf
        shares = [None if cell is None else share(cell) for cell in cells]
        texts = ["–" if one is None else _cell(one, one.mean < least) for one in shares]
        kind = [group.type.replace("_", " "), *([] if chance else [group.cause])]
        counts = [first.incidents or "–", first.steps, first.missed]
        lines.append([*kind, *map(str, counts), *([visible] if chance else []), *texts])
    header = ["Type", *([] if chance else ["Cause"]), "Incidents", "Steps", "Missed"]
    header += ["Visible, %"] if chance else []
    header += [arm.title + context.signs[arm.name] for arm in table.arms]
    header += ["*random*"] if chance else []
    return grid(header, lines, "l" + ("r" if chance else "l") + "r" * (len(header) - 2))


def _figure(table: IncidentTable, context: ReportContext) -> Figure:
    """A heat map of types of incident and models: correct alarms above, false alarms below."""
    halves = [
        (look, groups)
        for positive, look in HALVES.items()
        if (groups := [group for group in table.groups if group.positive is positive])
    ]
    heights = [len(groups) for _, groups in halves]
    size = (max(8.0, 2.6 + 0.85 * len(table.arms)), 2.3 + 0.27 * sum(heights) + 0.4 * len(heights))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(halves), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    names = figures.broken_names(table.arms, context)
    turned = {"rotation": 40, "ha": "left", "rotation_mode": "anchor"}
    for axes, ((title, colours), groups) in zip(grid[:, 0], halves, strict=True):
        image = _half(axes, table, groups, colours)
        axes.set_title(title, loc="left", fontsize=9.5)
        axes.set_xticks(range(len(names)), names if axes is grid[0, 0] else [], **turned)
        figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01, label="steps alarmed, %")
    return figure


def _half(axes: Axes, table: IncidentTable, groups: Sequence[Group], colours: str) -> AxesImage:
    shares = [[_share(table, arm.name, group) for arm in table.arms] for group in groups]
    image = axes.imshow(shares, cmap=colours, vmin=0, vmax=100, aspect="auto")
    for line, row in enumerate(shares):
        for column, share in enumerate(row):
            text = "–" if math.isnan(share) else f"{share:.0f}" if share >= 9.95 else f"{share:.1f}"
            ink = "white" if share > 60 else "black"
            axes.text(column, line, text, ha="center", va="center", fontsize=8, color=ink)
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
    name, cause = group.type.replace("_", " "), f"{group.cause}, " if group.cause in CAUSES else ""
    return f"{name} ({cause}{incidents})" if incidents else name
