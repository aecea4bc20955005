"""The faults that a run's model alarms on, by hand."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from anomalynet.data.prepared import Float32, Float64
from anomalynet.data.telemetry import Channel
from anomalynet.training.visible import visible_faults


class Windows:
    """As those of a data module."""

    def __init__(self, x: Float32) -> None:
        self.x = x

    def sample(self, count: int) -> Float32:
        assert count >= len(self.x)
        return self.x


def made(x: Float32, score: Callable[[Float32], Float64], prepared: object, limit: float) -> Any:
    """A run on these validation windows, whose typical deviations are 1."""
    data = SimpleNamespace(
        windows=lambda part: Windows(x), prepared=prepared, magnitudes=np.ones(x.shape[2])
    )
    config = SimpleNamespace(data=SimpleNamespace(bound=None))
    result = SimpleNamespace(threshold=limit)
    return SimpleNamespace(data=data, score=score, result=result, config=config)


def test_the_smallest_shift_and_a_stuck_value_that_are_seen() -> None:
    # Two sensors and the mask; the first swings between 1 and -1 and ends on -1, so its deviation
    # is 1; one window alarms by itself and does not count.
    x = np.zeros((9, 4, 3), np.float32)
    x[:, :, :2] = np.array([1, -1, 1, -1])[None, :, None]
    x[8, -1, 0] = 7

    def score(some: Float32) -> Float64:
        stuck = some[:, :, 1].std(axis=1) == 0
        found: Float64 = np.maximum(np.abs(some[:, -1, 0]), 5.0 * stuck).astype(np.float64)
        return found

    channels = (Channel("a", "°C"), Channel("b", "%"), Channel("missing", "share"))
    scale = np.array([[5.0, 1.0], [5.0, np.inf]])
    prepared = SimpleNamespace(mask=2, channels=channels, calibration_scale=scale)
    run = made(x, score, prepared, 3.0)
    # Down by 2 deviations it ends on -3, in every other window; up it takes 4. A deviation is 5 °C.
    assert visible_faults(run) == [("a", "°C", 10.0, False), ("b", "%", None, True)]
    run.config.data.bound = 2.5  # the detector cuts readings there: 1 + 4 and -1 + 4 are the same
    assert [one.shift for one in visible_faults(run)] == [None, 4.0]
    run.result.threshold = 0.5  # every window alarms by itself
    assert visible_faults(run) == []


@pytest.mark.parametrize("scale", [np.zeros((0, 2)), np.full((1, 2), np.inf)])
def test_without_calibration_a_shift_is_in_the_units_of_the_data(scale: Float64) -> None:
    x = np.tile(np.array([1, -1], np.float32)[None, :, None], (4, 1, 2))
    channels = (Channel("a"), Channel("b"))
    prepared = SimpleNamespace(mask=None, channels=channels, calibration_scale=scale)
    run = made(x, lambda some: some.max(axis=(1, 2)).astype(np.float64), prepared, 5.0)
    assert [one.shift for one in visible_faults(run)] == [4.0, 4.0]
