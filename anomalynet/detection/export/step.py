"""A network of the form `step` as a graph: it is given one reading and its state, and gives the score and the state after it."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from torch import Tensor, nn

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

    def forward(
        self, reading: Tensor, offset: Tensor, scale: Tensor, tail: Tensor, hidden: Tensor, cell: Tensor, states: Tensor, slot: Tensor
    ) -> tuple[Tensor, ...]:
        """`OUTPUTS`, then the state after the step, of a reading (batch, channels) float32 with NaN; the rest as in `HybridCausal.step`."""
        found = self.detector.step(self.calibration(reading, offset, scale), tail, hidden, cell, states, slot)
        return tuple(found[name] for name in (*OUTPUTS, *(f"{name}_next" for name in carried(self.detector))))


def carried(detector: HybridCausal) -> dict[str, tuple[int, ...]]:
    """Shape of one device's tensor in each part of the state that a step gives back."""
    empty = detector.start(1)
    return {name: tuple(getattr(empty, name).shape[1:]) for name in ("tail", "hidden", "cell")}


@torch.no_grad()
def step_graph(detector: HybridCausal, bounds: np.ndarray) -> onnx.ModelProto:
    """The graph of a network that carries its state; its outputs are `OUTPUTS` and `<name>_next` for each of `carried`.

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
    return trace(StepGraph(detector.eval().cpu(), bounds).eval(), examples, inputs, (*OUTPUTS, *(f"{name}_next" for name in state)))
