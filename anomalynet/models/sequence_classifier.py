"""CNN (§3.2.3), LSTM (§3.2.2) and CNN-LSTM, and the convolution that they share with the hybrid."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor

from anomalynet.config import model as configs
from anomalynet.config.schema import Config
from anomalynet.data.windows import WindowShape
from anomalynet.layers.conv import Convolution
from anomalynet.layers.sequence import Head, Recurrent, SequenceStage
from anomalynet.models.base import Detector, Output


class SequenceClassifier(Detector):
    """A window's features by `sequence`, then two classes by `head`.

    Source: §3.2, Fig. 1; equal widths in all models are not in the paper.
    """

    def __init__(self, shape: WindowShape, config: Config | None = None, **options: Any) -> None:
        super().__init__(shape, config, **options)
        settings = cast("configs.Deep", self.config.model)
        self.sequence = self.stage()
        self.head = Head(self.sequence.out_features, settings.head, settings.dropout)

    def stage(self) -> SequenceStage:
        """What reads the window step by step."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Output:
        """Logits of windows x (batch, time, channel), float32."""
        features, attention = self.sequence(self.normalise(x))
        return Output(logits=self.head(features), attention=attention)


def convolution(settings: configs.Convolutional, features: int) -> Convolution:
    """The convolutional stage as configured, over `features` inputs."""
    sizes = settings.channels, settings.kernel, settings.pool
    return Convolution(features, *sizes, settings.convolution)


class CNN(SequenceClassifier):
    """The last convolved step and the mean over time, classified.

    Source: §3.2.3, eq. 9.
    """

    config_type = configs.CNN

    def stage(self) -> SequenceStage:
        settings = cast("configs.CNN", self.config.model)
        maps = convolution(settings, self.shape.channels)
        return SequenceStage(maps, None, None, settings.channels)


class LSTM(SequenceClassifier):
    """The last state and the mean of all states, classified.

    Source: §3.2.2, eq. 3–8.
    """

    config_type = configs.LSTM

    def stage(self) -> SequenceStage:
        settings = cast("configs.LSTM", self.config.model)
        recurrent = Recurrent(self.shape.channels, settings.hidden)
        return SequenceStage(None, recurrent, None, settings.hidden)


class CNNLSTM(SequenceClassifier):
    """The last LSTM state over convolved steps and the mean of all states, classified: the hybrid
    without autoencoder and attention.

    Source: §4, Tables 2–5 (CNN-LSTM).
    """

    config_type = configs.CNNLSTM

    def stage(self) -> SequenceStage:
        settings = cast("configs.CNNLSTM", self.config.model)
        maps = convolution(settings, self.shape.channels)
        recurrent = Recurrent(settings.channels, settings.hidden)
        return SequenceStage(maps, recurrent, None, settings.hidden)
