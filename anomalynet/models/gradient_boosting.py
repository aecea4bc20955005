"""Histogram gradient boosting on window statistics."""

from __future__ import annotations

from typing import cast

from sklearn.ensemble import HistGradientBoostingClassifier

from anomalynet.config import model as configs
from anomalynet.models.classical import Classical


class GradientBoosting(Classical):
    """scikit-learn's defaults, but a fixed number of rounds: its early stopping would hold windows
    out at random.

    Source: not in the paper.
    """

    config_type = configs.GradientBoosting

    def estimator(self, seed: int) -> HistGradientBoostingClassifier:
        """The ensemble, unfitted."""
        rounds = cast("configs.GradientBoosting", self.config.model).iterations
        settings = {"max_iter": rounds, "early_stopping": False, "random_state": seed}
        return HistGradientBoostingClassifier(**settings)

    @property
    def parameter_count(self) -> int:
        """Nodes over all trees."""
        return sum(len(tree.nodes) for trees in self.fitted._predictors for tree in trees)
