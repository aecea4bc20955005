"""Where the boxes and arrows of a network stand: layers by longest path, few crossings, the same
for the same graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from anomalynet.reporting.architecture.graph import INPUT, OUTPUT, Network

BEND = 0.25
"""Width, in boxes, that an arrow takes where it passes beside a box."""

SWEEPS = 12
"""Passes over the layers that order their nodes and move them towards their neighbours."""

Node = str | tuple[str, str, int]
"""A box, or the place where the arrow (source, target) passes a layer."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Units of one box's width across and one layer down.

    Attributes:
        boxes: node → (middle, layer); `INPUT` stands in layer 0.
        arrows: (source, target) → the middles of the places that it passes, one a layer between the
        two. loops: arrows back to an earlier part or to the part itself, as in a network that calls
        a part again. width, layers: of the whole.
    """

    boxes: Mapping[str, tuple[float, int]]
    arrows: Mapping[tuple[str, str], tuple[float, ...]]
    loops: tuple[tuple[str, str], ...]
    width: float
    layers: int


def layout(network: Network) -> Layout:
    """Lay a network out from the input above to the score below."""
    place = {name: index for index, name in enumerate(network.nodes)}
    forward = [edge for edge in network.edges if place[edge[0]] < place[edge[1]]]
    loops = tuple(edge for edge in network.edges if edge not in forward)
    layer = _layers(network.nodes, forward)
    bends: dict[tuple[str, str], list[Node]] = {
        (source, target): [(source, target, at) for at in range(layer[source] + 1, layer[target])]
        for source, target in forward
    }
    links = [
        link for (source, target), own in bends.items() for link in pairwise([source, *own, target])
    ]
    rows: list[list[Node]] = [[] for _ in range(layer[OUTPUT] + 1)]
    for name in network.nodes:
        rows[layer[name]].append(name)
    for (source, _), own in bends.items():
        for at, bend in enumerate(own, layer[source] + 1):
            rows[at].append(bend)
    rows = _ordered(rows, links)
    x = _placed(rows, links)
    left = min(x[node] - _width(node) / 2 for node in x)
    right = max(x[node] + _width(node) / 2 for node in x)
    arrows = {edge: tuple(x[bend] - left for bend in own) for edge, own in bends.items()}
    return Layout(
        {name: (x[name] - left, layer[name]) for name in network.nodes},
        arrows,
        loops,
        right - left,
        len(rows),
    )


def _layers(nodes: Sequence[str], forward: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest path from the input; a part that nothing feeds stands right below it, the score
    below everything."""
    found: dict[str, int] = {}
    for node in nodes:
        found[node] = (
            0
            if node == INPUT
            else max((found[source] + 1 for source, target in forward if target == node), default=1)
        )
    found[OUTPUT] = max(found[OUTPUT], 1 + max(found[node] for node in nodes if node != OUTPUT))
    return found


def _width(node: Node) -> float:
    return 1.0 if isinstance(node, str) else BEND


def _neighbours(links: Sequence[tuple[Node, Node]], down: bool) -> dict[Node, list[Node]]:
    found: dict[Node, list[Node]] = {}
    for above, below in links:
        here, there = (below, above) if down else (above, below)
        found.setdefault(here, []).append(there)
    return found


def crossings(rows: Sequence[Sequence[Node]], links: Sequence[tuple[Node, Node]]) -> int:
    """How many pairs of arrows cross between neighbouring layers."""
    at = {node: (layer, place) for layer, row in enumerate(rows) for place, node in enumerate(row)}
    spans = [(at[above][0], at[above][1], at[below][1]) for above, below in links]
    return sum(
        one[0] == other[0] and (one[1] - other[1]) * (one[2] - other[2]) < 0
        for one, other in combinations(spans, 2)
    )


def _ordered(rows: list[list[Node]], links: Sequence[tuple[Node, Node]]) -> list[list[Node]]:
    """The order with the fewest crossings that sorting layers by the mean place of their neighbours
    comes by."""
    best, fewest = [list(row) for row in rows], crossings(rows, links)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = _neighbours(links, down)
        for layer in range(len(rows)) if down else reversed(range(len(rows))):
            at = {node: (place + 0.5) / len(row) for row in rows for place, node in enumerate(row)}
            means = {
                node: _mean([at[other] for other in neighbours.get(node, [node])])
                for node in rows[layer]
            }
            rows[layer] = sorted(rows[layer], key=lambda node: means[node])
        if (found := crossings(rows, links)) < fewest:
            best, fewest = [list(row) for row in rows], found
    return best


def _placed(
    rows: Sequence[Sequence[Node]], links: Sequence[tuple[Node, Node]]
) -> dict[Node, float]:
    """Each node near the middle of its neighbours, none on another."""
    x: dict[Node, float] = {}
    for row in rows:
        x |= dict(zip(row, _apart(row, [0.0] * len(row)), strict=True))
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = _neighbours(links, down)
        for row in rows if down else reversed(rows):
            wanted = [_mean([x[other] for other in neighbours.get(node, [node])]) for node in row]
            x |= dict(zip(row, _apart(row, wanted), strict=True))
    return x


def _apart(row: Sequence[Node], wanted: Sequence[float]) -> list[float]:
    """As near to the wanted places as their order and widths allow: the mean of pushing to the
    right and pushing to the left."""
    gaps = [0.15 + (_width(one) + _width(other)) / 2 for one, other in pairwise(row)]

    def push(places: Sequence[float], gaps: Sequence[float]) -> list[float]:
        found = [places[0]]
        for place, gap in zip(places[1:], gaps, strict=True):
            found.append(max(place, found[-1] + gap))
        return found

    right = push(wanted, gaps)
    left = [-place for place in reversed(push([-place for place in reversed(wanted)], gaps[::-1]))]
    return [(one + other) / 2 for one, other in zip(right, left, strict=True)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
