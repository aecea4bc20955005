"""Scores of a network that carries its state: each segment is read once, from its start, as a
detector in the field would read it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from anomalynet.data.prepared import Int64
from anomalynet.data.windows import Windows
from anomalynet.models.hybrid_causal import HybridCausal

CHUNK = 4096
"""Steps read at once, over all segments together."""


class Touched(NamedTuple):
    """The segments in which windows end.

    Attributes:
        starts: int64 (segment,), the first row of each.
        lengths: int64 (segment,), its steps up to the last end of a window.
        of: int64 (window,), the segment of each window.
        at: int64 (window,), the step on which it ends, counted from the segment's first.
    """

    starts: Int64
    lengths: Int64
    of: Int64
    at: Int64

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


def carried_scores(model: HybridCausal, windows: Windows) -> NDArray[np.float64]:
    """Scores (window,) of the steps on which windows end, with a state that began where the step's
    segment begins.

    A step of one part is scored with what came before it in its segment, whichever part that
    belongs to: readings, never labels.
    """
    segments = touched(windows)
    count, longest = len(segments.starts), segments.longest
    found = np.empty((count, longest))
    state, size = model.start(count), max(1, CHUNK // max(1, count))
    for first in range(0, longest, size):
        x = windows.prepared.values[segments.rows(np.arange(first, min(first + size, longest)))]
        read, state = model.advance(torch.from_numpy(x).to(model.device), state)
        found[:, first : first + size] = read.double().cpu().numpy()
    scores: NDArray[np.float64] = found[segments.of, segments.at]
    return scores
