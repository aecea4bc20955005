"""Random forest on window statistics."""

from __future__ import annotations

from typing import cast

from sklearn.ensemble import RandomForestClassifier

from anomalynet.config import model as configs
from anomalynet.models.classical import Classical


class RandomForest(Classical):
    """scikit-learn's defaults but for the number of trees.

    Source: not in the paper.
    """

    config_type = configs.RandomForest

    def estimator(self, seed: int) -> RandomForestClassifier:
        """The forest, unfitted."""
        trees = cast("configs.RandomForest", self.config.model).trees
        return RandomForestClassifier(n_estimators=trees, n_jobs=1, random_state=seed)

    @property
    def parameter_count(self) -> int:
        """Nodes over all trees."""
        return sum(tree.tree_.node_count for tree in self.fitted.estimators_)
