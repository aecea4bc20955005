"""Whether what comes in still looks like what the model was trained on. It tells, and adapts
nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anomalynet.detection.contract import Contract
from anomalynet.detection.records import Steps

WINDOW = 10_000  # newest steps that are compared
FEWEST = 500  # steps below which nothing is said
FLOOR = 1e-4  # least share of a bin, so that an empty one has a logarithm

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measure:
    """How far a quantity is from its reference."""

    # population stability index over the reference's tenths; customary reading: below 0.1 none,
    # above 0.25 a large shift
    psi: float
    # largest distance of the two distribution functions; None where scipy is not installed
    ks: float | None
    # of `ks`, the reference taken as 101 values. Steps that follow each other are alike, so it is
    # smaller than it should be.
    p_value: float | None
    steps: int  # compared


def psi(sample: Float64, reference: Float64) -> float:
    """Population stability index: Σ (p - q) ln(p / q) over bins between the reference's tenths;
    equal tenths are one. `sample`: finite values; `reference`: quantiles in equal steps, which
    stand for the distribution."""
    edges = np.unique(np.quantile(reference, np.linspace(0.1, 0.9, 9), method="inverted_cdf"))
    shares = []
    for values in (sample, reference):
        counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
        shares.append(np.maximum(counts / len(values), FLOOR))
    seen, expected = shares
    return float(((seen - expected) * np.log(seen / expected)).sum())


class Drift:
    """The newest steps in a ring, against the contract's reference. `contract`: names what there is
    a reference for; the rest is not measured."""

    def __init__(self, contract: Contract, window: int = WINDOW) -> None:
        self._references = {"score": np.asarray(contract.reference.scores, np.float64)}
        self._references |= {
            name: np.asarray(contract.reference.channels.get(name, ()), np.float64)
            for name in contract.channels
        }
        self._ring = np.full((window, len(self._references)), np.nan, np.float32)
        self._next = 0

    def add(self, steps: Steps) -> None:
        """Take over the scored steps of one outcome."""
        scored = np.flatnonzero(np.isfinite(steps.score))[-len(self._ring) :]
        if not len(scored):
            return
        places = (self._next + np.arange(len(scored))) % len(self._ring)
        self._ring[places, 0] = steps.score[scored]
        self._ring[places, 1:] = steps.values[scored]
        self._next = int(places[-1]) + 1

    def measure(self) -> dict[str, Measure]:
        """What there is a reference and enough steps for: `score` and channels."""
        found = {}
        for (name, reference), column in zip(self._references.items(), self._ring.T, strict=True):
            sample = column[np.isfinite(column)].astype(np.float64)
            if len(reference) and len(sample) >= FEWEST:
                found[name] = Measure(
                    psi(sample, reference), *_kolmogorov_smirnov(sample, reference), len(sample)
                )
        return found


def _kolmogorov_smirnov(sample: Float64, reference: Float64) -> tuple[float | None, float | None]:
    try:
        from scipy.stats import ks_2samp
    except ImportError:
        return None, None
    result = ks_2samp(sample, reference, method="asymp")
    return float(result.statistic), float(result.pvalue)


def described(measures: dict[str, Measure]) -> str:
    """One line: the largest shifts first."""
    if not measures:
        return f"drift: fewer than {FEWEST} scored steps, or the model has no reference"
    ordered = sorted(measures.items(), key=lambda item: -item[1].psi)
    shown = [
        f"{name} {each.psi:.3f}" + ("" if each.ks is None else f" (KS {each.ks:.3f})")
        for name, each in ordered[:5]
    ]
    known = any(each.ks is not None for _, each in ordered)
    missing = "" if known else "; no KS test, scipy is not installed"
    return f"drift, PSI over {ordered[0][1].steps} steps: {', '.join(shown)}{missing}"
