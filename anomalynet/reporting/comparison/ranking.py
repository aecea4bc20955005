"""Tests whether models differ over blocks: ranks and Friedman's test, as text and as a figure.

Source: not in the paper. Demšar: Statistical Comparisons of Classifiers over Multiple Data Sets,
JMLR 7, 2006."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalynet.metrics.kernels import NAN
from anomalynet.reporting.ablation.contrasts import LEVEL

ROUGH = 10  # up to this number of blocks, Friedman's p is a rough approximation


@dataclass(frozen=True, slots=True)
class Ranking:
    """The ranks of models over blocks, and Friedman's test of them."""

    ranks: NDArray[np.float64]  # (blocks, models) 1 is best, ties share their mean
    mean: NDArray[np.float64]  # (models,) mean rank
    # Friedman's χ², corrected for ties, and its p; NaN with fewer than two blocks or three models,
    # or if all values are equal
    statistic: float
    p: float
    least_p: float  # p if all blocks had the same ranks: the lowest p that so many blocks allow

    @property
    def order(self) -> list[int]:
        """Models from the best mean rank to the worst."""
        return sorted(range(len(self.mean)), key=lambda one: (self.mean[one], one))

    @property
    def verdict(self) -> str:
        """The result of the test as a sentence, or why there is none."""
        blocks, models = self.ranks.shape
        if blocks < 2:
            return (
                "One block is not a sample: nothing can be tested. The ranks above only show the "
                "order of models in this block."
            )
        if math.isnan(self.p):
            return "All models have the same value in every block: there is nothing to test."
        text = (
            f"Friedman's χ² = {self.statistic:.2f}, p = {_p_text(self.p)} over {blocks} blocks and "
            f"{models} models"
        )
        if blocks <= ROUGH:
            least = _p_text(self.least_p)
            text += f"; with so few blocks p is rough, and equal ranks in all would give {least}"
        if self.p < LEVEL:
            return f"{text}. The ranks differ."
        return f"{text}. No evidence that any model's ranks differ."


def rank(values: NDArray[np.float64], higher_is_better: bool) -> Ranking:
    """Rank models in each block and test the ranks. `values`: (blocks, models) without NaN;
    `higher_is_better`: whether that holds for the metric."""
    from scipy.stats import chi2, friedmanchisquare, rankdata

    blocks, models = values.shape
    ranks = rankdata(-values if higher_is_better else values, axis=1)
    mean = ranks.mean(axis=0) if blocks else np.full(models, NAN)
    if blocks < 2 or models < 3:
        return Ranking(ranks, mean, NAN, NAN, NAN)
    least = float(chi2.sf(blocks * (models - 1), models - 1))
    if (values == values[:, :1]).all():
        return Ranking(ranks, mean, NAN, NAN, least)
    found = friedmanchisquare(*values.T)
    return Ranking(ranks, mean, float(found.statistic), float(found.pvalue), least)


def draw(
    name: str, ranking: Ranking, titles: Sequence[str], heading: str, foot: str
) -> dict[str, bytes]:
    """Draw the models on a line of mean ranks; returns file name → content, SVG and PNG."""
    from matplotlib.figure import Figure

    from anomalynet.reporting.figures import encode, style

    models, left_count = len(titles), (len(titles) + 1) // 2  # the other names are on the right
    with style():
        figure = Figure(figsize=(9.0, 1.7 + 0.34 * left_count), layout="constrained")
        axes = figure.subplots()
        axes.set_xlim(1 - 0.42 * (models - 1), models + 0.42 * (models - 1))
        axes.set_ylim(left_count + 0.9, -1.0)
        axes.axis("off")
        axes.plot([1, models], [0, 0], color="black", linewidth=1.0)
        for tick in range(1, models + 1):
            axes.plot([tick, tick], [0, -0.2], color="black", linewidth=1.0)
            axes.text(tick, -0.3, str(tick), ha="center", va="bottom")
        for at, model in enumerate(ranking.order):
            on_left, mean = at < left_count, float(ranking.mean[model])
            line = (at if on_left else models - 1 - at) + 0.8
            edge, side = (1 - 0.04 * models, "right") if on_left else (1.04 * models, "left")
            axes.plot([mean, mean, edge], [0, line, line], color="#606060", linewidth=0.8)
            axes.text(edge, line, f" {titles[model]} ({mean:.2f}) ", ha=side, va="center")
        figure.suptitle(heading, x=0.012, ha="left", fontsize=11, fontweight="bold")
        figure.supxlabel(foot, fontsize=7, color="#404040", x=0.012, ha="left")
        return {f"{name}.{suffix}": content for suffix, content in encode(figure)}


def _p_text(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else f"{value:.1e}"
