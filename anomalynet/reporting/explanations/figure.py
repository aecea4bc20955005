"""One timeline drawn: scores, alarms, readings, errors and attention over one time axis, and where
in the window attention falls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from anomalynet.reporting.captions import short_facts
from anomalynet.reporting.explanations.timeline import Bools, Course, Floats, Timeline
from anomalynet.reporting.figures import encode, foot, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from anomalynet.reporting.aggregate import ArmMetrics

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7F7F7F", "#B2912F")
"""Okabe–Ito, of the models beside the subject, which is black."""

SHADE = "#FBE3C0"
READING, ERROR = 4.0, (0.01, 10.0)
"""Ends of the colours: the same in every figure, so that figures compare."""


def draw(name: str, title: str, line: Timeline, models: Sequence[ArmMetrics]) -> dict[str, bytes]:
    """The figure as file name → content, SVG and PNG."""
    with style():
        return {
            f"{name}.{suffix}": content for suffix, content in encode(_figure(title, line, models))
        }


def places(seconds: Floats) -> Floats:
    """(step,) columns of the steps, with an empty one where a step is later than the usual
    distance."""
    distances = np.diff(seconds)
    usual = np.median(distances) if len(distances) else 1.0
    found: Floats = np.concatenate([[0.0], np.cumsum(np.where(distances > 1.5 * usual, 2.0, 1.0))])
    return found


def spans(mask: Bools, at: Floats) -> list[tuple[float, float]]:
    """(start, length) of the stretches where a mask holds, in columns."""
    found: list[tuple[float, float]] = []
    for place in at[mask]:
        if found and sum(found[-1]) == place - 0.5:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((float(place) - 0.5, 1.0))
    return found


def _figure(title: str, line: Timeline, models: Sequence[ArmMetrics]) -> Figure:
    from matplotlib.figure import Figure

    at = places(line.seconds)
    lines, channels = 2 + len(line.others), 0.18 * len(line.channels) + 0.35
    heights = {"scores": 1.9, "alarms": 0.17 * lines + 0.3}
    heights |= {"reading": channels} if line.reading is not None else {}
    heights |= {"error": channels} if line.error is not None else {}
    heights |= (
        {"attention": 1.3, "profile": 1.3}
        if line.attention is not None and not line.by_feature
        else {}
    )
    figure = Figure(figsize=(9.5, 1.1 + sum(heights.values()) * 1.12), layout="constrained")
    grid = figure.subplots(
        len(heights),
        2,
        squeeze=False,
        height_ratios=list(heights.values()),
        width_ratios=[1, 0.014],
    )
    panels, sides = (dict(zip(heights, column, strict=True)) for column in grid.T)
    _scores(panels["scores"], sides["scores"], line, at)
    _alarms(panels["alarms"], sides["alarms"], line, at)
    if line.reading is not None:
        _heat(panels["reading"], sides["reading"], line, line.reading, at)
    if line.error is not None:
        _heat(panels["error"], sides["error"], line, line.error, at)
    shared = [axes for name, axes in panels.items() if name != "profile"]
    if "attention" in panels:
        _attention(panels["attention"], sides["attention"], line, at)
        _profile(panels["profile"], sides["profile"], line)
    for axes in shared:
        axes.set_xlim(-0.5, at[-1] + 0.5)
        _clock(axes, line.seconds, at, named=axes is shared[-1])
        for start, length in spans(line.during, at):
            for edge in (start, start + length) if axes is not panels["scores"] else ():
                axes.axvline(edge, color="black", linewidth=0.7, linestyle=(0, (2, 2)))
    figure.suptitle(title, x=0.012, ha="left", fontsize=11, fontweight="bold")
    foot(figure, short_facts(models))
    return figure


def _spread(values: Floats, at: Floats) -> Floats:
    """(column, …) with NaN in the columns of gaps."""
    found: Floats = np.full((int(at[-1]) + 1, *values.shape[1:]), np.nan)
    found[at.astype(int)] = values
    return found


def _scores(axes: Axes, side: Axes, line: Timeline, at: Floats) -> None:
    for start, length in spans(line.during, at):
        axes.axvspan(start, start + length, color=SHADE, zorder=0, linewidth=0)
    beside = (
        [course for course in line.others if course.probability] if line.subject.probability else []
    )
    columns = np.arange(at[-1] + 1)
    axes.plot(
        columns,
        _spread(line.subject.scores, at),
        color="black",
        linewidth=1.6,
        label=line.subject.title,
        zorder=3,
    )
    axes.axhline(
        line.threshold,
        color="black",
        linewidth=0.9,
        linestyle=(0, (5, 3)),
        label=f"its threshold, {line.threshold:.3g}",
    )
    for course, colour in zip(beside, COLOURS * len(beside), strict=False):
        axes.plot(
            columns,
            _spread(course.scores, at),
            color=colour,
            linewidth=0.7,
            alpha=0.9,
            label=course.title,
        )
    axes.set_ylabel("score")
    axes.set_title("Scores (shaded: the incident)", loc="left", fontsize=9.5)
    if line.subject.probability:
        axes.set_ylim(-0.02, 1.02)
    _legend(axes, side)


def _legend(axes: Axes, side: Axes) -> None:
    """What the lines of a panel mean, beside it."""
    side.axis("off")
    side.legend(
        *axes.get_legend_handles_labels(),
        loc="upper left",
        frameon=False,
        fontsize=7,
        borderaxespad=0.0,
    )


def _alarms(axes: Axes, side: Axes, line: Timeline, at: Floats) -> None:
    rows: list[tuple[str, Bools, str]] = [("labelled attack", line.labelled, "#A0A0A0")]
    rows += [(course.title, course.alarms, "#D55E00") for course in _everyone(line)]
    side.axis("off")
    for place, (_, mask, colour) in enumerate(rows):
        axes.broken_barh(spans(mask, at), (place - 0.38, 0.76), facecolor=colour, linewidth=0)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=7)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title("Alarms, each model with its own threshold", loc="left", fontsize=9.5)
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.6)
    axes.tick_params(axis="y", length=0)


def _everyone(line: Timeline) -> tuple[Course, ...]:
    return (line.subject, *line.others)


def _heat(axes: Axes, side: Axes, line: Timeline, values: Floats, at: Floats) -> None:
    """Channels over time: readings around zero, errors on a logarithmic scale."""
    from matplotlib.colors import LogNorm, Normalize

    error = values is line.error
    norm = LogNorm(*ERROR) if error else Normalize(-READING, READING)
    shown = _spread(np.maximum(values, ERROR[0] / 10) if error else values, at).T
    image = axes.imshow(
        shown,
        cmap="magma_r" if error else "PuOr_r",
        norm=norm,
        aspect="auto",
        interpolation="nearest",
    )
    axes.set_yticks(range(len(line.channels)), line.channels, fontsize=7)
    axes.tick_params(axis="y", length=0)
    title = (
        "Reconstruction error over the window, by channel"
        if error
        else "Readings, in deviations of the training part"
    )
    axes.set_title(title, loc="left", fontsize=9.5)
    _bar(image, axes, side, "squared error" if error else "deviations", extend="both")


def _bar(image: AxesImage, axes: Axes, side: Axes, label: str, extend: str = "neither") -> None:
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.colorbar(image, cax=side, label=label, extend=extend)


def _attention(axes: Axes, side: Axes, line: Timeline, at: Floats) -> None:
    assert line.attention is not None
    shown = _spread(line.attention, at).T[::-1]
    image = axes.imshow(shown, cmap="Blues", vmin=0, aspect="auto", interpolation="nearest")
    axes.set_yticks([0, len(shown) - 1], ["newest", "oldest"], fontsize=7)
    axes.set_title("Attention over the window that ends at each step", loc="left", fontsize=9.5)
    _bar(image, axes, side, "weight")


def _profile(axes: Axes, side: Axes, line: Timeline) -> None:
    """Mean attention by part of the window, the newest at the right."""
    assert line.attention is not None
    parts = line.attention.shape[1]
    for name, mask, colour, dashes in (
        ("before", line.before, "#0072B2", (0, (4, 2))),
        ("during the incident", line.during, "#D55E00", "-"),
    ):
        if mask.any():
            axes.plot(
                range(parts),
                line.attention[mask].mean(axis=0),
                color=colour,
                linestyle=dashes,
                linewidth=1.4,
                label=name,
            )
    axes.axhline(1 / parts, color="#808080", linewidth=0.8, linestyle=":", label="equal weights")
    axes.set_xticks([0, parts - 1], ["oldest", "newest"])
    axes.set_xlim(-0.5, parts - 0.5)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("mean weight")
    axes.set_title(f"Attention by part of the window ({parts} parts)", loc="left", fontsize=9.5)
    _legend(axes, side)


def _clock(axes: Axes, seconds: Floats, at: Floats, named: bool) -> None:
    """Ticks at round times since the incident's first step."""
    from matplotlib.ticker import MaxNLocator

    length = float(seconds[-1] - seconds[0])
    unit, name = (
        (1.0, "s") if length <= 300 else (60.0, "min") if length <= 6 * 3600 else (3600.0, "h")
    )
    values = MaxNLocator(10).tick_values(seconds[0] / unit, seconds[-1] / unit)
    inside = [value for value in values if seconds[0] <= value * unit <= seconds[-1]]
    ticks = np.interp([value * unit for value in inside], seconds, at)
    axes.set_xticks(ticks, [f"{value:g}" for value in inside] if named else [""] * len(inside))
    if named:
        axes.set_xlabel(f"{name} since the incident's first scored step")
