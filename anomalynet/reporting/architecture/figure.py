"""Networks drawn as boxes and arrows, in inches: kind, name, layers, shapes and parameters of each
part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anomalynet.reporting.architecture.graph import INPUT, OUTPUT, Network, Part
from anomalynet.reporting.architecture.layout import Layout, layout
from anomalynet.reporting.figures import encode, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BOX, HEIGHT, GAP = 2.25, 0.86, 0.42
"""Inches: width and height of a box, and the space between layers."""

WIDEST = 8.5
"""Inches of a row of networks; the next one begins a new row."""

LONGEST = 34
"""Letters of a line in a box."""

ENDS, PART, EDGE = "#E8E8E8", "#DCEBF7", "#303030"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A network under its title."""

    title: str
    network: Network


def draw(name: str, title: str, drawn: Sequence[Drawn]) -> dict[str, bytes]:
    """Networks side by side as file name → content, SVG and PNG."""
    with style():
        return {f"{name}.{suffix}": content for suffix, content in encode(_figure(title, drawn))}


def shape_text(part: Part) -> str:
    """`16 × 64`; several results are told apart by `and`."""
    return (
        " and ".join(" × ".join(map(str, shape)) or "a number" for shape in part.shapes)
        or "nothing"
    )


def layers_text(part: Part) -> str:
    """`Conv1d, Linear ×2`."""
    return ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in part.layers)


def count_text(number: int) -> str:
    """A count with thin spaces between thousands."""
    return f"{number:,}".replace(",", " ")


def _figure(title: str, drawn: Sequence[Drawn]) -> Figure:
    from matplotlib.figure import Figure

    laid = [(one, layout(one.network)) for one in drawn]
    places, width, height = _arranged([found for _, found in laid])
    figure = Figure(figsize=(width + 0.3, height + 0.55))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-0.15, width + 0.15)
    axes.set_ylim(height + 0.1, -0.45)
    axes.axis("off")
    axes.text(0, -0.32, title, fontsize=11, fontweight="bold", va="center")
    for (one, found), (x, y) in zip(laid, places, strict=True):
        axes.text(x, y + 0.12, one.title, fontsize=9.5, va="center")
        _draw(axes, one.network, found, x, y + 0.35)
    return figure


def _arranged(layouts: Sequence[Layout]) -> tuple[list[tuple[float, float]], float, float]:
    """The upper left corner of each network, and the size of all of them, in inches."""
    places: list[tuple[float, float]] = []
    x = y = tallest = widest = 0.0
    for found in layouts:
        width, height = max(found.width * BOX, BOX), 0.35 + found.layers * (HEIGHT + GAP)
        if x and x + width > WIDEST:
            x, y, tallest = 0.0, y + tallest, 0.0
        places.append((x, y))
        x, tallest, widest = x + width + 0.5, max(tallest, height), max(widest, x + width)
    return places, max(widest, 4.5), y + tallest - GAP


def _draw(axes: Axes, network: Network, found: Layout, left: float, top: float) -> None:
    ends = {
        INPUT: ("Window", "input", "", f"{network.steps} steps × {network.channels} channels"),
        OUTPUT: ("Score", "output", "", "of the window"),
    }
    texts = {
        part.name: (part.kind, part.name, layers_text(part), _numbers(part))
        for part in network.parts
    } | ends
    for edge, bends in found.arrows.items():
        _arrow(axes, found, edge, bends, left, top)
    for source, target in found.loops:
        _loop(axes, found, source, target, left, top)
    for name, (middle, layer) in found.boxes.items():
        _box(
            axes,
            left + middle * BOX,
            top + layer * (HEIGHT + GAP),
            texts[name],
            ENDS if name in ends else PART,
        )


def _numbers(part: Part) -> str:
    return (
        f"{shape_text(part)} · {count_text(part.parameters)} parameters"
        if part.parameters
        else shape_text(part)
    )


def _box(
    axes: Axes, middle: float, top: float, text: tuple[str, str, str, str], colour: str
) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (middle - BOX / 2 + 0.09, top + 0.06)
    axes.add_patch(
        FancyBboxPatch(
            corner,
            BOX - 0.18,
            HEIGHT - 0.12,
            boxstyle="round,pad=0.05",
            facecolor=colour,
            edgecolor=EDGE,
            linewidth=0.8,
        )
    )
    sizes = (
        ("bold", 9.0, EDGE),
        ("normal", 7.0, "#606060"),
        ("normal", 7.0, EDGE),
        ("normal", 7.5, EDGE),
    )
    lines = [(line, how) for line, how in zip(text, sizes, strict=True) if line]
    for place, (line, (weight, size, ink)) in enumerate(lines):
        y = top + HEIGHT * (place + 0.75) / (len(lines) + 0.5)
        shown = line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
        axes.text(
            middle, y, shown, ha="center", va="center", fontsize=size, fontweight=weight, color=ink
        )


def _port(found: Layout, node: str, other: str, incoming: bool) -> float:
    """Where an arrow meets a box, in boxes from the left: arrows to one side are spread in the
    order of where they come from."""
    edges = [edge for edge in found.arrows if edge[1 if incoming else 0] == node]
    middle = found.boxes[node][0]

    def nearest(edge: tuple[str, str]) -> float:
        bends = found.arrows[edge]
        return (
            found.boxes[edge[0 if incoming else 1]][0]
            if not bends
            else bends[-1 if incoming else 0]
        )

    edges.sort(key=nearest)
    place = edges.index((other, node) if incoming else (node, other))
    return middle + 0.6 * ((place + 0.5) / len(edges) - 0.5)


def _arrow(
    axes: Axes,
    found: Layout,
    edge: tuple[str, str],
    bends: Sequence[float],
    left: float,
    top: float,
) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    row = HEIGHT + GAP
    y = top + found.boxes[edge[0]][1] * row + HEIGHT
    x = left + _port(found, edge[0], edge[1], incoming=False) * BOX
    points, codes = [(x, y)], [Path.MOVETO]
    ends = [*bends, _port(found, edge[1], edge[0], incoming=True)]
    for place, end in enumerate(ends):
        to = left + end * BOX
        points += [(x, y + GAP / 2), (to, y + GAP / 2), (to, y + GAP)]
        codes += [Path.CURVE4] * 3
        x, y = to, y + GAP
        if place < len(bends):
            y += HEIGHT
            points.append((x, y))
            codes.append(Path.LINETO)
    axes.add_patch(
        FancyArrowPatch(
            path=Path(points, codes), arrowstyle="-|>", mutation_scale=9, color=EDGE, linewidth=1.0
        )
    )


def _loop(axes: Axes, found: Layout, source: str, target: str, left: float, top: float) -> None:
    """An arrow back, dashed, along the right side of the boxes."""
    from matplotlib.patches import FancyArrowPatch

    def side(name: str) -> tuple[float, float]:
        middle, layer = found.boxes[name]
        return left + (middle + 0.46) * BOX, top + layer * (HEIGHT + GAP)

    (x, y), (to, end) = side(source), side(target)
    start, stop = (x, y + 0.75 * HEIGHT), (to, end + 0.25 * HEIGHT)
    patch = FancyArrowPatch(
        start,
        stop,
        connectionstyle="arc3,rad=0.8",
        arrowstyle="-|>",
        mutation_scale=9,
        color=EDGE,
        linewidth=1.0,
        linestyle=(0, (4, 2)),
    )
    axes.add_patch(patch)
