"""Windows over prepared rows, addressed by number: ranges and cumulative counts, never an array of
windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np

from anomalynet.data.prepared import Bool, Float32, Int8, Int64, Prepared
from anomalynet.data.split.ranges import Ranges

CHUNK_BYTES = 64 << 20  # most memory that gathered windows take at a time


class WindowShape(NamedTuple):
    """What a model sees: `steps` (time) × `channels`."""

    steps: int
    channels: int


def labels_of(prepared: Prepared, rows: Int64 | Bool, *, others: bool) -> Int8:
    """Labels of rows, int8 like `rows`. Without `others`, a step labelled 0 in an incident, which
    is of another cause than the positive class, has no label: -1."""
    labels: Int8 = np.array(prepared.labels[rows])
    if not others:
        labels[is_other(prepared, rows)] = -1
    return labels


def is_other(prepared: Prepared, rows: Int64 | Bool) -> Bool:
    """Whether a step is labelled 0 and in an incident, bool like `rows`: an incident of another
    cause than the positive class."""
    found: Bool = (prepared.labels[rows] == 0) & (prepared.incidents[rows] >= 0)
    return found


class Windows:
    """The windows of a part, in row order.

    Args:
        prepared: where the rows stand.
        ranges: row ranges a window must lie in wholly; they may overlap.
        window: steps a window.
        stride: steps between the starts of windows of one range.
        label_step: which step carries the label: `last`, `any` attack step, or the `majority` of
        the labelled ones.
        others: whether a step labelled 0 that an incident covers, such as a fault, counts as
        normal; else it has no label.
    """

    def __init__(
        self,
        prepared: Prepared,
        ranges: Ranges,
        window: int,
        stride: int = 1,
        label_step: Literal["last", "any", "majority"] = "last",
        *,
        others: bool = True,
    ) -> None:
        long = ranges.stops - ranges.starts >= window
        self.ranges = ranges if long.all() else Ranges(ranges.starts[long], ranges.stops[long])
        self.prepared, self.window = prepared, window
        self.stride, self.label_step, self.others = stride, label_step, others
        counts = (self.ranges.stops - self.ranges.starts - window) // stride + 1
        self._firsts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def __len__(self) -> int:
        return int(self._firsts[-1])

    @property
    def shape(self) -> WindowShape:
        """Shape of one window."""
        return WindowShape(self.window, self.prepared.values.shape[1])

    def starts(self, ids: Int64 | None = None) -> Int64:
        """Row of each window's first step, int64; all windows without `ids`."""
        if ids is None:
            first = self.ranges.starts - self._firsts[:-1] * self.stride
            rows: Int64 = np.repeat(first, np.diff(self._firsts))
            rows += np.arange(0, len(rows) * self.stride, self.stride)
            return rows
        numbers = np.asarray(ids, np.int64)
        inside = np.searchsorted(self._firsts, numbers, side="right") - 1
        return self.ranges.starts[inside] + (numbers - self._firsts[inside]) * self.stride

    def ends(self, ids: Int64 | None = None) -> Int64:
        """Row of each window's last step, the one that its score belongs to: int64; all windows
        without `ids`."""
        rows = self.starts(ids)
        rows += self.window - 1
        return rows

    def gather(self, ids: Int64) -> Float32:
        """Windows by number, copied: float32 (window, time, channel)."""
        rows = self.starts(ids)[:, None] + np.arange(self.window)
        windows: Float32 = np.take(self.prepared.values, rows, axis=0)
        return windows

    def sample(self, count: int) -> Float32:
        """At most `count` windows at equal distances, copied as by `gather`."""
        return self.gather(np.linspace(0, len(self) - 1, min(len(self), count)).astype(np.int64))

    def chunks(self, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Int64]:
        """Numbers of all windows in order, in pieces whose `gather` stays within `chunk_bytes`."""
        size = max(1, chunk_bytes // (4 * self.window * self.shape.channels))
        for first in range(0, len(self), size):
            yield np.arange(first, min(first + size, len(self)), dtype=np.int64)

    def targets(self, ids: Int64 | None = None) -> Int8:
        """Label of each window by `label_step`: int8, 1 attack, 0 normal, -1 unlabelled; all
        windows without `ids`."""
        pieces = self.chunks(CHUNK_BYTES // 8) if ids is None else [np.asarray(ids, np.int64)]
        return np.concatenate([np.empty(0, np.int8), *map(self._targets, pieces)])

    def _targets(self, ids: Int64) -> Int8:
        if self.label_step == "last":
            return labels_of(self.prepared, self.ends(ids), others=self.others)
        rows = self.starts(ids)[:, None] + np.arange(self.window)
        steps = labels_of(self.prepared, rows, others=self.others)
        if self.label_step == "any":
            return np.asarray(steps.max(axis=1))
        attack, labelled = (steps == 1).sum(axis=1), (steps >= 0).sum(axis=1)
        return np.where(labelled == 0, -1, 2 * attack > labelled).astype(np.int8)

    def select(self, targets: Iterable[int]) -> Windows:
        """The windows with one of these targets, as ranges again: labels come in runs, so no array
        of windows is needed."""
        wanted = list(targets)
        kept: list[Bool] = [
            np.isin(self.targets(piece), wanted) for piece in self.chunks(CHUNK_BYTES // 8)
        ]
        if all(piece.all() for piece in kept):
            return self
        chosen = np.concatenate(kept)
        # A run of windows becomes one range, unless it crosses from one range into the next.
        cuts = np.union1d(self._firsts, np.flatnonzero(np.diff(chosen)) + 1)
        runs = chosen[cuts[:-1]]
        ranges = Ranges(self.starts(cuts[:-1][runs]), self.ends(cuts[1:][runs] - 1) + 1)
        return Windows(
            self.prepared, ranges, self.window, self.stride, self.label_step, others=self.others
        )

    def moments(self) -> tuple[Float32, Float32]:
        """Mean and population deviation of every channel over the rows of these windows, each row
        once: float32 (channel,).

        The deviation of a constant channel is 1, which leaves it at 0 once centred."""
        rows = self.ranges.merged()
        channels = self.shape.channels
        count, mean, squares = 0, np.zeros(channels), np.zeros(channels)
        most = max(1, min(1 << 17, CHUNK_BYTES // (8 * channels)))  # rows at a time
        for start, stop in zip(rows.starts.tolist(), rows.stops.tolist(), strict=True):
            for first in range(start, stop, most):
                values = self.prepared.values[first : min(first + most, stop)]
                values64 = values.astype(np.float64)
                # Merged by Chan's rule: a sum of squares would lose small deviations around a large
                # mean.
                size, centre = len(values), values64.mean(axis=0)
                shift = centre - mean
                values64 -= centre
                within = np.square(values64, out=values64).sum(axis=0)
                squares += within + shift**2 * (count * size / (count + size))
                count += size
                mean += shift * (size / count)
        deviation = np.sqrt(squares / max(count, 1))
        constant = deviation <= 1e-6 * np.maximum(1.0, np.abs(mean))
        return mean.astype(np.float32), np.where(constant, 1.0, deviation).astype(np.float32)
