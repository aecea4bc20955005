"""Statistics inside a network are those of the classical models; the encoding by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anomalynet.data.statistics import statistics
from anomalynet.layers.encoding import (
    NARROWEST,
    PiecewiseLinear,
    signed_log,
    window_statistics,
)


@pytest.mark.parametrize("shape", [(5, 32, 3), (2, 7, 1), (3, 1, 2)])
def test_statistics_are_those_of_the_classical_models(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(3, 10, shape).astype(np.float32)
    found = window_statistics(torch.from_numpy(x))
    np.testing.assert_allclose(found.numpy(), statistics(x), rtol=1e-5, atol=1e-5)


def test_bins_fill_one_after_the_other_between_quantiles() -> None:
    layer = PiecewiseLinear(2, 2)
    sample = torch.tensor([[0.0, 5], [1, 5], [2, 5], [6, 5], [10, 5]])
    layer.fit(sample)  # first number: edges 0, 2, 10; second: constant
    found = layer(torch.tensor([[1.0, 5], [6, 5 + NARROWEST / 2], [99, 4]]))
    expected = [[0.5, 0, 0, 0], [1, 0.5, 0.5, 0.5], [1, 1, 0, 0]]
    torch.testing.assert_close(found, torch.tensor(expected))
    assert {"low", "width"} <= layer.state_dict().keys()


def test_the_logarithm_keeps_sign_and_order() -> None:
    x = torch.tensor([-1000.0, -1, 0, 1e-6, 1000])
    found = signed_log(x)
    torch.testing.assert_close(found[[0, 2, 4]], torch.tensor([-1.0, 0, 1]) * np.log(1001))
    assert (found.diff() > 0).all() and found[3] == pytest.approx(1e-6)
