"""The LSTM and convolutional autoencoders of SKAB's leaderboard, by their notebooks' sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

from torch import Tensor, nn

from anomalynet.config.model import ModelConfig
from anomalynet.models import Detector, Output


@dataclass(kw_only=True, slots=True, frozen=True)
class Config(ModelConfig):
    """Options."""

    kind: Literal["lstm", "convolution"] = "lstm"
    """`lstm`: an encoder whose last state is repeated for a decoder; `convolution`: two strided
    convolutions, and their transposes."""
    hidden: int = 100
    """Width of the LSTMs' states."""


class SequenceAutoencoder(Detector):
    """Reconstruction error of the window, mean over steps and channels."""

    trains_on: ClassVar[Literal["labelled", "not_attack"]] = "not_attack"
    probability: ClassVar[bool] = False

    def __init__(self, config: Any, shape: Any) -> None:
        super().__init__(config, shape)
        options, channels = cast("Config", self.config.model), self.shape.channels
        self.kind = options.kind
        if self.kind == "lstm":
            self.encoder = nn.LSTM(channels, options.hidden, batch_first=True)
            self.decoder = nn.LSTM(options.hidden, options.hidden, batch_first=True)
            self.readings = nn.Linear(options.hidden, channels)
            return
        down: dict[str, Any] = {"kernel_size": 7, "stride": 2, "padding": 3}
        up = {**down, "output_padding": 1}
        self.layers = nn.Sequential(
            *(nn.Conv1d(channels, 32, **down), nn.ReLU(), nn.Dropout(0.2)),
            *(nn.Conv1d(32, 16, **down), nn.ReLU()),
            *(nn.ConvTranspose1d(16, 16, **up), nn.ReLU(), nn.Dropout(0.2)),
            *(nn.ConvTranspose1d(16, 32, **up), nn.ReLU()),
            nn.Conv1d(32, channels, 7, padding=3),
        )

    def forward(self, x: Tensor) -> Output:
        x = self.normalise(x)
        if self.kind == "lstm":
            last = self.encoder(x)[1][0][-1]
            states = self.decoder(last.unsqueeze(1).expand(-1, x.shape[1], -1))[0]
            rebuilt = self.readings(states)
        else:
            rebuilt = self.layers(x.transpose(1, 2)).transpose(1, 2)
        return Output(reconstruction=rebuilt, error=(rebuilt - x).square().mean(dim=1))

    def losses(self, output: Output, target: Tensor) -> Tensor:
        return self.scores(output) * (target <= 0)

    def scores(self, output: Output) -> Tensor:
        return cast("Tensor", output.error).mean(dim=1)
