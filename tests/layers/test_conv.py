"""Eq. 9 by hand: a window sum over the input, not flipped."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from anomalynet.layers.conv import Convolution

BATCH, STEPS, FEATURES, CHANNELS, KERNEL = 2, 6, 3, 4, 3


def _pooled(maps: np.ndarray, pool: int) -> np.ndarray:
    """Maximum over groups of `pool` steps of (batch, time, …); the last group may be smaller."""
    return np.stack(
        [maps[:, start : start + pool].max(axis=1) for start in range(0, maps.shape[1], pool)],
        axis=1,
    )


@pytest.mark.parametrize(("steps", "pool"), [(6, 1), (6, 2), (7, 2), (7, 3)])
def test_1d_is_a_sum_over_neighbouring_steps(steps: int, pool: int) -> None:
    torch.manual_seed(0)
    layer = Convolution(FEATURES, CHANNELS, KERNEL, pool, "1d")
    x = torch.randn(BATCH, steps, FEATURES)
    convolution = cast("nn.Conv1d", layer.convolution)
    weight, bias = convolution.weight.detach().numpy(), convolution.bias
    assert bias is not None
    padded = np.pad(x.numpy(), ((0, 0), (1, 1), (0, 0)))
    maps = np.zeros((BATCH, steps, CHANNELS))
    for t in range(steps):
        for m in range(KERNEL):
            maps[:, t] += padded[:, t + m] @ weight[:, :, m].T
    expected = _pooled(np.maximum(maps + bias.detach().numpy(), 0), pool)
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, atol=1e-6)


def test_2d_is_the_literal_window_sum_over_time_and_channel() -> None:
    torch.manual_seed(0)
    layer = Convolution(FEATURES, CHANNELS, KERNEL, 2, "2d")
    x = torch.randn(BATCH, STEPS, FEATURES)
    convolution = cast("nn.Conv2d", layer.convolution)
    weight, bias = convolution.weight.detach().numpy(), convolution.bias
    assert bias is not None
    padded = np.pad(x.numpy(), ((0, 0), (1, 1), (1, 1)))
    maps = np.zeros((BATCH, STEPS, FEATURES, CHANNELS))
    for i in range(STEPS):
        for j in range(FEATURES):
            for m in range(KERNEL):
                for n in range(KERNEL):
                    maps[:, i, j] += padded[:, i + m, j + n, None] * weight[None, :, 0, m, n]
    pooled = _pooled(np.maximum(maps + bias.detach().numpy(), 0), 2)
    merged = pooled.transpose(0, 1, 3, 2).reshape(BATCH, STEPS // 2, CHANNELS * FEATURES)
    expected = merged @ layer.merge.weight.detach().numpy().T + layer.merge.bias.detach().numpy()
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["1d", "2d"])
def test_the_last_step_reaches_the_output_of_an_odd_window(kind: str) -> None:
    torch.manual_seed(0)
    layer = Convolution(FEATURES, CHANNELS, 1, 2, kind)  # type: ignore[arg-type]
    x = torch.zeros(1, 7, FEATURES)
    changed = x.clone()
    changed[0, -1] = 5.0
    assert layer(x).shape == (1, 4, CHANNELS)
    difference = (layer(changed) - layer(x)).abs().sum(dim=(0, 2))
    assert difference[-1] > 0
    assert difference[:-1].sum() == 0
