"""All step-wise metrics as one torchmetrics collection, for an epoch's log and a run's result.

torchmetrics would apply a sigmoid to any batch with scores outside [0, 1]; large reconstruction
errors would all become 1 and tie. `normalization=None` switches it off for ranking metrics. For the
others we compare with the threshold ourselves and give torchmetrics only 0 and 1. Undefined metrics
are NaN (torchmetrics: 0)."""

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

from anomalynet.metrics.kernels import Confusion, decision_metrics, usable_steps
from anomalynet.metrics.suite import METRICS

PIECE = 1 << 18  # steps whose decisions are counted at a time


class Decisions(BinaryConfusionMatrix):
    """All metrics of the confusion matrix; a score at or above `threshold` is an attack."""

    def __init__(self, threshold: float) -> None:
        super().__init__(sync_on_compute=False)
        self.threshold = threshold  # any number; torchmetrics' own must be in [0, 1]

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count scores (n,), any range, against labels (n,), integers 1 attack, 0 normal."""
        for start in range(0, len(target), PIECE):
            some = slice(start, start + PIECE)
            super().update((preds[some] >= self.threshold).long(), target[some])

    def compute(self) -> dict[str, Tensor]:  # type: ignore[override]
        """Name → value, float64, NaN if undefined."""
        (tn, fp), (fn, tp) = self.confmat.tolist()
        found = decision_metrics(Confusion(tn, fp, fn, tp))
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()}


class AccuracyAtHalf(Decisions):
    """Accuracy if a probability of at least 0.5 is an attack."""

    def compute(self) -> Tensor:  # type: ignore[override]
        """The accuracy, a float64 scalar."""
        return super().compute()["accuracy"]


class _RankingMetric(BinaryPrecisionRecallCurve):
    """A metric of the order of scores: NaN if a class is missing or a score is NaN."""

    def compute(self) -> Tensor:  # type: ignore[override]
        labels, scores = dim_zero_cat(self.target), dim_zero_cat(self.preds)
        defined = 0 < int(labels.sum()) < len(labels) and not bool(scores.isnan().any())
        del labels, scores  # copies
        return super().compute() if defined else torch.tensor(nan)  # type: ignore[return-value]


class AUROC(_RankingMetric, BinaryAUROC):
    """Area under the ROC curve, ties count half."""


class AveragePrecision(_RankingMetric, BinaryAveragePrecision):
    """Average precision, without interpolation."""


def metric_collection(
    threshold: float | None = None, *, probability: bool = False, prefix: str | None = None
) -> MetricCollection:
    """Ranking metrics; with a threshold also those of decisions. Update the collection with scores
    (n,), any range, and labels (n,), integers 1 attack, 0 normal. Every process sees all steps, so
    nothing is synchronised.

    Args:
        threshold: a step is predicted to be an attack if its score is at or above it; None: only
            ranking metrics.
        probability: whether scores are probabilities, so that 0.5 has a meaning.
        prefix: put before each name, such as `validation/`.
    Source: §4 of the paper for precision, recall, F1 and accuracy; the rest is not in the paper.

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
    # Set by hand: automatic grouping merges metrics that merely have equal state after one batch.
    return MetricCollection(metrics, prefix=prefix, compute_groups=[["auroc", "average_precision"]])


def point_metrics(
    labels: npt.NDArray[np.integer],
    scores: npt.NDArray[np.floating],
    threshold: float,
    probability: bool,
) -> dict[str, float]:
    """Every step-wise metric of `suite.METRICS`, NaN if undefined.

    Args:
        labels: (n,) 1 attack, 0 normal, -1 unlabelled; an unlabelled step is ignored.
        scores: (n,) NaN if the step was missed; a missed step is ignored.
        threshold, probability: as in `metric_collection`.
    """
    usable = usable_steps(labels, scores)
    collection = metric_collection(threshold, probability=probability)
    judged, truth = scores[usable].astype(np.float64, copy=False), labels[usable]
    collection.update(torch.from_numpy(judged), torch.from_numpy(truth))
    found = {"accuracy_at_half": nan} | collection.compute()
    return {name: float(found[name]) for name in METRICS if name in found}
