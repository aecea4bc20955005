"""LSTM over the window (§3.2.2)."""

from __future__ import annotations

from typing import cast

from anomalynet.config import model as configs
from anomalynet.layers.sequence import Recurrent, SequenceStage
from anomalynet.models.sequence_classifier import SequenceClassifier


class LSTM(SequenceClassifier):
    """The last state and the mean of all states, classified.

    Source: §3.2.2, eq. 3–8.
    """

    config_type = configs.LSTM

    def stage(self) -> SequenceStage:
        """What reads the window."""
        settings = cast("configs.LSTM", self.config.model)
        recurrent = Recurrent(self.shape.channels, settings.hidden)
        return SequenceStage(None, recurrent, None, settings.hidden)
