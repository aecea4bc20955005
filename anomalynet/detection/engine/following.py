"""The order of readings and messages, and what their sources' clocks make certain after each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import pairwise

import numpy as np

from anomalynet.detection.engine.grid import Grid
from anomalynet.detection.engine.intake import NEVER, Batch, Clocks, rounds
from anomalynet.detection.engine.pipeline import Pipeline
from anomalynet.detection.engine.table import Array, Table
from anomalynet.preprocessing.grid import time_between


class Following:
    """Makes the steps that messages bring, many devices at a time, as if each message were taken by
    itself.

    That is possible because devices meet in nothing but their sources' clocks: each reading is told
    how far that clock had come before its message, and lays what was missed until then first.
    `refused`: counts the readings that were not taken, by kind; `lateness`: microseconds."""

    def __init__(
        self,
        grid: Grid,
        clocks: Clocks,
        pipeline: Pipeline,
        table: Table,
        refused: Counter[str],
        lateness: int,
    ) -> None:
        self._grid, self._clocks, self._pipeline, self._table = grid, clocks, pipeline, table
        self.refused, self._lateness = refused, lateness
        table.add("owner", np.int32)

    def forget_sources(self) -> None:
        """Know only the sources that devices belong to."""
        owner = self._table["owner"][: self._table.rows]
        numbers = self._clocks.keep(set(owner.tolist()))
        owner[:] = [numbers[old] for old in owner.tolist()]

    def follow(self, batch: Batch) -> None:
        """Take messages as long as none of their effects depends on another's order; where it does,
        the message is taken alone."""
        clocks, start = self._clocks, 0
        alone = self._transfers(batch)
        before, after = [NEVER] * len(batch.sources), [NEVER] * len(batch.sources)
        for number, (source, clock) in enumerate(zip(batch.sources, batch.clocks, strict=True)):
            if source < 0:
                continue
            jump = clock != NEVER and clocks.jumps(source, clock)
            apart = jump or number in alone
            if apart:
                self._take(batch, start, number, before, after)
            before[number] = clocks.now[source]
            if clock != NEVER:
                clocks.advance(source, clock)
            after[number] = clocks.now[source]
            if apart:
                self._take(batch, number, number + 1, before, after, jumped=jump)
                start = number + 1
        self._take(batch, start, len(batch.sources), before, after)

    def _transfers(self, batch: Batch) -> set[int]:
        """Messages with a device that belongs to another source at some time in this batch."""
        if len(batch.sources) == 1:
            return set()  # `_take` sees to it
        counts = [after - before for before, after in pairwise([0, *batch.ends])]
        sources = np.repeat(np.array(batch.sources, np.int32), counts)
        foreign = self._table["owner"][batch.rows] != sources
        if not foreign.any():
            return set()
        shared = np.flatnonzero(np.isin(batch.rows, batch.rows[foreign]))
        return set(np.searchsorted(batch.ends, shared, side="right").tolist())

    def _take(
        self,
        batch: Batch,
        first: int,
        last: int,
        before: list[int],
        after: list[int],
        *,
        jumped: bool = False,
    ) -> None:
        """Messages `first` … `last` - 1: their readings, then what the clocks make certain."""
        if first == last:
            return
        start, stop = batch.ends[first - 1] if first else 0, batch.ends[last - 1]
        sources = batch.sources[first:last]
        if stop > start:
            every = (batch.rows, batch.times, batch.values)
            rows, times, values = (array[start:stop] for array in every)
            if last - first == 1:
                earlier, clock, owner = None, np.full(len(rows), after[first]), sources[0]
            else:
                counts = np.diff(batch.ends[first:last], prepend=start)
                of = np.repeat(np.arange(first, last), counts)
                earlier, clock, owner = np.array(before)[of], np.array(after)[of], None
            for some in rounds(rows):
                past = None if earlier is None else earlier[some]
                self._read(rows[some], times[some], values[some], past, clock[some], owner)
        if jumped:
            self._end_behind(sources[0])
        elif self._grid.period is not None:
            self.tick({source for source in sources if source >= 0}, self._lateness)

    def _read(
        self,
        rows: Array,
        times: Array,
        values: Array,
        before: Array | None,
        clock: Array,
        owner: int | None,
    ) -> None:
        """Readings of distinct devices. `before`: the source's clock before the message of each;
        None: its steps are laid up to there; `clock`: after it; `owner`: the source of all; None:
        those that the devices belong to."""
        if self._grid.period is not None and before is not None:
            self._lay_missed(rows, before - self._lateness)
        transfer, own = False, clock
        if owner is not None:
            foreign = self._table["owner"][rows] != owner
            if transfer := bool(np.count_nonzero(foreign)):
                own = np.where(foreign, NEVER, clock)
        placed = self._grid.place(rows, times, own)
        if placed is not None:
            self.refused.update({kind: count for kind, count in placed.refused.items() if count})
            taken = placed.accepted
            rows, times, values, clock = rows[taken], times[taken], values[taken], clock[taken]
            if not len(rows):
                return
            if len(begun := rows[placed.starts]):  # the reading begins a segment
                last, laid = self._grid.newest(begun), self._table["laid"][begun]
                self._pipeline.start(begun, last, laid, times[placed.starts])
            step = times - self._table["last"][rows]
            for nth in range(int(placed.missing.max()), 0, -1):
                some = placed.missing >= nth
                gap, last = placed.gap[some], self._table["last"][rows[some]]
                between = time_between(last, step[some], gap - nth + 1, gap)
                self._pipeline.step(rows[some], between, None)
        earlier = self._grid.read(rows, times, clock)
        if transfer:
            self._table["owner"][rows] = owner
        if earlier or transfer or placed is not None:
            for source in np.unique(self._table["owner"][rows]).tolist():
                self._clocks.due[source] = NEVER
        self._pipeline.step(rows, times, values)

    def tick(self, sources: Collection[int], lateness: int) -> None:
        """Lay what the clocks of these sources make certain."""
        clocks = self._clocks
        due = [source for source in sources if clocks.now[source] - lateness > clocks.due[source]]
        if not due:
            return
        owner = self._table["owner"][: self._table.rows]
        if len(due) == 1:
            source, now = due[0], clocks.now[due[0]] - lateness
            rows = np.flatnonzero(owner == source)
            clocks.due[source] = int(self._grid.next_due(rows).min(initial=-NEVER))
            if now > clocks.due[source]:  # readings since then did not put it off
                self._lay_missed(rows, now)
                clocks.due[source] = int(self._grid.next_due(rows).min(initial=-NEVER))
            return
        until = np.full(len(clocks), NEVER)
        until[due] = [clocks.now[source] - lateness for source in due]
        rows = np.flatnonzero(until[owner] != NEVER)
        self._lay_missed(rows, until[owner[rows]])
        found = np.full(len(clocks), -NEVER)
        np.minimum.at(found, owner[rows], self._grid.next_due(rows))
        for source in due:
            clocks.due[source] = int(found[source])

    def _lay_missed(self, rows: Array, clock: Array | int) -> None:
        steps, over = self._grid.missed(rows, clock)
        for nth in range(1, int(steps.max(initial=0)) + 1):
            some = rows[steps >= nth]
            self._pipeline.step(some, self._grid.add_silent(some), None)
        if over.any():
            self._end(rows[over])

    def _end(self, rows: Array) -> None:
        self._pipeline.end(rows, self._grid.newest(rows))
        self._grid.end(rows)

    def _end_behind(self, source: int) -> None:
        """A source's clock has jumped: who did not come along is silent for unknown steps."""
        if self._grid.period is None:
            return
        rows = np.flatnonzero(self._table["owner"][: self._table.rows] == source)
        steps, over = self._grid.missed(rows, np.full(len(rows), self._clocks.now[source]))
        self._end(rows[(steps > 0) | over])
