"""Repetition at the end of a window, beside what is usual in training."""

from __future__ import annotations

import numpy as np
import torch

from anomalynet.layers.flat_line import LEAST, FlatLine

STEPS = 16


def windows(count: int = 400) -> torch.Tensor:
    """Windows (count, 16, 3): noise; a channel that repeats the last two changes; the mask, 0."""
    x = np.random.default_rng(0).normal(size=(count, STEPS, 3)).astype(np.float32)
    x[:, -2:, 1] = x[:, -3:-2, 1]
    x[:, :, 2] = 0
    return torch.from_numpy(x)


def held(channel: int, changes: int) -> torch.Tensor:
    """One of these windows whose last changes are zero in a channel, but for one before them."""
    x = windows(1)
    x[:, -changes - 1 :, channel] = x[:, -1:, channel]
    x[:, -changes - 2, channel] = 9.0
    return x


def test_a_channel_is_flat_from_twice_its_usual_repetition_on() -> None:
    rule = FlatLine(STEPS, 3)
    assert not rule(held(0, 12)).any(), "before it is fitted"
    rule.fit(windows(), mask=2)
    assert not rule(windows()).any()
    # of noise, the fewest changes that count; of the other, one more than twice two: five, too
    assert rule.needed.tolist() == [LEAST, 5.0, STEPS]
    for channel in (0, 1):
        assert [rule(held(channel, n)).item() for n in (3, 4, 5, 12)] == [0, 0, 1, 1]
    assert not rule(held(2, 12)).any(), "the share of missing sensors is not judged"


def test_values_that_are_held_through_missing_readings_are_no_repetition() -> None:
    rule = FlatLine(STEPS, 3)
    rule.fit(windows(), mask=2)
    x = held(0, 8)
    x[:, -3, 2] = 0.5
    assert not rule(x).any()


def test_a_channel_that_often_rests_is_not_judged() -> None:
    rule, x = FlatLine(STEPS, 3), windows()
    x[:10, :, 0] = 1.0  # 2.5 % of the windows rest throughout
    rule.fit(x, mask=2)
    assert rule.needed[0] == STEPS and not rule(x).any()
    x = windows()
    x[:1, :, 0] = 1.0  # 0.25 %: an incident in training, which changes nothing
    rule.fit(x, mask=None)
    assert rule.needed[0] == LEAST and rule(x).sum() == 1
