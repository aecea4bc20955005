"""The section "By incident": how many of each kind every model detects; tables and a heat map."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from anomalynet.reporting.aggregate import Summary
from anomalynet.reporting.captions import FACTS, ReportContext
from anomalynet.reporting.figures import broken_names, drawn, foot, heading
from anomalynet.reporting.formats.markdown import grid
from anomalynet.reporting.incidents import CAUSES, Counted, Group, IncidentTable, incident_tables
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.tables import scaled, to_csv

COLUMNS: tuple[str, ...] = ("table", "model", "data", "label", "type", "cause", "severity")
COLUMNS += ("incidents", "steps", "missed", "detected", "detected_spread", "detected_n", "alarmed")
COLUMNS += ("alarmed_spread", "alarmed_n", *FACTS)
"""Shares are in percent. `detected` is empty if an alarm would be false; `type`, `cause` and
`severity` are empty unless the table is by them."""

NAME, TITLE = "by_type", "Alarms by type of incident"
TITLES = {"by_type": "By type", "by_cause": "By cause", "by_severity": "By severity"}

NOTE = (
    "Every step of the test parts with a label or an incident is in one row. *Steps* counts them "
    "over all folds and repetitions, *missed* counts those without a score; *incidents* are "
    "distinct. Steps of label 1 should be alarmed: *detected* is the share of their incidents with "
    "at least one alarmed step in any fold; an incident without any scored step is undetected. All "
    "other steps should not be alarmed, during faults, during events of the environment, and "
    "outside all incidents; `evaluation.other_incidents` says whether metrics count an alarm in "
    "the first two. Shares of steps are shares of scored steps. Mean ± standard deviation over "
    "repetitions."
)

HALVES = {
    True: ("label 1: should be alarmed", "Blues"),
    False: ("other steps: should not be alarmed", "Oranges"),
}
"""Label → heading, colour map; lighter colours are smaller shares."""


def incident_section(context: ReportContext) -> Section:
    """Tables, CSV and heat map by kind of incident; empty if no type of incident is known.

    Raises: RunError: the scores or the incidents of a run cannot be read.
    """
    tables = incident_tables([one.arm for one in context.models])
    if not tables:
        return Section()
    run, signs = context.run, context.signs
    parts = ["## By incident", NOTE]
    parts.append(context.figure(NAME, f"{TITLE}, percent of scored steps", run))
    files = {}
    for table in tables:
        title, positive = TITLES[table.name], [group for group in table.groups if group.positive]
        parts += [
            f"### {title}",
            "Incidents detected, percent:",
            _lines(table, positive, lambda cell: cell.detected, signs),
            "Steps alarmed, percent:",
            _lines(table, table.groups, lambda cell: cell.alarmed, signs),
            counts_text(table),
            context.caption(f"{title} of incident", run, f"{table.name}.csv"),
        ]
        files[f"tables/{table.name}.csv"] = csv(table, context).encode()
    return Section(parts, files | drawn(NAME, lambda: _figure(tables[0], context)))


def csv(table: IncidentTable, context: ReportContext) -> str:
    """One line per model and group."""
    lines: list[list[object]] = []
    for arm in table.arms:
        facts = context.by_arm[arm.name].cells.values()
        for group in table.groups:
            if (cell := table.cells.get((arm.name, group))) is not None:
                own = [int(group.positive), group.type, group.cause, group.severity]
                counts = [cell.incidents, cell.steps, cell.missed]
                detected = [*scaled(cell.detected, 100), cell.detected.n]
                alarmed = [*scaled(cell.alarmed, 100), cell.alarmed.n]
                shares = [*detected, *alarmed]
                lines.append([table.name, arm.name, context.data, *own, *counts, *shares, *facts])
    return to_csv(COLUMNS, lines)


def _cell(share: Summary) -> str:
    mean, spread = scaled(share, 100)
    return "–" if mean is None else f"{mean:.1f}" + ("" if spread is None else f" ± {spread:.1f}")


def _lines(
    table: IncidentTable,
    groups: Sequence[Group],
    share: Callable[[Counted], Summary],
    signs: Mapping[str, str],
) -> str:
    """A line per group, a column per model; counts are those of the first model tested there."""
    names = ["type", "cause"] if table.name == "by_type" else [table.name.removeprefix("by_")]
    lines = []
    for group in groups:
        cells = [table.cells.get((arm.name, group)) for arm in table.arms]
        first = next(cell for cell in cells if cell is not None)
        texts = [getattr(group, name).replace("_", " ") for name in names]
        counts = [int(group.positive), first.incidents or "–", first.steps, first.missed]
        shares = ["–" if cell is None else _cell(share(cell)) for cell in cells]
        lines.append([*texts, *map(str, counts), *shares])
    header = [*(name.capitalize() for name in names), "Label", "Incidents", "Steps", "Missed"]
    header += [arm.title + signs[arm.name] for arm in table.arms]
    return grid(header, lines, "l" * len(names) + "r" * (4 + len(table.arms)))


def counts_text(table: IncidentTable) -> str:
    """The number of labelled steps in the table, and the models that tested other steps."""
    totals = [(arm.title, table.total(arm)) for arm in table.arms]
    first, (steps, missed) = totals[0]
    others = [f"{title}: {own[0]}, {own[1]}" for title, own in totals if own != (steps, missed)]
    text = f"Labelled steps in all rows: {steps}, {missed} of them missed"
    if others:
        text += f", for {first}; steps and missed of others, by row in the CSV: {'; '.join(others)}"
    return f"{text}."


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
    names = broken_names(table.arms, context)
    turned = {"rotation": 40, "ha": "left", "rotation_mode": "anchor"}
    for axes, ((title, colours), groups) in zip(grid[:, 0], halves, strict=True):
        image = _half(axes, table, groups, colours)
        axes.set_title(title, loc="left", fontsize=9.5)
        axes.set_xticks(range(len(names)), names if axes is grid[0, 0] else [], **turned)
        figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01, label="steps alarmed, %")
    heading(figure, f"{TITLE} (cause, number of incidents), percent of scored steps")
    foot(figure, context.short_facts())
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
