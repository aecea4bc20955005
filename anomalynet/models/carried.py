"""Scores of a network that carries its state: a segment is read once, from its start."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from anomalynet.data.prepared import Float64, Int64
from anomalynet.data.windows import Windows

STEPS_AT_ONCE = 4096  # steps read at once, over all segments together


class Carrying(Protocol):
    """What a network with `carries_state` has."""

    @property
    def device(self) -> torch.device:
        """Where its weights are."""

    def initial_state(self, n: int) -> Any:
        """The state of n segments at their start."""

    def advance(self, state: Any, x: Tensor) -> tuple[Any, Tensor]:
        """The state after the next steps x (n, time, channel) of n segments, and their scores
        (n, time)."""


class Touched(NamedTuple):
    """The segments in which windows end."""

    starts: Int64  # (segment,), the first row of each
    lengths: Int64  # (segment,), its steps up to the last end of a window
    of: Int64  # (window,), the segment of each window
    at: Int64  # (window,), the step on which it ends, counted from the segment's first

    @property
    def longest(self) -> int:
        """Steps of the longest."""
        return int(self.lengths.max(initial=0))

    def rows(self, steps: Int64, some: slice = slice(None)) -> Int64:
        """Rows (segment, step) of these steps of some segments; one that is over repeats its last
        step."""
        rows: Int64 = self.starts[some, None] + np.minimum(steps, self.lengths[some, None] - 1)
        return rows


def touched(windows: Windows) -> Touched:
    """Which segments must be read, and how far, to score these windows with a carried state."""
    ends, known = windows.ends(), windows.prepared.segment_starts
    numbers, of = np.unique(np.searchsorted(known, ends, side="right") - 1, return_inverse=True)
    starts, lengths = known[numbers], np.zeros(len(numbers), np.int64)
    at = ends - starts[of]
    np.maximum.at(lengths, of, at + 1)
    return Touched(starts, lengths, of, at)


def carried_scores(model: Carrying, windows: Windows) -> Float64:
    """Scores (window,) of the steps on which windows end, with a state that began where the step's
    segment begins: a step is scored with what came before it there, whichever part that belongs to:
    readings, never labels."""
    segments = touched(windows)
    count, longest = len(segments.starts), segments.longest
    found = np.empty((count, longest))
    state, size = model.initial_state(count), max(1, STEPS_AT_ONCE // max(1, count))
    for first in range(0, longest, size):
        x = windows.prepared.values[segments.rows(np.arange(first, min(first + size, longest)))]
        state, read = model.advance(state, torch.from_numpy(x).to(model.device))
        found[:, first : first + size] = read.cpu().double().numpy()
    scores: Float64 = found[segments.of, segments.at]
    return scores
