"""What CNN, LSTM and CNN-LSTM share, and the convolution that they share with the hybrid."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor

from anomalynet.config.model import Convolutional, Deep
from anomalynet.config.schema import Config
from anomalynet.data.windows import WindowShape
from anomalynet.layers.conv import Convolution
from anomalynet.layers.sequence import Head, SequenceStage
from anomalynet.models.base import Detector, Output


class SequenceClassifier(Detector):
    """A window's features by `sequence`, then two classes by `head`.

    Source: §3.2, Fig. 1; equal widths in all models are not in the paper.
    """

    def __init__(self, shape: WindowShape, config: Config | None = None, **options: Any) -> None:
        super().__init__(shape, config, **options)
        settings = cast("Deep", self.config.model)
        self.sequence = self.stage()
        self.head = Head(self.sequence.out_features, settings.head, settings.dropout)

    def stage(self) -> SequenceStage:
        """What reads the window step by step."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Output:
        """Logits of windows x (batch, time, channel), float32."""
        features, attention = self.sequence(self.normalise(x))
        return Output(logits=self.head(features), attention=attention)


def convolution(settings: Convolutional, features: int) -> Convolution:
    """The convolutional stage as configured, over `features` inputs."""
    sizes = settings.channels, settings.kernel, settings.pool
    return Convolution(features, *sizes, settings.convolution)
