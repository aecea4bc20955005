"""A network as a graph: normalisation, network and score in one."""

from __future__ import annotations

import onnx
import torch
from torch import Tensor, nn

from anomalynet.detection.export.paths import quiet
from anomalynet.errors import RunError, first_line
from anomalynet.models.base import Detector, Output

OPSET = 20  # native version of torch's exporter; ONNX Runtime reads it since 1.17

EXAMPLES = 3  # windows for tracing: with 1 the exporter would treat the batch size as constant
OUTPUTS = ("score", "error", "attention")  # besides the state


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
    """The graph of a network and the names of its outputs; errors as in `trace`."""
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

    Only torch's current exporter is used: the older one silently drops the branches that an example
    does not take. Raises RunError: it does not support an operation of the module.
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
        how = "`forward` must use only torch, without branches that depend on the data"
        raise RunError(what, how) from None
    if program is None:
        raise RunError("torch.onnx returned no graph for this network")
    return program.model_proto


def carried(detector: Detector) -> dict[str, tuple[int, ...]]:
    """Shape, for one device, of each part of the state that a step returns."""
    empty = detector.initial_state(1)
    return {name: tuple(getattr(empty, name).shape[1:]) for name in ("tail", "hidden", "cell")}


@torch.no_grad()
def step_graph(detector: Detector) -> onnx.ModelProto:
    """The graph of a network that carries its state; its outputs are `OUTPUTS` and `<name>_next`
    for each of `carried`. Raises RunError: the network has no `step_module`, or as in `trace`."""
    steps, channels = detector.shape
    module, state = detector.eval().cpu().step_module(), carried(detector)
    examples = (
        torch.zeros(EXAMPLES, channels),
        *(torch.zeros(EXAMPLES, *shape) for shape in state.values()),
        torch.zeros(EXAMPLES, steps, detector.initial_state(1).states.shape[-1]),
        torch.zeros(EXAMPLES, steps),
    )
    inputs = ("reading", *state, "states", "slot")
    outputs = (*OUTPUTS, *(f"{name}_next" for name in state))
    return trace(module.eval(), examples, inputs, outputs)
