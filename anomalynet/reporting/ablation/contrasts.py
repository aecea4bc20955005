"""Is a difference more than chance? Each cluster of series is one witness; Holm corrects for the
number of questions.

Source: not in the paper.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from anomalynet.reporting.ablation.clusters import SeriesKey, in_order
from anomalynet.reporting.ablation.resampling import (
    bootstrap_interval,
    holm,
    sign_flip_p,
    smallest_p,
)
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.statistics import NAN

LEVEL = 0.05

BETTER, WORSE, NO_EVIDENCE, UNTESTABLE = (
    "better",
    "worse",
    "no evidence of a difference",
    "cannot be tested",
)


@dataclass(frozen=True, slots=True)
class Contrast:
    """A difference over clusters of series, in the metric's own scale; NaN where the clusters do
    not suffice.

    Attributes:
        mean: of the clusters' mean differences.
        low, high: 95 % bootstrap interval over clusters.
        p: two-sided, by sign flips of clusters.
        adjusted: p after Holm's correction in its family.
        smallest: the lowest p that so many clusters allow.
        reachable: the lowest adjusted p that the family's clusters allow, whatever the data.
        clusters, series: how many count.
        left_out: series tested by both sides whose metric is undefined.
    """

    mean: float
    low: float
    high: float
    p: float
    smallest: float
    clusters: int
    series: int
    left_out: int
    adjusted: float = NAN
    reachable: float = NAN

    @property
    def testable(self) -> bool:
        """Whether any data could have led to an adjusted p below the level."""
        return self.reachable < LEVEL

    def verdict(self, metric: str) -> str:
        """`better` or `worse` only where the adjusted p is below the level and the interval leaves
        zero out."""
        if not self.testable:
            return UNTESTABLE
        if not self.adjusted < LEVEL or self.low <= 0 <= self.high:
            return NO_EVIDENCE
        return BETTER if (self.mean > 0) is MEASURES[metric].higher_is_better else WORSE


def contrast(
    differences: Mapping[SeriesKey, float], clusters: Mapping[SeriesKey, SeriesKey]
) -> Contrast:
    """Average the series of each cluster, then ask the clusters.

    Args:
        differences: series → difference, NaN where it is undefined.
        clusters: series → its cluster.
    """
    members: dict[SeriesKey, list[float]] = defaultdict(list)
    for key in sorted(differences, key=in_order):
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
    )


def family(contrasts: Sequence[Contrast]) -> tuple[Contrast, ...]:
    """The same, corrected for being asked together.

    Holm's adjusted p never falls when a raw p rises, so the adjusted smallest p are what the
    clusters could give at best.
    """
    adjusted, reachable = (
        holm([one.p for one in contrasts]),
        holm([one.smallest for one in contrasts]),
    )
    return tuple(
        replace(one, adjusted=float(mine), reachable=float(best))
        for one, mine, best in zip(contrasts, adjusted, reachable, strict=True)
    )
