"""Convolution, then LSTM: the hybrid without autoencoder and attention."""

from __future__ import annotations

from typing import cast

from anomalynet.config import model as configs
from anomalynet.layers.sequence import Recurrent, SequenceStage
from anomalynet.models.sequence_classifier import SequenceClassifier, convolution


class CNNLSTM(SequenceClassifier):
    """The last LSTM state over convolved steps and the mean of all states, classified.

    Source: §4, Tables 2–5 (CNN-LSTM).
    """

    config_type = configs.CNNLSTM

    def stage(self) -> SequenceStage:
        """What reads the window."""
        settings = cast("configs.CNNLSTM", self.config.model)
        maps = convolution(settings, self.shape.channels)
        recurrent = Recurrent(settings.channels, settings.hidden)
        return SequenceStage(maps, recurrent, None, settings.hidden)
