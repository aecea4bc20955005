"""A network of the form `step` as a graph: it is given one reading and its state, and gives the
score and the state after it.

The same numbers as `HybridCausal.step`, up to rounding, with its products merged: ONNX Runtime's
LSTM and Conv operators cost more for a single step than one matrix product each.
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalynet.detection.export.network import EXAMPLES, Calibration, trace
from anomalynet.models.hybrid_causal import HybridCausal

OUTPUTS = ("score", "error", "attention")
"""Beside the state."""


class StepGraph(nn.Module):
    """What the file computes from one reading of a device.

    Args:
        detector: trained, in evaluation mode.
        bounds: as in `Calibration`.
    """

    def __init__(self, detector: HybridCausal, bounds: np.ndarray) -> None:
        super().__init__()
        self.detector = detector
        self.calibration = Calibration(bounds)
        convolution, lstm, attention = (
            detector.convolution.convolution,
            detector.recurrent.lstm,
            detector.attention,
        )
        self.seen = nn.Parameter(
            convolution.weight.permute(0, 2, 1).flatten(1)
        )  # (channels, kernel · features), oldest step first
        on_input, on_state, bias, more = (weights.detach() for weights in lstm.parameters())
        self.gates = nn.Parameter(_sigmoids_first(torch.cat([on_input, on_state], dim=1)))
        self.gate_bias = nn.Parameter(_sigmoids_first(bias + more))
        self.asked = nn.Parameter(attention.key.weight.T @ attention.query.weight * attention.scale)
        self.asked_bias = nn.Parameter(
            attention.query.bias @ attention.key.weight * attention.scale
        )

    def forward(
        self,
        reading: Tensor,
        offset: Tensor,
        scale: Tensor,
        tail: Tensor,
        hidden: Tensor,
        cell: Tensor,
        states: Tensor,
        slot: Tensor,
    ) -> tuple[Tensor, ...]:
        """`OUTPUTS`, then the state after the step, of a reading (batch, channels) float32 with
        NaN; the rest as in `HybridCausal.step`."""
        network = self.detector
        x = network.normalise(self.calibration(reading, offset, scale))
        latent, reconstruction = network.autoencoder(x)
        error = (reconstruction - x).square()
        seen = torch.cat([tail, x.unsqueeze(1)], dim=1)
        maps = F.relu(F.linear(seen.flatten(1), self.seen, network.convolution.convolution.bias))
        hidden, cell = self._lstm(maps, hidden, cell)
        direction = F.linear(hidden, self.asked, self.asked_bias)
        earlier = (states @ direction.unsqueeze(-1)).squeeze(-1)
        weights = torch.softmax(
            torch.where(slot > 0, (hidden * direction).sum(dim=-1, keepdim=True), earlier), dim=-1
        )
        own = (weights * slot).sum(dim=-1, keepdim=True)
        mixed = ((weights * (1 - slot)).unsqueeze(-2) @ states).squeeze(-2) + own * hidden
        features = torch.cat(
            [hidden, network.attention.value(mixed), latent, torch.log1p(error)], dim=-1
        )
        score = torch.softmax(network.head(features), dim=-1)[:, 1]
        return score, error, weights, seen[:, 1:], hidden, cell

    def _lstm(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Eq. 3–8 with one product for all gates."""
        width = hidden.shape[1]
        gates = F.linear(torch.cat([x, hidden], dim=1), self.gates, self.gate_bias)
        opened = torch.sigmoid(gates[:, : 3 * width])
        enter, forget, leave = (
            opened[:, :width],
            opened[:, width : 2 * width],
            opened[:, 2 * width :],
        )
        cell = forget * cell + enter * torch.tanh(gates[:, 3 * width :])
        return leave * torch.tanh(cell), cell


def _sigmoids_first(gates: Tensor) -> Tensor:
    """Rows of torch's input, forget, candidate and output gates, with the candidate last."""
    enter, forget, candidate, leave = gates.chunk(4)
    return torch.cat([enter, forget, leave, candidate])


def carried(detector: HybridCausal) -> dict[str, tuple[int, ...]]:
    """Shape of one device's tensor in each part of the state that a step gives back."""
    empty = detector.start(1)
    return {name: tuple(getattr(empty, name).shape[1:]) for name in ("tail", "hidden", "cell")}


@torch.no_grad()
def step_graph(detector: HybridCausal, bounds: np.ndarray) -> onnx.ModelProto:
    """The graph of a network that carries its state; its outputs are `OUTPUTS` and `<name>_next`
    for each of `carried`.

    Args:
        detector: trained.
        bounds: as in `Calibration`.

    Raises: RunError if the exporter does not know what the network does.
    """
    steps, channels = detector.shape
    state = carried(detector)
    examples = (
        torch.zeros(EXAMPLES, channels),
        torch.zeros(EXAMPLES, channels, dtype=torch.float64),
        torch.ones(EXAMPLES, channels, dtype=torch.float64),
        *(torch.zeros(EXAMPLES, *shape) for shape in state.values()),
        torch.zeros(EXAMPLES, steps, detector.settings.hidden),
        torch.zeros(EXAMPLES, steps),
    )
    inputs = ("reading", "offset", "scale", *state, "states", "slot")
    return trace(
        StepGraph(detector.eval().cpu(), bounds).eval(),
        examples,
        inputs,
        (*OUTPUTS, *(f"{name}_next" for name in state)),
    )
