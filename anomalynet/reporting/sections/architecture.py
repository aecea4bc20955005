"""Figure 1: the networks that were trained, as a block diagram and a table of their parts."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from anomalynet.errors import RunError
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.figures import drawn, heading
from anomalynet.reporting.formats import markdown
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.tables import to_csv
from anomalynet.runs.collect import MOVE_AWAY, RunRecord
from anomalynet.runs.folder import RunFolder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EDGE = 0.36  # rows from the middle of a box to where its arrows begin and end
MAIN, OTHERS = "figure_1_architecture", "figure_1_other_networks"
TITLE, OTHERS_TITLE = "Figure 1. Architecture of the hybrid", "Architecture of the other networks"
COLUMNS = ("model", "data", "run", "part", "kind", "layers", "output", "parameters")
NOTE = (
    "Each box is a part of the network that was trained, with the shape of what it returns and how "
    "many weights it has; parts that are switched off are not there. The order is the "
    "configuration's."
)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a network: its name and type, the torch layers within, shapes without the batch."""

    name: str
    kind: str
    layers: str
    output: str
    parameters: int


@dataclass(frozen=True, slots=True)
class Network:
    """Parts in the order they were made; `beside` of them reads the window beside the others."""

    window: str
    parts: tuple[Part, ...]
    parameters: int
    beside: str

    @property
    def chain(self) -> list[Part]:
        """The parts that feed each other, in their order."""
        return [part for part in self.parts if part.name != self.beside] or list(self.parts)


def read_network(record: RunRecord) -> Network | None:
    """The network of a run; None where the run kept none, or an earlier version wrote it.

    Raises: RunError: the file is damaged.
    """
    path = RunFolder(record.folder).architecture
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if "parts" in raw:  # as written until version 0.1.0
            return None
        steps, channels = raw["input"]
        parts = tuple(_part(**one) for one in raw["layers"])
        parts = tuple(sorted(parts, key=lambda part: part.name != "autoencoder"))
        inline = record.config.get("model", {}).get("autoencoder_placement") == "inline"
        beside = "" if inline else "autoencoder"
        window = f"{steps} steps × {channels} channels"
        return Network(window, parts, int(raw["parameters"]), beside)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{path}: not the parts of a network: {error!r}"
        raise RunError(what, MOVE_AWAY) from None


def _part(
    *, name: str, type: str, parameters: int, shapes: list[list[int]], within: dict[str, int]
) -> Part:
    layers = ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in within.items())
    output = " and ".join(" × ".join(map(str, shape)) or "a number" for shape in shapes)
    return Part(name, type, layers, output or "nothing", int(parameters))


@dataclass(frozen=True, slots=True)
class _Shown:
    """An arm with the network that most of its runs have, and one of those runs."""

    one: ArmMetrics
    network: Network
    run: str
    others: str

    @property
    def title(self) -> str:
        return f"{self.one.arm.title}: {_count(self.network.parameters)} parameters"

    @property
    def sentence(self) -> str:
        return f"{self.title}, of run `{self.run}`{self.others}"


def figure_1_section(context: ReportContext) -> Section:
    """Figure 1 and its tables; nothing where the report is of no network.

    Raises: RunError: a run's `architecture.json` is damaged.
    """
    records = [record for one in context.models for record in one.arm.records]
    if all(record.result.epochs is None for record in records):
        return Section()
    known = [found for one in context.models if (found := _shown(one))]
    main = [found for found in known if found.one.arm.experiment == "hybrid"][:1]
    others = [found for found in known if found not in main]
    parts, files = [f"### {TITLE}"], dict[str, bytes]()
    if not main:
        missing = "there is none, or it was made by an earlier version."
        parts.append(f"No run of the hybrid has kept its network's parts: {missing}")
    parts += [NOTE] if known else []
    for name, title, shown in ((MAIN, TITLE, main), (OTHERS, OTHERS_TITLE, others)):
        if shown:
            note = "; ".join(found.sentence for found in shown) + "."
            parts.append(context.figure(name, title, [found.one for found in shown], note))
            files |= drawn(name, partial(_figure, title, shown))
    if main:
        network = main[0].network
        lines = [
            [f"`{one.name}`", one.kind, one.layers, one.output, _count(one.parameters)]
            for one in network.parts
        ]
        lines.append(["**all**", "", "", "", f"**{_count(network.parameters)}**"])
        header = ["Part", "kind", "layers", "output", "parameters"]
        parts.append(markdown.grid(header, lines, "llllr"))
    if known:
        rows = [
            (one.one.arm.name, context.data, one.run, *astuple(part))
            for one in known
            for part in one.network.parts
        ]
        files["tables/architecture.csv"] = to_csv(COLUMNS, rows).encode()
        parts.append("The parts of every network: [architecture.csv](tables/architecture.csv).")
    return Section(parts, files)


def _shown(one: ArmMetrics) -> _Shown | None:
    """The commonest network of an arm's runs; of several as common, that of the first run."""
    found = [(record, network) for record in one.arm.records if (network := read_network(record))]
    if not found:
        return None
    usual, same = Counter(network for _, network in found).most_common(1)[0]
    first = next(record.result for record, network in found if network == usual)
    other, none = len(found) - same, len(one.arm.records) - len(found)
    told = [f"{other} with another network"] if other else []
    told += [f"{none} without one"] if none else []
    beside = f" (beside {' and '.join(told)})" if told else ""
    return _Shown(one, usual, f"{first.experiment}/{first.id}", beside)


def _count(number: int) -> str:
    """A count with thin spaces between thousands."""
    return f"{number:,}".replace(",", " ")


def _figure(title: str, shown: Sequence[_Shown]) -> Figure:
    from matplotlib.figure import Figure

    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    rows = max(len(found.network.chain) for found in shown) + 2
    size = (max(3.6 * columns, 6.0), 0.72 * rows * lines + 0.6)
    panels = Figure(figsize=size, layout="constrained")
    grid = panels.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, found in zip(grid.flat, shown, strict=False):
        axes.set_title(textwrap.fill(found.title, 44), fontsize=9)
        axes.set_xlim(-1, 1)
        axes.set_ylim(rows - 0.4, -0.6)
        _blocks(axes, found.network)
    heading(panels, title)
    return panels


def _blocks(axes: Axes, network: Network) -> None:
    """The window above, the parts below each other, the one that reads beside them at the side."""
    chain = network.chain
    side = [part for part in network.parts if part not in chain]
    middle = -0.5 if side else 0.0
    _box(axes, 0.0, 0, "Window", network.window, "#E8E8E8")
    for row, part in enumerate(chain, 1):
        x = 0.0 if row == len(chain) else middle
        _box(axes, x, row, part.name, _numbers(part), "#DCEBF7")
        _arrow(axes, (0.0 if row == 1 else middle, row - 1), (x, row))
    for part in side:
        row = max(1, len(chain) // 2)
        _box(axes, 0.5, row, part.name, _numbers(part), "#DCEBF7")
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
