"""Main effects and interactions: known cells, missing cells, and the definition by brute force."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.reporting.ablation.arms import (
    Ablation,
    AblationArm,
    MeasuredArm,
    SeriesValues,
    measure,
)
from anomalynet.reporting.ablation.contrasts import SeriesKey
from anomalynet.reporting.ablation.effects import Effect, effects
from anomalynet.reporting.ablation.figures import axis_view
from anomalynet.reporting.ablation.tables import effect_verdict
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.arms import Arm
from tests.reporting.ablations import arm, factorial, recalls, run


def measured(ablation: Ablation) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
    """Main effects and interactions."""
    arms, clusters = measure(ablation)
    return effects(ablation, arms, clusters, 1), effects(ablation, arms, clusters, 2)


AXES: dict[str, list[object]] = {"model.attention": [True, False], "model.depth": [2, 1, 0]}
Cell = tuple[object, ...]
MISSING_ONE: dict[Cell, float] = {(True, 2): 0.5, (True, 1): 0.45, (True, 0): 0.4}
MISSING_ONE |= {(False, 2): 0.55, (False, 0): 0.3}


def means(found: tuple[Effect, ...]) -> dict[str, float | None]:
    return {
        one.label: None if one.contrast is None else round(one.contrast.mean, 9) for one in found
    }


def test_a_balanced_two_by_two(tmp_path: Path) -> None:
    axes: dict[str, list[object]] = {"model.attention": [True, False], "model.depth": [2, 0]}
    cells: dict[Cell, float] = {(True, 2): 0.5, (True, 0): 0.4, (False, 2): 0.45, (False, 0): 0.25}
    main, both = measured(factorial(tmp_path, axes, cells))
    assert means(main) == {"model.attention=false": -0.10, "model.depth=0": -0.15}
    assert means(both) == {"model.attention=false × model.depth=0": -0.10}
    assert [(one.matched, one.wanted) for one in (*main, *both)] == [(2, 2), (2, 2), (1, 1)]
    assert main[0].contrast is not None and both[0].contrast is not None
    assert (main[0].contrast.p, main[0].contrast.adjusted) == (2 / 2**8, 4 / 2**8)
    assert (both[0].contrast.p, both[0].contrast.adjusted) == (2 / 2**8, 2 / 2**8)
    assert effect_verdict(main[0], "recall_attack") == "worse"
    assert effect_verdict(both[0], "recall_attack") == "together worse than the sum of both"


def test_a_two_by_three_with_a_missing_cell_matches_what_is_there(tmp_path: Path) -> None:
    ablation = factorial(tmp_path, AXES, MISSING_ONE)
    main, both = measured(ablation)
    levels = ("model.attention=false", "model.depth=1", "model.depth=0")
    assert means(main) == dict(zip(levels, (-0.025, -0.05, -0.175), strict=True))
    pairs = (f"{levels[0]} × {level}" for level in levels[1:])
    assert means(both) == dict(zip(pairs, (None, -0.15), strict=True))
    assert effect_verdict(both[0], "recall_attack") == "not in the sweep"
    # an axis is shown over the combinations that all its levels share
    arms, _ = measure(ablation)
    attention = axis_view(ablation, "model.attention", arms, "recall_attack")
    shown = [(one.label, one.reference, round(one.summary.mean, 3)) for one in attention.points]
    assert shown == [("true", True, 0.455), ("false", False, 0.43)]
    assert (attention.combinations, attention.balanced) == (2, True)
    depth = axis_view(ablation, "model.depth", arms, "recall_attack")
    means_by_level = {one.label: round(one.summary.mean, 3) for one in depth.points}
    assert means_by_level == {"2": 0.505, "1": 0.455, "0": 0.405}
    assert (depth.combinations, depth.balanced) == (1, True)


def test_an_arm_that_was_not_run_is_wanted_but_not_matched(tmp_path: Path) -> None:
    cells: dict[Cell, float] = {(True, 2): 0.5, (True, 0): 0.4, (False, 2): 0.45}
    ablation = factorial(tmp_path, AXES, cells)
    unrun = arm("both", {"model.attention": False, "model.depth": 0}, [], expected=1)
    (attention, depth_1, depth_0), both = measured(replace(ablation, arms=(*ablation.arms, unrun)))
    assert means((attention,)) == {"model.attention=false": -0.05}
    assert (attention.matched, attention.wanted) == (1, 2)
    assert (depth_1.matched, depth_1.wanted, depth_1.contrast) == (0, 0, None)
    assert (depth_0.matched, depth_0.wanted) == (1, 2)
    assert attention.contrast is not None
    assert attention.contrast.mean == pytest.approx(-0.05)
    assert effect_verdict(both[1], "recall_attack") == "not run"


def test_arms_outside_the_axes_take_no_part(tmp_path: Path) -> None:
    axes: dict[str, list[object]] = {"model.attention": [True, False]}
    ablation = factorial(tmp_path, axes, {(True,): 0.5, (False,): 0.4})
    runs = [run(tmp_path, "equal", recalls(0.9))]
    extra = arm("equal size", {"model.attention": False}, runs, on_axes=False)
    main, _ = measured(replace(ablation, arms=(extra, *ablation.arms)))
    assert means(main) == {"model.attention=false": -0.1}


CELL = st.lists(st.integers(0, 100), min_size=3, max_size=3)


SERIES: list[SeriesKey] = [(None, "a"), (None, "b"), (None, "c")]
CUBE = [(str(a), str(b), str(c)) for a, b, c in product(range(2), range(3), range(2))]
CELLS = st.dictionaries(st.sampled_from(CUBE[1:]), CELL, max_size=len(CUBE) - 1)


def in_memory(
    cells: dict[tuple[str, str, str], list[int]],
) -> tuple[Ablation, tuple[MeasuredArm, ...]]:
    """One run an arm, its three series given; the first cell of the cube is the reference."""
    axes: dict[str, list[object]] = {"x": ["0", "1"], "y": ["0", "1", "2"], "z": ["0", "1"]}
    designs = [
        AblationArm("".join(cell), dict(zip(axes, cell, strict=True)), True, cell == CUBE[0], (), 1)
        for cell in cells
    ]
    arms = tuple(
        MeasuredArm(
            design,
            ArmMetrics(Arm(design.name, design.name, "", ()), {}),
            {},
            {(0, 0, 0, None): dict(zip(SERIES, values, strict=True))},
        )
        for design, values in zip(designs, cells.values(), strict=True)
    )
    return Ablation("cube", "", "factorial", axes, "test/recall_attack", tuple(designs)), arms


@settings(max_examples=60, deadline=None)
@given(CELLS, CELL)
def test_effects_are_their_definition(
    cells: dict[tuple[str, str, str], list[int]], reference: list[int]
) -> None:
    cells = {CUBE[0]: reference, **cells}
    ablation, arms = in_memory(cells)
    own = {key: key for key in SERIES}
    value = {cell: fmean(values) for cell, values in cells.items()}
    expected: dict[str, float] = {}
    for y in ("1", "2"):
        gain = {
            (x, z): value[x, y, z] - value[x, "0", z]
            for x, z in product("01", "01")
            if {(x, y, z), (x, "0", z)} <= value.keys()
        }
        if gain:
            expected[f"y={y}"] = fmean(gain.values())
        squares = [z for z in "01" if {("0", z), ("1", z)} <= gain.keys()]
        if squares:
            expected[f"x=1 × y={y}"] = fmean(gain["1", z] - gain["0", z] for z in squares)
    found = means((*effects(ablation, arms, own, 1), *effects(ablation, arms, own, 2)))
    labels = ("y=1", "y=2", "x=1 × y=1", "x=1 × y=2")
    checked = {label: found[label] for label in labels if found[label] is not None}
    assert checked == pytest.approx(expected)


def test_a_series_counts_where_every_combination_has_it() -> None:
    cells = [("0", "0", "0"), ("1", "0", "0"), ("0", "0", "1"), ("1", "0", "1")]
    values = [[10, 20, 30], [20, 40, 60], [1, 2, 3], [2, 4, 6]]
    ablation, arms = in_memory(dict(zip(cells, values, strict=True)))
    series: SeriesValues = {(0, 0, 0, None): {SERIES[0]: 2.0, SERIES[1]: math.nan}}
    shorter = replace(arms[3], series=series)
    effect = effects(ablation, (*arms[:3], shorter), {key: key for key in SERIES}, 1)[0]
    assert effect.contrast is not None
    assert effect.contrast.mean == (10 + 1) / 2
    assert (effect.contrast.series, effect.contrast.left_out) == (1, 2)


def test_levels_that_share_nothing_are_said_not_to_be_balanced(tmp_path: Path) -> None:
    ablation = factorial(tmp_path, AXES, {(True, 2): 0.5, (False, 0): 0.3})
    view = axis_view(ablation, "model.attention", measure(ablation)[0], "recall_attack")
    assert (view.combinations, view.balanced) == (0, False)
    assert [round(point.summary.mean, 3) for point in view.points] == [0.505, 0.305]
