"""The section "Incidents by type": which every model detects, beside chance; what else it alarms;
tables and a heat map."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from anomalynet.reporting import figures
from anomalynet.reporting.aggregate import Summary
from anomalynet.reporting.captions import ReportContext
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
from anomalynet.reporting.tables import Row, csv_file, defined, scaled, share_text

NAME, TITLE = "by_type", "Alarms by type of incident, percent of scored steps"
BELOW = "↓"  # after a share that is lower than that of random scores

HALVES = {
    True: ("label 1: should be alarmed", "Blues"),
    False: ("other steps: should not be alarmed", "Oranges"),
}
"""Label → heading, colour map; lighter colours are smaller shares."""


def incident_section(context: ReportContext) -> Section:
    """Tables, CSV and heat map by kind of incident; empty if no type of incident is known."""
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
        sources = " ".join(f"{each.name}.csv" for each in tables)
        parts.append(context.caption("Other steps alarmed, percent", note, sources))
    parts.append(context.figure(NAME, TITLE, "Brackets: cause, number of incidents."))
    files = figures.drawn(NAME, TITLE, context.facts(), lambda: _figure(table, context))
    for each in tables:
        files |= csv_file(each.name, rows(each, context))
    return Section(parts, files)


def rows(table: IncidentTable, context: ReportContext) -> Iterator[Row]:
    """One line per model and group, and per group of random scores; shares in percent, empty if an
    alarm would be false. `type`, `cause` and `severity` are empty unless the table is by them."""
    facts = {arm.name: context.by_arm[arm.name].cells() for arm in table.arms}
    nothing = Summary(math.nan, math.nan, 0)
    for name, group in product((*facts, CHANCE), table.groups):
        if (cell := table.cells.get((name, group))) is None:
            continue
        row: dict[str, Any] = {
            "table": table.name,
            "model": name,
            "data": context.data,
            "label": int(group.positive),
            "type": group.type,
            "cause": group.cause,
            "severity": group.severity,
            "incidents": cell.incidents,
            "steps": cell.steps,
            "missed": cell.missed,
            "visible": defined(cell.visible, 100),
        }
        chance = name == CHANCE  # random scores have no threshold of their own
        detected, alarmed = (nothing if chance else one for one in (cell.detected, cell.alarmed))
        shares = {"detected": detected, "at_one": cell.at_one, "alarmed": alarmed}
        for column, share in shares.items():
            row[column], row[f"{column}_spread"] = scaled(share, 100)
            row[f"{column}_n"] = share.n
        yield row | facts.get(name, dict.fromkeys(context.by_arm[table.arms[0].name].cells()))


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
        texts = [
            "–" if one is None else share_text(one) + f" {BELOW}" * (one.mean < least)
            for one in shares
        ]
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
