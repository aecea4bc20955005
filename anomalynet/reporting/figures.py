"""Draws Figures 2–6 like the paper's from the tables: grouped bars and confusion matrices. The same
rows give the same bytes. Also the style, the colours of models and the encoding of all figures."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter

from anomalynet.errors import printable
from anomalynet.reporting.arms import Arm
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.formats.files import current
from anomalynet.reporting.paper import published
from anomalynet.reporting.tables import Row, Table

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
DESCRIPTIONS = {"svg": "Description", "png": "Description", "pdf": "Subject"}
"""Format → the field of its metadata for the conditions, which the picture does not show."""

# Okabe–Ito
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, BLACK = "#CC79A7", "#56B4E9", "#F0E442", "#000000"

PAPER = (("paper, printed", "#E6E6E6", "////"), ("paper, repaired", "#9A9A9A", ""))
"""Label, colour and hatch of the paper's bars; ours have the model's colour."""

BAR = 0.27
LINES = "#E5E5E5"
Lines = Literal["both", "x", "y"]

TITLES = {
    "figures_2_to_4": "Figures 2–4. Precision, recall and F1",
    "figure_5_accuracy": "Figure 5. Accuracy",
    "figure_6_confusion": "Figure 6. Confusion matrices",
}
"""File name → title."""
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


def _bars(axes: Axes, rows: Sequence[Row], names: Sequence[str], colours: Sequence[str]) -> None:
    """Draw one panel with three bars per model, ours with its spread."""
    values_of = [[one[name] for one in rows] for name in ("printed", "repaired", "mean")]
    for index, values in enumerate(values_of):
        at = [model + (index - 1) * BAR for model in range(len(rows))]
        label, colour, hatch = PAPER[index] if index < 2 else ("ours, mean ± spread", "", "")
        spread = None if colour else [row["spread"] or 0.0 for row in rows]
        look: Any = {"label": label, "color": colour or colours, "hatch": hatch, "width": BAR}
        look |= {"edgecolor": "#404040", "linewidth": 0.5, "error_kw": {"elinewidth": 0.9}}
        axes.bar(at, [value or 0.0 for value in values], yerr=spread, **look)
        for place, value, row in zip(at, values, rows, strict=True):
            if value is None and not colour:
                text = "undefined" if row["seeds"] else "no run"
                axes.text(place, 2, text, fontsize=6.5, rotation=90, ha="center", va="bottom")
    axes.set_xticks(range(len(rows)), names)
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(0, 103)
    axes.grid(axis="y", color=LINES, linewidth=0.6)


COLOURS = [BLUE, GREEN, ORANGE, VERMILION, PURPLE, SKY]
COLOURS += ["#882255", "#999933", "#332288", "#44AA99", "#661100"]
MARKERS = "osD^vP*X<>hd"
"""A model keeps its colour and marker in all reports; the colours are told apart by the
colour-blind (Okabe and Ito, then Tol), the markers by everyone."""
SHIPPED = (
    *published.TITLES,
    *("random_forest", "gradient_boosting", "hybrid_plus", "hybrid_injected", "logistic"),
    *("autoencoder", "isolation_forest"),
)
"""The experiments whose look is the same in all reports."""


def looks(context: ReportContext) -> dict[str, dict[str, Any]]:
    """Name of an arm → how its lines and points look in every figure of a report."""
    return looks_of([one.arm.name for one in context.models])


def looks_of(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Name of an arm or experiment → how its lines and points look."""
    every = list(dict.fromkeys([*SHIPPED, *names]))
    return {
        name: {
            "color": COLOURS[every.index(name) % len(COLOURS)],
            "marker": MARKERS[every.index(name) % len(MARKERS)],
            "linestyle": "-" if every.index(name) < len(COLOURS) else "-.",
        }
        for name in names
    }


