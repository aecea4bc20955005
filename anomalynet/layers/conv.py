"""Convolution over the window: over time (default), or over (time, channel) as eq. 9 is printed."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Convolution(nn.Module):
    """Convolution that keeps the window's length, then ReLU, then max pooling over time.

    Both kinds are cross-correlations, as in eq. 9. `1d` reads all features of `kernel` steps at
    once. `2d` slides a `kernel` × `kernel` square over (time, channel), with one plane per feature
    map, and merges maps and channels to the same output width with one linear layer, so that the
    layers after it are the same. Pooling keeps an incomplete last group, so that the window's last
    step, which has the label, always reaches the output.

    Args:
        features: width of the input.
        channels: width of the output.
        kernel: steps that the convolution reads, odd.
        pool: steps that max pooling merges; 1 = no pooling.
        kind: `1d` or `2d`.

    Source: §3.2.3, eq. 9.
    """

    def __init__(
        self, features: int, channels: int, kernel: int, pool: int, kind: Literal["1d", "2d"]
    ) -> None:
        super().__init__()
        self.planar = kind == "2d"
        self.convolution: nn.Module
        self.pool: nn.Module
        if self.planar:
            self.convolution = nn.Conv2d(1, channels, kernel, padding=kernel // 2)
            self.pool = nn.MaxPool2d((pool, 1), ceil_mode=True)
            self.merge = nn.Linear(channels * features, channels)
        else:
            self.convolution = nn.Conv1d(features, channels, kernel, padding=kernel // 2)
            self.pool = nn.MaxPool1d(pool, ceil_mode=True)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (batch, ⌈time / pool⌉, channels) of x (batch, time, features), float32."""
        if self.planar:
            maps: Tensor = self.pool(self.activation(self.convolution(x.unsqueeze(1))))
            merged: Tensor = self.merge(maps.permute(0, 2, 1, 3).flatten(2))
            return merged
        sequence: Tensor = self.pool(self.activation(self.convolution(x.transpose(1, 2))))
        return sequence.transpose(1, 2)


class CausalConvolution(nn.Module):
    """Convolution over time that reads only a step and those before it, then ReLU; no pooling.

    Args:
        features: width of the input.
        channels: width of the output.
        kernel: steps that it reads.

    Source: §3.2.3, eq. 9; that it is causal is not in the paper.
    """

    def __init__(self, features: int, channels: int, kernel: int) -> None:
        super().__init__()
        self.before = kernel - 1
        self.convolution = nn.Conv1d(features, channels, kernel)

    def forward(self, x: Tensor, before: Tensor | None = None) -> Tensor:
        """Feature maps (batch, time, channels) of x (batch, time, features), float32.

        `before` (batch, kernel - 1, features) are the steps in front of x; zeros without it.
        """
        x = F.pad(x, (0, 0, self.before, 0)) if before is None else torch.cat([before, x], dim=1)
        return F.relu(self.convolution(x.transpose(1, 2))).transpose(1, 2)
