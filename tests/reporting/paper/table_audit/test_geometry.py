"""The exact cone against scipy's linear programming, and enclosures against values worked out by
hand."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

from anomalynet.reporting.paper.table_audit.cone import (
    ORTHANT,
    RATIOS,
    cell,
    plane,
    range_of,
    solve,
)


def test_a_range_is_that_of_linear_programming() -> None:
    rng, empty = random.Random(3), 0
    for _ in range(150):
        cone = ORTHANT
        conditions: list[tuple[int, ...]] = []
        for _ in range(rng.randint(2, 12)):
            condition = tuple(rng.randint(-9, 9) for _ in range(4))
            cone, conditions = cone.cut(condition), [*conditions, condition]
        goal = tuple(rng.randint(-9, 9) for _ in range(4))
        ends = []
        for sign in (1, -1):
            done = linprog(
                sign * np.array(goal),
                -np.array(conditions),
                np.zeros(len(conditions)),
                [[1] * 4],
                [1],
            )
            ends.append(sign * done.fun if done.status == 0 else None)
        found = cone.range((goal, (1, 1, 1, 1)))
        if found is None:
            empty += 1
            assert ends == [None, None]
        else:
            assert [float(end) for end in found] == pytest.approx(ends, abs=1e-8)
    assert 20 < empty < 130


def test_only_extreme_rays_are_kept() -> None:
    cone = ORTHANT
    for ratio in RATIOS.values():
        cone = cone.cut(plane(ratio, Fraction(6, 10), 1), plane(ratio, Fraction(9, 10), -1))
    rays = np.array([ray for ray, _ in cone.rays], dtype=float)
    assert len(rays) > 4
    for place, ray in enumerate(rays):
        others = np.delete(rays, place, axis=0)
        assert linprog(np.zeros(len(others)), A_eq=others.T, b_eq=ray).status == 2, (
            "a sum of the others"
        )


# 50 % attack, recalls 0.9 and 0.8: tn .45, fp .05, fn .1, tp .4
EVEN = {"prevalence": "0.5000", "recall_attack": "0.8000"}
HALF = EVEN | {"recall_normal": "0.9000"}
BOTH_09 = {"recall_normal": "0.9000", "recall_attack": "0.9000"}
ATTACK_08 = {"recall_attack": "0.8000"}
KNOWN: list[tuple[dict[str, str], str, float, float]] = [
    (HALF, "precision_attack", 0.4 / 0.45, 0.4 / 0.45),
    (HALF, "balanced_accuracy", 0.85, 0.85),
    (HALF, "mcc", 0.703526, 0.703526),
    (
        ATTACK_08 | {"prevalence": "0.5000", "balanced_accuracy": "0.8500"},
        "recall_normal",
        0.9,
        0.9,
    ),
    (ATTACK_08 | {"prevalence": "0.5000", "mcc": "0.7035"}, "recall_normal", 0.9, 0.9),
    # with both recalls at 0.9, MCC 0.8 says that prevalence is a half: it is greatest there
    (BOTH_09 | {"mcc": "0.8000"}, "prevalence", 0.5, 0.5),
    # an accuracy alone leaves the rest open
    ({"accuracy": "0.9000"}, "recall_attack", 0, 1),
    # F1 ≥ P/(2 − P)… with recall at most 1: F1 0.8 needs both above 0.8/1.2
    ({"f1_attack": "0.8000"}, "precision_attack", 0.8 / 1.2, 1),
]


@pytest.mark.parametrize(("given", "column", "low", "high"), KNOWN)
def test_a_missing_cell_is_what_the_others_make_it(
    given: dict[str, str], column: str, low: float, high: float
) -> None:
    cells = [cell(name, text, "fraction", "half") for name, text in given.items()]
    found = range_of(solve(cells, narrow=True), column)
    assert found is not None
    width = 0.07 if column == "prevalence" else 0.002  # MCC is flat at its greatest
    assert found[0] - 1e-9 <= low <= found[0] + width
    assert found[1] - width <= high <= found[1] + 1e-9


IMPOSSIBLE = [
    ATTACK_08 | {"precision_attack": "0.9000", "f1_attack": "0.8600"},  # the mean is 0.8471
    {"precision_normal": "1.02"},
    ATTACK_08 | {"accuracy": "0.9500", "recall_normal": "0.9000"},  # not between the recalls
    ATTACK_08 | {"balanced_accuracy": "0.8700", "recall_normal": "0.9000"},
    BOTH_09 | {"mcc": "0.8500"},  # at most 0.8
    HALF | {"mcc": "0.6500"},
    {"tn": "90", "fp": "10", "recall_normal": "0.9100"},
    {"tn": "90", "fp": "10", "fn": "20", "tp": "80", "n": "201"},
    {"tp": "0", "recall_attack": "0.3000"},
]


@pytest.mark.parametrize("given", IMPOSSIBLE)
def test_what_no_matrix_gives_is_found(given: dict[str, str]) -> None:
    cells = [cell(name, text, "fraction", "half") for name, text in given.items()]
    assert not solve(cells)
    assert all(solve([one for one in cells if one is not left]) for left in cells if len(cells) > 1)


def test_truncated_numbers_are_read_as_such() -> None:
    half, cut = (
        cell("accuracy", "76.69", "percent", rounding) for rounding in ("half", "truncate")
    )
    assert (float(half.low), float(half.high)) == pytest.approx((0.76685, 0.76695), abs=2e-6)
    assert (float(cut.low), float(cut.high)) == pytest.approx((0.7669, 0.7670), abs=2e-6)
    one = cell("accuracy", "94.0", "percent", "half")
    assert (float(one.low), float(one.high)) == pytest.approx((0.9395, 0.9405), abs=2e-6)
