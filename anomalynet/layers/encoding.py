"""Statistics of windows inside a network, and their piecewise-linear encoding."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from anomalynet.data.statistics import names

AT_ONCE = 1024  # windows whose statistics are computed at a time
SMALLEST = 1e-6  # usual change, in deviations, of a channel that changes
NARROWEST = 0.2  # smallest width of a bin, in deviations: narrower ones would amplify rounding


def signed_log(x: Tensor) -> Tensor:
    """sign(x) · log(1 + |x|): large readings stay apart, and small ones as they are."""
    return torch.sign(x) * torch.log1p(x.abs())


def usual_change(x: Tensor) -> Tensor:
    """The median over windows x (n, time, channel) of the mean change from step to step, float32
    (channel,); 1 for a channel that hardly changes."""
    usual = x.diff(dim=1).abs().mean(dim=1).median(dim=0).values
    return torch.where(usual > SMALLEST, usual, 1.0)


def relative_change(x: Tensor, usual: Tensor) -> Tensor:
    """log(1 + |x_t - x_{t-1}| / usual) of windows x (batch, time, channel), of the same shape; 0 at
    the first step."""
    changes = x.diff(dim=1).abs() / usual
    return torch.log1p(torch.cat([torch.zeros_like(x[:, :1]), changes], dim=1))


def _ordered(x: Tensor) -> Tensor:
    """x (batch, time, channel) sorted along time. NumPy's sort is many times as fast as torch's on
    a CPU; a graph that is captured or differentiated needs torch's."""
    if x.device.type != "cpu" or x.requires_grad or torch.compiler.is_compiling():
        return x.sort(dim=1).values
    return torch.from_numpy(np.sort(x.transpose(1, 2).numpy(), axis=2)).transpose(1, 2)


def window_statistics(x: Tensor) -> Tensor:
    """`data.statistics.statistics` of windows x (batch, time, channel), as a part of a network:
    float32 (batch, 12 · channel), in the same order."""
    steps = x.shape[1]
    time = torch.arange(steps, dtype=x.dtype, device=x.device) - (steps - 1) / 2
    mean = x.mean(dim=1)
    centred = x - mean.unsqueeze(1)
    ordered = _ordered(x)

    def quantile(share: float) -> Tensor:
        place = share * (steps - 1)
        below = int(place)
        low, high = ordered[:, below], ordered[:, min(below + 1, steps - 1)]
        return low + (place - below) * (high - low)

    found = [
        mean,
        centred.square().mean(dim=1).sqrt(),
        ordered[:, 0],
        ordered[:, -1],
        *(quantile(share) for share in (0.5, 0.25, 0.75)),
        x[:, 0],
        x[:, -1],
        (centred * time[:, None]).sum(dim=1) / max(steps * (steps**2 - 1) / 12, 1.0),
        (x[:, 1:] - x[:, :-1]).abs().mean(dim=1) if steps > 1 else torch.zeros_like(mean),
        x[:, -1] - mean,
    ]
    return torch.stack(found, dim=2).flatten(1)


class EncodedStatistics(nn.Module):
    """Features of a window's statistics, each encoded by how far it fills each of some bins, from 0
    to 1. The bins' edges are quantiles of the training part: the network sees the rank of a
    statistic and its place in the bin.

    Args:
        channels: width of the windows.
        bins: bins of each statistic.
        width: number of features.
        dropout: share of each hidden layer dropped in training.

    Source: Gorishniy et al., On Embeddings for Numerical Features in Tabular Deep Learning (2022).
    """

    low: Tensor
    size: Tensor

    def __init__(self, channels: int, bins: int, width: int, dropout: float) -> None:
        super().__init__()
        count = len(names) * channels
        self.register_buffer("low", torch.zeros(count, bins))
        self.register_buffer("size", torch.ones(count, bins))
        self.layers = nn.Sequential(
            *(nn.Linear(count * bins, 2 * width), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(2 * width, width), nn.ReLU(), nn.Dropout(dropout)),
        )

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Takes the edges from windows x (n, time, channel) of the training part."""
        found = torch.cat([window_statistics(part) for part in torch.split(x, AT_ONCE)])
        shares = torch.linspace(0, 1, self.low.shape[1] + 1)
        edges = found.sort(dim=0).values[(shares * (len(x) - 1)).round().long()].T
        self.low.copy_(edges[:, :-1])
        self.size.copy_(edges.diff(dim=1).clamp(min=NARROWEST))

    def encode(self, x: Tensor) -> Tensor:
        """The filled bins (batch, statistics · bins) of windows x (batch, time, channel)."""
        filled = window_statistics(x).unsqueeze(2) - self.low
        return filled.div_(self.size).clamp_(0, 1).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (batch, width) of windows x (batch, time, channel), normalised, float32."""
        features: Tensor = self.layers(self.encode(x))
        return features
