"""A network as a graph: normalisation, network and score in one."""

from __future__ import annotations

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalynet.detection.export.paths import quiet
from anomalynet.errors import RunError, first_line
from anomalynet.models.base import Detector, Output
from anomalynet.models.hybrid_causal import HybridCausal

OPSET = 20  # native version of torch's exporter; ONNX Runtime reads it since 1.17

EXAMPLES = 3
"""Number of windows for tracing: with 1 the exporter would treat the batch size as constant."""


class WindowGraph(nn.Module):
    """What the file computes from the last readings of a device."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, readings: Tensor) -> tuple[Tensor, ...]:
        """Score (batch,), then error and attention where the network has them, of calibrated
        readings (batch, window, channels) float32."""
        output = self.detector(readings)
        return (self.detector.scores(output), *_parts(output).values())


def _parts(output: Output) -> dict[str, Tensor]:
    found = {"error": output.error, "attention": output.attention}
    return {name: value for name, value in found.items() if value is not None}


@torch.no_grad()
def window_graph(detector: Detector) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The graph of a network and the names of its outputs.

    Only torch's current exporter is used. The older one records the branches that one example
    takes, and silently drops all others.

    Raises RunError: the exporter does not support an operation of the network.
    """
    steps, channels = detector.shape
    examples = (torch.zeros(EXAMPLES, steps, channels),)
    detector = detector.eval().cpu()
    outputs = ("score", *_parts(detector(examples[0])))
    return trace(WindowGraph(detector).eval(), examples, ("readings",), outputs), outputs


def trace(
    module: nn.Module,
    examples: tuple[Tensor, ...],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
) -> onnx.ModelProto:
    """A module as an ONNX graph with variable batch size. `examples`: one tensor per parameter of
    `forward`, with a batch of `EXAMPLES` as first dimension.

    Raises RunError: the exporter does not support an operation of the module.
    """
    batch = torch.export.Dim("batch", min=1)
    try:
        with quiet():
            program = torch.onnx.export(
                module,
                examples,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=tuple({0: batch} for _ in examples),
                opset_version=OPSET,
                dynamo=True,
                optimize=False,  # `tidy.fold` does
                verbose=False,
            )
    except Exception as error:  # unsupported operation of a user's own network
        what = f"torch.onnx cannot export this network: {first_line(error.__cause__ or error)}"
        raise RunError(
            what, "`forward` must use only torch, without branches that depend on the data"
        ) from None
    if program is None:
        raise RunError("torch.onnx returned no graph for this network")
    return program.model_proto


OUTPUTS = ("score", "error", "attention")  # besides the state


class StepGraph(nn.Module):
    """What the file computes from one reading of a device."""

    def __init__(self, detector: HybridCausal) -> None:
        super().__init__()
        self.detector = detector
        attention, lstm = detector.attention, detector.recurrent.lstm
        weight = detector.convolution.convolution.weight.permute(0, 2, 1)
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
        """`OUTPUTS`, then the state after the step: tail, hidden (the newest LSTM state), cell.

        Attention does not depend on the order of states: a state replaces the oldest one in place.

        Args:
            reading: a calibrated reading (batch, channels) float32.
            tail, hidden, cell: as in `models.hybrid_causal.State`.
            states: the last states (batch, window, hidden) in any order.
            slot: (batch, window), 1 at the oldest of them, which the new state replaces, else 0.
        """
        network = self.detector
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


def carried(detector: HybridCausal) -> dict[str, tuple[int, ...]]:
    """Shape, for one device, of each part of the state that a step returns."""
    empty = detector.initial_state(1)
    return {name: tuple(getattr(empty, name).shape[1:]) for name in ("tail", "hidden", "cell")}


@torch.no_grad()
def step_graph(detector: HybridCausal) -> onnx.ModelProto:
    """The graph of a network that carries its state; its outputs are `OUTPUTS` and `<name>_next`
    for each of `carried`.

    Raises RunError: the exporter does not support an operation of the network.
    """
    steps, channels = detector.shape
    state = carried(detector)
    examples = (
        torch.zeros(EXAMPLES, channels),
        *(torch.zeros(EXAMPLES, *shape) for shape in state.values()),
        torch.zeros(EXAMPLES, steps, detector.settings.hidden),
        torch.zeros(EXAMPLES, steps),
    )
    inputs = ("reading", *state, "states", "slot")
    outputs = (*OUTPUTS, *(f"{name}_next" for name in state))
    return trace(StepGraph(detector.eval().cpu()).eval(), examples, inputs, outputs)
