"""Statistics inside a network are those of the classical models; the encoding by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anomalynet.data.statistics import statistics
from anomalynet.layers.encoding import (
    NARROWEST,
    EncodedStatistics,
    relative_change,
    signed_log,
    usual_change,
    window_statistics,
)


@pytest.mark.parametrize("shape", [(5, 32, 3), (2, 7, 1), (3, 1, 2)])
def test_statistics_are_those_of_the_classical_models(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(3, 10, shape).astype(np.float32)
    found = window_statistics(torch.from_numpy(x))
    np.testing.assert_allclose(found.numpy(), statistics(x), rtol=1e-5, atol=1e-5)
    by_torch = window_statistics(torch.from_numpy(x).requires_grad_()).detach()
    assert torch.equal(by_torch, found)


def test_bins_fill_one_after_the_other_between_quantiles() -> None:
    layer = EncodedStatistics(2, 2, 4, 0.5).eval()
    levels = torch.tensor([[0.0, 5], [1, 5], [2, 5], [6, 5], [10, 5]])
    layer.fit(levels[:, None].expand(5, 3, 2))  # of the mean: edges 0, 2, 10; and constant
    x = torch.tensor([[1.0, 5], [6, 5 + NARROWEST / 2], [99, 4]])[:, None].expand(3, 3, 2)
    mean = layer.encode(x).view(3, 2, 12, 2)[:, :, 0]
    first, second = [[0.5, 0], [1, 0.5], [1, 1]], [[0, 0], [0.5, 0.5], [0, 0]]
    torch.testing.assert_close(mean[:, 0], torch.tensor(first))
    torch.testing.assert_close(mean[:, 1], torch.tensor(second))
    assert {"low", "size"} <= layer.state_dict().keys()
    assert layer(x).shape == (3, 4)


def test_the_logarithm_keeps_sign_and_order() -> None:
    x = torch.tensor([-1000.0, -1, 0, 1e-6, 1000])
    found = signed_log(x)
    torch.testing.assert_close(found[[0, 2, 4]], torch.tensor([-1.0, 0, 1]) * np.log(1001))
    assert (found.diff() > 0).all() and found[3] == pytest.approx(1e-6)


def test_changes_are_measured_by_the_usual_one_of_their_channel() -> None:
    windows = torch.tensor([[[0.0, 5], [2, 5], [0, 5]], [[1, 5], [5, 5], [5, 5]], [[0, 5]] * 3])
    usual = usual_change(windows)  # means of the windows: 2, 2, 0; and a constant channel
    assert usual.tolist() == [2.0, 1.0]
    found = relative_change(torch.tensor([[[3.0, 5], [-3, 6], [-3, 6]]]), usual)
    expected = np.log([[1.0, 1.0], [4.0, 2.0], [1.0, 1.0]])
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-6)
    one = windows[:, :1]
    assert usual_change(one).tolist() == [1.0, 1.0] and not relative_change(one, usual).any()
