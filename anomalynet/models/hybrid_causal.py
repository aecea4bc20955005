"""The hybrid made for streams: a reading costs one step, because its state is carried instead of
the window read again."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
        if settings.autoencoder_depth == 0:
            raise ConfigError([Problem("model.autoencoder_depth", "must be at least 1, not 0")])
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

    def step_module(self) -> StepGraph:
        """One step as a module: its arguments and outputs are those of `StepGraph.forward`."""
        return StepGraph(self)


class StepGraph(nn.Module):
    """One step of the network on one reading of a device, as an exported file computes it."""

    def __init__(self, network: HybridCausal) -> None:
        super().__init__()
        self.network = network
        attention, lstm = network.attention, network.recurrent.lstm
        weight = network.convolution.convolution.weight.permute(0, 2, 1)
        self.seen = nn.Parameter(weight.flatten(1))  # (channels, kernel · features), oldest first
        on_input, on_state, bias, more = (weights.detach() for weights in lstm.parameters())
        self.gates = nn.Parameter(_sigmoids_first(torch.cat([on_input, on_state], dim=1)))
        self.gate_bias = nn.Parameter(_sigmoids_first(bias + more))
        self.query_weight = nn.Parameter(
            attention.key.weight.T @ attention.query.weight * attention.scale
        )
        query_bias = attention.query.bias @ attention.key.weight * attention.scale
        self.query_bias = nn.Parameter(query_bias)

    def forward(
        self,
        reading: Tensor,
        tail: Tensor,
        hidden: Tensor,
        cell: Tensor,
        states: Tensor,
        slot: Tensor,
    ) -> tuple[Tensor, ...]:
        """Score, error and attention, then the state after the step: tail, hidden (the newest LSTM
        state), cell.

        Attention does not depend on the order of states: a state replaces the oldest one in place.

        Args:
            reading: a calibrated reading (batch, channels) float32.
            tail, hidden, cell: as in `State`.
            states: the last states (batch, window, hidden) in any order.
            slot: (batch, window), 1 at the oldest of them, which the new state replaces, else 0.
        """
        network = self.network
        x = network.normalise(reading)
        latent, reconstruction = network.autoencoder(x)
        error = (reconstruction - x).square()
        seen = torch.cat([tail, x.unsqueeze(1)], dim=1)
        maps = F.relu(F.linear(seen.flatten(1), self.seen, network.convolution.convolution.bias))
        hidden, cell = self._lstm(maps, hidden, cell)
        direction = F.linear(hidden, self.query_weight, self.query_bias)
        earlier = (states @ direction.unsqueeze(-1)).squeeze(-1)
        present = (hidden * direction).sum(dim=-1, keepdim=True)
        weights = torch.softmax(torch.where(slot > 0, present, earlier), dim=-1)
        own = (weights * slot).sum(dim=-1, keepdim=True)
        mixed = ((weights * (1 - slot)).unsqueeze(-2) @ states).squeeze(-2) + own * hidden
        context = network.attention.value(mixed)
        features = torch.cat([hidden, context, latent, torch.log1p(error)], dim=-1)
        score = torch.softmax(network.head(features), dim=-1)[:, 1]
        return score, error, weights, seen[:, 1:], hidden, cell

    def _lstm(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Eq. 3–8 with a single matrix product for all gates."""
        width = hidden.shape[1]
        gates = F.linear(torch.cat([x, hidden], dim=1), self.gates, self.gate_bias)
        opened = torch.sigmoid(gates[:, : 3 * width])
        enter, forget = opened[:, :width], opened[:, width : 2 * width]
        leave = opened[:, 2 * width :]
        cell = forget * cell + enter * torch.tanh(gates[:, 3 * width :])
        return leave * torch.tanh(cell), cell


def _sigmoids_first(gates: Tensor) -> Tensor:
    """Torch's gates (input, forget, candidate, output), reordered with the candidate last, so that
    the three sigmoid gates are contiguous."""
    enter, forget, candidate, leave = gates.chunk(4)
    return torch.cat([enter, forget, leave, candidate])
