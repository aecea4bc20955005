"""The twelve statistics against NumPy."""

from __future__ import annotations

import numpy as np

from anomalynet.data.statistics import names, statistics


def test_every_statistic_against_numpy() -> None:
    windows = np.random.default_rng(0).normal(3, 2, (7, 10, 3)).astype(np.float32)
    found = statistics(windows).reshape(7, 3, 12)
    time = np.arange(10)
    for window in range(7):
        for channel in range(3):
            x = windows[window, :, channel].astype(float)
            expected = [
                x.mean(),
                x.std(),
                x.min(),
                x.max(),
                np.median(x),
                np.quantile(x, 0.25),
                np.quantile(x, 0.75),
                x[0],
                x[-1],
                np.polyfit(time, x, 1)[0],
                np.abs(np.diff(x)).mean(),
                x[-1] - x.mean(),
            ]
            assert np.allclose(found[window, channel], expected, atol=1e-5)
    assert len(names) == 12 and found.dtype == np.float32


def test_one_step_has_no_slope_and_no_difference() -> None:
    found = statistics(np.full((1, 1, 1), 4, np.float32))[0]
    assert found.tolist() == [4, 0, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0]
    assert statistics(np.empty((0, 5, 2), np.float32)).shape == (0, 24)
