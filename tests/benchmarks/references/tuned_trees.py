"""Boosting and forest with options that a search can choose, as it chooses the hybrid's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from anomalynet.config.model import ModelConfig
from anomalynet.models import Classical


@dataclass(kw_only=True, slots=True, frozen=True)
class Config(ModelConfig):
    """Options, each with the default of scikit-learn or of our own models."""

    kind: Literal["boosting", "forest"] = "boosting"
    """Gradient boosting, or a random forest."""
    rounds: int = 100
    """Boosting rounds, or trees."""
    learning_rate: float = 0.1
    """Of boosting."""
    leaves: int = 31
    """Largest number of leaves of a tree of boosting."""
    leaf: int = 1
    """Fewest windows of a leaf."""
    features: float = 1.0
    """Share of the statistics that a split chooses from."""
    penalty: float = 0.0
    """L2 penalty of boosting."""


class TunedTrees(Classical):
    """A HistGradientBoostingClassifier or a RandomForestClassifier."""

    def estimator(self, seed: int) -> Any:
        options = cast("Config", self.config.model)
        if options.kind == "forest":
            return RandomForestClassifier(
                options.rounds,
                min_samples_leaf=options.leaf,
                max_features=options.features,
                random_state=seed,
                n_jobs=1,
            )
        return HistGradientBoostingClassifier(
            max_iter=options.rounds,
            learning_rate=options.learning_rate,
            max_leaf_nodes=options.leaves,
            min_samples_leaf=options.leaf,
            max_features=options.features,
            l2_regularization=options.penalty,
            early_stopping=False,
            random_state=seed,
        )

    @property
    def parameter_count(self) -> int:
        trees = self.fitted
        if isinstance(trees, RandomForestClassifier):
            return sum(one.tree_.node_count for one in trees.estimators_)
        return sum(len(one.nodes) for each in trees._predictors for one in each)
