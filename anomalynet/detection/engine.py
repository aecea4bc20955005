"""All devices of one model: messages in, steps and events out. No wall clock and no I/O: the same messages give the same outcome."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from anomalynet.detection import saving
from anomalynet.detection.alarms import AlarmRule
from anomalynet.detection.clocks import NEVER, Clocks
from anomalynet.detection.grid import Grid
from anomalynet.detection.intake import Batch, Intake, rounds
from anomalynet.detection.model import Model
from anomalynet.detection.pipeline import Pipeline
from anomalynet.detection.readings import Message
from anomalynet.detection.steps import Outcome, joined
from anomalynet.detection.table import Array, Table

SPARE_SOURCES = 1000
"""Sources beyond two a device that are remembered though no device is theirs."""


class Engine:
    """Devices, from their first reading on. How messages are grouped into calls changes no step and no event of a device.

    A device belongs to the source whose reading of it was the last that counted; that source's clock tells when it is silent.

    Args:
        max_devices: further ones are refused and counted.
        allowed: the devices that may be; None: any.
        lateness: seconds that a source's readings may come after its clock has passed them.

    Raises: UsageError if the lateness is none.
    """

    def __init__(
        self,
        model: Model,
        rule: AlarmRule,
        *,
        max_devices: int = 100_000,
        allowed: Collection[str] | None = None,
        lateness: float = 0.0,
    ) -> None:
        self.model, self.contract, self.rule = model, model.contract, rule
        contract, table = model.contract, Table()
        self._table, self._max_devices = table, max_devices
        self._lateness, self._channels = round(lateness * 1e6), len(contract.channels)
        self._grid = Grid(contract, table, self._lateness)
        self._clocks = Clocks(self._grid.far)
        self._intake = Intake(self._clocks, len(contract.sensors), max_devices, allowed)
        self._pipeline = Pipeline(model, rule, lambda row: self.names[row], table)
        table.add("owner", np.int32)

    @property
    def names(self) -> list[str]:
        """Of the devices, by number."""
        return self._intake.names

    @property
    def counts(self) -> dict[str, int]:
        """Readings that were refused, by kind."""
        return dict(self._intake.refused)

    def clocks(self) -> Mapping[str, int]:
        """Microseconds up to which each source is known to be complete, whatever a single wrong time stamp says."""
        return dict(zip(self._clocks.names, self._clocks.now, strict=True))

    def process(self, messages: Sequence[Message]) -> Outcome:
        """Everything that these messages make certain."""
        if len(self._clocks) > 2 * self._max_devices + SPARE_SOURCES:
            self._forget_sources()
        known, batch = len(self.names), self._intake.read(messages)
        if len(self.names) > known:
            self._table.grow(len(self.names))
            self._table["owner"][known : len(self.names)] = self._intake.owners
            self._intake.owners.clear()
        self._follow(batch)
        return self._outcome()

    def finish(self) -> Outcome:
        """Nothing more comes: what was missed for certain but for the lateness."""
        if self._grid.period is not None:
            self._tick(range(len(self._clocks)), 0)
        return self._outcome()

    def states(self) -> dict[str, int]:
        """Devices by state; the first of these that fits: alarm, silent (its last step had no reading, or its segment ended), calibrating,
        filling (its window), scoring."""
        table, rows = self._table, self._table.rows
        silent = (table["laid"][:rows] > 0) | table["ended"][:rows]
        calibrating, filling, alarm = self._pipeline.states()
        facts = {"alarm": alarm, "silent": silent, "calibrating": calibrating, "filling": filling}
        left, found = np.ones(rows, np.bool_), {}
        for name, fact in facts.items():
            found[name] = int((left & fact).sum())
            left &= ~fact
        return {**found, "scoring": int(left.sum())}

    def snapshot(self) -> dict[str, Array]:
        """All state, copied, in arrays that `np.savez` writes and `np.load(allow_pickle=False)` reads."""
        about = saving.About(self.names, self._clocks.state(), self.counts)
        return saving.save(self.model, about, self._table, self._pipeline.preparation)

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a snapshot; the rule, the lateness and the limits may be others than when it was made.

        Raises: UsageError if it is another model's, or damaged; then nothing changed.
        """
        about = saving.load(self.model, state, self._table, self._pipeline.preparation)
        self._clocks.restore(about.sources)
        self._intake.restore(about.names, about.counts)

    def _follow(self, batch: Batch) -> None:
        """Take messages as long as none of their effects depends on another's order; where it does, the message is taken alone."""
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
        """Messages with a device that, at one time or other in this batch, belongs to another source."""
        if len(batch.sources) == 1:
            return set()  # `_take` sees to it
        ends = np.array(batch.ends, np.int64)
        counts = ends - np.concatenate([np.zeros(1, np.int64), ends])[:-1]
        foreign = self._table["owner"][batch.rows] != np.repeat(np.array(batch.sources, np.int32), counts)
        if not foreign.any():
            return set()
        shared = np.flatnonzero(np.isin(batch.rows, batch.rows[foreign]))
        return set(np.searchsorted(batch.ends, shared, side="right").tolist())

    def _take(self, batch: Batch, first: int, last: int, before: list[int], after: list[int], *, jumped: bool = False) -> None:
        """Messages `first` … `last` - 1: their readings, then what their sources' clocks make certain."""
        if first == last:
            return
        start, stop = batch.ends[first - 1] if first else 0, batch.ends[last - 1]
        sources = batch.sources[first:last]
        if stop > start:
            rows, times, values = batch.rows[start:stop], batch.times[start:stop], batch.values[start:stop]
            if last - first == 1:
                earlier, clock, owner = None, np.array([after[first]]).repeat(len(rows)), sources[0]
            else:
                of = np.repeat(np.arange(first, last), np.diff(batch.ends[first:last], prepend=start))
                earlier, clock, owner = np.array(before)[of], np.array(after)[of], None
            for some in rounds(rows):
                self._read(rows[some], times[some], values[some], None if earlier is None else earlier[some], clock[some], owner)
        if jumped:
            self._end_behind(sources[0])
        elif self._grid.period is not None:
            self._tick({source for source in sources if source >= 0}, self._lateness)

    def _read(self, rows: Array, times: Array, values: Array, before: Array | None, clock: Array, owner: int | None) -> None:
        """Readings of distinct devices.

        Args:
            before: the source's clock before the message of each; None: its steps are laid up to there.
            clock: after it.
            owner: the source of all; None: those that the devices belong to.
        """
        if self._grid.period is not None and before is not None:
            self._lay_missed(rows, before - self._lateness)
        foreign = self._table["owner"][rows] != (self._table["owner"][rows] if owner is None else owner)
        transfer = np.count_nonzero(foreign) > 0
        placed = self._grid.place(rows, times, np.where(foreign, NEVER, clock) if transfer else clock)
        if placed is not None:
            self._intake.refused.update({kind: count for kind, count in placed.refused.items() if count})
            rows, times, values, clock = (array[placed.accepted] for array in (rows, times, values, clock))
            if not len(rows):
                return
            self._start(rows[placed.starts])
            step = times - self._table["last"][rows]
            for nth in range(int(placed.missing.max()), 0, -1):
                some = placed.missing >= nth
                share = (placed.gap[some] - nth + 1) / (placed.gap[some] + 1)
                between = self._table["last"][rows[some]] + np.rint(share * step[some]).astype(np.int64)
                self._pipeline.step(rows[some], between, None)
        earlier = self._grid.read(rows, times, clock)
        if transfer:
            self._table["owner"][rows] = owner
        if earlier or transfer or placed is not None:
            for source in np.unique(self._table["owner"][rows]).tolist():
                self._clocks.due[source] = NEVER
        self._pipeline.step(rows, times, values)

    def _start(self, rows: Array) -> None:
        """The next reading of these devices begins a segment."""
        if len(rows):
            self._pipeline.start(rows, self._grid.newest(rows), self._table["laid"][rows])

    def _tick(self, sources: Collection[int], lateness: int) -> None:
        """Lay what the clocks of these sources make certain."""
        clocks = self._clocks
        due = [source for source in sources if clocks.now[source] - lateness > clocks.due[source]]
        if not due:
            return
        owner = self._table["owner"][: self._table.rows]
        if len(due) == 1:
            rows = np.flatnonzero(owner == due[0])
            self._lay_missed(rows, clocks.now[due[0]] - lateness)
            clocks.due[due[0]] = int(self._grid.next_due(rows).min(initial=-NEVER))
            return
        now = np.full(len(clocks), NEVER)
        now[due] = [clocks.now[source] - lateness for source in due]
        rows = np.flatnonzero(now[owner] != NEVER)
        self._lay_missed(rows, now[owner[rows]])
        found = np.full(len(clocks), -NEVER)
        np.minimum.at(found, owner[rows], self._grid.next_due(rows))
        for source in due:
            clocks.due[source] = int(found[source])

    def _lay_missed(self, rows: Array, clock: Array | int) -> None:
        steps, over = self._grid.missed(rows, clock)
        for nth in range(1, int(steps.max(initial=0)) + 1):
            some = rows[steps >= nth]
            self._pipeline.step(some, self._grid.lay(some), None)
        if over.any():
            self._end(rows[over])

    def _end(self, rows: Array) -> None:
        self._pipeline.end(rows, self._grid.newest(rows))
        self._grid.end(rows)

    def _end_behind(self, source: int) -> None:
        """The clock of a source has jumped: whoever did not come along is silent, for nobody knows how many steps."""
        if self._grid.period is None:
            return
        rows = np.flatnonzero(self._table["owner"][: self._table.rows] == source)
        steps, over = self._grid.missed(rows, np.full(len(rows), self._clocks.now[source]))
        self._end(rows[(steps > 0) | over])

    def _forget_sources(self) -> None:
        owner = self._table["owner"]
        numbers = self._clocks.keep(set(owner[: self._table.rows].tolist()))
        owner[: self._table.rows] = [numbers[old] for old in owner[: self._table.rows].tolist()]

    def _outcome(self) -> Outcome:
        steps, events = self._pipeline.taken()
        return Outcome(joined(steps, self._channels), events)
