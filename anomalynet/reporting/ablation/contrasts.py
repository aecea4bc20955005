"""Tests whether a difference is more than chance. Series with the same incident form one cluster,
clusters are the independent units, and Holm corrects for the number of tests.

Source: not in the paper."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from anomalynet.metrics.kernels import NAN
from anomalynet.reporting.ablation import resampling
from anomalynet.reporting.measures import MEASURES

LEVEL = 0.05

BETTER, WORSE, NO_EVIDENCE, INSUFFICIENT_DATA = (
    "better",
    "worse",
    "no evidence of a difference",
    "cannot be tested",
)

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

    @property
    def testable(self) -> bool:
        """Whether any data could have led to an adjusted p below the level."""
        return self.reachable < LEVEL

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
    low, high = resampling.bootstrap_interval(values)
    series = sum(map(len, members.values()))
    return Contrast(
        mean=math.fsum(values) / len(values) if values else NAN,
        low=low,
        high=high,
        p=resampling.sign_flip_p(values),
        smallest=resampling.smallest_p(len(values)),
        clusters=len(values),
        series=series,
        left_out=len(differences) - series,
    )


def family(contrasts: Sequence[Contrast]) -> tuple[Contrast, ...]:
    """The same contrasts, corrected for being tested together. Holm's adjusted p never falls when a
    raw p rises, so adjusting the smallest p gives the lowest p that the clusters allow."""
    adjusted = resampling.holm([one.p for one in contrasts])
    reachable = resampling.holm([one.smallest for one in contrasts])
    return tuple(
        replace(one, adjusted=float(mine), reachable=float(best))
        for one, mine, best in zip(contrasts, adjusted, reachable, strict=True)
    )


def clusters(
    series: Iterable[SeriesKey], touched: Iterable[tuple[SeriesKey, int]]
) -> dict[SeriesKey, SeriesKey]:
    """Group series that share an incident, directly or through others.

    Args:
        series: every series; one without an incident is its own cluster.
        touched: (series, number of one of its incidents); numbers identify incidents only within a
            world.
    Returns:
        series → the first series of its cluster, in order of world and name.
    """
    parent = {one: one for one in series}

    def root(one: SeriesKey) -> SeriesKey:
        while parent[one] != one:
            parent[one] = one = parent[parent[one]]
        return one

    first: dict[tuple[int | None, int], SeriesKey] = {}
    for one, incident in touched:
        parent.setdefault(one, one)
        other = first.setdefault((one[0], incident), one)
        low, high = sorted((root(one), root(other)), key=_in_order)
        parent[high] = low
    return {one: root(one) for one in sorted(parent, key=_in_order)}


def _in_order(key: SeriesKey) -> tuple[int, str]:
    world, name = key
    return -1 if world is None else world, name
