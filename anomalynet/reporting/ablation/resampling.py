"""Intervals and tests from a few independent values: bootstrap, sign flips, Holm's correction.
Seeds are fixed.

Source: not in the paper. Bootstrap percentile interval: Efron (1979); sign-flip test: Fisher
(1935); correction: Holm (1979)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

NAN = float("nan")

RESAMPLES = 10_000  # of a bootstrap
FLIPS = 20_000  # random assignments of signs where there are too many to try all
EXACT = 14  # most values whose signs are all tried: 2 ** 14 assignments
TOLERANCE = 1e-12
"""Sums that differ by less, relative to the sum of magnitudes, are equal: the order of additions
must not decide."""


def bootstrap_interval(values: ArrayLike, resamples: int = RESAMPLES) -> tuple[float, float]:
    """95 % percentile interval of the mean; (NaN, NaN) with fewer than two values. With few values
    its coverage is lower.

    Args:
        values: (n,) independent ones; draw whole clusters, not members of one.
        resamples: of the size of `values`, with replacement; always the same ones.
    """
    known = np.asarray(values, dtype=np.float64)
    if len(known) < 2:
        return NAN, NAN
    drawn = np.random.default_rng(0).integers(0, len(known), size=(resamples, len(known)))
    low, high = np.quantile(known[drawn].mean(axis=1), [(1 - 0.95) / 2, (1 + 0.95) / 2])
    return float(low), float(high)


def sign_flip_p(values: ArrayLike) -> float:
    """Two-sided p of the mean under the hypothesis that each value is as likely as its negative;
    NaN with fewer than two values.

    Exact over all assignments of signs up to `EXACT` values, beyond that from `FLIPS` random ones,
    where the observed assignment counts as one of them so that p is never 0. `values`: (n,)
    independent differences."""
    known = np.asarray(values, dtype=np.float64)
    n = len(known)
    if n < 2:
        return NAN
    if n <= EXACT:  # the last sign is +: the other assignments mirror these
        negative = (np.arange(2 ** (n - 1))[:, None] >> np.arange(n)) & 1
    else:
        negative = np.random.default_rng(0).integers(0, 2, size=(FLIPS, n))
    sums = np.abs(np.where(negative == 1, -1.0, 1.0) @ known)
    as_far = sums >= abs(known.sum()) - TOLERANCE * np.abs(known).sum()
    return float(as_far.mean()) if n <= EXACT else float((1 + as_far.sum()) / (1 + FLIPS))


def smallest_p(n: int) -> float:
    """The lowest p that `sign_flip_p` can give for n values, whatever they are; NaN with fewer than
    two."""
    if n < 2:
        return NAN
    return 2.0 ** (1 - n) if n <= EXACT else 1 / (1 + FLIPS)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down correction: the chance of any false rejection in the family stays below the
    level. `p`: (tests,) raw p; NaN is a test that was not made and belongs to no family.

    Returns:
        (tests,) adjusted p, at least the raw one and at most 1; NaN stays.
    """
    raw = np.asarray(p, dtype=np.float64)
    adjusted = np.full(raw.shape, NAN)
    made = np.flatnonzero(~np.isnan(raw))
    order = made[np.argsort(raw[made], kind="stable")]
    stepped = np.maximum.accumulate(raw[order] * np.arange(len(order), 0, -1))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
