"""The hybrid of our own sweeps: a sequence stage beside encoded statistics of the window."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from anomalynet.config import model as configs
from anomalynet.config.schema import Config
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.data.windows import WindowShape
from anomalynet.layers.attention import Attention
from anomalynet.layers.conv import Convolution
from anomalynet.layers.encoding import STATISTICS, PiecewiseLinear, signed_log, window_statistics
from anomalynet.layers.sequence import Head, Recurrent, SequenceStage
from anomalynet.models.base import Detector, Output

SAMPLE = 20_000  # training windows that the edges of the encoding are taken from


class HybridPlus(Detector):
    """Two convolutions, LSTM and attention over the signed logarithm of the readings, beside
    statistics of each channel; `sweeps/hybrid_plus.yaml` removes or replaces each in turn.

    Source: not in the paper.
    """

    config_type = configs.HybridPlus

    def __init__(self, shape: WindowShape, config: Config | None = None, **options: Any) -> None:
        super().__init__(shape, config, **options)
        steps, channels = self.shape
        settings = cast("configs.HybridPlus", self.config.model)
        self.settings = settings
        sizes = settings.channels, settings.kernel, settings.pool, settings.convolution
        stages: list[Convolution] = []
        width = channels
        for _ in range(settings.convolutions):
            stages.append(Convolution(width, *sizes))
            width, steps = settings.channels, -(-steps // settings.pool)
        recurrent = Recurrent(width, settings.hidden)
        attention = Attention(settings.hidden, steps) if settings.attention else None
        convolutions = nn.Sequential(*stages)
        self.sequence = SequenceStage(convolutions, recurrent, attention, settings.hidden)
        features, count = self.sequence.out_features, STATISTICS * channels
        self.encoding: PiecewiseLinear | None = None
        if settings.statistics == "logarithm":
            features += count
        if settings.statistics == "piecewise":
            self.encoding = PiecewiseLinear(count, settings.bins)
            encoded, drop = count * settings.bins, settings.dropout
            self.statistics = nn.Sequential(
                *(nn.Linear(encoded, 2 * settings.head), nn.ReLU(), nn.Dropout(drop)),
                *(nn.Linear(2 * settings.head, settings.head), nn.ReLU(), nn.Dropout(drop)),
            )
            features += settings.head
        self.head = Head(features, settings.head, settings.dropout)

    def fit_inputs(self, data: TelemetryDataModule) -> None:
        super().fit_inputs(data)
        if self.encoding is not None:
            x = torch.from_numpy(data.learned(data.training_sample(SAMPLE))[0])
            with torch.no_grad():
                parts = [window_statistics(self.normalise(part)) for part in torch.split(x, 1024)]
            self.encoding.fit(torch.cat(parts))

    def forward(self, x: Tensor) -> Output:
        """Logits and attention weights of windows x (batch, time, channel), float32."""
        x = self.normalise(x)
        features, attention = self.sequence(signed_log(x) if self.settings.logarithm else x)
        if self.settings.statistics == "logarithm":
            features = torch.cat([features, signed_log(window_statistics(x))], dim=1)
        if self.encoding is not None:
            encoded = self.encoding(window_statistics(x))
            features = torch.cat([features, self.statistics(encoded)], dim=1)
        return Output(logits=self.head(features), attention=attention)
