"""Windows against naive slicing."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.data.ranges import Ranges
from anomalynet.data.windows import Windows
from tests.data.build import Recording, prepared, steady

LABELS = np.random.default_rng(1).choice([-1, 0, 0, 0, 1, 1], 90)
VALUES = [np.sqrt(np.arange(90)).tolist(), np.arange(90.0).tolist()]
ROWS = prepared([Recording("s", range(90), VALUES, [None if x < 0 else int(x) for x in LABELS])])
ranges = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), max_size=6).map(Ranges.of)


def naive(found: Ranges, window: int, stride: int) -> list[int]:
    """First rows of all windows."""
    pairs = zip(found.starts.tolist(), found.stops.tolist(), strict=True)
    return [first for start, stop in pairs for first in range(start, stop - window + 1, stride)]


def naive_target(first: int, window: int, label_step: str) -> int:
    steps = LABELS[first : first + window].tolist()
    if label_step == "last":
        return int(steps[-1])
    if label_step == "any":
        return 1 if 1 in steps else 0 if 0 in steps else -1
    if set(steps) == {-1}:
        return -1
    return int(steps.count(1) > steps.count(0))


@settings(max_examples=80, deadline=None)
@given(
    ranges,
    st.integers(1, 12),
    st.integers(1, 5),
    st.sampled_from(["last", "any", "majority"]),
    st.sets(st.sampled_from([-1, 0, 1])),
)
def test_windows_equal_naive_slicing(
    found: Ranges,
    window: int,
    stride: int,
    label_step: Literal["last", "any", "majority"],
    keep: set[int],
) -> None:
    windows = Windows(ROWS, found, window, stride, label_step)
    firsts = naive(found, window, stride)
    targets = [naive_target(first, window, label_step) for first in firsts]
    assert len(windows) == len(firsts)
    assert windows.starts().tolist() == firsts
    assert windows.ends().tolist() == [first + window - 1 for first in firsts]
    assert windows.targets().tolist() == targets
    chosen = windows.select(keep)
    assert chosen.starts().tolist() == [
        first for first, target in zip(firsts, targets, strict=True) if target in keep
    ]
    assert set(chosen.targets().tolist()) <= keep
    if firsts:
        ids = np.random.default_rng(0).permutation(len(firsts))[:20]
        expected = np.stack(
            [ROWS.values[first : first + window] for first in np.array(firsts)[ids]]
        )
        assert np.array_equal(windows.gather(ids), expected)
        assert windows.targets(ids).tolist() == [targets[number] for number in ids]
        rows = sorted(
            {row for first in naive(found, window, 1) for row in range(first, first + window)}
        )
        mean, scale = Windows(ROWS, found, window).moments()
        assert np.allclose(mean, ROWS.values[rows].mean(axis=0), atol=1e-4)
        deviation = ROWS.values[rows].astype(float).std(axis=0)
        assert np.allclose(scale, np.where(deviation > 1e-5, deviation, 1), rtol=1e-3)


def test_chunks_cover_all_windows_in_order_and_stay_small() -> None:
    windows = Windows(ROWS, Ranges.of([(0, 50), (60, 90)]), 4)
    chunks = list(windows.chunks(chunk_bytes=4 * 4 * 3 * 10))
    assert max(map(len, chunks)) == 10
    assert np.concatenate(chunks).tolist() == list(range(len(windows)))


def test_nothing_is_indexed_when_no_window_is_dropped() -> None:
    windows = Windows(prepared([steady("s", 50, [0] * 50)]), Ranges.of([(0, 50)]), 4)
    assert windows.select((0, 1)) is windows


def test_torch_takes_the_mapped_arrays_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    import torch

    assert torch.from_numpy(ROWS.values).shape == (90, 3)
    assert not recwarn.list
