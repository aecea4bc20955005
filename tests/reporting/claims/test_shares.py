"""Shares from counts, by hand and as the other modules compute them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalynet.metrics.suite import PAPER_PREVALENCE
from anomalynet.reporting.claims.shares import SHARES, share_interval
from anomalynet.reporting.statistics import Confusion, decision_metrics

COUNTS = np.array([90.0, 10.0, 20.0, 80.0])  # tn, fp, fn, tp: recalls 0.9 and 0.8


def test_shares_by_hand() -> None:
    share = {name: float(compute(COUNTS)) for name, (_, compute) in SHARES.items()}
    assert share["accuracy"] == 170 / 200
    assert share["accuracy_at_paper_prevalence"] == pytest.approx(0.7137 * 0.8 + 0.2863 * 0.9)
    assert share["precision_attack"] == 80 / 90
    assert share["precision_attack_at_paper_prevalence"] == pytest.approx(0.7137 * 0.8 / (0.7137 * 0.8 + 0.2863 * 0.1))
    assert share["precision_normal"] == 90 / 110
    assert share["precision_normal_at_paper_prevalence"] == pytest.approx(0.2863 * 0.9 / (0.2863 * 0.9 + 0.7137 * 0.2))
    assert (share["recall_attack"], share["recall_normal"]) == (0.8, 0.9)


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=4))
def test_shares_are_the_metrics_of_other_tables(counts: list[int]) -> None:
    known = decision_metrics(Confusion(*counts)) if sum(counts) else {}
    names = {name: name for name in SHARES if name in known} | {"precision_attack_at_paper_prevalence": "precision_at_paper_prevalence"}
    for name, other in names.items():
        value = float(SHARES[name][1](np.array(counts, dtype=np.float64)))
        expected = known.get(other, math.nan)
        assert value == pytest.approx(expected, nan_ok=True)


def test_the_jackknife_of_a_share_by_hand() -> None:
    alike = np.tile(COUNTS, (7, 1))
    assert share_interval("accuracy", alike) == pytest.approx((0.85, 0.85, 0.85))
    three = np.array([[0.0, 0.0, 100 - found, found] for found in (50.0, 60.0, 70.0)])  # equal sizes: the mean of the recalls
    value, low, high = share_interval("recall_attack", three)
    half = 4.302653 * 0.1 / math.sqrt(3)  # Student's t for two degrees of freedom
    assert (value, low, high) == pytest.approx((0.6, 0.6 - half, 0.6 + half), abs=1e-6)
    value, low, _ = share_interval("recall_attack", three[:1])
    assert value == 0.5 and math.isnan(low)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(1000):
        size = rng.integers(50, 400, 8)
        found = rng.binomial(size, np.clip(rng.normal(0.7, 0.1, 8), 0, 1))
        counts = np.stack([np.zeros(8), np.zeros(8), size - found, found], axis=1).astype(np.float64)
        _, low, high = share_interval("recall_attack", counts)
        missed += not low <= 0.7 <= high
    assert 30 <= missed <= 75  # 5 % are 50, with a deviation of 7


def test_no_decision_is_undefined() -> None:
    assert all(math.isnan(number) for number in share_interval("accuracy", np.empty((0, 4))))
    value, low, high = share_interval("recall_attack", np.array([[5.0, 0.0, 0.0, 0.0]] * 6))
    assert all(map(math.isnan, (value, low, high)))
    assert 0 < PAPER_PREVALENCE < 1
