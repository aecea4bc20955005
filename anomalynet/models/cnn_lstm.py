"""Convolution, then LSTM: the hybrid without autoencoder and attention."""

from __future__ import annotations

from typing import cast

from anomalynet.config import model as configs
from anomalynet.config.schema import Config
from anomalynet.data.windows import WindowShape
from anomalynet.layers.sequence import Recurrent, SequenceStage
from anomalynet.models.base import SequenceClassifier, convolution


class CNNLSTM(SequenceClassifier):
    """The last LSTM state over convolved steps and the mean of all states, classified.

    Source: §4, Tables 2–5 (CNN-LSTM).
    """

    def __init__(self, config: Config, shape: WindowShape) -> None:
        settings = cast("configs.CNNLSTM", config.model)
        maps = convolution(settings, shape.channels)
        recurrent = Recurrent(settings.channels, settings.hidden)
        super().__init__(config, shape, SequenceStage(maps, recurrent, None, settings.hidden))
