"""Reconstruction error alone (§3.2.1): an unsupervised detector that needs no label."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, cast

from torch import Tensor

from anomalynet.config import model as configs
from anomalynet.config.schema import Config
from anomalynet.data.windows import WindowShape
from anomalynet.layers.autoencoder import Autoencoder as Layer
from anomalynet.models.base import Detector, Output


class Autoencoder(Detector):
    """The hybrid's autoencoder by itself; its score is the mean squared error over the flattened,
    normalised window.

    Source: §3.2.1.
    """

    config_type = configs.Autoencoder
    trains_on: ClassVar[Literal["labelled", "not_attack"]] = "not_attack"
    probability: ClassVar[bool] = False

    def __init__(self, shape: WindowShape, config: Config | None = None, **options: Any) -> None:
        super().__init__(shape, config, **options)
        settings = cast("configs.Autoencoder", self.config.model)
        self.autoencoder = Layer(
            self.shape.steps * self.shape.channels, settings.latent, settings.depth
        )

    def forward(self, x: Tensor) -> Output:
        """Reconstruction and error of windows x (batch, time, channel), float32."""
        x = self.normalise(x)
        rebuilt = self.autoencoder(x.flatten(1))[1].view_as(x)
        return Output(reconstruction=rebuilt, error=(rebuilt - x).square().mean(dim=1))

    def losses(self, output: Output, target: Tensor) -> Tensor:
        """Reconstruction error (batch,) of windows not labelled as attack, 0 for the others."""
        return self.scores(output) * (target <= 0)

    def scores(self, output: Output) -> Tensor:
        """Reconstruction error (batch,), mean over steps and channels, in squared deviations."""
        assert output.error is not None
        return output.error.mean(dim=1)
