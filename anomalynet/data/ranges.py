"""Ranges of rows: what a part of a split is made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from anomalynet.data.prepared import Int64


@dataclass(frozen=True, slots=True)
class Ranges:
    """Rows `starts[i]` … `stops[i]`-1 for each i; int64 (range,). A window lies wholly in one
    range."""

    starts: Int64
    stops: Int64

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> Ranges:
        """Ranges from (start, stop) pairs; empty ones are left out."""
        table = np.array([pair for pair in pairs if pair[0] < pair[1]], np.int64).reshape(-1, 2)
        return cls(table[:, 0].copy(), table[:, 1].copy())

    def __len__(self) -> int:
        return len(self.starts)

    def size(self) -> int:
        """Rows in all; a row in two ranges counts twice."""
        return int((self.stops - self.starts).sum())

    def rows(self) -> Int64:
        """Every row, in order of the ranges: int64."""
        lengths = self.stops - self.starts
        first = np.cumsum(lengths) - lengths
        rows: Int64 = np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(
            self.starts - first, lengths
        )
        return rows

    def merged(self) -> Ranges:
        """The same rows, each once, ascending; ranges that touch or overlap become one."""
        if len(self) == 0:
            return self
        order = np.argsort(self.starts, kind="stable")
        starts, stops = self.starts[order], np.maximum.accumulate(self.stops[order])
        new = np.append(True, starts[1:] > stops[:-1])
        last = np.append(np.flatnonzero(new)[1:] - 1, len(starts) - 1)
        return Ranges(starts[new], stops[last])

    def without(self, drop: Ranges) -> Ranges:
        """These rows but those of `drop`; both must be ascending and free of overlaps.

        A range that touches another of these stays apart from it.
        """
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
    """Ranges of consecutive numbers in an ascending int64 array without repeats."""
    if len(rows) == 0:
        return Ranges.of([])
    cuts = np.flatnonzero(np.diff(rows) != 1)
    return Ranges(rows[np.append(0, cuts + 1)], rows[np.append(cuts, len(rows) - 1)] + 1)
