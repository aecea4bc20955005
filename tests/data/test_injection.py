"""Injected incidents: what each kind does, by hand, and which windows and labels they touch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from anomalynet.config.schema import InjectionConfig
from anomalynet.data.batches import OrderedBatches, TrainBatches
from anomalynet.data.injection import OPERATIONS, Injector, typical_deviation, usual_gap
from anomalynet.data.split.ranges import Ranges
from anomalynet.data.telemetry import Channel
from anomalynet.data.windows import Windows
from anomalynet.errors import UsageError
from tests.data.build import Recording, prepared

RANDOM = np.random.default_rng(0)
ROWS = prepared(
    [
        Recording(
            "s", range(90), RANDOM.normal(size=(4, 90)).tolist(), [0] * 60 + [1] * 20 + [None] * 10
        )
    ]
)
WINDOWS = Windows(ROWS, Ranges.of([(0, 90)]), 8)
UNITS = np.array([1, 1, 10, 1, 1], np.float32)  # of a, b, c, d and the mask


def injector(everywhere: bool = False, hold: int = 2, gap: int = 0, **keys: object) -> Injector:
    config = replace(InjectionConfig(), **keys)  # type: ignore[arg-type]
    about = {"hold": hold, "gap": gap, "bound": 50.0}
    return Injector.of(ROWS, UNITS, config, everywhere=everywhere, **about)  # type: ignore[arg-type]


def injected(kind: str, count: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows before and after, and which channels changed anywhere, bool (window, channel)."""
    x = WINDOWS.gather(RANDOM.integers(len(WINDOWS), size=count))
    found = injector().inject(np.random.default_rng(1), x, x[::-1], [kind] * count)
    return x, found, (x != found).any(axis=1)


@pytest.mark.parametrize("kind", OPERATIONS)
def test_an_incident_goes_from_its_onset_to_the_end_on_some_channels(kind: str) -> None:
    x, found, channels = injected(kind)
    assert found.dtype == np.float32 and np.isfinite(found).all() and np.abs(found).max() <= 50
    touched = channels[:, :4].sum(axis=1)
    assert touched.min() <= 1 and touched.max() == 2 and (touched > 0).mean() > 0.7
    if kind != "outage":
        assert np.array_equal(found[:, :, 4], x[:, :, 4])
    same = (x == found).all(axis=2)
    onset = same.argmin(axis=1)  # the first changed step
    assert 0.1 < (onset <= 1).mean() < 0.9 and onset.max() >= 5


def test_bias_ramp_and_spike_add_magnitudes_of_the_channels_unit() -> None:
    for kind in ("bias", "ramp", "spike"):
        x, found, channels = injected(kind, 4000)
        added = (found - x)[:, -1]
        for channel, unit in enumerate(UNITS[:4]):
            sizes = np.abs(added[channels[:, channel], channel]) / unit
            inside = sizes[np.abs(found[channels[:, channel], -1, channel]) < 50]
            assert 0.69 < inside.min() < 0.8 and 4.5 < inside.max() < 8.01
    x, found, _ = injected("ramp", 50)
    growth = np.diff(found - x, axis=1)[:, :, 0]
    before = growth == 0
    assert np.allclose(growth[:, -1:], np.where(before, growth[:, -1:], growth), atol=1e-5)


def test_stuck_swap_replay_and_reversal_take_readings_that_are_there() -> None:
    x, found, channels = injected("stuck")
    assert np.array_equal(found[:, -1][channels], found[:, -2][channels])
    x, found, channels = injected("swap")
    for at, other in enumerate((3, 0, 1, 2)):  # the channels have one unit
        assert np.array_equal(found[channels[:, at], -1, at], x[channels[:, at], -1, other])
    x, found, channels = injected("replay")
    exact = found[:, -1] == x[::-1][:, -1]
    assert 0.3 < exact[channels].mean() < 0.7


def test_an_outage_holds_the_last_value_then_reads_zero_and_raises_the_mask() -> None:
    x, found, channels = injected("outage")
    for number in range(len(x)):
        own = np.flatnonzero(channels[number, :4])
        silent = found[number, :, 4] > 0
        onset = int(silent.argmax())
        assert silent[onset:].all() and not silent[:onset].any()
        assert set(found[number, onset:, 4].tolist()) <= {0.25, 0.5}
        for channel in own:
            after = found[number, onset:, channel]
            assert (after[:2] == x[number, onset, channel]).all() and not after[2:].any()


