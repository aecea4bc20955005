"""The section on example incidents: one figure per incident, and its summary in numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from anomalynet.reporting import figures
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.sections.explanations import timeline
from anomalynet.reporting.sections.explanations.timeline import Bools, Example, Floats, Timeline
from anomalynet.reporting.tables import Row, csv_file, defined
from anomalynet.runs.scores import read_incidents

HEADINGS = {
    timeline.BEST: "Found best",
    timeline.MIDDLE: "In the middle",
    timeline.WORST: "Found worst",
}
NOTE = (
    "Of {count} incidents that {model} explains (the first of up to six types per run), the one "
    "most often alarmed, the middle and the least; none was chosen by hand. An error is of the "
    "whole window. Neither error nor attention proves a cause."
)

SHADE = "#FBE3C0"
Looks = Mapping[str, Mapping[str, Any]]  # title of a model → how it looks in every figure
LEFT: dict[str, Any] = {"loc": "left", "fontsize": 9.5}  # how titles of panels are written
READING, ERROR = 4.0, (0.01, 10.0)
"""Ends of the colour scales; they are the same in every figure, so that figures can be compared."""


def explanations_section(context: ReportContext) -> Section:
    """Timelines of the hybrid, else of the first model with explanations; empty if no run explains
    an incident."""
    models = context.models
    order = sorted(models, key=lambda model: model.arm.experiment != "hybrid")
    found = ((model, ranked) for model in order if (ranked := timeline.examples(model)))
    subject, ranked = next(found, (None, []))
    if subject is None:
        return Section()
    parts = ["## Example incidents", NOTE.format(count=len(ranked), model=subject.arm.title)]
    files: dict[str, bytes] = {}
    rows: list[Row] = []
    looks = {one.arm.title: figures.looks(context)[one.arm.name] for one in models}
    for name, example in timeline.choose(ranked).items():
        own = timeline.read_timeline(example, subject, models)
        title = f"{HEADINGS[name]}: {_describe(example)}"
        note = f"Run `{_run(example)}`. {timeline.sentence(own)}"
        parts.append(context.figure(f"example_{name}", title, note, "examples.csv"))
        build = partial(_figure, own, looks)
        files |= figures.drawn(f"example_{name}", title, context.facts(), build)
        head = {"example": name, "model": subject.arm.name, "data": context.data}
        rows += _rows(head, own)
    return Section(parts, files | csv_file("examples", rows))


def _run(example: Example) -> str:
    return f"{example.record.result.experiment}/{example.record.result.id}"


def _describe(example: Example) -> str:
    """Type, number, severity, series and world of an incident."""
    note = read_incidents(example.record.folder / "incidents.json").get(example.incident)
    kind = ((note.type if note else None) or example.kind or "incident").replace("_", " ")
    severity = f", severity {note.severity}" if note and note.severity is not None else ""
    world = "" if example.record.result.world is None else f", world {example.record.result.world}"
    return f"{kind} {example.incident}{severity}, on {example.series}{world}"


def _rows(head: Row, line: Timeline) -> Iterator[Row]:
    example = line.example
    own = {**head, "run": _run(example), "incident": example.incident}
    own |= {"type": example.kind, "series": example.series}

    def row(quantity: str, channel: str, before: float, during: float, unit: str) -> Row:
        values = {"before": defined(before), "during": defined(during)}
        return {**own, "quantity": quantity, "channel": channel, **values, "unit": unit}

    yield row("steps alarmed", "", math.nan, 100 * example.alarmed_share, "%")
    yield row("delay of the first alarm", "", math.nan, timeline.delay(line), "s")
    for channel, (before, during) in timeline.errors(line).items():
        yield row("squared error", channel, before, during, "deviations²")


def columns_of(seconds: Floats) -> Floats:
    """(step,) the column of each step in the figure; before a late step a column is empty."""
    distances = np.diff(seconds)
    usual = np.median(distances) if len(distances) else 1.0
    found: Floats = np.concatenate([[0.0], np.cumsum(np.where(distances > 1.5 * usual, 2.0, 1.0))])
    return found


def spans(mask: Bools, at: Floats) -> list[tuple[float, float]]:
    """(start, length) in columns of the runs of true steps in a mask; `at`: column of each step."""
    found: list[tuple[float, float]] = []
    for column in at[mask]:
        if found and sum(found[-1]) == column - 0.5:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((float(column) - 0.5, 1.0))
    return found


def _figure(line: Timeline, looks: Looks) -> Figure:
    """Scores, alarms, readings, errors and attention over time, and the mean attention."""
    at = columns_of(line.seconds)
    line = timeline.busiest(line)
    channels = 0.18 * len(line.channels) + 0.35
    heights = {"scores": 1.9, "alarms": 0.17 * (2 + len(line.others)) + 0.3}
    heights |= {"reading": channels} if line.reading is not None else {}
    heights |= {"error": channels} if line.error is not None else {}
    if line.attention is not None:
        heights["attention"] = 1.3
    figure = Figure(figsize=(8.4, 0.8 + sum(heights.values()) * 1.05), layout="constrained")
    ratios = {"height_ratios": list(heights.values()), "width_ratios": [1, 0.014]}
    grid = figure.subplots(len(heights), 2, squeeze=False, gridspec_kw=ratios)
    panels: dict[str, tuple[Axes, Axes]] = dict(zip(heights, grid, strict=True))
    _scores(*panels["scores"], line, at, looks)
    _alarms(*panels["alarms"], line, at, looks)
    for name, values in (("reading", line.reading), ("error", line.error)):
        if values is not None:
            _heat(figure, *panels[name], line, values, at, error=name == "error")
    if "attention" in panels:
        _attention(figure, *panels["attention"], line, at)
    shared = [axes for axes, _ in panels.values()]
    for axes in shared:
        axes.set_xlim(-0.5, at[-1] + 0.5)
        _clock(axes, line.seconds, at, named=axes is shared[-1])
        for start, length in spans(line.during, at) if axes is not shared[0] else ():
            for edge in (start, start + length):
                axes.axvline(edge, color="black", linewidth=0.7, linestyle=(0, (2, 2)))
    return figure


def _spread(values: Floats, at: Floats) -> Floats:
    """(column, …) the values of each column; NaN in the columns of gaps."""
    found: Floats = np.full((int(at[-1]) + 1, *values.shape[1:]), np.nan)
    found[at.astype(int)] = values
    return found


def _scores(axes: Axes, side: Axes, line: Timeline, at: Floats, looks: Looks) -> None:
    for start, length in spans(line.during, at):
        axes.axvspan(start, start + length, color=SHADE, zorder=0, linewidth=0)
    subject, columns = line.subject, np.arange(at[-1] + 1)
    scores = _spread(subject.scores, at)
    colour = looks[subject.title]["color"]
    axes.plot(columns, scores, color=colour, linewidth=1.8, zorder=3, label=subject.title)
    axes.axhline(line.threshold, color=colour, linewidth=0.9, linestyle="--", label="its threshold")
    comparable = [model for model in line.others if model.probability and subject.probability]
    for model in comparable:
        scores, colour = _spread(model.scores, at), looks[model.title]["color"]
        axes.plot(columns, scores, color=colour, linewidth=0.7, alpha=0.9, label=model.title)
    axes.set_ylabel("score")
    axes.set_title("Scores (shaded: the incident)", **LEFT)
    if subject.probability:
        axes.set_ylim(-0.02, 1.02)
    _legend(axes, side)


def _legend(axes: Axes, side: Axes) -> None:
    """Draw the legend of a panel beside it."""
    side.axis("off")
    handles, labels = axes.get_legend_handles_labels()
    side.legend(handles, labels, loc="upper left", frameon=False, fontsize=7, borderaxespad=0.0)


def _alarms(axes: Axes, side: Axes, line: Timeline, at: Floats, looks: Looks) -> None:
    rows: list[tuple[str, Bools, str]] = [("labelled attack", line.labelled, "#A0A0A0")]
    rows += [
        (model.title, model.alarms, looks[model.title]["color"])
        for model in (line.subject, *line.others)
    ]
    side.axis("off")
    for row, (_, mask, colour) in enumerate(rows):
        axes.broken_barh(spans(mask, at), (row - 0.38, 0.76), facecolor=colour, linewidth=0)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=7)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title("Alarms, each model with its own threshold", **LEFT)
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.6)
    axes.tick_params(axis="y", length=0)


def _heat(
    figure: Figure,
    axes: Axes,
    side: Axes,
    line: Timeline,
    values: Floats,
    at: Floats,
    *,
    error: bool,
) -> None:
    """Channels over time: readings around zero, errors on a logarithmic scale."""
    norm = LogNorm(*ERROR) if error else Normalize(-READING, READING)
    shown = _spread(np.maximum(values, ERROR[0] / 10) if error else values, at).T
    colours = "magma_r" if error else "PuOr_r"
    image = axes.imshow(shown, aspect="auto", interpolation="nearest", cmap=colours, norm=norm)
    axes.set_yticks(range(len(line.channels)), line.channels, fontsize=7)
    axes.tick_params(axis="y", length=0)
    over = "Reconstruction error over the window, by channel"
    axes.set_title(
        over if error else "Readings, in standard deviations of the training data", **LEFT
    )
    label = "squared error" if error else "deviations"
    figure.colorbar(image, cax=side, label=label, extend="both")


def _attention(figure: Figure, axes: Axes, side: Axes, line: Timeline, at: Floats) -> None:
    assert line.attention is not None
    shown = _spread(line.attention, at).T[::-1]
    image = axes.imshow(shown, aspect="auto", interpolation="nearest", cmap="Blues", vmin=0)
    axes.set_yticks([0, len(shown) - 1], ["newest", "oldest"], fontsize=7)
    axes.set_title("Attention over the window that ends at each step", **LEFT)
    figure.colorbar(image, cax=side, label="weight", extend="neither")


def _clock(axes: Axes, seconds: Floats, at: Floats, named: bool) -> None:
    """Draw ticks at round times since the incident's first step, with numbers if `named`."""
    length = float(seconds[-1] - seconds[0])
    unit, name = (
        (1.0, "s") if length <= 300 else (60.0, "min") if length <= 21600 else (3600.0, "h")
    )
    values = MaxNLocator(10).tick_values(seconds[0] / unit, seconds[-1] / unit)
    inside = [value for value in values if seconds[0] <= value * unit <= seconds[-1]]
    ticks = np.interp([value * unit for value in inside], seconds, at)
    axes.set_xticks(ticks, [f"{value:g}" for value in inside] if named else [""] * len(inside))
    if named:
        axes.set_xlabel(f"{name} since the incident's first scored step")
