"""The torchmetrics collection: equal to the NumPy kernels, which scikit-learn judges, and what it
does in batches; and the sigmoid that torchmetrics applies unasked."""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.classification import BinaryAUROC
from torchmetrics.functional.classification import (
    binary_auroc,
    binary_f1_score,
    binary_matthews_corrcoef,
    binary_precision,
)

from anomalynet.metrics import kernels
from anomalynet.metrics.classification import metric_collection, point_metrics

SCORES = torch.cat([torch.linspace(900.0, 1000.0, 50), torch.linspace(1001.0, 1100.0, 50)]).double()
LABELS = (torch.arange(100) >= 50).long()

# ties are the rule, and any other score is there; classes, labels and scores may be missing
SCORE = st.sampled_from([0.0, 0.25, 0.5, 1.0, 1e3, nan]) | st.floats(-1e6, 1e6, width=32)
STEPS = st.lists(st.tuples(st.sampled_from([0, 1, 0, 1, -1]), SCORE), max_size=40)
ONE_CLASS = st.lists(st.tuples(st.just(0) | st.just(-1), SCORE), max_size=10)


@settings(max_examples=30, deadline=None)
@given(STEPS | ONE_CLASS, st.sampled_from([-3.0, 0.25, 0.5, 2.0, inf]), st.booleans())
def test_the_collection_equals_the_kernels(
    steps: list[tuple[int, float]], threshold: float, probability: bool
) -> None:
    labels = np.array([label for label, _ in steps], dtype=np.int8)
    scores = np.array([score for _, score in steps], dtype=np.float64)
    found = point_metrics(labels, scores, threshold, probability)
    expected = kernels.point_metrics(labels, scores, threshold, probability)
    assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_decisions_are_judged_as_by_torchmetrics(steps: list[tuple[bool, bool]]) -> None:
    labels, alarms = torch.tensor(steps).long().T
    found = kernels.decision_metrics(kernels.confusion(labels.numpy(), alarms.numpy()))
    expected = {
        "f1_attack": binary_f1_score(alarms, labels),
        "f1_normal": binary_f1_score(1 - alarms, 1 - labels),
        "precision_attack": binary_precision(alarms, labels),
        "recall_normal": binary_precision(1 - labels, 1 - alarms),
        "mcc": binary_matthews_corrcoef(alarms, labels),
    }
    for name, value in expected.items():
        # Where we say undefined, torchmetrics has a number.
        assert isnan(found[name]) or found[name] == pytest.approx(float(value), abs=1e-6), name


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), SCORE), min_size=1, max_size=12), st.integers(1, 4))
def test_batches_give_what_the_whole_gives(steps: list[tuple[bool, float]], size: int) -> None:
    labels = torch.tensor([int(label) for label, _ in steps])
    scores = torch.tensor([score for _, score in steps], dtype=torch.float64)
    # In the first batch both thresholds may decide alike.
    parts, whole = (metric_collection(0.25, probability=True) for _ in range(2))
    for first in range(0, len(steps), size):
        parts.update(scores[first : first + size], labels[first : first + size])
    whole.update(scores, labels)
    expected = {name: float(value) for name, value in whole.compute().items()}
    assert {name: float(value) for name, value in parts.compute().items()} == pytest.approx(
        expected, nan_ok=True
    )


def test_an_epoch_logs_the_order_of_scores_alone() -> None:
    metrics = metric_collection(prefix="validation/")
    metrics.update(torch.tensor([1.0, 1.0, 3.0]), torch.tensor([0, 1, 1]))
    found = {name: float(value) for name, value in metrics.compute().items()}
    # By hand: of two pairs one is right and one tied; precision 1 up to 3.0, then 2/3.
    assert found == pytest.approx(
        {"validation/auroc": 0.75, "validation/average_precision": (1 + 2 / 3) / 2}
    )


def test_a_score_that_is_no_number_leaves_the_order_undefined() -> None:
    metrics = metric_collection()
    metrics.update(torch.tensor([1.0, nan]), torch.tensor([0, 1]))
    assert all(isnan(value) for value in metrics.compute().values())


def test_scores_of_a_thousand_that_separate_perfectly_are_perfect() -> None:
    values = point_metrics(LABELS.numpy(), SCORES.numpy(), 1000.5, False)
    perfect = ("auroc", "average_precision", "f1_attack", "mcc")
    assert [values[name] for name in perfect] == [1.0] * 4


def test_the_plain_use_of_torchmetrics_is_wrong_there() -> None:
    # A sigmoid makes ties of all scores.
    assert float(binary_auroc(SCORES, LABELS)) == pytest.approx(0.5)
    mixed = BinaryAUROC()
    for score, label in zip((0.9, 0.95, 1.5, 2.0), (0, 0, 1, 1), strict=True):
        mixed.update(torch.tensor([score]), torch.tensor([label]))
    # A sigmoid for some batches and none for others changes the order.
    assert float(mixed.compute()) < 1.0
