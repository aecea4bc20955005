"""A threshold that a rule chooses, and the one of an exported model, lies between two scores that
differ by more than rounding: sums in another order and a graph in float32 raise the same alarms."""

from __future__ import annotations

from itertools import pairwise
from math import nextafter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalynet.config.schema import EvaluationConfig
from anomalynet.metrics.threshold import (
    TIE,
    best_balanced_accuracy,
    best_f1,
    choose_threshold,
    off_ties,
)

ROUNDED = 1e-7
"""The error of an exported graph, relative."""


def noisy(levels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The levels as sums in another order give them: their last digits are others."""
    return levels * (1 + generator.normal(0, 1e-15, len(levels)))


def forests(seed: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Labels, and scores with many ties: votes of twenty trees."""
    generator = np.random.default_rng(seed)
    labels = (generator.random(200) < 0.2).astype(int)
    votes = generator.binomial(20, np.where(labels == 1, 0.6, 0.4))
    return labels, noisy(votes / 20, generator), generator


@pytest.mark.parametrize("rule", ["f1", "balanced_accuracy", "alarm_budget"])
@given(seed=st.integers(0, 10_000))
def test_no_alarm_flips_when_scores_are_rounded(rule: str, seed: int) -> None:
    labels, scores, generator = forests(seed)
    series = np.repeat(np.arange(4), 50)
    config = EvaluationConfig(threshold=rule, alarms_per_day=6.0)  # type: ignore[arg-type]
    limit = choose_threshold(config, labels, scores, series, 3600.0)
    found = scores >= limit
    if found.all():  # an export moves it below the lowest score
        limit = off_ties(limit, scores)
    for again in (noisy(scores, generator), scores.astype(np.float32), scores * (1 - ROUNDED)):
        assert np.array_equal(again >= limit, found)
    assert off_ties(limit, scores) == limit


def test_ties_alarm_all_or_none_and_the_better_of_the_two_is_taken() -> None:
    low = 0.5
    scores = np.array([0.1, low, nextafter(low, 1.0), 0.9])
    assert best_f1(np.array([0, 0, 1, 1]), scores) == pytest.approx(0.3)
    assert best_balanced_accuracy(np.array([0, 0, 1, 1]), scores) == pytest.approx(0.3)
    scores = np.array([0.1, low, low, low, nextafter(low, 1.0), 0.9])
    assert best_f1(np.array([0, 0, 0, 0, 1, 1]), scores) == pytest.approx(0.7)


def test_a_threshold_at_the_edge_of_all_scores_is_beside_them() -> None:
    scores = np.array([0.1, 0.7])
    assert off_ties(best_f1(np.array([1, 1]), scores), scores) < 0.1 * (1 - ROUNDED)
    assert best_f1(np.array([0, 0]), scores) > 0.7 * (1 + ROUNDED)


@given(st.lists(st.floats(1e-12, 1e6), min_size=1, max_size=12, unique=True), st.data())
def test_an_exported_threshold_decides_as_the_runs_but_for_ties(
    values: list[float], data: st.DataObject
) -> None:
    scores = np.sort(values)
    limit = data.draw(st.sampled_from(values) | st.floats(1e-12, 1e6))
    found = off_ties(limit, scores)
    for score in values:
        if abs(score - limit) > len(values) * TIE * max(score, limit):  # ties may form a chain
            assert (score >= found) == (score >= limit)
    gaps = [above - below for below, above in pairwise(scores)]
    if all(gap > 4 * TIE * above for gap, above in zip(gaps, scores[1:], strict=True)):
        assert np.array_equal(scores >= found, scores >= limit)
        assert not (np.abs(scores - found) < ROUNDED * found).any()


def test_a_threshold_a_rounding_above_the_highest_score_stays_above_it() -> None:
    assert off_ties(1 + 1e-12, np.array([0.5, 1.0])) > 1 + ROUNDED
