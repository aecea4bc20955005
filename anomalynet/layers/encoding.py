"""Statistics of windows inside a network, and their piecewise-linear encoding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anomalynet.data.statistics import names

NARROWEST = 0.2  # smallest width of a bin, in deviations: narrower ones would amplify rounding


def signed_log(x: Tensor) -> Tensor:
    """sign(x) · log(1 + |x|): large readings stay apart, and small ones as they are."""
    return torch.sign(x) * torch.log1p(x.abs())


def window_statistics(x: Tensor) -> Tensor:
    """`data.statistics.statistics` of windows x (batch, time, channel), as a part of a network:
    float32 (batch, 12 · channel), in the same order."""
    steps = x.shape[1]
    time = torch.arange(steps, dtype=x.dtype, device=x.device) - (steps - 1) / 2
    mean = x.mean(dim=1)
    centred = x - mean.unsqueeze(1)
    ordered = x.sort(dim=1).values

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


class PiecewiseLinear(nn.Module):
    """Encodes each number by how far it fills each of some bins, from 0 to 1; the bins' edges are
    quantiles of the training part, so a network sees a number's rank and its place in the bin.

    Args:
        features: how many numbers.
        bins: bins of each.

    Source: Gorishniy et al., On Embeddings for Numerical Features in Tabular Deep Learning (2022).
    """

    low: Tensor
    width: Tensor

    def __init__(self, features: int, bins: int) -> None:
        super().__init__()
        self.bins = bins
        self.register_buffer("low", torch.zeros(features, bins))
        self.register_buffer("width", torch.ones(features, bins))

    def fit(self, x: Tensor) -> None:
        """Takes the edges from numbers x (n, features) of the training part."""
        shares = torch.linspace(0, 1, self.bins + 1)
        at = (shares * (len(x) - 1)).round().long()
        edges = x.sort(dim=0).values[at].T
        self.low.copy_(edges[:, :-1])
        self.width.copy_(edges.diff(dim=1).clamp(min=NARROWEST))

    def forward(self, x: Tensor) -> Tensor:
        """Float32 (batch, features · bins) of x (batch, features)."""
        return ((x.unsqueeze(2) - self.low) / self.width).clamp(0, 1).flatten(1)


STATISTICS = len(names)  # per channel
