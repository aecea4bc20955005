"""Draws Figures 2–6 like the paper's from the tables: grouped bars and confusion matrices. The same
rows give the same bytes. Also the style, foot and encoding of all other figures."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter

from anomalynet.errors import printable
from anomalynet.reporting.arms import Arm
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.formats import current
from anomalynet.reporting.tables import Row, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "anomalynet",
    "pdf.fonttype": 42,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "hatch.linewidth": 0.6,
    "text.parse_math": False,  # a name with `$` in it is no formula
}
METADATA: dict[str, dict[Any, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Format of a figure's file → metadata that is left out of it."""

# Okabe–Ito
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, BLACK = "#CC79A7", "#56B4E9", "#F0E442", "#000000"

# Hatch, lightness and position also distinguish the bars
SERIES = (
    ("paper, printed", "#D9D9D9", "////"),
    ("paper, repaired", BLUE, ""),
    ("ours, mean ± spread", ORANGE, ""),
)

BAR = 0.27

# File name → title, in the order of `tables.PAPER_TABLES`
TITLES = {
    "figure_2_precision": "Figure 2. Precision",
    "figure_3_recall": "Figure 3. Recall",
    "figure_4_f1": "Figure 4. F1",
    "figure_5_accuracy": "Figure 5. Accuracy",
    "figure_6_confusion": "Figure 6. Confusion matrices",
}
PANELS = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "eq13_accuracy_normal": "“Accuracy (Normal)”, eq. 13 recipe",
    "eq13_accuracy_attack": "“Accuracy (Attack)”, eq. 13 recipe",
}
"""Metric of each panel of Figure 5 → its title."""


def broken_names(arms: Sequence[Arm], context: ReportContext) -> list[str]:
    """The titles of arms with their signs, with line breaks so that they fit under an axis."""
    titles = (printable(arm.title).replace(" (", "\n(").replace(", ", ",\n") for arm in arms)
    return [title + context.by_arm[arm.name].sign for title, arm in zip(titles, arms, strict=True)]


def _bars(axes: Axes, rows: Sequence[Row], names: Sequence[str]) -> None:
    """Draw one panel with three bars per model, ours with its spread."""
    for index, (label, colour, hatch) in enumerate(SERIES):
        values = [(row.printed, row.repaired, row.mean)[index] for row in rows]
        positions = [model + (index - 1) * BAR for model in range(len(rows))]
        heights = [value or 0.0 for value in values]
        axes.bar(
            positions,
            heights,
            width=BAR,
            label=label,
            color=colour,
            hatch=hatch,
            edgecolor="#404040",
            linewidth=0.5,
        )
        for row, position, value in zip(rows, positions, values, strict=True):
            height = value or 0.0
            spread = (row.spread or 0.0) if index == 2 else 0.0
            if spread:
                axes.errorbar(position, height, spread, color="black", capsize=2.5, linewidth=0.9)
            absent = ("undefined" if row.seeds else "no run") if index == 2 else ""
            text = absent if value is None else f"{value:.1f}"
            axes.text(
                position,
                height + spread + 1.5,
                text,
                fontsize=6.5,
                rotation=90,
                ha="center",
                va="bottom",
            )
    axes.set_xticks(range(len(rows)), names)
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(0, 118)
    axes.set_yticks(range(0, 101, 20))
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.6)


CHARACTERS_PER_INCH = 17.5  # of a figure's foot


def foot(figure: Figure, facts: str, note: str = "") -> None:
    """Write the facts under a figure, below a note, in as many lines as they need."""
    text = textwrap.fill(facts, int(CHARACTERS_PER_INCH * figure.get_figwidth()))
    figure.supxlabel(f"{note}\n{text}".strip(), fontsize=7, color="#404040", x=0.012, ha="left")


def draw_bars(table: Table, panels: dict[str, str], context: ReportContext) -> Figure:
    """Printed, repaired and our values of each model in percent, one panel per metric."""
    from matplotlib.figure import Figure

    lines = len(panels) // 2
    size = (max(9.0, 2.1 * len(table.models)), 0.9 + 2.7 * lines)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(lines, 2, squeeze=False)
    names = broken_names([one.arm for one in table.models], context)
    for axes, (metric, name) in zip(grid.flat, panels.items(), strict=True):
        _bars(axes, [table.row(one.arm.name, metric) for one in table.models], names)
        axes.set_title(name, loc="left", fontsize=9.5)
        axes.set_ylabel("percent")
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3, frameon=False)
    return figure


