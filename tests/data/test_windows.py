"""Windows against naive slicing."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.data.split.ranges import Ranges, runs_of
from anomalynet.data.statistics import names, statistics
from anomalynet.data.steps import scored_steps
from anomalynet.data.windows import Windows
from tests.data.build import Recording, prepared, steady

LABELS = np.random.default_rng(1).choice([-1, 0, 0, 0, 1, 1], 90)
VALUES = [np.sqrt(np.arange(90)).tolist(), np.arange(90.0).tolist()]
ROWS = prepared([Recording("s", range(90), VALUES, [None if x < 0 else int(x) for x in LABELS])])
ranges = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), max_size=6).map(Ranges.of)
LabelStep = Literal["last", "any", "majority"]
label_steps = st.sampled_from(["last", "any", "majority"])
classes = st.sets(st.sampled_from([-1, 0, 1]))


def naive(found: Ranges, window: int, stride: int) -> list[int]:
    """First rows of all windows."""
    pairs = zip(found.starts.tolist(), found.stops.tolist(), strict=True)
    return [first for start, stop in pairs for first in range(start, stop - window + 1, stride)]


def test_a_window_is_silent_if_nothing_of_its_device_was_received_in_all_of_it() -> None:
    known = [row not in (*range(3, 9), 12) for row in range(16)]
    one = [float(row) if here else None for row, here in enumerate(known)]
    other = [value if row != 5 else 1.0 for row, value in enumerate(one)]
    for second, silent in ((one, {6, 7, 8}), (other, set())):  # the last steps of windows of four
        rows = prepared([Recording("s", range(16), [one, second], [0] * 16)])
        windows = Windows(rows, Ranges.of([(0, 16)]), 4, 1, "last")
        steps = scored_steps(rows, np.arange(16), windows, np.zeros(13), "test")
        assert set(np.flatnonzero(steps["silent"]).tolist()) == silent


def naive_target(first: int, window: int, label_step: str) -> int:
    steps = LABELS[first : first + window].tolist()
    attack, normal = steps.count(1), steps.count(0)
    if label_step == "last" or not attack + normal:
        return int(steps[-1])
    return int(attack > (0 if label_step == "any" else normal))


@settings(max_examples=30, deadline=None)
@given(ranges, st.integers(1, 12), st.integers(1, 5), label_steps, classes)
def test_windows_equal_naive_slicing(
    found: Ranges, window: int, stride: int, label_step: LabelStep, keep: set[int]
) -> None:
    windows = Windows(ROWS, found, window, stride, label_step)
    firsts = naive(found, window, stride)
    targets = [naive_target(first, window, label_step) for first in firsts]
    assert len(windows) == len(firsts)
    assert windows.starts().tolist() == firsts
    assert windows.ends().tolist() == [first + window - 1 for first in firsts]
    assert windows.targets().tolist() == targets
    chosen = windows.select(keep)
    kept = [first for first, target in zip(firsts, targets, strict=True) if target in keep]
    assert chosen.starts().tolist() == kept
    assert set(chosen.targets().tolist()) <= keep
    if firsts:
        ids = np.random.default_rng(0).permutation(len(firsts))[:20]
        expected = [ROWS.values[firsts[number] : firsts[number] + window] for number in ids]
        assert np.array_equal(windows.gather(ids), np.stack(expected))
        assert windows.targets(ids).tolist() == [targets[number] for number in ids]
        covered = np.zeros(90, bool)
        for first in naive(found, window, 1):
            covered[first : first + window] = True
        mean, scale = Windows(ROWS, found, window).moments()
        assert np.allclose(mean, ROWS.values[covered].mean(axis=0), atol=1e-4)
        deviation = ROWS.values[covered].astype(float).std(axis=0)
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
    assert torch.from_numpy(ROWS.values).shape == (90, 3)
    assert not recwarn.list


def test_every_statistic_against_numpy() -> None:
    windows = np.random.default_rng(0).normal(3, 2, (7, 10, 3)).astype(np.float32)
    found = statistics(windows).reshape(7, 3, 12)
    x = windows.astype(float).swapaxes(1, 2).reshape(21, 10)
    slope, step = np.polyfit(np.arange(10), x.T, 1)[0], np.abs(np.diff(x)).mean(1)
    ordered = [x.min(1), x.max(1), *np.quantile(x, [0.5, 0.25, 0.75], axis=1), x[:, 0], x[:, -1]]
    expected = [x.mean(1), x.std(1), *ordered, slope, step, x[:, -1] - x.mean(1)]
    assert np.allclose(found.reshape(21, 12), np.transpose(expected), atol=1e-5)
    assert len(names) == 12 and found.dtype == np.float32


def test_one_step_has_no_slope_and_no_difference() -> None:
    found = statistics(np.full((1, 1, 1), 4, np.float32))[0]
    assert found.tolist() == [4, 0, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0]
    assert statistics(np.empty((0, 5, 2), np.float32)).shape == (0, 24)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8))
def test_merged_ranges_have_each_row_once(pairs: list[tuple[int, int]]) -> None:
    merged = Ranges.of(pairs).merged()
    rows = {row for start, stop in pairs for row in range(start, stop)}
    assert set(Ranges.of(pairs).rows().tolist()) == rows
    assert merged.rows().tolist() == sorted(rows)
    assert all(merged.starts[1:] > merged.stops[:-1])


@given(st.sets(st.integers(0, 60)))
def test_runs_of_gives_the_numbers_back(numbers: set[int]) -> None:
    runs = runs_of(np.array(sorted(numbers), np.int64))
    assert runs.rows().tolist() == sorted(numbers)
    assert all(runs.starts[1:] > runs.stops[:-1])
