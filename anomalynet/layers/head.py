"""The classifier at the end of every network."""

from __future__ import annotations

from torch import Tensor, nn


class Head(nn.Module):
    """Fully connected, ReLU, dropout, two classes (normal, attack).

    Args:
        features: width of the input.
        width: width of the hidden layer.
        dropout: share of the hidden layer dropped in training.

    Source: §3.2.3; Table 1 for the dropout.
    """

    def __init__(self, features: int, width: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(features, width)
        self.activation = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.classes = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, 2) of x (batch, features), float32."""
        logits: Tensor = self.classes(self.dropout(self.activation(self.hidden(x))))
        return logits