def _matrix(axes: Axes, counts: Sequence[float | None], empty: str) -> None:
    """Draw one confusion matrix, (true negatives, false positives, false negatives, true
    positives), shaded by share of the true class."""
    axes.set_xticks([0, 1], ["no alarm", "alarm"])
    axes.set_yticks([0, 1], ["Normal", "Attack"])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    cells = [[count or 0.0 for count in counts[:2]], [count or 0.0 for count in counts[2:]]]
    shares = [[100 * count / max(sum(line), 1e-9) for count in line] for line in cells]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    if None in counts:
        axes.text(0.5, 0.5, empty, ha="center", va="center", color="#404040")
        return
    for line in range(2):
        for column in range(2):
            share = shares[line][column]
            count = f"{cells[line][column]:,.0f}".replace(",", " ")
            axes.text(
                column,
                line,
                f"{share:.2f} %\n{count}",
                fontsize=8,
                color="white" if share > 55 else "black",
                ha="center",
                va="center",
            )


def draw_confusion(table: Table, context: ReportContext) -> Figure:
    """One column per model: the paper's repaired matrix above, our mean per repetition below."""
    from matplotlib.figure import Figure

    models = table.models
    figure = Figure(figsize=(max(9.0, 2.1 * len(models)), 5.0), layout="constrained")
    grid = figure.subplots(2, len(models), squeeze=False)
    names = broken_names([one.arm for one in models], context)
    for column, (one, name) in enumerate(zip(models, names, strict=True)):
        rows = [table.row(one.arm.name, metric) for metric in table.metrics]
        _matrix(grid[0][column], [row.repaired for row in rows], "not in the paper")
        _matrix(grid[1][column], [row.mean for row in rows], "no run")
        grid[0][column].set_title(name, fontsize=9.5)
        for axes in grid[:, column] if column else ():
            axes.set_yticklabels([])
    grid[0][0].set_ylabel("paper, repaired\n(per 10 000 windows)")
    grid[1][0].set_ylabel("ours\n(mean steps per repetition)")
    return figure


@contextmanager
def style() -> Iterator[None]:
    """Use the style of reports in this block: a user's matplotlibrc must not change the bytes."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


DIGITS = 6  # decimals of a position, a fraction of the figure


def _fix_layout(figure: Figure) -> None:
    """Arrange the figure once and round every position.

    The solver of constrained layouts orders its variables by their addresses in memory, so that the
    last digits of its result differ from process to process, and matplotlib's SVG names clips by
    all digits of their borders."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = (
            round(value, DIGITS) for value in axes.get_position(original=True).bounds
        )
        axes.set_position((left, bottom, width, height))
    for text in figure.texts:
        across, up = text.get_position()
        text.set_position((round(across, DIGITS), round(up, DIGITS)))


def _show_literally(figure: Figure) -> None:
    """Show names as they are, without control characters, and numbers of logarithmic axes without
    formulas, because `STYLE` parses none."""
    for text in figure.findobj(Text):
        text.set_text(printable(text.get_text()))
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = axis.get_view_interval()
        if isinstance(axis.get_major_formatter(), LogFormatter):
            axis.set_major_formatter("{x:g}")
        if isinstance(axis.get_minor_formatter(), LogFormatter):
            axis.set_minor_formatter("{x:g}" if high < 10 * low else "")


def encode(figure: Figure) -> Iterator[tuple[str, bytes]]:
    """(suffix, bytes) as SVG, PNG and, for LaTeX, PDF, without date and program version."""
    _show_literally(figure)
    _fix_layout(figure)
    for suffix, metadata in METADATA.items():
        if suffix == "pdf" and "latex" not in current():
            continue
        target = io.BytesIO()
        figure.savefig(target, format=suffix, dpi=150, metadata=metadata)
        content = target.getvalue()
        if suffix == "svg":  # a comment repeats each text, in which XML has no control characters
            content = printable(content.decode()).encode()
        yield suffix, content


def drawn(name: str, build: Callable[[], Figure]) -> dict[str, bytes]:
    """Draw a figure in the style of reports; returns `figures/<name>.<suffix>` → content."""
    with style():
        return {f"figures/{name}.{suffix}": content for suffix, content in encode(build())}


def heading(figure: Figure, title: str) -> None:
    """Write the title above a figure."""
    figure.suptitle(title, x=0.012, ha="left", fontsize=11, fontweight="bold")


def draw_all(tables: Sequence[Table], context: ReportContext) -> dict[str, bytes]:
    """Figures 2–6 as path → content, one per table."""
    files: dict[str, bytes] = {}
    for table, (name, title) in zip(tables, TITLES.items(), strict=True):
        files |= drawn(name, partial(_titled, table, title, context))
    return files


def _titled(table: Table, title: str, context: ReportContext) -> Figure:
    if table.name == "confusion":
        figure = draw_confusion(table, context)
    else:
        both = {metric: metric.rpartition("_")[2].capitalize() for metric in table.metrics}
        figure = draw_bars(table, PANELS if table.name == "table_5_accuracy" else both, context)
    heading(figure, title)
    foot(figure, context.short_facts(table.models))
    return figure
