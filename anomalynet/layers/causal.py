"""Layers that look back only, so that a detector can carry their state from step to step instead of
reading the window again."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CausalConvolution(nn.Module):
    """Convolution over time that sees the step and those before it, then ReLU; no pooling.

    Args:
        features: width of the input.
        channels: width of the output.
        kernel: steps it sees.

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


class StateAttention(nn.Module):
    """Scaled dot-product attention of a query over states, arranged so that a state needs no key or
    value of its own.

    With k = W_k · s and v = W_v · s + b the energies q·k are (W_kᵀ q)·s, and the context Σ α v is
    W_v (Σ α s) + b: whoever carries the states on pays two small products a step instead of two for
    every state. A bias of the keys would shift all energies alike, so there is none.

    Args:
        width: features of a state, of the query and of the context.

    Source: §3.2.4, eq. 10–12.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.scale = 1.0 / sqrt(width)

    def forward(self, query: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """Context (…, width) and weights (…, steps), which sum to 1, of queries (…, width) over
        states (…, steps, width), float32."""
        energies = (states @ self.direction(query).unsqueeze(-1)).squeeze(-1)
        weights = torch.softmax(energies, dim=-1)
        return self.value((weights.unsqueeze(-2) @ states).squeeze(-2)), weights

    def direction(self, query: Tensor) -> Tensor:
        """What a state's energy is its product with: (…, width) of queries (…, width)."""
        direction: Tensor = self.query(query) @ self.key.weight * self.scale
        return direction
