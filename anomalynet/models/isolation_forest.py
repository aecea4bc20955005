"""Isolation forest on window statistics: the classical detector that needs no label."""

from __future__ import annotations

from typing import ClassVar, Literal, cast

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import IsolationForest as Estimator

from anomalynet.config import model as configs
from anomalynet.models.classical import Classical


class IsolationForest(Classical):
    """scikit-learn's defaults but for the number of trees; its score is between 0 and 1 and no
    probability.

    Source: not in the paper.
    """

    config_type = configs.IsolationForest
    trains_on: ClassVar[Literal["labelled", "not_attack"]] = "not_attack"
    probability: ClassVar[bool] = False

    def estimator(self, seed: int) -> Estimator:
        """The forest, unfitted."""
        trees = cast("configs.IsolationForest", self.config.model).trees
        return Estimator(n_estimators=trees, n_jobs=1, random_state=seed)

    def scores(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
        """Scores (n,) of window statistics (n, features): the fewer cuts isolate a window, the
        larger."""
        return np.asarray(-self.fitted.score_samples(features))

    @property
    def parameter_count(self) -> int:
        """Nodes over all trees."""
        return sum(tree.tree_.node_count for tree in self.fitted.estimators_)
