"""The section on example incidents: a sentence and a figure of the steps around each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from anomalynet.reporting import figures
from anomalynet.reporting.captions import ReportContext, Section
from anomalynet.reporting.sections.timelines import (
    BEST,
    MIDDLE,
    WORST,
    Bools,
    Example,
    Floats,
    Timeline,
    choose,
    delay,
    errors,
    examples,
    read_timeline,
)
from anomalynet.reporting.tables import Row, csv_file, defined
from anomalynet.runs.scores import read_incidents

CHANNELS_NAMED = 2  # most channels that a sentence names
CHANNELS_DRAWN = 10  # most channels that a figure shows


def busiest(timeline: Timeline) -> Timeline:
    """The timeline with only the channels whose error rises most, or without errors the first."""
    error, every = errors(timeline), range(len(timeline.channels))
    rises = [error[name][0] - error[name][1] if error else 0.0 for name in timeline.channels]
    kept = sorted(sorted(every, key=lambda at: rises[at])[:CHANNELS_DRAWN])
    reading, values = (
        None if matrix is None else matrix[:, kept] for matrix in (timeline.reading, timeline.error)
    )
    names = tuple(timeline.channels[at] for at in kept)
    return replace(timeline, channels=names, reading=reading, error=values)


def sentence(timeline: Timeline) -> str:
    """One sentence that describes the figure."""
    shown, steps = int(timeline.during.sum()), timeline.example.steps
    cut = f" (the first {shown} are shown)" if shown < steps else ""
    first, error = delay(timeline), errors(timeline)
    phrases = [f"{100 * timeline.example.alarmed_share:.0f} % of {steps} scored steps{cut} alarmed"]
    if not math.isnan(first):
        phrases[0] += f", the first after {first:g} s"
    rises = [(name, *pair) for name, pair in error.items() if pair[1] > pair[0]]
    if rises:
        highest = sorted(rises, key=lambda rise: rise[1] - rise[2])[:CHANNELS_NAMED]
        rose = " and ".join(f"{name} ({old:.3g} → {new:.3g})" for name, old, new in highest)
        phrases.append(f"error rose most in {rose}")
    elif error and not any(math.isnan(before) for before, _ in error.values()):
        phrases.append("no channel's error rose")
    return f"{'; '.join(phrases)}."


HEADINGS = {BEST: "Found best", MIDDLE: "In the middle", WORST: "Found worst"}
NOTE = (
    "Of {count} incidents that {model} explains (the first of up to six types per run), the one "
    "most often alarmed, the middle and the least; none was chosen by hand. An error is of the "
    "whole window. Neither error nor attention proves a cause."
)

SHADE = "#FBE3C0"
Panel = tuple[Axes, Axes]  # where something is drawn, and what stands beside it
Looks = Mapping[str, Mapping[str, Any]]  # title of a model → how it looks in every figure
LEFT: dict[str, Any] = {"loc": "left", "fontsize": 9.5}  # how titles of panels are written
READING, ERROR = 4.0, (0.01, 10.0)
"""Ends of the colour scales; they are the same in every figure, so that figures can be compared."""


def explanations_section(context: ReportContext) -> Section:
    """Timelines of the hybrid, else of the first model with explanations; empty if no run explains
    an incident."""
    models = context.models
    order = sorted(models, key=lambda model: model.arm.experiment != "hybrid")
    found = ((model, ranked) for model in order if (ranked := examples(model)))
    subject, ranked = next(found, (None, []))
    if subject is None:
        return Section()
    parts = ["## Example incidents", NOTE.format(count=len(ranked), model=subject.arm.title)]
    files: dict[str, bytes] = {}
    rows: list[Row] = []
    looks = {one.arm.title: figures.looks(context)[one.arm.name] for one in models}
    for name, example in choose(ranked).items():
        own = read_timeline(example, subject, models)
        title = f"{HEADINGS[name]}: {_describe(example)}"
        note = f"Run `{_run(example)}`. {sentence(own)}"
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
    yield row("delay of the first alarm", "", math.nan, delay(line), "s")
    for channel, (before, during) in errors(line).items():
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
    line = busiest(line)
    channels = 0.18 * len(line.channels) + 0.35
    heights = {"scores": 1.9, "alarms": 0.17 * (2 + len(line.others)) + 0.3}
    heights |= {"reading": channels} if line.reading is not None else {}
    heights |= {"error": channels} if line.error is not None else {}
    if line.attention is not None:
        heights["attention"] = 1.3
    figure = Figure(figsize=(8.4, 0.8 + sum(heights.values()) * 1.05), layout="constrained")
    ratios = {"height_ratios": list(heights.values()), "width_ratios": [1, 0.014]}
    grid = figure.subplots(len(heights), 2, squeeze=False, gridspec_kw=ratios)
    panels: dict[str, Panel] = dict(zip(heights, grid, strict=True))
    _draw_scores(*panels["scores"], line, at, looks)
    _alarms(*panels["alarms"], line, at, looks)
    if line.reading is not None:
        title = "Readings, in standard deviations of the training data"
        look = {"cmap": "PuOr_r", "norm": Normalize(-READING, READING)}
        _heat(figure, panels["reading"], _spread(line.reading, at).T, title, "deviations", look)
    if line.error is not None:
        title = "Reconstruction error over the window, by channel"
        look = {"cmap": "magma_r", "norm": LogNorm(*ERROR)}
        shown = _spread(np.maximum(line.error, ERROR[0] / 10), at).T
        _heat(figure, panels["error"], shown, title, "squared error", look)
    for axes, _ in (panels[name] for name in ("reading", "error") if name in panels):
        axes.set_yticks(range(len(line.channels)), line.channels, fontsize=7)
        axes.tick_params(axis="y", length=0)
    if line.attention is not None:
        title = "Attention over the window that ends at each step"
        shown = _spread(line.attention, at).T[::-1]
        _heat(figure, panels["attention"], shown, title, "weight", {"cmap": "Blues", "vmin": 0})
        panels["attention"][0].set_yticks([0, len(shown) - 1], ["newest", "oldest"], fontsize=7)
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


def _draw_scores(axes: Axes, side: Axes, line: Timeline, at: Floats, looks: Looks) -> None:
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
    side.axis("off")
    legend = axes.get_legend_handles_labels()
    side.legend(*legend, loc="upper left", frameon=False, fontsize=7, borderaxespad=0.0)


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
    figure: Figure, panel: Panel, shown: Floats, title: str, label: str, look: Mapping[str, Any]
) -> None:
    """Values (row, column) over time, with their colours beside them."""
    axes, side = panel
    image = axes.imshow(shown, aspect="auto", interpolation="nearest", **look)
    axes.set_title(title, **LEFT)
    extend = "both" if "norm" in look else "neither"
    figure.colorbar(image, cax=side, label=label, extend=extend)


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
