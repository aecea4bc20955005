"""Metrics of decisions against scikit-learn."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from anomalynet.metrics.classification import from_counts, point_metrics, precision_at

Steps = list[tuple[int, float]]
STEPS = st.lists(
    st.tuples(st.sampled_from([0, 1]), st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0])),
    min_size=1,
    max_size=30,
)


@given(STEPS)
def test_every_point_metric_equals_scikit_learn(steps: Steps) -> None:
    labels = np.array([label for label, _ in steps], dtype=np.int8)
    scores = np.array([score for _, score in steps])
    predicted = (scores >= 0.4).astype(int)
    ours = point_metrics(labels, scores, 0.4, probability=True)
    precision, recall, f1, _ = reference.precision_recall_fscore_support(
        labels, predicted, labels=[0, 1], zero_division=nan
    )
    expected = {
        "accuracy": reference.accuracy_score(labels, predicted),
        "accuracy_at_half": reference.accuracy_score(labels, scores >= 0.5),
        "prevalence": labels.mean(),
    }
    for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
        expected |= {f"{name}_normal": values[0], f"{name}_attack": values[1]}
    counts = ("true_negatives", "false_positives", "false_negatives", "true_positives")
    matrix = reference.confusion_matrix(labels, predicted, labels=[0, 1])
    expected |= dict(zip(counts, matrix.ravel(), strict=True))
    two = ("balanced_accuracy", "mcc", "auroc", "average_precision")
    expected |= dict.fromkeys(two, nan)
    if len(set(labels.tolist())) == 2:
        expected["balanced_accuracy"] = reference.balanced_accuracy_score(labels, predicted)
        expected["auroc"] = reference.roc_auc_score(labels, scores)
        expected["average_precision"] = reference.average_precision_score(labels, scores)
        if len(set(predicted.tolist())) == 2:
            expected["mcc"] = reference.matthews_corrcoef(labels, predicted)
    for name, value in expected.items():
        assert ours[name] == pytest.approx(value, abs=1e-6, nan_ok=True), name


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_leaves_undefined_what_needs_two(label: int) -> None:
    values = point_metrics(np.full(5, label, dtype=np.int8), np.linspace(0, 1, 5), 0.5, True)
    two = ("auroc", "average_precision", "balanced_accuracy", "mcc")
    assert all(isnan(values[name]) for name in (*two, "precision_at_paper_prevalence"))
    assert isnan(values["recall_attack" if label == 0 else "recall_normal"])
    assert values["accuracy"] == pytest.approx(0.4 if label == 0 else 0.6)


def test_no_step_leaves_everything_undefined_but_the_counts() -> None:
    values = point_metrics(np.array([], dtype=np.int8), np.array([]), 0.5, True)
    counts = {"true_negatives", "false_positives", "false_negatives", "true_positives"}
    assert all(values[name] == 0 for name in counts)
    assert all(isnan(value) for name, value in values.items() if name not in counts)


def test_unlabelled_and_missed_steps_take_no_part() -> None:
    labels = np.array([0, 1, -1, 1, 0], dtype=np.int8)
    scores = np.array([0.1, 0.9, 0.9, nan, 0.7])
    assert point_metrics(labels, scores, 0.5, True) == pytest.approx(
        point_metrics(labels[[0, 1, 4]], scores[[0, 1, 4]], 0.5, True)
    )


def test_accuracy_at_half_means_nothing_without_a_probability() -> None:
    values = point_metrics(np.array([0, 1], dtype=np.int8), np.array([0.1, 0.9]), 0.5, False)
    assert isnan(values["accuracy_at_half"])


def test_a_score_at_the_threshold_is_an_attack() -> None:
    values = point_metrics(np.array([1], dtype=np.int8), np.array([0.3]), 0.3, True)
    assert values["true_positives"] == 1


def test_precision_moves_with_prevalence() -> None:
    # Recalls 97.5 % and 97.85 % give a precision of 99.0 % at the paper's prevalence, and 67 % at 5
    # %.
    assert precision_at(0.9785, 1 - 0.975) == pytest.approx(0.990, abs=5e-4)
    assert precision_at(0.9785, 1 - 0.975, prevalence=0.05) == pytest.approx(0.67, abs=5e-3)
    assert isnan(precision_at(0.0, 0.0))
    counts = from_counts(tn=975, fp=25, fn=215, tp=9785)
    assert counts["precision_at_paper_prevalence"] == pytest.approx(precision_at(0.9785, 0.025))


def test_large_counts_do_not_overflow() -> None:
    million = 10_000_000
    assert from_counts(million, 0, 0, million)["mcc"] == pytest.approx(1.0)
