"""Whether a channel repeats its value for longer than it usually does: a rule, not learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

USUAL = 0.995  # share of the training windows whose repetition at the end is usual
LEAST = 5  # fewest changes in a row that must be zero


class FlatLine(nn.Module):
    """Tells windows at whose end a channel repeats its value for more than twice as long as in the
    0.5 % of the training windows that repeat longest. A channel for which the window is too short
    is not judged. Steps at which readings are missing, whose value is held, are no repetition.

    Args:
        steps, channels: shape of the windows.
    """

    last: Tensor  # (steps - 1, channel), 1 for the changes at the end that are judged
    needed: Tensor  # (channel,), their number; more than there are where nothing is judged
    missing: Tensor  # (channel,), 1 at the channel with the share of missing sensors, if any

    def __init__(self, steps: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("last", torch.zeros(max(steps - 1, 0), channels))
        self.register_buffer("needed", torch.full((channels,), float(steps)))
        self.register_buffer("missing", torch.zeros(channels))

    @torch.no_grad()
    def fit(self, x: Tensor, mask: int | None) -> None:
        """Takes the usual repetitions from windows x (n, time, channel) of the training part, as
        the data has them. `mask`: position of the channel with the share of missing sensors."""
        self.missing.zero_()
        if mask is not None:
            self.missing[mask] = 1
        runs = self._repeats(x).flip(1).cumprod(dim=1).sum(dim=1)  # (n, channel), at the end
        place = min(int(USUAL * len(runs)), len(runs) - 1)
        usual = runs.sort(dim=0).values[place]
        count = (2 * usual + 1).clamp(min=LEAST)
        judged = count < len(self.last)
        if mask is not None:
            judged[mask] = False
        back = torch.arange(len(self.last), 0, -1, device=count.device)[:, None]
        self.last.copy_((back <= count) & judged)
        self.needed.copy_(torch.where(judged, count, float(len(self.last) + 1)))

    def _repeats(self, x: Tensor) -> Tensor:
        """1 where a value equals the one before and nothing is missing, (batch, steps - 1,
        channel)."""
        whole = (x * self.missing).sum(dim=2, keepdim=True) < 1e-6
        return ((x[:, 1:] == x[:, :-1]) & whole[:, 1:] & whole[:, :-1]).to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """1 for windows x (batch, time, channel) with such a channel, else 0; float32 (batch,)."""
        found = (self._repeats(x) * self.last).sum(dim=1) >= self.needed
        return found.any(dim=1).to(x.dtype)
