"""Convolution, pooling, fully connected (§3.2.3)."""

from __future__ import annotations

from typing import cast

from anomalynet.config import model as configs
from anomalynet.layers.sequence import SequenceStage
from anomalynet.models.sequence_classifier import SequenceClassifier, convolution


class CNN(SequenceClassifier):
    """The last convolved step and the mean over time, classified.

    Source: §3.2.3, eq. 9.
    """

    config_type = configs.CNN

    def stage(self) -> SequenceStage:
        """What reads the window."""
        settings = cast("configs.CNN", self.config.model)
        maps = convolution(settings, self.shape.channels)
        return SequenceStage(maps, None, None, settings.channels)
