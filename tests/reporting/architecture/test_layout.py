"""Boxes and arrows of any graph: layers by longest path, nothing on top of anything."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.reporting.architecture.graph import INPUT, OUTPUT, Network, Part
from anomalynet.reporting.architecture.layout import crossings, layout


def network(*edges: tuple[str, str]) -> Network:
    """Parts in the order in which they are first named."""
    names = dict.fromkeys(name for edge in edges for name in edge if name not in (INPUT, OUTPUT))
    return Network(
        32, 8, tuple(Part(name, "Linear", 10, ((3,),), (("Linear", 1),)) for name in names), edges
    )


@st.composite
def networks(draw: st.DrawFn) -> Network:
    names = [f"part{index}" for index in range(draw(st.integers(1, 8)))]
    order = [INPUT, *names, OUTPUT]
    edges = [
        (a, b) for place, a in enumerate(order) for b in order[place + 1 :] if draw(st.booleans())
    ]
    parts = tuple(Part(name, "Linear", 1, ((3,),), ()) for name in names)
    return Network(32, 8, parts, tuple(edges))


def longest(found: Network, node: str) -> int:
    if node == INPUT:
        return 0
    return max((longest(found, source) + 1 for source in found.sources(node)), default=1)


@settings(max_examples=60, deadline=None)
@given(networks())
def test_any_graph_is_laid_out_by_longest_path_without_overlap(found: Network) -> None:
    drawn = layout(found)
    layers = {name: layer for name, (_, layer) in drawn.boxes.items()}
    assert {name: layers[name] for name in layers if name != OUTPUT} == {
        name: longest(found, name) for name in layers if name != OUTPUT
    }
    assert (
        layers[OUTPUT]
        == drawn.layers - 1
        > max(layer for name, layer in layers.items() if name != OUTPUT)
    )
    assert not drawn.loops
    rows: dict[int, list[tuple[float, float]]] = {}
    for middle, layer in drawn.boxes.values():
        rows.setdefault(layer, []).append((middle - 0.5, middle + 0.5))
    for (source, target), bends in drawn.arrows.items():
        assert len(bends) == layers[target] - layers[source] - 1, "one bend for each layer between"
        for layer, bend in enumerate(bends, layers[source] + 1):
            rows.setdefault(layer, []).append((bend, bend))
    for row in rows.values():
        assert all(
            left_end < right_start for (_, left_end), (right_start, _) in pairwise(sorted(row))
        )
        assert min(start for start, _ in row) > -1e-9
        assert max(end for _, end in row) < drawn.width + 1e-9
    assert drawn == layout(found)


def test_the_hybrid_has_its_arrows_beside_the_boxes_they_pass() -> None:
    drawn = layout(
        network(
            (INPUT, "ae"),
            (INPUT, "cnn"),
            ("cnn", "lstm"),
            ("lstm", "head"),
            ("ae", "head"),
            (INPUT, "head"),
            ("head", OUTPUT),
        )
    )
    assert {name: layer for name, (_, layer) in drawn.boxes.items()} == {
        INPUT: 0,
        "ae": 1,
        "cnn": 1,
        "lstm": 2,
        "head": 3,
        OUTPUT: 4,
    }
    assert {edge: len(bends) for edge, bends in drawn.arrows.items() if bends} == {
        ("ae", "head"): 1,
        (INPUT, "head"): 2,
    }


def test_a_part_that_is_called_again_gets_an_arrow_back() -> None:
    drawn = layout(network((INPUT, "a"), ("a", "b"), ("b", "a"), ("b", "b"), ("b", OUTPUT)))
    assert drawn.loops == (("b", "a"), ("b", "b"))
    assert [drawn.boxes[name][1] for name in (INPUT, "a", "b", OUTPUT)] == [0, 1, 2, 3]


def test_crossings_are_counted_and_undone_where_they_need_not_be() -> None:
    assert crossings([["a", "b"], ["c", "d"]], [("a", "d"), ("b", "c")]) == 1
    assert crossings([["a", "b"], ["c", "d"]], [("a", "c"), ("b", "d"), ("a", "d")]) == 0
    twisted = layout(
        network((INPUT, "a"), (INPUT, "b"), ("b", "c"), ("a", "d"), ("c", OUTPUT), ("d", OUTPUT))
    )
    left_to_right = {name: x for name, (x, _) in twisted.boxes.items()}
    assert (left_to_right["a"] < left_to_right["b"]) is (left_to_right["d"] < left_to_right["c"])
