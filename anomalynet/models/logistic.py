"""Logistic regression on window statistics."""

from __future__ import annotations

from typing import Any, cast

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from anomalynet.config import model as configs
from anomalynet.models.classical import Classical


class Logistic(Classical):
    """L2-penalised logistic regression, statistics standardised by the training part.

    Source: not in the paper.
    """

    config_type = configs.Logistic

    def estimator(self, seed: int) -> Pipeline:
        """Standardisation, then regression."""
        settings = cast("configs.Logistic", self.config.model)
        regression = LogisticRegression(C=settings.strength, max_iter=1000, random_state=seed)
        return make_pipeline(StandardScaler(), regression)

    @property
    def parameter_count(self) -> int:
        """Coefficients and intercept."""
        regression: Any = self.fitted[-1]
        return int(regression.coef_.size + regression.intercept_.size)
