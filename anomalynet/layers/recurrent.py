"""Long short-term memory over a sequence."""

from __future__ import annotations

from torch import Tensor, nn


class Recurrent(nn.Module):
    """One LSTM layer from a zero state; torch keeps two bias vectors where the paper writes one,
    their sum is the paper's.

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
        """The states (batch, time, hidden) as `forward`, but from a state: hidden and cell (batch,
        hidden); and what they become."""
        states, (last, memory) = self.lstm(x, (hidden.unsqueeze(0), cell.unsqueeze(0)))
        return states, last[0], memory[0]
