"""Intervals and tests for a few independent values: bootstrap, sign flips, Holm's correction. The
seeds are fixed.

Source: not in the paper. Bootstrap percentile interval: Efron (1979); sign-flip test: Fisher
(1935); correction: Holm (1979)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

NAN = float("nan")

RESAMPLES = 10_000  # resamples of a bootstrap
FLIPS = 20_000  # random assignments of signs if there are too many to try all
EXACT = 14  # largest number of values for which all 2 ** 14 assignments of signs are tried
TOLERANCE = 1e-12
"""Sums that differ by less than this share of the sum of magnitudes are equal, so that the order of
additions does not matter."""


def bootstrap_interval(values: ArrayLike, resamples: int = RESAMPLES) -> tuple[float, float]:
    """95 % percentile interval of the mean; (NaN, NaN) with fewer than two values. With few values
    its coverage is lower.

    Args:
        values: (n,) independent values: means of clusters, not members of one.
        resamples: number of resamples with replacement; they are always the same.
    """
    array = np.asarray(values, dtype=np.float64)
    if len(array) < 2:
        return NAN, NAN
    drawn = np.random.default_rng(0).integers(0, len(array), size=(resamples, len(array)))
    low, high = np.quantile(array[drawn].mean(axis=1), [(1 - 0.95) / 2, (1 + 0.95) / 2])
    return float(low), float(high)


def sign_flip_p(values: ArrayLike) -> float:
    """Two-sided p of the mean under the hypothesis that each value is as likely as its negative;
    NaN with fewer than two values.

    Up to `EXACT` values all assignments of signs are tried; for more values `FLIPS` random ones and
    the observed one, so that p is never 0. `values`: (n,) independent differences."""
    array = np.asarray(values, dtype=np.float64)
    n = len(array)
    if n < 2:
        return NAN
    if n <= EXACT:  # the last sign is always +, because the other half mirrors these assignments
        negative = (np.arange(2 ** (n - 1))[:, None] >> np.arange(n)) & 1
    else:
        negative = np.random.default_rng(0).integers(0, 2, size=(FLIPS, n))
    sums = np.abs(np.where(negative == 1, -1.0, 1.0) @ array)
    extreme = sums >= abs(array.sum()) - TOLERANCE * np.abs(array).sum()
    return float(extreme.mean()) if n <= EXACT else float((1 + extreme.sum()) / (1 + FLIPS))


def smallest_p(n: int) -> float:
    """The lowest p that `sign_flip_p` can give for any n values; NaN with fewer than two."""
    if n < 2:
        return NAN
    return 2.0 ** (1 - n) if n <= EXACT else 1 / (1 + FLIPS)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down correction: the probability of any false rejection in the family stays below
    the level. `p`: (tests,) raw p; NaN is a test that was not made and does not count.

    Returns:
        (tests,) adjusted p, at least the raw one and at most 1; NaN for tests that were not made.
    """
    raw = np.asarray(p, dtype=np.float64)
    adjusted = np.full(raw.shape, NAN)
    made = np.flatnonzero(~np.isnan(raw))
    order = made[np.argsort(raw[made], kind="stable")]
    stepped = np.maximum.accumulate(raw[order] * np.arange(len(order), 0, -1))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
