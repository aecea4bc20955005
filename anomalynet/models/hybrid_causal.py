"""The hybrid made for streams: a reading costs one step, because its state is carried instead of
the window read again."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor

from anomalynet.config import model as configs
from anomalynet.config.schema import Config
from anomalynet.data.windows import WindowShape
from anomalynet.errors import ConfigError, Problem
from anomalynet.layers.attention import StateAttention
from anomalynet.layers.autoencoder import Autoencoder
from anomalynet.layers.conv import CausalConvolution
from anomalynet.layers.sequence import Head, Recurrent
from anomalynet.models.base import Detector, Output


class State(NamedTuple):
    """What the network remembers of a segment, float32; zeros where it starts."""

    tail: Tensor  # (batch, kernel - 1, channel), the last normalised readings
    hidden: Tensor  # (batch, hidden), the LSTM's state
    cell: Tensor  # (batch, hidden), its memory
    states: Tensor  # (batch, steps - 1, hidden), the last LSTM states, oldest first


class HybridCausal(Detector):
    """Autoencoder per step beside causal convolution → LSTM → attention over the last T states.

    Evaluated and used by `advance`: a segment is read once, from its start, and every step from the
    T-th on is scored. A window that `score` sees by itself counts as the start of a segment.

    Trained on windows, judged at their last step. Half of them start empty, the others with what
    the LSTM held after the windows of the batch before: whatever they were, so that it learns to
    live with a memory that is older than any window. An epoch starts with none. Raises ConfigError:
    a part has an impossible size.

    Source: §3.2 for the parts; their arrangement in time is not in the paper.
    """

    config_type = configs.HybridCausal
    carries_state: ClassVar[bool] = True

    def __init__(self, shape: WindowShape, config: Config | None = None, **options: Any) -> None:
        super().__init__(shape, config, **options)
        shape = self.shape
        settings = cast("configs.HybridCausal", self.config.model)
        for name in ("autoencoder_depth", "kernel"):
            if (size := getattr(settings, name)) < 1:
                raise ConfigError([Problem(f"model.{name}", f"must be at least 1, is {size}")])
        self.settings = settings
        self.autoencoder = Autoencoder(shape.channels, settings.latent, settings.autoencoder_depth)
        self.convolution = CausalConvolution(shape.channels, settings.channels, settings.kernel)
        self.recurrent = Recurrent(settings.channels, settings.hidden)
        self.attention = StateAttention(settings.hidden)
        features = 2 * settings.hidden + settings.latent + shape.channels
        self.head = Head(features, settings.head, settings.dropout)
        self._memory: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Output:
        """Logits, attention weights, reconstruction and error of windows x (batch, time, channel),
        float32, from an empty state."""
        x = self.normalise(x)
        latent, reconstruction = self.autoencoder(x)
        error = (reconstruction - x).square()
        maps = self.convolution(x)
        states = self._remembering(maps) if self.training else self.recurrent(maps)
        context, weights = self.attention(states[:, -1], states)
        parts = [states[:, -1], context, latent[:, -1], torch.log1p(error[:, -1])]
        logits = self.head(torch.cat(parts, dim=-1))
        return Output(logits, reconstruction, error.mean(dim=1), weights)

    def on_train_epoch_start(self) -> None:
        """Forgets the batch before: a resumed run trains like one that was never cut."""
        super().on_train_epoch_start()
        self._memory = None

    def _remembering(self, maps: Tensor) -> Tensor:
        """States (batch, time, hidden) of maps (batch, time, channels), every other window from a
        state of the batch before."""
        hidden = cell = maps.new_zeros(len(maps), self.settings.hidden)
        if self._memory is not None and len(self._memory[0]) >= len(maps):
            odd = (torch.arange(len(maps), device=maps.device) % 2).unsqueeze(1).to(maps.dtype)
            hidden, cell = (held[: len(maps)] * odd for held in self._memory)
        states, hidden, cell = self.recurrent.carry(maps, hidden, cell)
        self._memory = hidden.detach(), cell.detach()
        return states

    def losses(self, output: Output, target: Tensor) -> Tensor:
        """Classification loss plus λ · reconstruction error (batch,) of windows not labelled as
        attack."""
        assert output.error is not None
        reconstruction = self.settings.reconstruction_weight * output.error.mean(dim=1)
        return super().losses(output, target) + reconstruction * (target <= 0)

    def initial_state(self, n: int) -> State:
        """The state of n segments at their start."""
        settings, like = self.settings, self.mean
        return State(
            tail=like.new_zeros(n, settings.kernel - 1, self.shape.channels),
            hidden=like.new_zeros(n, settings.hidden),
            cell=like.new_zeros(n, settings.hidden),
            states=like.new_zeros(n, self.shape.steps - 1, settings.hidden),
        )

    @torch.no_grad()
    def advance(self, state: State, x: Tensor) -> tuple[State, Tensor]:
        """The state after the next steps x (batch, time, channel) of a segment, float32, and their
        scores (batch, time).

        The first T - 1 scores of a segment mean nothing: attention has fewer states than it was
        trained with.
        """
        x = self.normalise(x)
        latent, reconstruction = self.autoencoder(x)
        maps = self.convolution(x, state.tail)
        states, hidden, cell = self.recurrent.carry(maps, state.hidden, state.cell)
        known = torch.cat([state.states, states], dim=1)
        context, _ = self.attention(states, known.unfold(1, self.shape.steps, 1).transpose(2, 3))
        error = torch.log1p((reconstruction - x).square())
        logits = self.head(torch.cat([states, context, latent, error], dim=-1))
        tail = torch.cat([state.tail, x], dim=1)[:, x.shape[1] :]
        after = State(tail, hidden, cell, known[:, x.shape[1] :])
        return after, torch.softmax(logits, dim=-1)[..., 1]
