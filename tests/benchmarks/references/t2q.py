"""T² + Q: Hotelling's T² within the principal components of window statistics, and the squared
residual outside of them, each by its expectation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from anomalynet.config.model import ModelConfig
from anomalynet.models import Classical


@dataclass(kw_only=True, slots=True, frozen=True)
class Config(ModelConfig):
    """Options."""

    variance: float = 0.95
    """Share of the variance that the components keep."""


class PrincipalComponents(Classical):
    """Jackson and Mudholkar, Control Procedures for Residuals Associated With Principal Component
    Analysis (1979)."""

    trains_on: ClassVar[Literal["labelled", "not_attack"]] = "not_attack"
    probability: ClassVar[bool] = False

    def estimator(self, seed: int) -> Pipeline:
        share = cast("Config", self.config.model).variance
        return make_pipeline(StandardScaler(), PCA(share, svd_solver="full"))

    def scores(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
        scaler, components = cast("Any", self.fitted)
        centred = scaler.transform(features) - components.mean_
        inside = centred @ components.components_.T
        t2 = (inside**2 / components.explained_variance_).sum(axis=1)
        q = (centred**2).sum(axis=1) - (inside**2).sum(axis=1)
        rest = features.shape[1] - len(components.explained_variance_)
        expected = max(rest * float(components.noise_variance_), 1e-9)
        return np.asarray(t2 / len(components.explained_variance_) + q / expected)

    @property
    def parameter_count(self) -> int:
        return int(self.fitted[-1].components_.size)
