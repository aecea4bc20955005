"""Ranking metrics against scikit-learn, and the sigmoid that torchmetrics applies unasked."""

from __future__ import annotations

from math import isnan

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference
from torchmetrics.classification import BinaryAUROC
from torchmetrics.functional.classification import binary_auroc

from anomalynet.metrics.classification import auroc, average_precision

SCORES = torch.cat([torch.linspace(900.0, 1000.0, 50), torch.linspace(1001.0, 1100.0, 50)]).double()
LABELS = (torch.arange(100) >= 50).long()


STEP = st.tuples(st.sampled_from([0, 1]), st.floats(-1e6, 1e6, width=32))


@given(st.lists(STEP, min_size=2, max_size=40))
def test_equal_scikit_learn_at_any_scale(steps: list[tuple[int, float]]) -> None:
    labels = torch.tensor([label for label, _ in steps])
    scores = torch.tensor([score for _, score in steps], dtype=torch.float64)
    if 0 < int(labels.sum()) < len(labels):
        area = reference.roc_auc_score(labels, scores)
        precision = reference.average_precision_score(labels, scores)
        assert auroc(scores, labels) == pytest.approx(area, abs=1e-6)
        assert average_precision(scores, labels) == pytest.approx(precision, abs=1e-6)
    else:
        assert isnan(auroc(scores, labels))
        assert isnan(average_precision(scores, labels))


def test_scores_of_a_thousand_that_separate_perfectly_are_perfect() -> None:
    assert auroc(SCORES, LABELS) == 1.0
    assert average_precision(SCORES, LABELS) == 1.0


def test_batches_of_one_keep_the_order() -> None:
    metric = BinaryAUROC(normalization=None)
    for score, label in zip(SCORES, LABELS, strict=True):
        metric.update(score[None], label[None])
    assert float(metric.compute()) == 1.0


def test_the_plain_use_of_torchmetrics_is_wrong_there() -> None:
    # A sigmoid makes ties of all scores.
    assert float(binary_auroc(SCORES, LABELS)) == pytest.approx(0.5)
    mixed = BinaryAUROC()
    for score, label in zip((0.9, 0.95, 1.5, 2.0), (0, 0, 1, 1), strict=True):
        mixed.update(torch.tensor([score]), torch.tensor([label]))
    # A sigmoid for some batches and none for others changes the order.
    assert float(mixed.compute()) < 1.0


def test_ties_count_half() -> None:
    assert auroc(torch.tensor([1.0, 1.0]), torch.tensor([0, 1])) == 0.5
