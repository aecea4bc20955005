"""Metrics of the order of scores: the only place that builds torchmetrics' ranking metrics.

torchmetrics applies a sigmoid to scores outside [0, 1], batch by batch: reconstruction errors
saturate to ties, and each batch by a rule of its own. Its functional forms have no switch for it;
the classes do.
"""

from __future__ import annotations

from math import nan

from torch import Tensor
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision


def auroc(scores: Tensor, labels: Tensor) -> float:
    """Area under the ROC curve of scores (n,), any range, for labels (n,), integers 1 attack, 0
    normal; NaN where a class is missing.

    Source: not in the paper.
    """
    return _compute(BinaryAUROC(normalization=None, sync_on_compute=False), scores, labels)


def average_precision(scores: Tensor, labels: Tensor) -> float:
    """Average precision of scores (n,), any range, for labels (n,), integers 1 attack, 0 normal;
    NaN where a class is missing.

    Source: not in the paper.
    """
    return _compute(
        BinaryAveragePrecision(normalization=None, sync_on_compute=False), scores, labels
    )


def _compute(metric: BinaryAUROC | BinaryAveragePrecision, scores: Tensor, labels: Tensor) -> float:
    if not 0 < int(labels.sum()) < len(labels):
        return nan
    metric.update(scores, labels)
    return float(metric.compute())
