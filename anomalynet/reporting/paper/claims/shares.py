"""Metrics of a model's decisions, and their intervals over clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalynet.metrics.kernels import Confusion, decision_metrics, ratio
from anomalynet.metrics.suite import PAPER_PREVALENCE
from anomalynet.reporting.aggregate import summarise

Counts = NDArray[np.int64]

AT_PAPER_PREVALENCE = {
    "accuracy_at_paper_prevalence": "Accuracy at 71.37 % attack",
    "precision_attack_at_paper_prevalence": "Precision (attack) at 71.37 % attack",
    "precision_normal_at_paper_prevalence": "Precision (normal) at 71.37 % attack",
}
"""Metrics from both recalls at 71.37 % attack, as in the paper's test set: name → title."""


def shares(counts: Counts) -> dict[str, float]:
    """Every metric that is computed from the confusion matrix, NaN if undefined; counts (4,) in the
    order of the fields of `Confusion`."""
    found = decision_metrics(Confusion(*counts.tolist()))
    normal, attack = found["recall_normal"], found["recall_attack"]
    kept = (1 - PAPER_PREVALENCE) * normal
    return found | {
        "accuracy_at_paper_prevalence": PAPER_PREVALENCE * attack + kept,
        "precision_attack_at_paper_prevalence": found["precision_at_paper_prevalence"],
        "precision_normal_at_paper_prevalence": ratio(kept, kept + PAPER_PREVALENCE * (1 - attack)),
    }


def share_interval(metric: str, counts: Counts) -> tuple[float, float, float]:
    """A share as in the tables, pooled within repetitions and averaged over them, and its 95 %
    interval by the jackknife with Student's t: each cluster is left out once.

    A percentile bootstrap over so few clusters is too narrow: for recalls that differ between 8
    clusters it misses the truth on either side in 6 % of cases instead of 2.5 %, the jackknife in
    3 % (a test repeats it). `metric`: a key of `shares`; `counts`: int64 (repetition, cluster, 4),
    zeros if a repetition does not test a cluster.

    Returns:
        value, low, high; NaN if undefined. The interval is undefined with fewer than two clusters,
        or if the value without one of them is undefined.
    Source: not in the paper; Tukey (1958).
    """
    from scipy.special import stdtrit

    def mean(pools: Counts) -> float:
        return summarise(shares(pool)[metric] for pool in pools).mean

    n, total = counts.shape[1], counts.sum(axis=1)
    value = mean(total)
    if n < 2:
        return value, np.nan, np.nan
    rest = [mean(total - counts[:, cluster]) for cluster in range(n)]
    pseudo = n * value - (n - 1) * np.array(rest)
    half = float(stdtrit(n - 1, 0.975) * pseudo.std(ddof=1) / np.sqrt(n))
    return value, float(pseudo.mean()) - half, float(pseudo.mean()) + half
