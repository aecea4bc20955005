"""Brier score and calibration error by hand and against scikit-learn; the section pools folds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from anomalynet.reporting.sections.calibration import (
    BINS,
    WIDTHS,
    binned,
    calibrate,
    calibration_metrics,
    calibration_section,
)
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import context, measured, record, rows

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
    sure = calibration_metrics(LABELS, LABELS.astype(np.float64))
    assert (sure["brier"], sure["ece"], sure["ece_equal_mass"]) == (0, 0, 0)
    flat = calibration_metrics(LABELS, np.full(6, 0.2))
    assert (flat["ece"], flat["ece_equal_mass"]) == pytest.approx((0.3, 0.3))
    empty = np.array([], dtype=np.int8)
    undefined = calibration_metrics(empty, empty.astype(np.float64)).values()
    assert all(map(math.isnan, undefined))


def test_bins_by_hand() -> None:
    wide = binned(LABELS, SCORES, np.linspace(0, 1, 4))
    assert (wide.steps.tolist(), wide.attacks.tolist()) == ([3, 0, 3], [1, 0, 2])
    assert wide.predicted[[0, 2]] == pytest.approx([0.7 / 3, 0.9])
    assert np.isnan(wide.predicted[1])
    assert wide.error == pytest.approx((abs(1 - 0.7) + abs(2 - 2.7)) / 6)
    even = binned(
        LABELS, SCORES, np.percentile(SCORES, [0, 100 / 3, 200 / 3, 100])
    )  # equal scores share a bin
    assert (even.steps.tolist(), even.attacks.tolist()) == ([3, 1, 2], [1, 1, 1])
    assert even.error == pytest.approx((0.3 + 0.2 + 0.9) / 6)
    edge = binned(np.ones(3, dtype=np.int8), np.array([0.0, 0.5, 1.0]), np.linspace(0, 1, 3))
    assert edge.steps.tolist() == [2, 1], "a score on an edge belongs below it"


@st.composite
def scored(draw: st.DrawFn) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Labels of both classes, and scores."""
    score = st.floats(0, 1) | st.sampled_from([0.0, 0.2, 1 / 15, 0.5, 1.0])
    steps = st.lists(st.tuples(st.integers(0, 1), score), min_size=2, max_size=60)
    labels, scores = zip(*draw(steps.filter(lambda own: len(dict(own)) == 2)), strict=True)
    return np.array(labels, dtype=np.int8), np.array(scores)


@settings(max_examples=40, deadline=None)
@given(scored())
def test_as_scikit_learn_has_it(case: tuple[NDArray[np.int8], NDArray[np.float64]]) -> None:
    labels, scores = case
    found = calibration_metrics(labels, scores)
    assert found["brier"] == pytest.approx(brier_score_loss(labels, scores))
    for name, edges, strategy in (
        ("ece", WIDTHS, "uniform"),
        ("ece_equal_mass", np.percentile(scores, 100 * WIDTHS), "quantile"),
    ):
        bins = binned(labels, scores, edges)
        observed, predicted = calibration_curve(labels, scores, n_bins=BINS, strategy=strategy)
        there = bins.steps > 0
        assert bins.observed[there] == pytest.approx(observed)
        assert bins.predicted[there] == pytest.approx(predicted)
        error = np.sum(bins.steps[there] * np.abs(observed - predicted)) / len(labels)
        assert found[name] == pytest.approx(error)
    assert bins.steps.sum() == len(labels)


FOLDS = [[0, 1, 0, 1], [1, 0, 0, 0]]
FOLD_SCORES = {
    0: [[0.1, 0.7, 0.3, 0.9], [0.6, 0.2, 0.1, 0.4]],
    1: [[0.0, 1.0, 0.0, 0.5], [0.5, 0.0, 0.5, 0.0]],
}


def runs(folder: Path) -> list[RunRecord]:
    return [
        record(folder, seed=seed, fold=fold, labels=FOLDS[fold], scores=scores[fold], code="c0de")
        for seed, scores in FOLD_SCORES.items()
        for fold in range(2)
    ]


def test_folds_are_pooled_and_repetitions_averaged(tmp_path: Path) -> None:
    own = runs(tmp_path)
    found = calibration_section(context(*own))
    labels = np.concatenate(FOLDS)
    briers = [brier_score_loss(labels, np.concatenate(folds)) for folds in FOLD_SCORES.values()]
    table = {row["metric"]: row for row in rows(found.files["tables/calibration.csv"])}
    brier, spread = table["brier"], np.std(briers, ddof=1)
    assert float(brier["mean"]) == pytest.approx(np.mean(briers), abs=5e-5)
    assert float(brier["spread"]) == pytest.approx(spread, abs=5e-5)
    assert (brier["n"], brier["seeds"], brier["split"]) == ("2", "0, 1", "group")
    assert table["brier_constant"]["mean"] == "0.2344"  # 3/8 · 5/8
    assert table["prevalence"]["mean"] == "37.5000"
    assert table["mean_score"]["mean"] == f"{100 * (3.3 / 8 + 2.5 / 8) / 2:.4f}"
    line = f"| **CNN** | {np.mean(briers):.3f} ± {spread:.3f} |"
    assert line in "\n".join(found.parts)
    bins = rows(found.files["tables/reliability.csv"])
    assert len(bins) == 15
    assert sum(int(row["steps"]) for row in bins) == 16
    # 0.4667 … 0.5333: three times 0.5 of the second repetition, two of them attack
    middle = [bins[7][name] for name in ("steps", "score", "attack")]
    assert middle == ["3", "0.5000", "0.6667"]
    # 0.0667 … 0.1333: twice 0.1 of the first
    lowest = [bins[1][name] for name in ("steps", "attack", "attack_lowest", "attack_highest")]
    assert lowest == ["2", "0.0000", "0.0000", "0.0000"]
    assert "<!-- CNN -->" in found.files["figures/calibration_reliability.svg"].decode()
    assert found == calibration_section(context(*reversed(own)))


def test_the_range_goes_from_the_lowest_to_the_highest_repetition(tmp_path: Path) -> None:
    own = [
        record(tmp_path, seed=seed, folds=1, labels=labels, scores=[0.5, 0.5, 0.9])
        for seed, labels in enumerate([[0, 1, 1], [1, 1, 1], [0, 0, 1]])
    ]
    (one,) = (calibrate(arm) for arm in measured(*own) if arm.values)
    assert one is not None
    low, high = one.observed_range
    assert (low[7], high[7], one.pooled.observed[7]) == (0.0, 1.0, 0.5)
    assert (low[13], high[13]) == (1.0, 1.0)
    assert np.isnan(low[0])


@pytest.mark.usefixtures("no_figures")
def test_models_without_probabilities_and_other_code_are_named(tmp_path: Path) -> None:
    known: dict[str, Any] = {"folds": 1, "labels": [0, 1]}
    distance = record(tmp_path, "autoencoder", scores=[0.2, 0.4], probability=False, **known)
    pretender = record(tmp_path, "mine", scores=[0.2, 1.5], **known)
    other = record(tmp_path, "other", folds=1, code="0ther")
    own = context(*runs(tmp_path), distance, pretender, other)
    text = "\n".join(calibration_section(own).parts)
    assert "Scores of Autoencoder, Mine are no probabilities" in text
    assert "| **Mine**" not in text
    assert "| **Other**‡ |" in text
    alone = calibration_section(context(distance))
    assert (len(alone.parts), alone.files) == (2, {})
