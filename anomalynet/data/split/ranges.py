"""Ranges of rows, of which the parts of a split consist, and purge gaps between parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anomalynet.data.prepared import PARTS, Bool, Int8, Int64, Prepared, Segment

TRAIN, VALIDATION, TEST, NONE = 0, 1, 2, -1
"""Codes of the part of a row; those of the parts are indices in `PARTS`."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """Rows `starts[i]` to `stops[i]` - 1 for each i; int64 (range,). A window is inside one
    range."""

    starts: Int64
    stops: Int64

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> Ranges:
        """Ranges from (start, stop) pairs; empty ones are skipped."""
        table = np.array([pair for pair in pairs if pair[0] < pair[1]], np.int64).reshape(-1, 2)
        return cls(table[:, 0].copy(), table[:, 1].copy())

    def __len__(self) -> int:
        return len(self.starts)

    def rows(self) -> Int64:
        """All rows, in order of the ranges: int64."""
        lengths = self.stops - self.starts
        first = np.cumsum(lengths) - lengths
        rows: Int64 = np.repeat(self.starts - first, lengths)
        rows += np.arange(len(rows), dtype=np.int64)
        return rows

    def mask(self, count: int) -> Bool:
        """Which of `count` rows are inside a range, bool (count,)."""
        inside = np.zeros(count, np.bool_)
        for start, stop in zip(self.starts.tolist(), self.stops.tolist(), strict=True):
            inside[start:stop] = True
        return inside

    def merged(self) -> Ranges:
        """The same rows, each once, ascending; adjacent and overlapping ranges are joined."""
        if len(self) == 0:
            return self
        order = np.argsort(self.starts, kind="stable")
        starts, stops = self.starts[order], np.maximum.accumulate(self.stops[order])
        new = np.append(True, starts[1:] > stops[:-1])
        last = np.append(np.flatnonzero(new)[1:] - 1, len(starts) - 1)
        return Ranges(starts[new], stops[last])


def runs_of(rows: Int64) -> Ranges:
    """Ranges of consecutive numbers in a strictly ascending int64 array."""
    if len(rows) == 0:
        return Ranges.of([])
    cuts = np.flatnonzero(np.diff(rows) != 1)
    return Ranges(rows[np.append(0, cuts + 1)], rows[np.append(cuts, len(rows) - 1)] + 1)


def by_segment(prepared: Prepared, part_of: Callable[[Segment], npt.ArrayLike]) -> Int8:
    """The part of each row, int8 (step,): NONE outside the segments. `part_of`: a segment → its
    part, or that of each of its rows."""
    codes = np.full(len(prepared.times), NONE, np.int8)
    for segment in prepared.segments:
        codes[segment.start : segment.stop] = part_of(segment)
    return codes


def ranges_of(prepared: Prepared, codes: Int8) -> dict[str, Ranges]:
    """The rows of each part as its longest ranges that leave no segment."""
    stops = np.array([segment.stop for segment in prepared.segments], np.int64)
    changes = np.flatnonzero(np.diff(codes)) + 1
    edges = np.unique(np.concatenate([prepared.segment_starts, stops, changes, [0, len(codes)]]))
    part = codes[edges[:-1]]
    return {
        name: Ranges(edges[:-1][part == code], edges[1:][part == code])
        for code, name in enumerate(PARTS)
    }


def with_purge(prepared: Prepared, codes: Int8, purge: int) -> Int8:
    """Remove `purge` rows at each border within a series: from the training part, or from the
    validation part at a border with the test part. The test part loses none."""
    left, found = codes.copy(), ranges_of(prepared, codes)
    for later, earlier in (("validation", [TRAIN]), ("test", [TRAIN, VALIDATION])):
        starts, stops = found[later].starts, found[later].stops
        owner = prepared.series_of(starts)
        first, last = prepared.series_starts[owner], prepared.series_starts[owner + 1]
        near = Ranges(np.maximum(starts - purge, first), np.minimum(stops + purge, last)).rows()
        left[near[np.isin(codes[near], earlier)]] = NONE
    return left
