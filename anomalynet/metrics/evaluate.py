"""All metrics of single steps at once."""

from __future__ import annotations

from math import nan

import numpy as np
import numpy.typing as npt
import torch

from anomalynet.metrics.classification import confusion, from_counts
from anomalynet.metrics.ranking import auroc, average_precision


def point_metrics(
    labels: npt.NDArray[np.integer],
    scores: npt.NDArray[np.floating],
    threshold: float,
    probability: bool,
) -> dict[str, float]:
    """Every metric of `suite.METRICS` that judges step by step, NaN where undefined.

    Args:
        labels: (n,) 1 attack, 0 normal, -1 unlabelled; unlabelled steps take no part.
        scores: (n,) NaN where a step was missed; missed steps take no part, the caller reports
        their number. threshold: a step is predicted an attack where its score is at or above it.
        probability: whether the scores are probabilities, so that 0.5 means something.
    """
    known = (labels >= 0) & ~np.isnan(scores)
    truth = torch.from_numpy(labels[known].astype(np.int64))
    judged = torch.from_numpy(scores[known].astype(np.float64))
    at_half = (
        from_counts(*confusion((judged >= 0.5).long(), truth))["accuracy"] if probability else nan
    )
    return {
        **from_counts(*confusion((judged >= threshold).long(), truth)),
        "accuracy_at_half": at_half,
        "auroc": auroc(judged, truth),
        "average_precision": average_precision(judged, truth),
    }
