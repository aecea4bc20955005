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

OPSET = 20  # what torch's exporter writes without translating; ONNX Runtime reads it since 1.17

EXAMPLES = 3
"""Windows that the graph is traced with: with 1 the exporter takes the batch for a constant."""


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

    Every network here passes torch's present exporter. The older one is no second chance for a
    user's own: it records the branches that one example takes and leaves the others out without a
    word.

    Raises: RunError if the exporter does not know what the network does.
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
    """A module as an ONNX graph whose batch is free. `examples`: one a parameter of `forward`, the
    batch first, as many as `EXAMPLES`.

    Raises: RunError if the exporter does not know what the module does.
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
    except Exception as error:  # whatever a user's own network does that has no counterpart
        what = f"torch.onnx cannot export this network: {first_line(error.__cause__ or error)}"
        raise RunError(what, "`forward` must do the same for every batch, in torch alone") from None
    if program is None:
        raise RunError("torch.onnx gave no graph of this network")
    return program.model_proto


OUTPUTS = ("score", "error", "attention")  # beside the state


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
        self.asked = nn.Parameter(attention.key.weight.T @ attention.query.weight * attention.scale)
        asked_bias = attention.query.bias @ attention.key.weight * attention.scale
        self.asked_bias = nn.Parameter(asked_bias)

    def forward(
        self,
        reading: Tensor,
        tail: Tensor,
        hidden: Tensor,
        cell: Tensor,
        states: Tensor,
        slot: Tensor,
    ) -> tuple[Tensor, ...]:
        """`OUTPUTS`, then the state after the step, of a calibrated reading (batch, channels)
        float32; the rest as in `HybridCausal.step`."""
        network = self.detector
        x = network.normalise(reading)
        latent, reconstruction = network.autoencoder(x)
        error = (reconstruction - x).square()
        seen = torch.cat([tail, x.unsqueeze(1)], dim=1)
        maps = F.relu(F.linear(seen.flatten(1), self.seen, network.convolution.convolution.bias))
        hidden, cell = self._lstm(maps, hidden, cell)
        direction = F.linear(hidden, self.asked, self.asked_bias)
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
        """Eq. 3–8 with one product for all gates."""
        width = hidden.shape[1]
        gates = F.linear(torch.cat([x, hidden], dim=1), self.gates, self.gate_bias)
        opened = torch.sigmoid(gates[:, : 3 * width])
        enter, forget = opened[:, :width], opened[:, width : 2 * width]
        leave = opened[:, 2 * width :]
        cell = forget * cell + enter * torch.tanh(gates[:, 3 * width :])
        return leave * torch.tanh(cell), cell


def _sigmoids_first(gates: Tensor) -> Tensor:
    """Rows of torch's input, forget, candidate and output gates, with the candidate last."""
    enter, forget, candidate, leave = gates.chunk(4)
    return torch.cat([enter, forget, leave, candidate])


def carried(detector: HybridCausal) -> dict[str, tuple[int, ...]]:
    """Shape of one device's tensor in each part of the state that a step gives back."""
    empty = detector.initial_state(1)
    return {name: tuple(getattr(empty, name).shape[1:]) for name in ("tail", "hidden", "cell")}


@torch.no_grad()
def step_graph(detector: HybridCausal) -> onnx.ModelProto:
    """The graph of a network that carries its state; its outputs are `OUTPUTS` and `<name>_next`
    for each of `carried`.

    Raises: RunError if the exporter does not know what the network does.
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
