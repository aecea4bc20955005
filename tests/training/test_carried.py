"""A run of a network with carried state: its scores are those of its segments read once from their
starts."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

from anomalynet.data.split.ranges import Ranges
from anomalynet.data.windows import Windows
from anomalynet.models import part_scores
from anomalynet.models.hybrid_causal import HybridCausal
from anomalynet.training.finished import FinishedRun, open_run
from tests.training.small import shared


@pytest.fixture(scope="module")
def run() -> FinishedRun:
    return open_run(shared("hybrid_causal").folder.path)


def test_the_runs_scores_are_those_of_whole_segments(run: FinishedRun) -> None:
    model, prepared = run.detector, run.data.prepared
    assert isinstance(model, HybridCausal)
    test = run.scores.filter((pl.col("split") == "test") & pl.col("score").is_not_null())
    scored = 0
    for segment in prepared.segments:
        own = test.filter(pl.col("series") == segment.series)
        x = torch.from_numpy(np.asarray(prepared.values[segment.start : segment.stop]))
        alone = model.advance(model.initial_state(1), x[None])[1][0]
        at = np.searchsorted(
            prepared.times[segment.start : segment.stop], own["time"].cast(pl.Int64).to_numpy()
        )
        np.testing.assert_allclose(own["score"], alone[at], atol=1e-6)
        scored += len(own)
    assert scored == len(test) > 0


def test_neither_the_chunk_nor_the_other_windows_matter(
    run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, windows = run.detector, run.data.windows("test")
    assert isinstance(model, HybridCausal)
    whole = part_scores.carried_scores(model, windows)
    monkeypatch.setattr(part_scores, "STEPS_AT_ONCE", 100)
    np.testing.assert_allclose(part_scores.carried_scores(model, windows), whole, atol=1e-6)
    # Of several segments, in which they stand at different depths.
    some = windows.ends()[[5, 100, -1]]
    ranges = Ranges(some - windows.window + 1, some + 1)
    picked = part_scores.carried_scores(model, Windows(windows.prepared, ranges, windows.window))
    np.testing.assert_allclose(picked, whole[[5, 100, -1]], atol=1e-6)
    none = Windows(windows.prepared, Ranges.of([]), windows.window)
    assert len(part_scores.carried_scores(model, none)) == 0


def test_a_window_by_itself_is_the_start_of_a_segment(run: FinishedRun) -> None:
    model, prepared = run.detector, run.data.prepared
    assert isinstance(model, HybridCausal)
    start, window = prepared.segments[0].start, run.config.data.window
    x = np.asarray(prepared.values[start : start + window])[None]
    first = Windows(prepared, Ranges.of([(start, start + window)]), window)
    np.testing.assert_allclose(run.score(x), part_scores.carried_scores(model, first), atol=1e-6)
