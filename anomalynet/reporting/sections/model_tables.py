"""The sections with one line per model: "The paper's tables and figures" (Tables 1–5, Figures 1–6:
printed, repaired and our values; Figure 1 shows the networks that were trained), and the cost of
each model."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anomalynet.documents import read_json_value
from anomalynet.errors import RunError
from anomalynet.reporting import figures
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.captions import ReportContext, Section
from anomalynet.reporting.figures import TITLES, draw_all
from anomalynet.reporting.formats import markdown
from anomalynet.reporting.tables import (
    COSTS,
    TRAINING,
    cost_rows,
    csv_file,
    other_tables,
    paper_tables,
    training_rows,
)
from anomalynet.runs.collect import MOVE_AWAY, RunRecord
from anomalynet.runs.folder import RunFolder

EDGE = 0.36  # rows from the middle of a box to the ends of its arrows
FIGURE, TITLE = "figure_1_architecture", "Figure 1. Architecture of the hybrid"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a network; the fields are columns of its table."""

    part: str
    kind: str  # its class
    layers: str  # the torch layers in it
    output: str  # shapes without the batch
    parameters: int


@dataclass(frozen=True, slots=True)
class Network:
    """The parts of a network."""

    window: str  # shape of its input
    parts: tuple[Part, ...]  # in the order in which data passes through them
    parameters: int
    parallel: str  # name of the part that runs in parallel with the others; "" if none

    @property
    def chain(self) -> list[Part]:
        """The parts that follow each other, in their order."""
        return [part for part in self.parts if part.part != self.parallel] or list(self.parts)


def read_network(record: RunRecord) -> Network | None:
    """The network of a run; None if the run stored none, or an earlier version wrote it."""
    path = RunFolder(record.folder).architecture
    try:
        raw = read_json_value(path)
        if "parts" in raw:  # as written until version 0.1.0
            return None
        steps, channels = raw["input"]
        parts = tuple(_part(**one) for one in raw["layers"])
        parts = tuple(sorted(parts, key=lambda part: part.part != "autoencoder"))
        inline = record.config.get("model", {}).get("autoencoder_placement") == "inline"
        parallel = "" if inline else "autoencoder"
        window = f"{steps} steps × {channels} channels"
        return Network(window, parts, int(raw["parameters"]), parallel)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: not the parts of a network: {error!r}", MOVE_AWAY) from None


def _part(
    *, name: str, type: str, parameters: int, shapes: list[list[int]], within: dict[str, int]
) -> Part:
    layers = ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in within.items())
    output = " and ".join(" × ".join(map(str, shape)) or "a number" for shape in shapes)
    return Part(name, type, layers, output or "nothing", int(parameters))


def figure_1_section(context: ReportContext) -> Section:
    """Figure 1 and its table; empty if the report contains no network."""
    records = [record for one in context.models for record in one.arm.records]
    if all(record.result.epochs is None for record in records):
        return Section()
    usual = {one.arm.name: _usual(one) for one in context.models}
    rows = [
        {"model": name, "data": context.data, "run": found[1], **asdict(part)}
        for name, found in usual.items()
        if found
        for part in found[0].parts
    ]
    hybrids = [one for one in context.models if one.arm.experiment == "hybrid"]
    shown = [(one, found) for one in hybrids if (found := usual[one.arm.name])]
    if not shown:
        missing = "there is no such run, or an earlier version made it."
        return Section([f"No run of the hybrid has stored the parts of its network: {missing}"])
    main, (network, run, left_out) = shown[0]
    source = f"from run `{run}`{left_out}"
    note = f"{main.arm.title}: {_count(network.parameters)} parameters, {source}."
    image = context.figure(FIGURE, TITLE, note, "architecture.csv")
    drawn = figures.drawn(FIGURE, TITLE, source, partial(_figure, network))
    return Section([image], csv_file("architecture", rows) | drawn)


def _usual(model: ArmMetrics) -> tuple[Network, str, str] | None:
    """The most common network of an arm's runs (of equally common ones, that of the first run), one
    of its runs, and how many runs have another network or none."""
    records = model.arm.records
    found = [(record, network) for record in records if (network := read_network(record))]
    if not found:
        return None
    usual, same = Counter(network for _, network in found).most_common(1)[0]
    first = next(record.result for record, network in found if network == usual)
    other, none = len(found) - same, len(records) - len(found)
    phrases = [f"{other} with another network"] if other else []
    phrases += [f"{none} without one"] if none else []
    left_out = f" (not shown: {' and '.join(phrases)})" if phrases else ""
    return usual, f"{first.experiment}/{first.id}", left_out


