"""Brier score and calibration error, by hand and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from anomalynet.reporting.calibration import (
    BINS,
    binned,
    calibration_metrics,
    equal_mass,
    equal_width,
)

LABELS = np.array([0, 0, 1, 1, 0, 1], dtype=np.int8)
SCORES = np.array([0.1, 0.3, 0.3, 0.8, 0.9, 1.0])


def test_by_hand() -> None:
    found = calibration_metrics(LABELS, SCORES)
    # squared differences 0.01, 0.09, 0.49, 0.04, 0.81, 0
    assert found["brier"] == pytest.approx(1.44 / 6)
    assert found["brier_constant"] == pytest.approx(0.25)
    assert found["mean_score"] == pytest.approx(3.4 / 6)
    # of 15 bins: 0.1 | 0.3 0.3 | 0.8 | 0.9 | 1.0, sums of label minus score -0.1, 0.4, 0.2, -0.9, 0
    assert found["ece"] == pytest.approx((0.1 + 0.4 + 0.2 + 0.9 + 0.0) / 6)


def test_three_bins_by_hand() -> None:
    wide = binned(LABELS, SCORES, equal_width(3))
    assert (wide.steps.tolist(), wide.attacks.tolist()) == ([3, 0, 3], [1, 0, 2])
    assert wide.predicted[[0, 2]] == pytest.approx([0.7 / 3, 0.9])
    assert np.isnan(wide.predicted[1])
    assert wide.error == pytest.approx((abs(1 - 0.7) + abs(2 - 2.7)) / 6)
    even = binned(LABELS, SCORES, equal_mass(SCORES, 3))
    assert (even.steps.tolist(), even.attacks.tolist()) == ([3, 1, 2], [1, 1, 1]), (
        "equal scores share a bin"
    )
    assert even.error == pytest.approx((0.3 + 0.2 + 0.9) / 6)


def test_a_score_on_an_edge_belongs_below_it() -> None:
    assert binned(
        np.array([1, 1, 1], dtype=np.int8), np.array([0.0, 0.5, 1.0]), equal_width(2)
    ).steps.tolist() == [2, 1]


def test_perfect_scores_have_no_error_and_constant_ones_their_distance() -> None:
    sure = calibration_metrics(LABELS, LABELS.astype(np.float64))
    assert (sure["brier"], sure["ece"], sure["ece_equal_mass"]) == (0, 0, 0)
    flat = calibration_metrics(LABELS, np.full(6, 0.2))
    assert flat["ece"] == pytest.approx(0.3)
    assert flat["ece_equal_mass"] == pytest.approx(0.3)


def test_nothing_scored_is_undefined() -> None:
    empty = np.array([], dtype=np.int8)
    assert all(
        math.isnan(value) for value in calibration_metrics(empty, empty.astype(np.float64)).values()
    )


@st.composite
def scored(draw: st.DrawFn) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    size = draw(st.integers(2, 60))
    scores = draw(
        st.lists(
            st.floats(0, 1) | st.sampled_from([0.0, 0.2, 1 / 15, 0.5, 1.0]),
            min_size=size,
            max_size=size,
        )
    )
    labels = draw(
        st.lists(st.integers(0, 1), min_size=size, max_size=size).filter(
            lambda own: len(set(own)) == 2
        )
    )
    return np.array(labels, dtype=np.int8), np.array(scores)


@settings(max_examples=40, deadline=None)
@given(scored())
def test_as_scikit_learn_has_it(case: tuple[NDArray[np.int8], NDArray[np.float64]]) -> None:
    labels, scores = case
    found = calibration_metrics(labels, scores)
    assert found["brier"] == pytest.approx(brier_score_loss(labels, scores))
    for name, edges, strategy in (
        ("ece", equal_width(), "uniform"),
        ("ece_equal_mass", equal_mass(scores), "quantile"),
    ):
        bins = binned(labels, scores, edges)
        observed, predicted = calibration_curve(labels, scores, n_bins=BINS, strategy=strategy)
        there = bins.steps > 0
        assert bins.observed[there] == pytest.approx(observed)
        assert bins.predicted[there] == pytest.approx(predicted)
        assert found[name] == pytest.approx(
            np.sum(bins.steps[there] * np.abs(observed - predicted)) / len(labels)
        )
    assert bins.steps.sum() == len(labels)
