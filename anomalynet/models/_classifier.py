"""What the classifiers share: the sequence stage over the normalised window, then the head."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from torch import Tensor

from anomalynet.config.model import Convolutional, Deep
from anomalynet.layers.conv import Convolution
from anomalynet.layers.head import Head
from anomalynet.layers.sequence import SequenceStage
from anomalynet.models._detector import Detector, Output

if TYPE_CHECKING:
    from anomalynet.config.schema import Config
    from anomalynet.data.windows import WindowShape


class SequenceClassifier(Detector):
    """A window's features by `sequence`, then two classes by `head`.

    Source: §3.2, Fig. 1; equal widths in all models are not in the paper.
    """

    def __init__(self, config: Config, shape: WindowShape, sequence: SequenceStage) -> None:
        super().__init__(config, shape)
        settings = cast("Deep", config.model)
        self.sequence = sequence
        self.head = Head(sequence.out_features, settings.head, settings.dropout)

    def forward(self, x: Tensor) -> Output:
        """Logits of windows x (batch, time, channel), float32."""
        features, attention = self.sequence(self.normalise(x))
        return Output(logits=self.head(features), attention=attention)


def convolution(settings: Convolutional, features: int) -> Convolution:
    """The convolutional stage as configured, over `features` inputs."""
    return Convolution(
        features, settings.channels, settings.kernel, settings.pool, settings.convolution
    )
