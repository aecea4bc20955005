"""Do models differ over blocks? Ranks, Friedman's test, and Wilcoxon's signed-rank test of each
pair with Holm's correction.

Source: not in the paper. Demšar: Statistical Comparisons of Classifiers over Multiple Data Sets,
JMLR 7, 2006; pairs by Wilcoxon and Holm instead of ranks by Nemenyi: Benavoli, Corani, Mangili,
JMLR 17, 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from anomalynet.reporting.ablation.resampling import holm

LEVEL = 0.05
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models, by their place.

    Attributes:
        better, worse: blocks in which the first has the better or worse value; equal ones are
        neither. difference: mean over blocks of the first minus the second. p: two-sided; 1 where
        all blocks are equal, NaN with fewer than two. adjusted: after Holm's correction over all
        pairs.
    """

    first: int
    second: int
    better: int
    worse: int
    difference: float
    p: float
    adjusted: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Models over blocks.

    Attributes:
        ranks: (blocks, models) 1 is best, ties share their mean.
        mean: (models,) mean rank.
        statistic, p: Friedman's χ², corrected for ties; NaN with fewer than two blocks or three
        models, or where all are equal. least_p: the p of Friedman's test if all blocks ranked
        alike: no data of so many blocks can give a lower one. pairs: all pairs, in order.
        least_adjusted: the lowest adjusted p of a pair that so many blocks and pairs allow.
    """

    ranks: NDArray[np.float64]
    mean: NDArray[np.float64]
    statistic: float
    p: float
    least_p: float
    pairs: tuple[Pair, ...]
    least_adjusted: float

    def differ(self, one: int, other: int) -> bool:
        """Whether a pair differs at the level, both tests asked: pairs are only looked at where
        Friedman's test finds a difference."""
        pair = next(pair for pair in self.pairs if {pair.first, pair.second} == {one, other})
        return bool(self.p < LEVEL and pair.adjusted < LEVEL)

    def cliques(self) -> list[tuple[int, ...]]:
        """Maximal runs of models, by mean rank, of which no two differ; single models are none."""
        order = [int(place) for place in np.argsort(self.mean, kind="stable")]
        found: list[tuple[int, ...]] = []
        reached = 0
        for start in range(len(order)):
            stop = start + 1
            while stop < len(order) and not any(
                self.differ(order[stop], one) for one in order[start:stop]
            ):
                stop += 1
            if stop > reached and stop - start > 1:
                found.append(tuple(order[start:stop]))
            reached = max(reached, stop)
        return found


def rank(values: NDArray[np.float64], higher_is_better: bool) -> Ranking:
    """Rank models in each block and test.

    Args:
        values: (blocks, models) without NaN.
        higher_is_better: of the metric.
    """
    from scipy.stats import chi2, rankdata

    blocks, models = values.shape
    ranks = rankdata(-values if higher_is_better else values, axis=1)
    statistic, p = _friedman(values)
    pairs = [(one, other) for one, other in combinations(range(models), 2)]
    raw = [_wilcoxon(values[:, one] - values[:, other]) for one, other in pairs]
    adjusted = holm(raw)
    least = 2.0 ** (1 - blocks) if blocks > 1 else NAN
    return Ranking(
        ranks=ranks,
        mean=ranks.mean(axis=0) if blocks else np.full(models, NAN),
        statistic=statistic,
        p=p,
        least_p=float(chi2.sf(blocks * (models - 1), models - 1))
        if blocks > 1 and models > 2
        else NAN,
        pairs=tuple(
            _pair(values, pair, higher_is_better, each, float(corrected))
            for pair, each, corrected in zip(pairs, raw, adjusted, strict=True)
        ),
        least_adjusted=min(1.0, least * len(pairs)) if blocks > 1 else NAN,
    )


def _friedman(values: NDArray[np.float64]) -> tuple[float, float]:
    from scipy.stats import friedmanchisquare

    blocks, models = values.shape
    if blocks < 2 or models < 3 or (values == values[:, :1]).all():
        return NAN, NAN
    found = friedmanchisquare(*values.T)
    return float(found.statistic), float(found.pvalue)


def _wilcoxon(differences: NDArray[np.float64]) -> float:
    """Exact without ties and zeros up to 50 blocks, and with them up to 13; zeros are left out."""
    from scipy.stats import wilcoxon

    if len(differences) < 2:
        return NAN
    if not differences.any():
        return 1.0
    return float(wilcoxon(differences).pvalue)


def _pair(
    values: NDArray[np.float64],
    pair: tuple[int, int],
    higher_is_better: bool,
    p: float,
    adjusted: float,
) -> Pair:
    difference = values[:, pair[0]] - values[:, pair[1]]
    above, below = int((difference > 0).sum()), int((difference < 0).sum())
    better, worse = (above, below) if higher_is_better else (below, above)
    return Pair(
        *pair, better, worse, float(difference.mean()) if len(difference) else NAN, p, adjusted
    )
