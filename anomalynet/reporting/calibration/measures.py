"""Calibration in NumPy: bins of scores, expected calibration error, Brier score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalynet.reporting.statistics import NAN

BINS = 15

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bins:
    """Scored steps by their score, arrays of shape (bin,).

    Attributes:
        edges: (bin + 1,), a score on an edge belongs below it.
        steps: how many steps, float64.
        scores: sum of their scores.
        attacks: how many are attack.
    """

    edges: Floats
    steps: Floats
    scores: Floats
    attacks: Floats

    @property
    def predicted(self) -> Floats:
        """Mean score; NaN where a bin is empty."""
        return self.scores / np.where(self.steps > 0, self.steps, NAN)

    @property
    def observed(self) -> Floats:
        """Share of attack; NaN where a bin is empty."""
        return self.attacks / np.where(self.steps > 0, self.steps, NAN)

    @property
    def error(self) -> float:
        """Expected calibration error: |observed − predicted|, mean over steps."""
        total = float(self.steps.sum())
        return float(np.abs(self.attacks - self.scores).sum() / total) if total else NAN


def equal_width(bins: int = BINS) -> Floats:
    """Edges between 0 and 1, equally far from each other."""
    return np.linspace(0.0, 1.0, bins + 1)


def equal_mass(scores: Floats, bins: int = BINS) -> Floats:
    """Edges between which lie equally many scores; equal scores stay in one bin, so that some may
    be empty."""
    return np.percentile(scores, 100 * np.linspace(0.0, 1.0, bins + 1))


def binned(labels: NDArray[np.int8], scores: Floats, edges: Floats) -> Bins:
    """Sort steps into bins.

    Args:
        labels: (steps,) 0 normal, 1 attack.
        scores: (steps,) within [0, 1].
        edges: (bin + 1,), ascending.
    """
    place = np.searchsorted(edges[1:-1], scores)
    count = len(edges) - 1

    def total(weights: Floats | None) -> Floats:
        return np.bincount(place, weights, minlength=count).astype(np.float64)

    return Bins(edges, total(None), total(scores), total((labels == 1).astype(np.float64)))


def calibration_metrics(labels: NDArray[np.int8], scores: Floats) -> dict[str, float]:
    """Brier score, that of always saying the share of attack, both expected calibration errors, and
    the mean score; NaN without steps.

    Args:
        labels: (steps,) 0 normal, 1 attack.
        scores: (steps,) within [0, 1].

    Source: not in the paper. Brier, 1950; Naeini, Cooper and Hauskrecht, 2015 (equal width); Nixon
    et al., 2019 (equal mass).
    """
    if not len(labels):
        return dict.fromkeys(
            ("brier", "brier_constant", "ece", "ece_equal_mass", "mean_score"), NAN
        )
    attack = (labels == 1).astype(np.float64)
    share = float(attack.mean())
    return {
        "brier": float(np.mean((scores - attack) ** 2)),
        "brier_constant": share * (1 - share),
        "ece": binned(labels, scores, equal_width()).error,
        "ece_equal_mass": binned(labels, scores, equal_mass(scores)).error,
        "mean_score": float(scores.mean()),
    }
