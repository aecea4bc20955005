"""Ranks and tests over blocks, against Demšar's example, SciPy, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2, friedmanchisquare

from anomalynet.reporting.comparison.ranking import rank

DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.97501, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)
"""AUC of C4.5, C4.5+m, C4.5+cf and C4.5+m+cf on 14 data sets (Demšar 2006, Table 6). Two are
printed as 0.975, with ranks 2 and 3."""


def test_demsar_2006() -> None:
    found = rank(DEMSAR, higher_is_better=True)
    assert found.mean == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)  # as printed there
    blocks, models = DEMSAR.shape
    squares = (found.mean**2).sum() - models * (models + 1) ** 2 / 4
    uncorrected = 12 * blocks / (models * (models + 1)) * squares
    assert uncorrected == pytest.approx(9.28, abs=5e-3)  # as printed there
    counts = np.concatenate([np.unique(row, return_counts=True)[1] for row in DEMSAR])
    ties = int((counts**3 - counts).sum())
    corrected = uncorrected / (1 - ties / (blocks * models * (models**2 - 1)))
    assert found.statistic == pytest.approx(corrected)
    assert (found.statistic, found.p) == tuple(map(float, friedmanchisquare(*DEMSAR.T)))


def test_three_models_by_hand() -> None:
    """The first is best in every one of six blocks; the others take turns."""
    blocks = "9 1 2, 9.5 4 3, 8 1.5 3.5, 7 5 4, 9 2 4.5, 6 5.5 3"
    values = np.array([list(map(float, block.split())) for block in blocks.split(", ")])
    found = rank(values, higher_is_better=True)
    assert found.mean.tolist() == [1.0, 2.5, 2.5]
    assert found.statistic == pytest.approx(12 * 6 / 12 * (1 + 6.25 + 6.25) - 3 * 6 * 4)
    assert found.p == pytest.approx(math.exp(-found.statistic / 2))  # χ² of two degrees
    assert found.least_p == pytest.approx(float(chi2.sf(12, 2)))
    assert "equal ranks in all would give 0.0025. The ranks differ." in found.verdict
    reverse = rank(-values, higher_is_better=False)
    np.testing.assert_array_equal(reverse.ranks, found.ranks)


def test_what_the_test_says() -> None:
    random = np.random.default_rng(0)
    values = np.stack([random.random(12) + 2, random.random(12), random.random(12)], axis=1)
    assert rank(values, higher_is_better=True).verdict.endswith("3 models. The ranks differ.")
    turns = np.array([[1.0, 2.0, 3.0], [2.0, 3.0, 1.0], [3.0, 1.0, 2.0]])
    found = rank(turns, higher_is_better=True)
    assert (found.statistic, found.p) == (0.0, 1.0)
    assert found.verdict.endswith("No evidence that any model's ranks differ.")
    alone = rank(np.array([[1.0, 2.0, 3.0]]), higher_is_better=True)
    assert math.isnan(alone.p)
    assert (alone.mean.tolist(), alone.order) == ([3.0, 2.0, 1.0], [2, 1, 0])
    assert alone.verdict.startswith("One block is not a sample")
    equal = rank(np.ones((4, 3)), higher_is_better=True)
    assert math.isnan(equal.statistic)
    assert "there is nothing to test" in equal.verdict
