"""Batches of windows as plain iterables: one gather a chunk, then views; cut by rank, and exact
under any number of ranks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from anomalynet.data.injection import STREAM, Injector
from anomalynet.data.prepared import Int32, Int64
from anomalynet.data.windows import CHUNK_BYTES, Windows
from anomalynet.errors import UsageError

SHUFFLED = 1 << 18  # windows shuffled at a time


class Batch(NamedTuple):
    """Windows that are learned from, or scored, together."""

    x: Tensor  # float32 (batch, time, channel)
    target: Tensor  # int64 (batch,): 1 attack, 0 normal, -1 unlabelled
    # float32 (batch,): `(weight * loss).sum()`, averaged over ranks, is the mean loss of the global
    # batch
    weight: Tensor


def as_batch(batch: Batch | Sequence[Tensor]) -> Batch:
    """A batch of a user's own loader as a Batch: (x, target, weight), or (x, target), whose loss is
    the mean. Raises UsageError: it is neither."""
    if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
        raise UsageError(f"a batch is a {type(batch).__name__}", "load (x, target[, weight])")
    x, target, *weight = batch
    if weight:
        return Batch(x, target, weight[0])
    return Batch(x, target, torch.full_like(target, 1 / len(target), dtype=torch.float32))


class TrainBatches:
    """Training windows in an order that depends on (seed, epoch) alone: each once an epoch, or a
    sample that is drawn anew for each epoch.

    Each global batch is cut by rank; a rank that gets fewer windows is padded with windows of
    weight 0, so that all ranks step equally often on tensors of equal shape.

    Args:
        windows: what is trained on.
        batch_size: windows a global batch, over all ranks together.
        seed: of the order.
        epoch: gives the current epoch when an iteration starts.
        rank, world: which of how many processes this is.
        sizes: windows of each stratum, in row order; empty: one stratum of all windows.
        most: windows of an epoch; fewer than there are: so many are drawn, from each stratum in
            proportion to its size. None: no limit.
        device: where all rows are kept, if they fit, so that windows are gathered there. None: each
            batch is gathered in the machine's memory.
        injector: injects incidents into each global batch, the same under any number of ranks.
        injected: epochs, from the first, in which it does. None: all.
    """

    def __init__(
        self,
        windows: Windows,
        batch_size: int,
        seed: int,
        epoch: Callable[[], int],
        rank: int = 0,
        world: int = 1,
        *,
        sizes: Sequence[int] = (),
        most: int | None = None,
        device: torch.device | None = None,
        injector: Injector | None = None,
        injected: int | None = None,
    ) -> None:
        self._rows = None if device is None else rows_on(windows, device)
        self.windows, self.batch_size, self.seed, self.epoch = windows, batch_size, seed, epoch
        self.injector = injector
        self.injected = math.inf if injected is None else injected
        self.sizes, self.rank, self.world = sizes or (len(windows),), rank, world
        self.count = len(windows) if most is None else min(most, len(windows))

    def __len__(self) -> int:
        return math.ceil(self.count / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        steps, channels = self.windows.shape
        if self.injector is not None and self.epoch() < self.injected:
            yield from self._injected(self.injector)
            return
        window_bytes = 4 * steps * channels
        share = math.ceil(self.batch_size / self.world)
        batches_a_chunk = max(1, CHUNK_BYTES // (share * window_bytes))
        size = batches_a_chunk * self.batch_size
        pieces = ((order, first) for order in self._order() for first in range(0, len(order), size))
        for order, first in pieces:
            chunk = order[first : first + size]
            cuts = [
                self._cut(chunk[start : start + self.batch_size])
                for start in range(0, len(chunk), self.batch_size)
            ]
            ids = np.concatenate([own for own, _ in cuts])
            target = torch.from_numpy(self.windows.targets(ids).astype(np.int64))
            if self._rows is None:
                x = torch.from_numpy(self.windows.gather(ids))
            else:
                first_rows = torch.from_numpy(self.windows.starts(ids)).to(self._rows.device)
                x = self._rows[first_rows[:, None] + torch.arange(steps, device=self._rows.device)]
                target = target.to(self._rows.device)
            start = 0
            for own, weight in cuts:
                stop = start + len(own)
                yield Batch(x[start:stop], target[start:stop], weight.to(x.device))
                start = stop

    def _injected(self, injector: Injector) -> Iterator[Batch]:
        """The batches with incidents injected before they are cut by rank."""
        random = np.random.default_rng([self.seed, self.epoch(), STREAM])
        for order in self._order():
            for first in range(0, len(order), self.batch_size):
                ids = order[first : first + self.batch_size].astype(np.int64)
                x, target = self.windows.gather(ids), self.windows.targets(ids)
                x, target = injector(random, x, target)
                own, weight = self._cut(np.arange(len(ids), dtype=np.int32))
                labels = torch.from_numpy(target[own].astype(np.int64))
                yield Batch(torch.from_numpy(x[own]), labels, weight)

    def _order(self) -> Iterator[Int32]:
        """The numbers of an epoch's windows in random order, in pieces of whole batches.

        Dealing numbers into groups at random, and shuffling each group, is a uniform permutation
        that never stands in memory whole."""
        random, count = np.random.default_rng([self.seed, self.epoch()]), len(self.windows)
        if self.count < count:
            ids = stratified_sample(random, self.sizes, self.count)
            random.shuffle(ids)
            yield ids
            return
        groups = math.ceil(count / max(SHUFFLED, count / 256))
        dealt = np.zeros(count, np.uint8)
        if groups > 1:
            dealt = random.integers(0, groups, count, dtype=np.uint8)
        rest = np.empty(0, np.int32)
        for group in range(groups):
            ids = np.flatnonzero(dealt == group).astype(np.int32)
            random.shuffle(ids)
            ids = np.concatenate([rest, ids])
            last = group == groups - 1
            whole = len(ids) if last else len(ids) // self.batch_size * self.batch_size
            rest = ids[whole:]
            yield ids[:whole]

    def _cut(self, ids: Int32) -> tuple[Int64, Tensor]:
        """This rank's windows of a global batch, and their weights."""
        share = math.ceil(len(ids) / self.world)
        own = ids[self.rank * share : (self.rank + 1) * share].astype(np.int64)
        weight = torch.zeros(share)
        weight[: len(own)] = self.world / len(ids)
        return np.concatenate([own, np.repeat(ids[:1].astype(np.int64), share - len(own))]), weight


