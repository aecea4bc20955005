"""Scaled dot-product attention of one query over a sequence."""

from __future__ import annotations

from math import sqrt
from typing import Literal

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Attention of a query over the parts of a sequence, with the weights as an explanation.

    q = W_q · query, k = W_k · part, v = W_v · part (each with a bias), α = softmax(q·k / √width),
    context = Σ α v. Along `time` the parts are the steps (eq. 11 sums over t = 1…T). Along
    `channel`, an ablation, the parts are the features, each a vector of its values over time.

    Args:
        width: features of the sequence, of the query and of the context.
        steps: length of the sequence; only `channel` depends on it.
        axis: whether steps (`time`) or features (`channel`) get weights.

    Source: §3.2.4, eq. 10–12.
    """

    def __init__(self, width: int, steps: int, axis: Literal["time", "channel"] = "time") -> None:
        super().__init__()
        self.axis = axis
        part = width if axis == "time" else steps
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(part, width)
        self.value = nn.Linear(part, width)
        self.scale = 1.0 / sqrt(width)

    def forward(self, query: Tensor, sequence: Tensor) -> tuple[Tensor, Tensor]:
        """Context (batch, width) and weights (batch, parts), which sum to 1.

        The query is (batch, width), the sequence (batch, steps, width), all float32.
        """
        parts = sequence if self.axis == "time" else sequence.transpose(1, 2)
        energy = torch.bmm(self.key(parts), self.query(query).unsqueeze(2)).squeeze(2) * self.scale
        weights = torch.softmax(energy, dim=1)
        context = torch.bmm(weights.unsqueeze(1), self.value(parts)).squeeze(1)
        return context, weights


class StateAttention(nn.Module):
    """Scaled dot-product attention of a query over states, computed without a key and a value for
    each state.

    With k = W_k · s and v = W_v · s + b the energies q·k are (W_kᵀ q)·s, and the context Σ α v is
    W_v (Σ α s) + b. So a stream needs two small products per step instead of two per state. A bias
    of the keys would shift all energies by the same amount, so there is none.

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
        # The product of a state with this direction is the state's energy.
        direction = self.query(query) @ self.key.weight * self.scale
        energies = (states @ direction.unsqueeze(-1)).squeeze(-1)
        weights = torch.softmax(energies, dim=-1)
        return self.value((weights.unsqueeze(-2) @ states).squeeze(-2)), weights
