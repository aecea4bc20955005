"""Tests whether a difference is more than chance. Series with the same incident form one cluster,
clusters are the independent units, and Holm corrects for the number of tests. Seeds are fixed.

Source: not in the paper. Bootstrap percentile interval: Efron (1979); sign-flip test: Fisher
(1935); correction: Holm (1979)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomalynet.metrics.kernels import NAN
from anomalynet.reporting.measures import MEASURES

LEVEL = 0.05
RESAMPLES = 10_000  # resamples of a bootstrap
FLIPS = 20_000  # random assignments of signs if there are too many to try all
EXACT = 14  # largest number of values for which all 2 ** 14 assignments of signs are tried
TOLERANCE = 1e-12
"""Sums that differ by less than this share of the sum of magnitudes are equal, so that the order of
additions does not matter."""

BETTER, WORSE, NO_EVIDENCE = "better", "worse", "no evidence of a difference"
INSUFFICIENT_DATA = "cannot be tested"

SeriesKey = tuple[int | None, str]  # (world, series): each world has its own series of a name


@dataclass(frozen=True, slots=True)
class Contrast:
    """A difference over clusters of series, in the metric's scale; NaN with too few clusters."""

    mean: float  # of the clusters' mean differences
    low: float  # 95 % bootstrap interval over clusters
    high: float
    p: float  # two-sided, by sign flips of clusters
    smallest: float  # the lowest p that this number of clusters allows
    clusters: int
    series: int  # number of series in the clusters
    left_out: int  # number of series tested by both arms whose metric is undefined
    adjusted: float = NAN  # p after Holm's correction
    reachable: float = NAN  # the lowest adjusted p that this number of clusters allows
    spread: float = NAN  # sample standard deviation of the clusters' differences
    tests: int = 1  # number of tests in the family
    each: tuple[tuple[SeriesKey, float], ...] = ()  # cluster, by its first series → its difference

    @property
    def detectable(self) -> float:
        """The smallest true difference that would be found with 80 % probability, in the metric's
        scale; NaN if none could be."""
        return self.spread * detectable(self.clusters, self.tests) if self.testable else NAN

    @property
    def testable(self) -> bool:
        """Whether any data could have led to an adjusted p below the level."""
        return self.reachable < LEVEL

    def ahead(self, metric: str) -> int:
        """The number of clusters in which the difference is for the better."""
        better = MEASURES[metric].higher_is_better
        return sum(value != 0 and (value > 0) is better for _, value in self.each)

    def verdict(self, metric: str) -> str:
        """`better` or `worse` only if adjusted p is below the level and the interval without 0."""
        if not self.testable:
            return INSUFFICIENT_DATA
        if not self.adjusted < LEVEL or self.low <= 0 <= self.high:
            return NO_EVIDENCE
        return BETTER if (self.mean > 0) is MEASURES[metric].higher_is_better else WORSE


def contrast(
    differences: Mapping[SeriesKey, float], clusters: Mapping[SeriesKey, SeriesKey]
) -> Contrast:
    """Average the series of each cluster, then test the clusters. `differences`: series →
    difference, NaN if undefined; `clusters`: series → its cluster."""
    members: dict[SeriesKey, list[float]] = defaultdict(list)
    for key in sorted(differences, key=_in_order):
        if not math.isnan(differences[key]):
            members[clusters[key]].append(differences[key])
    values = [math.fsum(own) / len(own) for own in members.values()]
    low, high = bootstrap_interval(values)
    series = sum(map(len, members.values()))
    return Contrast(
        mean=math.fsum(values) / len(values) if values else NAN,
        low=low,
        high=high,
        p=sign_flip_p(values),
        smallest=smallest_p(len(values)),
        clusters=len(values),
        series=series,
        left_out=len(differences) - series,
        spread=float(np.std(values, ddof=1)) if len(values) > 1 else NAN,
        each=tuple(zip(members, values, strict=True)),
    )


def family(contrasts: Sequence[Contrast]) -> tuple[Contrast, ...]:
    """The same contrasts, corrected for being tested together. Holm's adjusted p never falls when a
    raw p rises, so adjusting the smallest p gives the lowest p that the clusters allow."""
    adjusted = holm([one.p for one in contrasts])
    reachable = holm([one.smallest for one in contrasts])
    return tuple(
        replace(one, adjusted=float(mine), reachable=float(best), tests=len(contrasts))
        for one, mine, best in zip(contrasts, adjusted, reachable, strict=True)
    )


def clusters(
    series: Iterable[SeriesKey], touched: Iterable[tuple[SeriesKey, Hashable]]
) -> dict[SeriesKey, SeriesKey]:
    """Group series that share something, directly or through others: series → the first of its
    cluster, in order of world and name. `touched`: (series, its incident or radio cell), which
    is the same only within a world."""
    parent = {one: one for one in series}

    def root(one: SeriesKey) -> SeriesKey:
        while parent[one] != one:
            parent[one] = one = parent[parent[one]]
        return one

    first: dict[tuple[int | None, Hashable], SeriesKey] = {}
    for one, incident in touched:
        parent.setdefault(one, one)
        other = first.setdefault((one[0], incident), one)
        low, high = sorted((root(one), root(other)), key=_in_order)
        parent[high] = low
    return {one: root(one) for one in sorted(parent, key=_in_order)}


def _in_order(key: SeriesKey) -> tuple[int, str]:
    world, name = key
    return -1 if world is None else world, name


def bootstrap_interval(values: ArrayLike, resamples: int = RESAMPLES) -> tuple[float, float]:
    """95 % percentile interval of the mean; (NaN, NaN) with fewer than two values. With few values
    its coverage is lower. `values`: (n,) means of clusters; the resamples are always the same."""
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


def detectable(clusters: int, tests: int) -> float:
    """The smallest true difference that is found with 80 % probability among so many tests, in
    standard deviations of the clusters' differences: by Student's t at the level that Holm's
    correction sets for the first test. Infinite if no p can be low enough."""
    if not smallest_p(clusters) * tests < LEVEL:
        return math.inf
    from scipy.special import stdtrit

    level, free = LEVEL / tests, clusters - 1
    return float((stdtrit(free, 1 - level / 2) + stdtrit(free, 0.8)) / math.sqrt(clusters))


def needed(tests: int) -> int:
    """The smallest number of clusters with which one of so many tests can pass."""
    return next(n for n in range(2, EXACT + 2) if smallest_p(n) * tests < LEVEL or n > EXACT)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down correction: the probability of any false rejection in the family stays below
    the level. `p`, and the result: (tests,), NaN for tests that were not made and do not count."""
    raw = np.asarray(p, dtype=np.float64)
    adjusted = np.full(raw.shape, NAN)
    made = np.flatnonzero(~np.isnan(raw))
    order = made[np.argsort(raw[made], kind="stable")]
    stepped = np.maximum.accumulate(raw[order] * np.arange(len(order), 0, -1))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
