"""Ranges of rows, of which the parts of a split consist: set operations, cuts at times, and purge
gaps between parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anomalynet.data.prepared import PARTS, Int8, Int64, Prepared, Segment

TRAIN, VALIDATION, TEST, NONE = 0, 1, 2, -1


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

    def size(self) -> int:
        """Number of rows; a row in two ranges counts twice."""
        return int((self.stops - self.starts).sum())

    def rows(self) -> Int64:
        """All rows, in order of the ranges: int64."""
        lengths = self.stops - self.starts
        first = np.cumsum(lengths) - lengths
        rows: Int64 = np.repeat(self.starts - first, lengths)
        return rows + np.arange(len(rows), dtype=np.int64)

    def merged(self) -> Ranges:
        """The same rows, each once, ascending; adjacent and overlapping ranges are joined."""
        if len(self) == 0:
            return self
        order = np.argsort(self.starts, kind="stable")
        starts, stops = self.starts[order], np.maximum.accumulate(self.stops[order])
        new = np.append(True, starts[1:] > stops[:-1])
        last = np.append(np.flatnonzero(new)[1:] - 1, len(starts) - 1)
        return Ranges(starts[new], stops[last])

    def without(self, drop: Ranges) -> Ranges:
        """These rows without those of `drop`; both must be ascending and disjoint. Adjacent ranges
        are not joined."""
        pieces: list[tuple[int, int]] = []
        drop = drop.merged()
        firsts = np.searchsorted(drop.stops, self.starts, side="right")
        for start, stop, at in zip(
            self.starts.tolist(), self.stops.tolist(), firsts.tolist(), strict=True
        ):
            while at < len(drop) and drop.starts[at] < stop:
                pieces.append((start, int(drop.starts[at])))
                start = int(drop.stops[at])  # noqa: PLW2901
                at += 1  # noqa: PLW2901
            pieces.append((start, stop))
        return Ranges.of(pieces)


def runs_of(rows: Int64) -> Ranges:
    """Ranges of consecutive numbers in a strictly ascending int64 array."""
    if len(rows) == 0:
        return Ranges.of([])
    cuts = np.flatnonzero(np.diff(rows) != 1)
    return Ranges(rows[np.append(0, cuts + 1)], rows[np.append(cuts, len(rows) - 1)] + 1)


class Pieces:
    """Collects the rows of each part, segment by segment."""

    def __init__(self) -> None:
        self._found: list[tuple[int, int, int]] = []

    def add(self, cuts: Sequence[int], parts: Sequence[int]) -> None:
        """Add one segment: the rows from `cuts[i]` to `cuts[i+1]` have part `parts[i]`; adjacent
        ranges of one part are joined."""
        first = len(self._found)
        for start, stop, part in zip(cuts[:-1], cuts[1:], parts, strict=True):
            if start >= stop or part == NONE:
                continue
            last = self._found[-1] if len(self._found) > first else None
            if last is not None and last[1:] == (start, part):
                self._found[-1] = (last[0], stop, part)
            else:
                self._found.append((start, stop, part))

    def ranges(self) -> dict[str, Ranges]:
        """The rows of each part."""
        return {
            name: Ranges.of((start, stop) for start, stop, part in self._found if part == code)
            for code, name in enumerate(PARTS)
        }


def cut_series(
    prepared: Prepared, parts_of: Callable[[Segment], Int8], cuts_of: Callable[[int, int], Int64]
) -> dict[str, Ranges]:
    """Cut each series between its first and last usable row.

    Args:
        parts_of: any segment of a series → the part of each of its blocks.
        cuts_of: (first row, row after the last) of a series → the rows at which a block starts.
    """
    series: dict[str, list[Segment]] = {}
    for segment in prepared.segments:
        series.setdefault(segment.series, []).append(segment)
    pieces = Pieces()
    for segments in series.values():
        parts, cuts = parts_of(segments[0]).tolist(), cuts_of(segments[0].start, segments[-1].stop)
        for segment in segments:
            inner = np.clip(cuts, segment.start, segment.stop)
            pieces.add([segment.start, *inner.tolist(), segment.stop], parts)
    return pieces.ranges()


def at_times(prepared: Prepared, start: int, stop: int, times: Int64) -> Int64:
    """The first row at or after each time among the rows of a series."""
    return start + np.searchsorted(prepared.times[start:stop], times, side="left").astype(np.int64)


def with_purge(
    prepared: Prepared, assigned_rows: Mapping[str, Ranges], purge: int
) -> dict[str, Ranges]:
    """Remove `purge` rows at each border: from the training part, or from the validation part at a
    border with the test part. The test part loses none."""
    from_test = _widened(prepared, assigned_rows["test"], purge)
    from_validation = _widened(prepared, assigned_rows["validation"], purge)
    return {
        "train": assigned_rows["train"].without(from_test).without(from_validation),
        "validation": assigned_rows["validation"].without(from_test),
        "test": assigned_rows["test"],
    }


def _widened(prepared: Prepared, ranges: Ranges, rows: int) -> Ranges:
    """Ranges extended by `rows` on both sides, within their series."""
    owner = prepared.series_of(ranges.starts)
    first, last = prepared.series_starts[owner], prepared.series_starts[owner + 1]
    return Ranges(np.maximum(ranges.starts - rows, first), np.minimum(ranges.stops + rows, last))