def panel(
    width: float, height: float, across: str, up: str = "", lines: Lines = "both"
) -> tuple[Figure, Axes]:
    """A figure of one panel, in inches, with the titles of its axes and light lines."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(axis=lines, color=LINES, linewidth=0.6)
    return figure, axes


Panels = Sequence[tuple[Table, str, str]]  # table, metric and title of each panel


def draw_bars(panels: Panels, columns: int, context: ReportContext) -> Figure:
    """Printed, repaired and our values of each model in percent, one panel per metric."""
    models, own = panels[0][0].models, looks(context)
    lines = len(panels) // columns
    size = (max(3.5, 0.95 * len(models)) * columns, 0.6 + 1.9 * lines)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True, sharex=True)
    names = broken_names([one.arm for one in models], context)
    colours = [own[one.arm.name]["color"] for one in models]
    for axes, (table, metric, name) in zip(grid.flat, panels, strict=True):
        _bars(axes, [table.row(one, metric) for one in models], names, colours)
        axes.set_title(name, loc="left", fontsize=9)
    for axes in grid[:, 0]:
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
            look: Any = {"fontsize": 8, "color": "white" if share > 55 else "black"}
            axes.text(column, line, f"{share:.2f} %\n{count}", ha="center", va="center", **look)


def draw_confusion(table: Table, context: ReportContext) -> Figure:
    """One column per model: the paper's repaired matrix above, our mean per repetition below."""
    models = table.models
    figure = Figure(figsize=(max(7.0, 1.75 * len(models)), 4.2), layout="constrained")
    grid = figure.subplots(2, len(models), squeeze=False)
    names = broken_names([one.arm for one in models], context)
    for column, (one, name) in enumerate(zip(models, names, strict=True)):
        rows = [table.row(one, metric) for metric in table.metrics]
        _matrix(grid[0][column], [row["repaired"] for row in rows], "not in the paper")
        _matrix(grid[1][column], [row["mean"] for row in rows], "no run")
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


def encode(
    figure: Figure, suffixes: Sequence[str] = ("svg", "png"), title: str = "", facts: str = ""
) -> Iterator[tuple[str, bytes]]:
    """(suffix, bytes) in each format, without date and program version, with title and facts."""
    _show_literally(figure)
    _fix_layout(figure)
    for suffix in suffixes:
        metadata = METADATA[suffix]
        if title:
            metadata = {**metadata, "Title": title, DESCRIPTIONS[suffix]: facts}
        target = io.BytesIO()
        figure.savefig(target, format=suffix, dpi=150, metadata=metadata)
        content = target.getvalue()
        if suffix == "svg":  # a comment repeats each text, in which XML has no control characters
            content = printable(content.decode()).encode()
        yield suffix, content


def drawn(name: str, title: str, facts: str, build: Callable[[], Figure]) -> dict[str, bytes]:
    """Draw a figure in the style of reports as SVG and, for LaTeX, PDF; title and facts go into its
    metadata, the picture has neither. Returns `figures/<name>.<suffix>` → content."""
    suffixes = ("svg", "pdf") if "latex" in current() else ("svg",)
    with style():
        found = encode(build(), suffixes, printable(title), printable(facts))
        return {f"figures/{name}.{suffix}": content for suffix, content in found}


def heading(figure: Figure, title: str) -> None:
    """Write the title above a picture that stands alone."""
    figure.suptitle(title, x=0.012, ha="left", fontsize=11, fontweight="bold")


def draw_all(tables: Sequence[Table], context: ReportContext) -> dict[str, bytes]:
    """Figures 2–6 as path → content, from Tables 2–5 and the confusion matrices."""
    *by_class, accuracy, confusion = tables
    columns = [(table, table.title.partition(". ")[2]) for table in by_class]
    panels = [
        (table, table.metrics[row], f"{title} ({class_})")
        for row, class_ in enumerate(("normal", "attack"))
        for table, title in columns
    ]
    of_accuracy = [(accuracy, metric, title) for metric, title in PANELS.items()]
    builds: list[Callable[[], Figure]] = [
        partial(draw_bars, panels, 3, context),
        partial(draw_bars, of_accuracy, 2, context),
        partial(draw_confusion, confusion, context),
    ]
    files: dict[str, bytes] = {}
    for (name, title), build in zip(TITLES.items(), builds, strict=True):
        files |= drawn(name, title, context.facts(), build)
    return files
