"""LSTM over the window (§3.2.2)."""

from __future__ import annotations

from typing import cast

from anomalynet.config import model as configs
from anomalynet.config.schema import Config
from anomalynet.data.windows import WindowShape
from anomalynet.layers.sequence import Recurrent, SequenceStage
from anomalynet.models.base import SequenceClassifier


class LSTM(SequenceClassifier):
    """The last state and the mean of all states, classified.

    Source: §3.2.2, eq. 3–8.
    """

    def __init__(self, config: Config, shape: WindowShape) -> None:
        settings = cast("configs.LSTM", config.model)
        recurrent = Recurrent(shape.channels, settings.hidden)
        super().__init__(config, shape, SequenceStage(None, recurrent, None, settings.hidden))