def rows_on(windows: Windows, device: torch.device) -> Tensor | None:
    """All rows of the data on a device, float32 (row, channel); None if they would take more than
    half of its free memory."""
    values = windows.prepared.values
    if device.type == "cuda" and 2 * values.nbytes > torch.cuda.mem_get_info(device)[0]:
        return None
    return torch.from_numpy(np.array(values)).to(device)


def stratified_sample(random: np.random.Generator, sizes: Sequence[int], count: int) -> Int32:
    """Ascending numbers of `count` windows without repetition, int32, from strata of these sizes
    that follow one another: from each in proportion to its size, to within one window."""
    edges = np.cumsum([0, *sizes])
    shares = edges * count // edges[-1]
    drawn = [
        edge + np.sort(random.choice(size, share, replace=False, shuffle=False))
        for edge, size, share in zip(edges[:-1], sizes, np.diff(shares), strict=True)
    ]
    return np.concatenate(drawn).astype(np.int32)


class OrderedBatches:
    """Windows in row order, in big batches, the same on every rank: evaluation counts each window
    once.

    Args:
        windows: what is scored.
        batch_size: windows per batch.
        most: windows that are scored at all; fewer than there are: so many at equal distances.
        injector: injects incidents, the same in every iteration.
    """

    def __init__(
        self,
        windows: Windows,
        batch_size: int = 1024,
        most: int | None = None,
        injector: Injector | None = None,
    ) -> None:
        self.windows, self.batch_size, self.injector = windows, batch_size, injector
        self.count = len(windows) if most is None else min(most, len(windows))

    def __len__(self) -> int:
        return math.ceil(self.count / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, self.count, self.batch_size):
            ids = np.arange(start, min(start + self.batch_size, self.count), dtype=np.int64)
            ids = ids * len(self.windows) // self.count
            x, target = self.windows.gather(ids), self.windows.targets(ids)
            if self.injector is not None:
                x, target = self.injector(np.random.default_rng([STREAM, start]), x, target)
            labels = torch.from_numpy(target.astype(np.int64))
            yield Batch(torch.from_numpy(x), labels, torch.full((len(ids),), 1 / len(ids)))
