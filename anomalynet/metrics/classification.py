"""All metrics of single steps as one torchmetrics collection, for an epoch's log and a run's
result.

torchmetrics applies a sigmoid to scores outside [0, 1], batch by batch: reconstruction errors
saturate to ties. `normalization=None` switches it off for ranking metrics; decisions are taken
before torchmetrics counts them. Where torchmetrics puts 0 for what is undefined, these are NaN."""

from __future__ import annotations

from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import (
    BinaryAUROC,
    BinaryAveragePrecision,
    BinaryConfusionMatrix,
    BinaryPrecisionRecallCurve,
)
from torchmetrics.utilities.data import dim_zero_cat

from anomalynet.metrics.kernels import Confusion, decision_metrics, known_steps
from anomalynet.metrics.suite import METRICS


class Decisions(BinaryConfusionMatrix):
    """Every metric that four counts determine: a score at or above `threshold` is an attack."""

    def __init__(self, threshold: float) -> None:
        super().__init__(sync_on_compute=False)
        self.threshold = threshold  # any range, while torchmetrics wants it in [0, 1]

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count scores (n,), any range, against labels (n,), integers 1 attack, 0 normal."""
        if len(target):
            super().update((preds >= self.threshold).long(), target)

    def compute(self) -> dict[str, Tensor]:  # type: ignore[override]
        """Name → value, float64, NaN where undefined."""
        (tn, fp), (fn, tp) = self.confmat.tolist()
        found = decision_metrics(Confusion(tn, fp, fn, tp))
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()}


class AccuracyAtHalf(Decisions):
    """Accuracy of a probability of attack at 0.5."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """A scalar, float64."""
        return super().compute()["accuracy"]


class _OfBothClasses(BinaryPrecisionRecallCurve):
    """A metric of the order of scores: NaN where a class is missing or a score is NaN."""

    def compute(self) -> Tensor:  # type: ignore[override]
        labels, scores = dim_zero_cat(self.target), dim_zero_cat(self.preds)
        if 0 < int(labels.sum()) < len(labels) and not bool(scores.isnan().any()):
            return super().compute()  # type: ignore[return-value]
        return torch.tensor(nan)


class AUROC(_OfBothClasses, BinaryAUROC):
    """Area under the ROC curve, ties count half."""


class AveragePrecision(_OfBothClasses, BinaryAveragePrecision):
    """Average precision, without interpolation."""


def metric_collection(
    threshold: float | None = None, *, probability: bool = False, prefix: str | None = None
) -> MetricCollection:
    """The metrics of an epoch, and with a threshold those of a run; update it with scores (n,), any
    range, and labels (n,), integers 1 attack, 0 normal. Every process sees all steps: nothing is
    synchronised.

    Args:
        threshold: a step is predicted an attack where its score is at or above it; None: only
        metrics of the order of scores.
        probability: whether scores are probabilities, so that 0.5 means something.
        prefix: of the names, `validation/`.
    Source: §4 for precision, recall, F1 and accuracy; the rest is not in the paper.

    Example:
        >>> metrics = metric_collection(threshold=0.5)
        >>> metrics.update(torch.tensor([0.2, 0.4, 0.9]), torch.tensor([0, 0, 1]))
        >>> metrics.compute()["auroc"]
        tensor(1.)
    """
    options: dict[str, Any] = {"normalization": None, "sync_on_compute": False}
    metrics: dict[str, Metric | MetricCollection] = {
        "auroc": AUROC(**options),
        "average_precision": AveragePrecision(**options),
    }
    if threshold is not None:
        metrics["decisions"] = Decisions(threshold)
    if probability:
        metrics["accuracy_at_half"] = AccuracyAtHalf(0.5)
    # Named groups: by itself torchmetrics merges metrics whose counts agree in the first batch.
    return MetricCollection(metrics, prefix=prefix, compute_groups=[["auroc", "average_precision"]])


def point_metrics(
    labels: npt.NDArray[np.integer],
    scores: npt.NDArray[np.floating],
    threshold: float,
    probability: bool,
) -> dict[str, float]:
    """Every metric of `suite.METRICS` that judges step by step, NaN where undefined.

    Args:
        labels: (n,) 1 attack, 0 normal, -1 unlabelled, which takes no part.
        scores: (n,) NaN where a step was missed, which takes no part.
        threshold: as `metric_collection`'s.
        probability: likewise.
    """
    known = known_steps(labels, scores)
    collection = metric_collection(threshold, probability=probability)
    judged, truth = scores[known].astype(np.float64), labels[known].astype(np.int64)
    collection.update(torch.from_numpy(judged), torch.from_numpy(truth))
    found = {"accuracy_at_half": nan} | collection.compute()
    return {name: float(found[name]) for name in METRICS if name in found}
