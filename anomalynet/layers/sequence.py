"""The LSTM layer, the sequence stage that all classifying networks share, and their head with its
loss."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalynet.layers.attention import Attention
from anomalynet.layers.conv import Convolution


class Recurrent(nn.Module):
    """One LSTM layer from a zero state. Torch has two bias vectors; their sum is the paper's one.

    Args:
        features: width of the input.
        hidden: width of the state.

    Source: §3.2.2, eq. 3–8.
    """

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """The state after every step (batch, time, hidden) of x (batch, time, features),
        float32."""
        states: Tensor = self.lstm(x)[0]
        return states

    def carry(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The states (batch, time, hidden) like `forward`, but starting from `hidden` and `cell`
        (batch, hidden); also returns the new hidden and cell."""
        states, (last, memory) = self.lstm(x, (hidden.unsqueeze(0), cell.unsqueeze(0)))
        return states, last[0], memory[0]


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


def classification_loss(
    logits: Tensor, target: Tensor, kind: Literal["mse", "cross_entropy"], smoothing: float = 0.0
) -> Tensor:
    """Loss (batch,) of logits (batch, 2) for target (batch,): 1 attack, 0 normal, -1 unlabelled,
    which costs nothing. `mse`: squared error between softmax and one-hot, mean over the classes.
    `smoothing`: share of the target that cross-entropy spreads over both classes.

    Source: Table 1 (MSE); what it compares is not in the paper.
    """
    labelled = target >= 0
    known = target.clamp(min=0)
    if kind == "cross_entropy":
        loss = F.cross_entropy(logits, known, reduction="none", label_smoothing=smoothing)
    else:
        loss = (torch.softmax(logits, dim=1) - F.one_hot(known, 2)).square().mean(dim=1)
    return loss * labelled


class SequenceStage(nn.Module):
    """Reads a window step by step; its output is the last step and a summary over time.

    All models share this stage, so `cnn_lstm` is exactly the hybrid without autoencoder and
    attention.

    Args:
        convolution: if None, the next part reads the window itself.
        recurrent: if None, the last convolved step replaces the last LSTM state.
        attention: if None, the mean over time replaces the context vector.
        width: number of features after the convolution and the LSTM.

    Source: §3.2, Fig. 1; the replacement of a missing part is not in the paper.
    """

    def __init__(
        self,
        convolution: Convolution | None,
        recurrent: Recurrent | None,
        attention: Attention | None,
        width: int,
    ) -> None:
        super().__init__()
        self.convolution = convolution
        self.recurrent = recurrent
        self.attention = attention
        self.out_features = 2 * width

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (batch, 2 · width) of x (batch, time, features), float32, and attention's
        weights (batch, parts) if there is any."""
        if self.convolution is not None:
            x = self.convolution(x)
        if self.recurrent is not None:
            x = self.recurrent(x)
        last = x[:, -1]
        if self.attention is None:
            return torch.cat([last, x.mean(dim=1)], dim=1), None
        context, weights = self.attention(last, x)
        return torch.cat([last, context], dim=1), weights
