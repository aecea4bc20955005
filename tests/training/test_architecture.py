"""The traced architecture has the network's own parameters and the flow of its `forward`."""

from __future__ import annotations

import pytest
import torch

from anomalynet.config.load import load
from anomalynet.data.windows import WindowShape
from anomalynet.models import build
from anomalynet.models._detector import Detector
from anomalynet.training.architecture import architecture

SHAPE = WindowShape(32, 8)


def test_the_hybrid_flows_as_figure_1_says() -> None:
    found = architecture(load("hybrid").config, SHAPE)
    flow = {part["name"]: (part["from"], part["shapes"]) for part in found["parts"]}
    assert flow == {
        "autoencoder": (["input"], [[32], [256]]),
        "sequence.convolution": (["input"], [[16, 64]]),
        "sequence.recurrent": (["sequence.convolution"], [[16, 64]]),
        "sequence.attention": (["sequence.recurrent"], [[64], [16]]),
        "head": (["autoencoder", "input", "sequence.attention", "sequence.recurrent"], [[2]]),
    }
    assert found["output"] == ["head"]
    assert found["input"] == [32, 8]


def test_a_component_that_is_off_is_not_there() -> None:
    overrides = ["model.attention=false", "model.lstm=false", "model.autoencoder_placement=inline"]
    flow = {
        part["name"]: part["from"]
        for part in architecture(load("hybrid", overrides).config, SHAPE)["parts"]
    }
    assert flow == {
        "autoencoder": ["input"],
        "sequence.convolution": ["autoencoder"],
        "head": ["sequence.convolution"],
    }


@pytest.mark.parametrize("experiment", ["cnn", "lstm", "cnn_lstm", "hybrid", "autoencoder"])
def test_parameters_are_all_counted_and_the_generator_is_left_alone(experiment: str) -> None:
    config = load(experiment).config
    model = build(config, SHAPE)
    assert isinstance(model, Detector)
    state = torch.get_rng_state()
    parts = architecture(config, SHAPE)["parts"]
    assert torch.equal(state, torch.get_rng_state())
    assert sum(part["parameters"] for part in parts) == sum(
        weights.numel() for weights in model.parameters()
    )
    assert all(
        sum(layer["parameters"] for layer in part["layers"]) == part["parameters"] for part in parts
    )
