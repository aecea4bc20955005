"""Point metrics in NumPy against scikit-learn; by hand where undefined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from anomalynet.metrics.kernels import (
    Confusion,
    confusion,
    decision_metrics,
    point_metrics,
    ranking_metrics,
    stratified_pairs,
)

# few distinct scores, so that ties are the rule
CASES = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 1e3])),
    min_size=2,
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(CASES, st.sampled_from([0.25, 0.5, 0.75]))
def test_metrics_equal_scikit_learn(case: list[tuple[int, float]], threshold: float) -> None:
    labels, scores = np.array([label for label, _ in case]), np.array([score for _, score in case])
    alarms = (scores >= threshold).astype(int)
    ours = point_metrics(labels, scores, threshold, probability=True)
    precision, recall, f1, _ = reference.precision_recall_fscore_support(
        labels, alarms, labels=[0, 1], zero_division=np.nan
    )
    for place, name in enumerate(("normal", "attack")):
        assert ours[f"precision_{name}"] == pytest.approx(precision[place], nan_ok=True)
        assert ours[f"recall_{name}"] == pytest.approx(recall[place], nan_ok=True)
        assert ours[f"f1_{name}"] == pytest.approx(f1[place], nan_ok=True)
    assert ours["accuracy"] == pytest.approx(reference.accuracy_score(labels, alarms))
    assert ours["accuracy_at_half"] == pytest.approx(
        reference.accuracy_score(labels, scores >= 0.5)
    )
    assert ours["prevalence"] == pytest.approx(labels.mean())
    matrix = reference.confusion_matrix(labels, alarms, labels=[0, 1]).ravel().tolist()
    counts = ("true_negatives", "false_positives", "false_negatives", "true_positives")
    assert [ours[name] for name in counts] == matrix
    if len(set(labels)) == len(set(alarms)) == 2:
        assert ours["mcc"] == pytest.approx(reference.matthews_corrcoef(labels, alarms))
    else:
        assert math.isnan(ours["mcc"])
    if len(set(labels)) == 2:
        assert ours["balanced_accuracy"] == pytest.approx(
            reference.balanced_accuracy_score(labels, alarms)
        )
        assert ours["auroc"] == pytest.approx(reference.roc_auc_score(labels, scores))
        assert ours["average_precision"] == pytest.approx(
            reference.average_precision_score(labels, scores)
        )
    else:
        assert all(
            math.isnan(ours[name]) for name in ("auroc", "average_precision", "balanced_accuracy")
        )


def test_every_point_metric_of_the_suite_is_computed() -> None:
    from anomalynet.metrics.suite import AGAINST_ALL, ALL, METRICS

    of_incidents = {"event_recall", "detection_delay", "false_alarms_per_device_day"}
    twice = {f"{name}{ALL}" for name in AGAINST_ALL}  # by `data/steps.metrics`, from the same
    found = set(point_metrics([0, 1], [0.1, 0.9], 0.5, True))
    assert found == set(METRICS) - of_incidents - twice
    assert set(AGAINST_ALL) <= found and len(twice) == 4


def test_thresholds_may_differ_by_step_and_a_score_at_its_own_is_an_alarm() -> None:
    labels, scores = [0, 1, 0, 1], [0.4, 0.6, 40.0, 60.0]
    thresholds = np.array([0.5, 0.5, 50.0, 50.0])
    assert confusion(labels, np.array(scores) >= thresholds) == Confusion(2, 0, 0, 2)
    assert point_metrics(labels, scores, thresholds.tolist(), False)["accuracy"] == 1.0
    assert point_metrics(labels, scores, 0.5, False)["accuracy"] == 0.75
    assert point_metrics([0, 1], [0.4, 0.5], 0.5, True)["true_positives"] == 1


def test_precision_at_the_papers_prevalence_by_hand() -> None:
    # recalls 97.5 and 97.85 give 99.0 % at 71.37 % attack, whatever the prevalence of the counts is
    computed = decision_metrics(Confusion(9750, 250, 43, 1957))
    expected = 0.7137 * 0.9785 / (0.7137 * 0.9785 + 0.2863 * 0.025)
    assert computed["precision_at_paper_prevalence"] == pytest.approx(expected)
    assert round(100 * expected, 1) == 99.0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 3)), min_size=1))
def test_pairs_within_strata_equal_all_pairs(steps: list[tuple[bool, int, int]]) -> None:
    def of(label: bool, score: int, stratum: int) -> tuple[float, int]:
        sign = 1 if label else -1
        others = [score for normal, score, same in steps if normal != label and same == stratum]
        right = [(sign * score > sign * other) + (score == other) / 2 for other in others]
        return sum(right), len(others)

    found = stratified_pairs(*(np.array(column, np.int64) for column in zip(*steps, strict=True)))
    assert [*zip(*(column.tolist() for column in found), strict=True)] == [
        of(*one) for one in steps
    ]


def test_what_is_undefined() -> None:
    values = point_metrics([], [], 0.5, True)
    counts = ("true_negatives", "false_positives", "false_negatives", "true_positives")
    assert [values.pop(name) for name in counts] == [0] * 4
    assert all(map(math.isnan, values.values()))
    assert all(map(math.isnan, ranking_metrics([0, 1], [0.1, math.nan]).values()))


def test_steps_without_a_label_or_a_score_take_no_part() -> None:
    labels, scores = [0, 1, -1, 1, 0], [0.1, 0.9, 0.9, math.nan, 0.7]
    thresholds = [0.5, 0.5, 0.1, 0.5, 0.8]
    found = point_metrics(labels, scores, thresholds, True)
    assert found == pytest.approx(point_metrics([0, 1, 0], [0.1, 0.9, 0.7], [0.5, 0.5, 0.8], True))
    assert (found["true_negatives"], found["accuracy"]) == (2, 1.0)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_leaves_undefined_what_needs_two(label: int) -> None:
    values = point_metrics([label] * 5, np.linspace(0, 1, 5), 0.5, True)
    two = ("auroc", "average_precision", "balanced_accuracy", "mcc")
    assert all(math.isnan(values[name]) for name in (*two, "precision_at_paper_prevalence"))
    assert math.isnan(values["recall_attack" if label == 0 else "recall_normal"])
    assert values["accuracy"] == pytest.approx(0.4 if label == 0 else 0.6)


def test_accuracy_at_half_means_nothing_without_a_probability() -> None:
    assert math.isnan(point_metrics([0, 1], [0.1, 0.9], 0.5, False)["accuracy_at_half"])


def test_large_counts_do_not_overflow() -> None:
    million = 10_000_000
    assert decision_metrics(Confusion(million, 0, 0, million))["mcc"] == pytest.approx(1.0)
