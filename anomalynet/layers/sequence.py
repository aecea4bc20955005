"""The sequence stage that every classifier shares: convolution → LSTM → attention, each of which
can be missing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anomalynet.layers.attention import Attention
from anomalynet.layers.conv import Convolution
from anomalynet.layers.recurrent import Recurrent


class SequenceStage(nn.Module):
    """Reads a window step by step and describes it by its last step and a summary over time.

    One stage for all models: that is what makes `cnn_lstm` the hybrid without autoencoder and
    attention, weight for weight.

    Args:
        convolution: or None, and the next part reads the window itself.
        recurrent: or None, and the last convolved step stands for the last LSTM state.
        attention: or None, and the mean over time stands for the context vector.
        width: features that leave the last sequence part.

    Source: §3.2, Fig. 1; what stands for a missing part is not in the paper.
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
