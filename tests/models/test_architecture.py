"""What a run keeps of its network has the network's own parts, shapes and parameters."""

from __future__ import annotations

import pytest
import torch

from anomalynet.config.load import load
from anomalynet.data.windows import WindowShape
from anomalynet.models import build

SHAPE = WindowShape(32, 8)


def test_the_parts_of_the_hybrid_and_their_shapes() -> None:
    found = build(load("hybrid").config, SHAPE).architecture()
    assert found is not None
    assert {part["name"]: (part["type"], part["shapes"]) for part in found["layers"]} == {
        "autoencoder": ("Autoencoder", [[32], [256]]),
        "sequence.convolution": ("Convolution", [[16, 64]]),
        "sequence.recurrent": ("Recurrent", [[16, 64]]),
        "sequence.attention": ("Attention", [[64], [16]]),
        "head": ("Head", [[2]]),
    }
    assert found["layers"][-1]["within"] == {"Linear": 2, "ReLU": 1, "Dropout": 1}
    assert found["input"] == [32, 8]


@pytest.mark.parametrize("experiment", ["lstm", "hybrid", "autoencoder"])
def test_parameters_are_all_counted_and_the_generator_is_left_alone(experiment: str) -> None:
    model = build(load(experiment).config, SHAPE)
    state = torch.get_rng_state()
    found = model.architecture()
    assert torch.equal(state, torch.get_rng_state())
    assert found is not None
    parameters = sum(part["parameters"] for part in found["layers"])
    assert parameters == found["parameters"] == model.parameter_count
