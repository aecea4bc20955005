"""§3.2.1 by hand: h = f(Wx + b), x̂ = g(W'h + b')."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from anomalynet.layers.autoencoder import Autoencoder, widths


@pytest.mark.parametrize(
    ("features", "latent", "depth", "expected"),
    [
        (256, 32, 1, [256, 32]),
        (256, 32, 2, [256, 128, 32]),
        (256, 32, 3, [256, 128, 64, 32]),
        (288, 32, 2, [288, 128, 32]),
        (8, 32, 2, [8, 16, 32]),
    ],
)
def test_hidden_widths_are_geometric(
    features: int, latent: int, depth: int, expected: list[int]
) -> None:
    assert widths(features, latent, depth) == expected


def test_the_paper_shape_has_the_parameters_of_its_layers() -> None:
    layer = Autoencoder(256, 32, 2)
    down = (256 * 128 + 128) + (128 * 32 + 32)
    up = (32 * 128 + 128) + (128 * 256 + 256)
    assert sum(p.numel() for p in layer.parameters()) == down + up == 74_272


def test_encoder_and_decoder_by_hand() -> None:
    torch.manual_seed(1)
    layer = Autoencoder(12, 4, 2)
    x = torch.randn(5, 12)
    latent, rebuilt = layer(x)

    def apply(linear: nn.Module, value: np.ndarray) -> np.ndarray:
        weights = cast("nn.Linear", linear)
        return np.asarray(value @ weights.weight.detach().numpy().T + weights.bias.detach().numpy())

    first = np.maximum(apply(layer.encoder[0], x.numpy()), 0)
    code = np.maximum(apply(layer.encoder[2], first), 0)
    back = np.maximum(apply(layer.decoder[0], code), 0)
    np.testing.assert_allclose(latent.detach().numpy(), code, atol=1e-6)
    np.testing.assert_allclose(rebuilt.detach().numpy(), apply(layer.decoder[2], back), atol=1e-6)
    assert (rebuilt < 0).any(), "the last layer is not bounded from below"
