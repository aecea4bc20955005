"""Brier score and calibration error by hand and against scikit-learn; the section pools folds."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from anomalynet.reporting.aggregate import ArmMetrics, aggregate
from anomalynet.reporting.arms import arms
from anomalynet.reporting.calibration import (
    BINS,
    binned,
    calibrate,
    calibration_metrics,
    calibration_section,
    equal_mass,
    equal_width,
)
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import record

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


FOLDS = [[0, 1, 0, 1], [1, 0, 0, 0]]
FOLD_SCORES = {
    0: [[0.1, 0.7, 0.3, 0.9], [0.6, 0.2, 0.1, 0.4]],
    1: [[0.0, 1.0, 0.0, 0.5], [0.5, 0.0, 0.5, 0.0]],
}


def runs(folder: Path, experiment: str = "cnn", code: str = "c0de") -> list[RunRecord]:
    return [
        record(
            folder,
            experiment,
            seed=seed,
            fold=fold,
            labels=FOLDS[fold],
            scores=folds[fold],
            code=code,
        )
        for seed, folds in FOLD_SCORES.items()
        for fold in range(2)
    ]


def measured(records: Sequence[RunRecord]) -> tuple[ArmMetrics, ...]:
    return aggregate(arms(records))


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_folds_are_pooled_and_repetitions_averaged(tmp_path: Path) -> None:
    found = calibration_section(measured(runs(tmp_path)), "toy")
    briers = [
        brier_score_loss(np.concatenate(FOLDS), np.concatenate(folds))
        for folds in FOLD_SCORES.values()
    ]
    table = {row["metric"]: row for row in rows(found.files["tables/calibration.csv"])}
    assert float(table["brier"]["mean"]) == pytest.approx(np.mean(briers), abs=5e-5)
    assert float(table["brier"]["spread"]) == pytest.approx(np.std(briers, ddof=1), abs=5e-5)
    assert (table["brier"]["n"], table["brier"]["seeds"], table["brier"]["split"]) == (
        "2",
        "0, 1",
        "group",
    )
    assert table["brier_constant"]["mean"] == "0.2344"  # 3/8 · 5/8
    assert (table["prevalence"]["mean"], table["mean_score"]["mean"]) == (
        "37.5000",
        f"{100 * (3.3 / 8 + 2.5 / 8) / 2:.4f}",
    )
    assert f"| **CNN** | {np.mean(briers):.3f} ± {np.std(briers, ddof=1):.3f} |" in "\n".join(
        found.parts
    )


def test_the_diagram_has_every_step_and_the_range_of_repetitions(tmp_path: Path) -> None:
    models = measured(runs(tmp_path))
    found = calibration_section(models, "toy")
    bins = rows(found.files["tables/reliability.csv"])
    assert len(bins) == 15
    assert sum(int(row["steps"]) for row in bins) == 16
    middle = bins[
        7
    ]  # 0.4667 … 0.5333: three times 0.5 of the second repetition, two of them attack
    assert (middle["steps"], middle["score"], middle["attack"]) == ("3", "0.5000", "0.6667")
    lowest = bins[1]  # 0.0667 … 0.1333: twice 0.1 of the first
    assert (
        lowest["steps"],
        lowest["attack"],
        lowest["attack_lowest"],
        lowest["attack_highest"],
    ) == ("2", "0.0000", "0.0000", "0.0000")
    svg = found.files["figures/calibration_reliability.svg"].decode()
    assert "<!-- CNN -->" in svg
    assert found == calibration_section(measured(list(reversed(runs(tmp_path / "again")))), "toy")


def test_the_range_goes_from_the_lowest_to_the_highest_repetition(tmp_path: Path) -> None:
    own = [
        record(tmp_path, seed=seed, folds=1, labels=labels, scores=[0.5, 0.5, 0.9])
        for seed, labels in enumerate([[0, 1, 1], [1, 1, 1], [0, 0, 1]])
    ]
    (one,), _ = calibrate(measured(own))
    low, high = one.observed_range
    assert (low[7], high[7], one.pooled.observed[7]) == (0.0, 1.0, 0.5)
    assert (low[13], high[13]) == (1.0, 1.0)
    assert np.isnan(low[0])


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of the time."""
    monkeypatch.setattr("anomalynet.reporting.calibration.drawn", lambda *_: {})


@pytest.mark.usefixtures("no_figures")
def test_models_without_probabilities_are_named(tmp_path: Path) -> None:
    distance = record(
        tmp_path, "autoencoder", folds=1, labels=[0, 1], scores=[0.2, 0.4], probability=False
    )
    pretender = record(tmp_path, "mine", folds=1, labels=[0, 1], scores=[0.2, 1.5])
    text = "\n".join(
        calibration_section(measured([*runs(tmp_path), distance, pretender]), "toy").parts
    )
    assert "The scores of Autoencoder, Mine are no probabilities" in text
    assert "| **Mine**" not in text
    alone = calibration_section(measured([distance]), "toy")
    assert (len(alone.parts), alone.files) == (2, {})


@pytest.mark.usefixtures("no_figures")
def test_runs_of_other_code_are_marked(tmp_path: Path) -> None:
    found = calibration_section(
        measured([*runs(tmp_path), record(tmp_path, "mine", folds=1, code="0ther")]), "toy"
    )
    text = "\n".join(found.parts)
    assert "| **Mine**‡ |" in text
    assert text.count("‡ Mine: 1 of 1 runs were made by another version of the code") == 2
