"""What the tests over blocks say, and what so few blocks cannot say whatever they hold."""

from __future__ import annotations

import math
from collections.abc import Sequence

from anomalynet.reporting.comparison.ranking import LEVEL, Ranking


def verdict(ranking: Ranking, blocks: int, titles: Sequence[str]) -> str:
    """What the tests say, or that so few blocks cannot say it whatever they hold."""
    if blocks < 2:
        return (
            "One block is no sample: nothing can be tested. The ranks above are its order of "
            "models and no more."
        )
    if math.isnan(ranking.p):
        return "All models have the same value in every block: there is nothing to test."
    pairs = len(ranking.pairs)
    told = (
        f"Friedman's χ² = {ranking.statistic:.2f}, p = {p_text(ranking.p)} over {blocks} "
        f"blocks and {len(titles)} models"
    )
    rough = (
        "; with so few blocks the p is rough, and if all ranked alike it would be "
        f"{p_text(ranking.least_p)}"
    )
    told += f"{rough if blocks <= 10 else ''}."
    if ranking.least_adjusted >= LEVEL:
        return (
            f"{told} No pair can be told apart: with {blocks} blocks Wilcoxon's p is at least "
            f"{p_text(2.0 ** (1 - blocks))}, and Holm over "
            f"{pairs} pairs makes that {p_text(ranking.least_adjusted)} at best, whatever the "
            "values are. That no difference is shown here "
            f"is no evidence of equality; {fewest_blocks(pairs)} blocks are the fewest with "
            "which a pair could pass."
        )
    apart = [
        f"{titles[first]} over {titles[second]}"
        for pair in ranking.pairs
        for first, second in [
            sorted((pair.first, pair.second), key=lambda one: (ranking.mean[one], one))
        ]
        if ranking.differ(pair.first, pair.second)
    ]
    if ranking.p >= LEVEL:
        return f"{told} No evidence that any model's ranks differ."
    return (
        f"{told} Told apart: {', '.join(apart)}."
        if apart
        else f"{told} No single pair is told apart."
    )


def fewest_blocks(pairs: int) -> int:
    """The fewest with which a pair could be told apart, whatever the values: 2 ** (1 - blocks) ×
    pairs below the level."""
    return math.floor(math.log2(pairs / LEVEL)) + 2


def p_text(value: float) -> str:
    """A p for tables and sentences."""
    return "–" if math.isnan(value) else f"{value:.4f}" if value >= 0.0001 else f"{value:.1e}"
