"""Measures how much recent steps differ from the training data. The model is not adapted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anomalynet.detection.contract import Contract
from anomalynet.detection.records import Steps

WINDOW = 10_000  # number of recent steps that are compared
MIN_STEPS = 500  # smallest number of steps for a measurement
FLOOR = 1e-4  # smallest share of a bin, so that the logarithm of an empty one exists
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measure:
    """Distance of a quantity from its reference."""

    # population stability index over deciles of the reference; usual interpretation: below 0.1 no
    # shift, above 0.25 a large one
    psi: float
    steps: int  # number of compared steps


def psi(sample: Float64, reference: Float64) -> float:
    """Population stability index: Σ (p - q) ln(p / q) over bins between deciles of the
    reference; equal deciles are merged. `sample`: finite values; `reference`: evenly spaced
    quantiles of the distribution."""
    edges = np.unique(np.quantile(reference, np.linspace(0.1, 0.9, 9), method="inverted_cdf"))
    shares = []
    for values in (sample, reference):
        counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
        shares.append(np.maximum(counts / len(values), FLOOR))
    seen, expected = shares
    return float(((seen - expected) * np.log(seen / expected)).sum())


class Drift:
    """Compares recent steps, in a ring buffer, with the reference of the contract. Quantities
    without a reference are not measured."""

    def __init__(self, contract: Contract, window: int = WINDOW) -> None:
        self._references = {"score": np.asarray(contract.reference.scores, np.float64)}
        self._references |= {
            name: np.asarray(contract.reference.channels.get(name, ()), np.float64)
            for name in contract.channels
        }
        self._ring = np.full((window, len(self._references)), np.nan, np.float32)
        self._next = 0

    def add(self, steps: Steps) -> None:
        """Add the scored steps of one outcome."""
        scored = np.flatnonzero(np.isfinite(steps.score))[-len(self._ring) :]
        if not len(scored):
            return
        rows = (self._next + np.arange(len(scored))) % len(self._ring)
        self._ring[rows, 0] = steps.score[scored]
        self._ring[rows, 1:] = steps.values[scored]
        self._next = int(rows[-1]) + 1

    def measure(self) -> dict[str, Measure]:
        """Measures of `score` and of channels that have a reference and enough steps."""
        found = {}
        for (name, reference), column in zip(self._references.items(), self._ring.T, strict=True):
            sample = column[np.isfinite(column)].astype(np.float64)
            if len(reference) and len(sample) >= MIN_STEPS:
                found[name] = Measure(psi(sample, reference), len(sample))
        return found


def described(measures: dict[str, Measure]) -> str:
    """The measures as one line, largest shifts first."""
    if not measures:
        return f"drift: fewer than {MIN_STEPS} scored steps, or the model has no reference"
    ordered = sorted(measures.items(), key=lambda item: -item[1].psi)
    shown = ", ".join(f"{name} {each.psi:.3f}" for name, each in ordered[:5])
    return f"drift, PSI over {ordered[0][1].steps} steps: {shown}"
