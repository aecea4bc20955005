"""A network of the form `window` as a graph: calibration, bound, missing readings, normalisation,
network and score in one."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from anomalynet.detection.export.packages import quiet
from anomalynet.errors import RunError
from anomalynet.models._detector import Detector, Output

OPSET = 20
"""What torch's exporter writes without translating; ONNX Runtime reads it since 1.17."""

EXAMPLES = 3
"""Windows that the graph is traced with: with 1 the exporter takes the batch for a constant."""


class Calibration(nn.Module):
    """What `data.calibration.finish` does, in float64 likewise.

    Args:
        bounds: float64 (channels,): bound on each calibrated channel, infinite where there is none.
    """

    bounds: Tensor

    def __init__(self, bounds: np.ndarray) -> None:
        super().__init__()
        self.bounded = bool(np.isfinite(bounds).any())
        self.register_buffer("bounds", torch.from_numpy(bounds))

    def forward(self, readings: Tensor, offset: Tensor, scale: Tensor) -> Tensor:
        """Calibrated readings, finite, of readings (…, channels) with NaN, both float32; offset and
        scale are float64."""
        calibrated = (readings.double() - offset) / scale
        if self.bounded:
            calibrated = torch.clamp(calibrated, -self.bounds, self.bounds)
        return torch.where(calibrated.isnan(), 0.0, calibrated).float()


class WindowGraph(nn.Module):
    """What the file computes from the last readings of a device.

    Args:
        detector: trained, in evaluation mode.
        bounds: as in `Calibration`.
    """

    def __init__(self, detector: Detector, bounds: np.ndarray) -> None:
        super().__init__()
        self.detector = detector
        self.calibration = Calibration(bounds)

    def forward(self, readings: Tensor, offset: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
        """Score (batch,), then error and attention where the network has them, of readings (batch,
        window, channels) float32 with NaN.

        offset and scale: float64 (batch, channels).
        """
        output = self.detector(self.calibration(readings, offset[:, None], scale[:, None]))
        return (self.detector.scores(output), *_parts(output).values())


def _parts(output: Output) -> dict[str, Tensor]:
    found = {"error": output.error, "attention": output.attention}
    return {name: value for name, value in found.items() if value is not None}


@torch.no_grad()
def window_graph(detector: Detector, bounds: np.ndarray) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The graph of a network and the names of its outputs.

    Every network here passes torch's present exporter. The older one is no second chance for a
    user's own: it records the branches that one example takes and leaves the others out without a
    word.

    Args:
        detector: trained.
        bounds: as in `Calibration`.

    Raises: RunError if the exporter does not know what the network does.
    """
    steps, channels = detector.shape
    examples = (
        torch.zeros(EXAMPLES, steps, channels),
        torch.zeros(EXAMPLES, channels, dtype=torch.float64),
        torch.ones(EXAMPLES, channels, dtype=torch.float64),
    )
    detector = detector.eval().cpu()
    outputs = ("score", *_parts(detector(examples[0])))
    return trace(
        WindowGraph(detector, bounds).eval(), examples, ("readings", "offset", "scale"), outputs
    ), outputs


def trace(
    module: nn.Module,
    examples: tuple[Tensor, ...],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
) -> onnx.ModelProto:
    """A module as an ONNX graph whose batch is free.

    Args:
        examples: one a parameter of `forward`, the batch first, as many as `EXAMPLES`.

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
        lines = [line for line in str(error.__cause__ or error).splitlines() if line.strip()]
        what = lines[0] if lines else type(error).__name__
        raise RunError(
            f"torch.onnx cannot export this network: {what}",
            "`forward` must do the same for every batch, in torch alone",
        ) from None
    if program is None:
        raise RunError("torch.onnx gave no graph of this network")
    return program.model_proto