def test_where_gaps_are_usual_any_window_may_have_one_and_an_outage_is_longer() -> None:
    x = WINDOWS.gather(RANDOM.integers(len(WINDOWS), size=600))
    own = injector(gap=3, everywhere=True, kinds="bias", share=0.5)
    found, labels = own(np.random.default_rng(3), x, np.zeros(600, np.int8))
    silent = found[:, :, 4] == 1
    assert 0.3 < silent.any(axis=1).mean() < 0.45  # 0.4, less those before the second step
    assert (
        abs(silent[labels == 1].any(axis=1).mean() - silent[labels == 0].any(axis=1).mean()) < 0.1
    )
    assert set(silent.sum(axis=1).tolist()) == {0, 1, 2, 3}
    for window, gap in zip(found, silent, strict=True):
        if gap.any():
            first = int(gap.argmax())
            assert not gap[0] and (window[gap, :4] == window[first - 1, :4]).all()
    cut = injector(gap=3).inject(np.random.default_rng(1), x, x[::-1], ["outage"] * 600)
    assert (cut[:, :, 4] > 0).sum(axis=1).min() == 4


def test_a_usual_gap_and_a_typical_deviation_by_hand() -> None:
    # 19 gaps of one or two steps and one of seven: the 95th of 100 lies just beyond the 19th
    silent = np.zeros((20, 8), bool)
    silent[:10, 3] = silent[10:19, 6:8] = silent[19, 1:8] = True
    assert usual_gap(silent) == 2 and usual_gap(silent[:0]) == 0
    assert usual_gap(np.ones((3, 8), bool)) == 8
    x = np.zeros((3, 2, 3), np.float32)
    x[:, 1, 0] = 0.4, 0.8, 9.0  # deviations of 0.2, 0.4 and 4.5
    x[:, 1, 2] = 8.0
    assert np.allclose(typical_deviation(x), [0.4, 0.1, 1.0])


def test_kinds_that_the_data_does_not_allow_are_left_out() -> None:
    assert {"swap", "outage"} <= set(injector().kinds)
    units = replace(ROWS, channels=tuple(Channel(name, name) for name in "abcde"))
    bare = Injector.of(units, UNITS, InjectionConfig(), hold=1, gap=0, bound=1.0, everywhere=True)
    assert not {"swap", "outage"} & set(bare.kinds)
    assert injector(kinds="ramp bias").kinds == ("ramp", "bias")
    with pytest.raises(UsageError, match="rump"):
        _ = injector(kinds="bias rump").kinds


def test_labels_decide_where_incidents_go_unless_they_are_not_read() -> None:
    x, target = WINDOWS.gather(np.arange(83)), WINDOWS.targets()
    found, labels = injector()(np.random.default_rng(2), x, target)
    changed = (found != x).any(axis=(1, 2))
    assert not changed[target != 0].any() and (labels[target != 0] == target[target != 0]).all()
    assert not changed[labels == 0].any() and 15 < (labels[target == 0] == 1).sum() < 40
    for labelling in (target, np.zeros_like(target), 1 - np.abs(target)):
        again, blind = injector(everywhere=True)(np.random.default_rng(2), x, labelling)
        assert set(blind.tolist()) == {0, 1}
        if labelling is target:
            first, firsts = again, blind
        assert np.array_equal(first, again) and np.array_equal(firsts, blind)


def test_batches_of_all_ranks_are_the_batches_of_one_and_change_with_the_epoch() -> None:
    own = injector(everywhere=True)

    def batches(rank: int, world: int, epoch: int) -> list[torch.Tensor]:
        every = TrainBatches(WINDOWS, 16, 3, lambda: epoch, rank, world, injector=own)
        return [
            torch.cat([one.x[one.weight > 0].flatten(1), one.target[one.weight > 0][:, None]], 1)
            for one in every
        ]

    alone, shares = batches(0, 1, 0), zip(batches(0, 2, 0), batches(1, 2, 0), strict=True)
    assert all(torch.equal(one, torch.cat(two)) for one, two in zip(alone, shares, strict=True))
    assert not torch.equal(alone[0], batches(0, 1, 1)[0])
    held_out = OrderedBatches(WINDOWS, 16, injector=own)
    first, second = ([*held_out], [*held_out])
    assert all(torch.equal(a.x, b.x) for a, b in zip(first, second, strict=True))
    assert 0.3 < torch.cat([one.target for one in first]).double().mean() < 0.7
