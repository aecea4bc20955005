"""An arm's calibration: each repetition's folds pooled, as for every other metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anomalynet.reporting.aggregate import ArmMetrics, read_test_scores
from anomalynet.reporting.arms import Repetition, RepetitionKey
from anomalynet.reporting.calibration.measures import Bins, binned, calibration_metrics, equal_width


@dataclass(frozen=True, slots=True)
class Calibrated:
    """An arm whose score is a probability.

    Attributes:
        metrics: the arm, each repetition's metrics with those of calibration among them.
        bins: of equal width, by repetition.
    """

    metrics: ArmMetrics
    bins: Mapping[RepetitionKey, Bins]

    @property
    def pooled(self) -> Bins:
        """Bins of all repetitions together."""
        own = list(self.bins.values())
        steps, scores, attacks = (
            np.sum([getattr(one, name) for one in own], axis=0)
            for name in ("steps", "scores", "attacks")
        )
        return Bins(equal_width(), steps, scores, attacks)

    @property
    def observed_range(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest share of attack of a repetition, (bin,); NaN where none has steps
        there."""
        shares = np.stack([one.observed for one in self.bins.values()])
        nowhere = np.isnan(shares).all(axis=0)
        low = np.where(nowhere, np.nan, np.where(np.isnan(shares), np.inf, shares).min(axis=0))
        return low, np.where(
            nowhere, np.nan, np.where(np.isnan(shares), -np.inf, shares).max(axis=0)
        )


def calibrate(
    models: Sequence[ArmMetrics],
) -> tuple[tuple[Calibrated, ...], tuple[ArmMetrics, ...]]:
    """Compute the calibration of every arm that has runs, one repetition's scores in memory at a
    time.

    Returns:
        the arms whose scores are probabilities, and those whose are not: they say so themselves, or
        a score lies outside [0, 1].

    Raises:
        RunError: a run's scores cannot be read.
    """
    run = [one for one in models if one.values]
    found = {one.arm.name: _calibrated(one) for one in run}
    known = tuple(one for one in found.values() if one is not None)
    return known, tuple(one for one in run if found[one.arm.name] is None)


def _calibrated(one: ArmMetrics) -> Calibrated | None:
    if not all(record.result.probability for record in one.arm.records):
        return None
    values, bins = {}, {}
    for repetition in one.arm.counted:
        labels, scores = _pooled(repetition)
        if len(scores) and not (scores.min() >= 0.0 and scores.max() <= 1.0):
            return None
        values[repetition.key] = {
            **one.values[repetition.key],
            **calibration_metrics(labels, scores),
        }
        bins[repetition.key] = binned(labels, scores, equal_width())
    return Calibrated(ArmMetrics(one.arm, values), bins)


def _pooled(repetition: Repetition) -> tuple[np.ndarray, np.ndarray]:
    folds = [read_test_scores(record) for record in repetition.records]
    return np.concatenate([fold.labels for fold in folds]), np.concatenate(
        [fold.scores for fold in folds]
    )
