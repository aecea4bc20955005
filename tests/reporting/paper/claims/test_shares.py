"""Shares from counts, by hand and as the other modules compute them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalynet.metrics.suite import PAPER_PREVALENCE
from anomalynet.reporting.paper.claims.judge import share_interval, shares

COUNTS = np.array([90, 10, 20, 80])  # tn, fp, fn, tp: recalls 0.9 and 0.8


def test_shares_by_hand() -> None:
    share = shares(COUNTS)
    assert share["accuracy"] == 170 / 200
    assert share["accuracy_at_paper_prevalence"] == pytest.approx(0.7137 * 0.8 + 0.2863 * 0.9)
    assert share["precision_attack"] == 80 / 90
    assert share["precision_attack_at_paper_prevalence"] == pytest.approx(
        0.7137 * 0.8 / (0.7137 * 0.8 + 0.2863 * 0.1)
    )
    assert share["precision_normal"] == 90 / 110
    assert share["precision_normal_at_paper_prevalence"] == pytest.approx(
        0.2863 * 0.9 / (0.2863 * 0.9 + 0.7137 * 0.2)
    )
    assert (share["recall_attack"], share["recall_normal"]) == (0.8, 0.9)


@given(st.lists(st.integers(1, 1000), min_size=4, max_size=4))
def test_at_the_papers_prevalence_attacks_weigh_as_if_they_were_as_common_as_there(
    counts: list[int],
) -> None:
    tn, fp, fn, tp = counts
    weight = PAPER_PREVALENCE / (1 - PAPER_PREVALENCE) * (tn + fp) / (fn + tp)
    missed, hit = weight * fn, weight * tp
    found = shares(np.array(counts))
    assert found["accuracy_at_paper_prevalence"] == pytest.approx(
        (tn + hit) / (tn + fp + missed + hit)
    )
    assert found["precision_attack_at_paper_prevalence"] == pytest.approx(hit / (hit + fp))
    assert found["precision_normal_at_paper_prevalence"] == pytest.approx(tn / (tn + missed))


def test_the_jackknife_of_a_share_by_hand() -> None:
    alike = np.tile(COUNTS, (7, 1))
    assert share_interval("accuracy", alike[None]) == pytest.approx((0.85, 0.85, 0.85))
    three = np.array(
        [[0, 0, 100 - found, found] for found in (50, 60, 70)]
    )  # equal sizes: the mean of the recalls
    value, low, high = share_interval("recall_attack", three[None])
    half = 4.302653 * 0.1 / math.sqrt(3)  # Student's t for two degrees of freedom
    assert (value, low, high) == pytest.approx((0.6, 0.6 - half, 0.6 + half), abs=1e-6)
    value, low, _ = share_interval("recall_attack", three[None, :1])
    assert value == 0.5 and math.isnan(low)


def test_repetitions_weigh_alike_however_many_steps_they_have() -> None:
    """Recalls 0.5 of 100 attacks and 1.0 of 10: the tables' mean is 0.75, not 60/110."""
    counts = np.array([[[0, 0, 20, 30], [0, 0, 30, 20]], [[0, 0, 0, 5], [0, 0, 0, 5]]])
    value, low, high = share_interval("recall_attack", counts)
    # without the first cluster 0.4 and 1, without the second 0.6 and 1: pseudo-values 0.8 and 0.7
    half = 12.7062047 * math.sqrt(0.005) / math.sqrt(2)
    assert (value, low, high) == pytest.approx((0.75, 0.75 - half, 0.75 + half))


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(1000):
        size = rng.integers(50, 400, 8)
        found = rng.binomial(size, np.clip(rng.normal(0.7, 0.1, 8), 0, 1))
        counts = np.stack([np.zeros_like(size), np.zeros_like(size), size - found, found], axis=1)
        _, low, high = share_interval("recall_attack", counts[None])
        missed += not low <= 0.7 <= high
    assert 30 <= missed <= 75  # 5 % are 50, with a deviation of 7


def test_no_decision_is_undefined() -> None:
    assert all(
        math.isnan(number) for number in share_interval("accuracy", np.empty((0, 0, 4), np.int64))
    )
    value, low, high = share_interval("recall_attack", np.array([[[5, 0, 0, 0]] * 6]))
    assert all(map(math.isnan, (value, low, high)))
