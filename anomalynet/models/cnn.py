"""Convolution, pooling, fully connected (§3.2.3)."""

from __future__ import annotations

from typing import cast

from anomalynet.config import model as configs
from anomalynet.config.schema import Config
from anomalynet.data.windows import WindowShape
from anomalynet.layers.sequence import SequenceStage
from anomalynet.models.base import SequenceClassifier, convolution


class CNN(SequenceClassifier):
    """The last convolved step and the mean over time, classified.

    Source: §3.2.3, eq. 9.
    """

    def __init__(self, config: Config, shape: WindowShape) -> None:
        settings = cast("configs.CNN", config.model)
        maps = convolution(settings, shape.channels)
        super().__init__(config, shape, SequenceStage(maps, None, None, settings.channels))
