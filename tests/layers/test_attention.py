"""Eq. 10–12 by hand."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from anomalynet.layers.attention import Attention

BATCH, STEPS, WIDTH = 2, 5, 4


def _linear(layer: nn.Linear, x: np.ndarray) -> np.ndarray:
    return np.asarray(x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy())


@pytest.mark.parametrize(("axis", "parts"), [("time", STEPS), ("channel", WIDTH)])
def test_scores_softmax_and_weighted_sum_by_hand(
    axis: Literal["time", "channel"], parts: int
) -> None:
    torch.manual_seed(0)
    layer = Attention(WIDTH, STEPS, axis)
    sequence, query = torch.randn(BATCH, STEPS, WIDTH), torch.randn(BATCH, WIDTH)
    context, weights = layer(query, sequence)
    assert weights.shape == (BATCH, parts)
    for b in range(BATCH):
        seen = sequence[b].numpy() if axis == "time" else sequence[b].numpy().T
        asked = _linear(layer.query, query[b].numpy())
        energies = np.array(
            [asked @ _linear(layer.key, seen[t]) / np.sqrt(WIDTH) for t in range(parts)]
        )
        alpha = np.exp(energies) / np.exp(energies).sum()
        summed = np.sum([alpha[t] * _linear(layer.value, seen[t]) for t in range(parts)], axis=0)
        np.testing.assert_allclose(weights[b].detach().numpy(), alpha, atol=1e-6)
        np.testing.assert_allclose(context[b].detach().numpy(), summed, atol=1e-6)
        assert alpha.sum() == pytest.approx(1.0)
