"""Main effects and interactions: known cells, cells that are missing, and the definition by brute
force."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.reporting.ablation.arms import MeasuredArm, SeriesValues, measure
from anomalynet.reporting.ablation.contrasts import SeriesKey
from anomalynet.reporting.ablation.design import Ablation, AblationArm
from anomalynet.reporting.ablation.effects import Effect, interactions, main_effects
from anomalynet.reporting.ablation.figures import axis_view
from anomalynet.reporting.ablation.sentences import effect_sentence
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.arms import Arm
from tests.reporting.ablations import arm, factorial, recalls, run

AXES: dict[str, list[object]] = {"model.attention": [True, False], "model.depth": [2, 1, 0]}
Cell = tuple[object, ...]
MISSING_ONE: dict[Cell, float] = {
    (True, 2): 0.5,
    (True, 1): 0.45,
    (True, 0): 0.4,
    (False, 2): 0.55,
    (False, 0): 0.3,
}


def means(effects: tuple[Effect, ...]) -> dict[str, float | None]:
    return {
        one.label: None if one.contrast is None else round(one.contrast.mean, 9) for one in effects
    }


def test_a_balanced_two_by_two(tmp_path: Path) -> None:
    axes: dict[str, list[object]] = {"model.attention": [True, False], "model.depth": [2, 0]}
    ablation = factorial(
        tmp_path, axes, {(True, 2): 0.5, (True, 0): 0.4, (False, 2): 0.45, (False, 0): 0.25}
    )
    arms, clusters = measure(ablation)
    main, both = main_effects(ablation, arms, clusters), interactions(ablation, arms, clusters)
    assert means(main) == {"model.attention=false": -0.10, "model.depth=0": -0.15}
    assert means(both) == {"model.attention=false × model.depth=0": -0.10}
    assert [(one.matched, one.wanted) for one in (*main, *both)] == [(2, 2), (2, 2), (1, 1)]
    told = effect_sentence(main[0], "recall_attack")
    assert told.startswith("model.attention=false, mean over 2 combinations: −10.00 points")
    assert told.endswith("(p = 0.00781, Holm 0.0156): worse.")
    told = effect_sentence(both[0], "recall_attack")
    assert told.endswith("(p = 0.00781, Holm 0.00781): together worse than the sum of both.")


def test_a_two_by_three_with_a_missing_cell_matches_what_is_there(tmp_path: Path) -> None:
    ablation = factorial(tmp_path, AXES, MISSING_ONE)
    arms, clusters = measure(ablation)
    main, both = main_effects(ablation, arms, clusters), interactions(ablation, arms, clusters)
    assert means(main) == {
        "model.attention=false": -0.025,
        "model.depth=1": -0.05,
        "model.depth=0": -0.175,
    }
    assert means(both) == {
        "model.attention=false × model.depth=1": None,
        "model.attention=false × model.depth=0": -0.15,
    }
    assert effect_sentence(both[0], "recall_attack").endswith("model.depth=1: not in the sweep.")


def test_an_arm_that_was_not_run_is_wanted_but_not_matched(tmp_path: Path) -> None:
    cells: dict[Cell, float] = {(True, 2): 0.5, (True, 0): 0.4, (False, 2): 0.45}
    ablation = factorial(tmp_path, AXES, cells)
    unrun = arm("both", {"model.attention": False, "model.depth": 0}, [], expected=1)
    ablation = Ablation(
        "parts", "", "factorial", AXES, "test/recall_attack", (*ablation.arms, unrun)
    )
    arms, clusters = measure(ablation)
    attention, depth_1, depth_0 = main_effects(ablation, arms, clusters)
    assert means((attention,)) == {"model.attention=false": -0.05}
    assert (attention.matched, attention.wanted) == (1, 2)
    assert (depth_1.matched, depth_1.wanted, depth_1.contrast) == (0, 0, None)
    assert (depth_0.matched, depth_0.wanted) == (1, 2)
    told = effect_sentence(attention, "recall_attack")
    assert "mean over 1 combination of 2: −5.00 points" in told
    told = effect_sentence(interactions(ablation, arms, clusters)[1], "recall_attack")
    assert told.endswith(": not run.")


def test_arms_outside_the_axes_take_no_part(tmp_path: Path) -> None:
    axes: dict[str, list[object]] = {"model.attention": [True, False]}
    ablation = factorial(tmp_path, axes, {(True,): 0.5, (False,): 0.4})
    extra = arm(
        "equal size",
        {"model.attention": False},
        [run(tmp_path, "equal", recalls(0.9))],
        on_axes=False,
    )
    ablation = Ablation(
        "parts", "", "factorial", axes, "test/recall_attack", (extra, *ablation.arms)
    )
    arms, clusters = measure(ablation)
    assert means(main_effects(ablation, arms, clusters)) == {"model.attention=false": -0.1}


SERIES: list[SeriesKey] = [(None, "a"), (None, "b"), (None, "c")]
CUBE = [(str(a), str(b), str(c)) for a, b, c in product(range(2), range(3), range(2))]
CELLS = st.dictionaries(
    st.sampled_from(CUBE[1:]),
    st.lists(st.integers(0, 100), min_size=3, max_size=3),
    max_size=len(CUBE) - 1,
)


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
@given(CELLS, st.lists(st.integers(0, 100), min_size=3, max_size=3))
def test_effects_are_their_definition(
    cells: dict[tuple[str, str, str], list[int]], reference: list[int]
) -> None:
    cells = {CUBE[0]: reference, **cells}
    ablation, arms = in_memory(cells)
    own = {key: key for key in SERIES}
    value = {cell: fmean(values) for cell, values in cells.items()}
    expected: dict[str, float] = {}
    for y in ("1", "2"):
        pairs = [(x, y, z) for x in "01" for z in "01" if {(x, y, z), (x, "0", z)} <= value.keys()]
        if pairs:
            expected[f"y={y}"] = fmean(value[cell] - value[cell[0], "0", cell[2]] for cell in pairs)
        squares = [
            z
            for z in "01"
            if {("1", y, z), ("1", "0", z), ("0", y, z), ("0", "0", z)} <= value.keys()
        ]
        if squares:
            expected[f"x=1 × y={y}"] = fmean(
                value["1", y, z] - value["0", y, z] - (value["1", "0", z] - value["0", "0", z])
                for z in squares
            )
    found = means((*main_effects(ablation, arms, own), *interactions(ablation, arms, own)))
    checked = {
        label: found[label]
        for label in ("y=1", "y=2", "x=1 × y=1", "x=1 × y=2")
        if found[label] is not None
    }
    assert checked == pytest.approx(expected)


def test_a_series_counts_where_every_combination_has_it() -> None:
    first, second, third, fourth = CUBE[0], ("1", "0", "0"), ("0", "0", "1"), ("1", "0", "1")
    ablation, arms = in_memory(
        {first: [10, 20, 30], second: [20, 40, 60], third: [1, 2, 3], fourth: [2, 4, 6]}
    )
    series: SeriesValues = {(0, 0, 0, None): {SERIES[0]: 2.0, SERIES[1]: math.nan}}
    shorter = replace(arms[3], series=series)
    effect = main_effects(ablation, (*arms[:3], shorter), {key: key for key in SERIES})[0]
    assert effect.contrast is not None
    assert effect.contrast.mean == (10 + 1) / 2
    assert (effect.contrast.series, effect.contrast.left_out) == (1, 2)


def test_an_axis_is_shown_over_the_combinations_that_all_its_levels_share(tmp_path: Path) -> None:
    ablation = factorial(tmp_path, AXES, MISSING_ONE)
    arms, _ = measure(ablation)
    attention = axis_view(ablation, "model.attention", arms, "recall_attack")
    shown = [(one.label, one.reference, round(one.summary.mean, 3)) for one in attention.points]
    assert shown == [("true", True, 0.455), ("false", False, 0.43)]
    assert (attention.combinations, attention.balanced) == (2, True)
    depth = axis_view(ablation, "model.depth", arms, "recall_attack")
    means_by_level = {one.label: round(one.summary.mean, 3) for one in depth.points}
    assert means_by_level == {"2": 0.505, "1": 0.455, "0": 0.405}
    assert (depth.combinations, depth.balanced) == (1, True)


def test_levels_that_share_nothing_are_said_not_to_be_balanced(tmp_path: Path) -> None:
    ablation = factorial(tmp_path, AXES, {(True, 2): 0.5, (False, 0): 0.3})
    view = axis_view(ablation, "model.attention", measure(ablation)[0], "recall_attack")
    assert (view.combinations, view.balanced) == (0, False)
    assert [round(point.summary.mean, 3) for point in view.points] == [0.505, 0.305]
