"""Bootstrap, sign flips and Holm against brute force, SciPy and numbers by hand."""

from __future__ import annotations

import itertools
import math
from operator import mul
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from anomalynet.reporting.ablation.contrasts import (
    EXACT,
    bootstrap_interval,
    holm,
    sign_flip_p,
    smallest_p,
)

DIFFERENCES = st.lists(st.integers(-50, 50).map(lambda value: value / 10), min_size=2, max_size=9)


def brute_force(values: list[float]) -> float:
    signs = itertools.product((1, -1), repeat=len(values))
    sums = [abs(sum(map(mul, one, values))) for one in signs]
    return float(np.mean([one >= abs(sum(values)) - 1e-9 for one in sums]))


@given(DIFFERENCES)
def test_sign_flips_are_all_assignments_counted(values: list[float]) -> None:
    assert sign_flip_p(values) == pytest.approx(brute_force(values), abs=1e-12)


def test_sign_flips_by_hand() -> None:
    assert sign_flip_p([1.0, 2.0, 3.0]) == 2 / 8
    assert sign_flip_p([1.0, 2.0, -3.0]) == 1.0
    assert sign_flip_p([3.0, 2.0, -1.0]) == 4 / 8, "|sum| 4 or more: 3+2-1, 3+2+1 and their mirrors"


@pytest.mark.parametrize("n", [5, 11, EXACT])
def test_exact_sign_flips_are_scipys(n: int) -> None:
    values = np.random.default_rng(n).normal(0.4, 1, size=n)
    found = permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert sign_flip_p(values) == pytest.approx(found.pvalue, abs=1e-12)


def test_many_values_are_flipped_at_random_reproducibly_and_near_scipys() -> None:
    values = np.random.default_rng(3).normal(0.3, 1, size=40)
    known = {"permutation_type": "samples", "n_resamples": 10_000, "vectorized": True, "rng": 1}
    found = permutation_test((values,), np.mean, **known)
    assert sign_flip_p(values) == sign_flip_p(values)
    assert sign_flip_p(values) == pytest.approx(found.pvalue, abs=0.01)
    assert sign_flip_p(np.ones(60)) == 1 / 20_001, "a random p is never zero"
    assert sign_flip_p(np.zeros(60)) == 1.0


@pytest.mark.parametrize("n", [2, 3, 5, EXACT, EXACT + 20])
def test_equal_differences_reach_the_smallest_p(n: int) -> None:
    assert sign_flip_p([0.1] * n) == smallest_p(n)


def test_the_smallest_p_by_hand() -> None:
    assert (smallest_p(2), smallest_p(5), smallest_p(6)) == (0.5, 0.0625, 0.03125)
    assert math.isnan(smallest_p(1))


@pytest.mark.parametrize("values", [[], [0.3]])
def test_fewer_than_two_values_test_nothing(values: list[float]) -> None:
    assert math.isnan(sign_flip_p(values))
    assert all(math.isnan(end) for end in bootstrap_interval(values))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]).tolist() == [1.0, 1.0]
    with_gap = holm([0.01, float("nan"), 0.02])
    assert with_gap[[0, 2]].tolist() == pytest.approx([0.02, 0.02]), (
        "what was not tested costs nothing"
    )
    assert math.isnan(with_gap[1])
    assert holm([]).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms())
def test_holm_keeps_the_order_and_only_raises(p: list[float], random: Random) -> None:
    adjusted = holm(p)
    assert np.all(adjusted >= np.array(p))
    assert np.all(adjusted <= 1)
    assert np.all(np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0)
    assert adjusted.min() == pytest.approx(min(1.0, len(p) * min(p)))
    places = random.sample(range(len(p)), len(p))
    assert np.array_equal(holm(np.array(p)[places]), adjusted[places])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8))
def test_holm_of_higher_p_is_higher_everywhere(pairs: list[tuple[float, float]]) -> None:
    """Why the adjusted smallest p are the lowest that any data could reach."""
    assert np.all(holm([min(pair) for pair in pairs]) <= holm([max(pair) for pair in pairs]))


def test_the_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(11)
    intervals = [
        bootstrap_interval(random.normal(1, 1, size=40), resamples=1000) for _ in range(400)
    ]
    covered = sum(low <= 1 <= high for low, high in intervals) / len(intervals)
    assert 0.91 <= covered <= 0.98


def test_the_interval_of_many_values_is_the_normal_one() -> None:
    values = np.random.default_rng(5).normal(2, 1, size=400)
    half = 1.96 * values.std() / 20
    assert bootstrap_interval(values) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.006
    )


def test_the_interval_of_two_values_by_hand() -> None:
    assert bootstrap_interval([0.0, 1.0]) == (0.0, 1.0), (
        "a quarter of the resamples is 0, a quarter 1"
    )
    assert bootstrap_interval([0.25, 0.25, 0.25]) == (0.25, 0.25)


@settings(max_examples=20)
@given(DIFFERENCES)
def test_the_interval_is_reproducible_and_within_the_values(values: list[float]) -> None:
    low, high = bootstrap_interval(values, resamples=500)
    assert (low, high) == bootstrap_interval(values, resamples=500)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert bootstrap_interval(np.negative(values), resamples=500) == pytest.approx((-high, -low))
