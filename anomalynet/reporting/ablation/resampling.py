"""Intervals and tests from a few independent values, in NumPy: bootstrap, sign flips, Holm's
correction. Seeds are fixed.

Source: not in the paper. Bootstrap percentile interval: Efron (1979); sign-flip test: Fisher
(1935); correction: Holm (1979).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

NAN = float("nan")

RESAMPLES = 10_000
"""Of a bootstrap."""

FLIPS = 20_000
"""Random assignments of signs where there are too many to try all."""

EXACT = 14
"""Most values whose signs are all tried: 2 ** 14 assignments."""

TOLERANCE = 1e-12
"""Sums that differ by less, relative to the sum of magnitudes, are equal: the order of additions
must not decide."""


def bootstrap_interval(
    values: ArrayLike, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean; (NaN, NaN) with fewer than two values.

    Args:
        values: (n,) independent ones; draw whole clusters, not members of one.
        level: coverage asked for. With few values the real one is lower.
        resamples: of the size of `values`, with replacement.
        seed: of the resamples; the same values give the same interval.
    """
    known = np.asarray(values, dtype=np.float64)
    if len(known) < 2:
        return NAN, NAN
    drawn = np.random.default_rng(seed).integers(0, len(known), size=(resamples, len(known)))
    low, high = np.quantile(known[drawn].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def sign_flip_p(values: ArrayLike, flips: int = FLIPS, seed: int = 0) -> float:
    """Two-sided p of the mean under the hypothesis that each value is as likely as its negative;
    NaN with fewer than two values.

    Exact over all assignments of signs up to `EXACT` values, beyond that from random ones, where
    the observed assignment counts as one of them so that p is never 0.

    Args:
        values: (n,) independent differences.
        flips: random assignments of signs beyond `EXACT` values.
        seed: of the random assignments.
    """
    known = np.asarray(values, dtype=np.float64)
    if len(known) < 2:
        return NAN
    signs = (
        _all_signs(len(known)) if len(known) <= EXACT else _random_signs(len(known), flips, seed)
    )
    as_far = np.abs(signs @ known) >= abs(known.sum()) - TOLERANCE * np.abs(known).sum()
    return float(as_far.mean()) if len(known) <= EXACT else float((1 + as_far.sum()) / (1 + flips))


def _all_signs(n: int) -> NDArray[np.float64]:
    """(2 ** (n - 1), n): every assignment whose last sign is +; the others mirror these and are as
    far from zero."""
    bits = (np.arange(2 ** (n - 1))[:, None] >> np.arange(n)) & 1
    return np.where(bits == 1, -1.0, 1.0)


def _random_signs(n: int, flips: int, seed: int) -> NDArray[np.float64]:
    return np.where(np.random.default_rng(seed).integers(0, 2, size=(flips, n)) == 1, -1.0, 1.0)


def smallest_p(n: int, flips: int = FLIPS) -> float:
    """The lowest p that `sign_flip_p` can give for n values, whatever they are; NaN with fewer than
    two."""
    if n < 2:
        return NAN
    return 2.0 ** (1 - n) if n <= EXACT else 1 / (1 + flips)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down correction: the chance of any false rejection in the family stays below the
    level.

    Args:
        p: (tests,) raw p; NaN is a test that was not made and belongs to no family.

    Returns:
        (tests,) adjusted p, at least the raw one and at most 1; NaN stays.
    """
    raw = np.asarray(p, dtype=np.float64)
    adjusted = np.full(raw.shape, NAN)
    made = np.flatnonzero(~np.isnan(raw))
    order = made[np.argsort(raw[made], kind="stable")]
    adjusted[order] = np.minimum(
        np.maximum.accumulate(raw[order] * np.arange(len(order), 0, -1)), 1.0
    )
    return adjusted