def _count(number: int) -> str:
    """A count with thin spaces between thousands."""
    return f"{number:,}".replace(",", " ")


def _figure(network: Network) -> Figure:
    rows = len(network.chain) + 2
    figure = Figure(figsize=(6.0, 0.72 * rows), layout="constrained")
    axes = figure.subplots()
    axes.axis("off")
    axes.set_xlim(-1, 1)
    axes.set_ylim(rows - 0.4, -0.6)
    _blocks(axes, network)
    return figure


def _blocks(axes: Axes, network: Network) -> None:
    """Draw the window at the top, the parts below each other, and the parallel part at the side."""
    chain = network.chain
    side = [part for part in network.parts if part not in chain]
    middle = -0.5 if side else 0.0
    _box(axes, 0.0, 0, "Window", network.window, "#E8E8E8")
    for row, part in enumerate(chain, 1):
        x = 0.0 if row == len(chain) else middle
        _box(axes, x, row, part.part, _numbers(part), "#DCEBF7")
        _arrow(axes, (0.0 if row == 1 else middle, row - 1), (x, row))
    for part in side:
        row = max(1, len(chain) // 2)
        _box(axes, 0.5, row, part.part, _numbers(part), "#DCEBF7")
        _arrow(axes, (0.0, 0), (0.5, row))
        _arrow(axes, (0.5, row), (0.0, len(chain)))
    _box(axes, 0.0, len(chain) + 1, "Score", "of the window", "#E8E8E8")
    _arrow(axes, (0.0, len(chain)), (0.0, len(chain) + 1))


def _numbers(part: Part) -> str:
    return f"{part.kind}, {part.output}\n{_count(part.parameters)} parameters"


def _box(axes: Axes, x: float, row: int, name: str, text: str, colour: str) -> None:
    box: Any = {"boxstyle": "round", "facecolor": colour, "edgecolor": "#303030", "linewidth": 0.8}
    axes.text(x, row, f"{name}\n{text}", ha="center", va="center", fontsize=7, bbox=box)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    arrow: Any = {"arrowstyle": "-|>", "color": "#303030", "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (end[0], end[1] - EDGE), (start[0], start[1] + EDGE), arrowprops=arrow)


NOTE = (
    "*Printed* is the paper's; *repaired* comes from the one confusion matrix per model, at 71.37 "
    "% attack, that its consistent cells imply (\\*: the cell is repaired). The paper names no "
    "data set, split or seed: *ours* is another measurement, not a reproduction to the tenth of a "
    "point."
)


def paper_section(context: ReportContext) -> Section:
    """Each table with its figure; the paper's four models are always included."""
    tables = paper_tables(context)
    others, ranking = other_tables(context)
    training, figure_1 = training_rows(context), figure_1_section(context)
    *by_class, accuracy, _ = tables
    images = [context.figure(name, title) for name, title in TITLES.items()]
    sources = " ".join(f"{table.name}.csv" for table in (*by_class, others))
    missing = "No network has been trained yet."
    parts = [
        "## The paper's tables and figures",
        NOTE,
        markdown.by_class(by_class, others, context.signs),
        context.caption("Tables 2–4. Precision, recall and F1, percent", csv=sources),
        *images[:1],
        markdown.accuracies(accuracy, context.signs),
        context.caption(
            "Table 5. Accuracy, percent",
            "The *eq. 13 recipe* makes two accuracies from precisions alone.",
            "table_5_accuracy.csv ranking_and_incidents.csv",
        ),
        *images[1:],
        markdown.training(training, context.models) if training else missing,
        context.caption("Table 1. Training parameters", csv="table_1_training.csv"),
        *figure_1.parts,
    ]
    files = csv_file("table_1_training", training, TRAINING)
    for table in (*tables, others, ranking):
        files |= table.files
    return Section(parts, {**figure_1.files, **files, **draw_all(tables, context)})


def cost_section(context: ReportContext) -> Section:
    """The number of parameters and the durations of every model."""
    costs = cost_rows(context)
    table = markdown.cost(costs, {one.arm.name: one.arm.title for one in context.models}, COSTS)
    note = "Mean ± standard deviation over runs on their machine; nothing else depends on it."
    parts = ["## Cost", table, context.caption("Cost", note, "cost.csv")]
    return Section(parts, csv_file("cost", costs))
