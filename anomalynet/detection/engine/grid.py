"""Readings on the grid as they come: `preprocessing.grid` without knowledge of what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from anomalynet.detection.contract import Contract
from anomalynet.detection.engine.intake import NEVER
from anomalynet.detection.engine.table import Array, Table
from anomalynet.preprocessing.grid import IN_TIME, missing_steps

DAY = 86_400_000_000  # microseconds
SET_BACK = 3  # readings in a row, with rising times before the last, that mean a clock was set back
DUPLICATE, LATE, BACK = "duplicate", "late", "time went back"  # why a reading is refused


class Placed(NamedTuple):
    """Readings of distinct devices, against the grid."""

    accepted: Array  # bool, which of them count
    # int64, steps without a reading before each accepted one that are still to be laid
    missing: Array
    # int64, all steps without a reading since the one before, those that a clock laid included
    gap: Array
    starts: Array  # bool, where a segment starts
    refused: dict[str, int]  # how many were refused, by kind


class Grid:
    """The last reading of each device, and the steps laid since; `ended` where it is known that the
    silence is too long for a segment.

    Silence is counted from the time of the reading. Where the clock of its source was more than 1.5
    periods and the lateness from that when it came, it is counted from that clock: a device whose
    own clock is wrong, or whose readings are handed in later, is not silent. `lateness`:
    microseconds that readings of a source may come after its clock has passed them."""

    def __init__(self, contract: Contract, table: Table, lateness: int) -> None:
        self.period = None if contract.period is None else contract.period * 1e6
        self._periods = {name: seconds * 1e6 for name, seconds in contract.periods.items()}
        self._own: Array = np.empty(0)  # float64 (device,), period of each; empty: that of all
        self._lateness = lateness
        self.max_gap, self.breaks = contract.max_gap, contract.breaks
        longest = max(self.period or 0.0, *self._periods.values(), 0.0)
        self.far = max(DAY, int(2 * contract.max_gap * longest))
        self._table = table
        table.add("last", np.int64, fill=NEVER)
        table.add("heard_at", np.int64, fill=-NEVER)
        table.add("laid", np.int64)
        table.add("ended", np.bool_, fill=True)  # none has started
        table.add("back", np.int8)
        table.add("back_time", np.int64, fill=NEVER)

    def add(self, names: Sequence[str], known: int) -> None:
        """Take the names of all devices, of which the first `known` are not new."""
        if self._periods:
            own = [self._periods.get(name, self.period or 0.0) for name in names[known:]]
            self._own = np.append(self._own[:known], own)

    def _period(self, rows: Array) -> Array | float:
        """Microseconds between readings of these devices."""
        assert self.period is not None
        return self._own[rows] if self._periods else self.period

    def place(self, rows: Array, times: Array, clock: Array) -> Placed | None:
        """Say which readings count and what is missing before them; None: all count, and nothing is
        missing. `rows`: of distinct devices; `times`: int64 (n,) microseconds; `clock`: int64 (n,),
        of the source of each after the message that brought it; NEVER where the device is another
        source's."""
        table = self._table
        step = times - table["last"][rows]
        limit = self.far if self.period is None else IN_TIME * self._period(rows)
        usual = (step > 0) & (step <= limit) & (table["laid"][rows] == 0) & ~table["ended"][rows]
        if np.count_nonzero(usual) == len(usual):
            return None
        return self._unusual(rows, times, clock, step)

    def _unusual(self, rows: Array, times: Array, clock: Array, step: Array) -> Placed:
        table = self._table
        laid, ended, first = table["laid"][rows], table["ended"][rows], table["last"][rows] == NEVER
        missing, broken = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
        if self.period is not None:
            period = self._period(rows)
            missing = np.where(first, 0, missing_steps(step, period))
            ahead = (missing - laid) * period > self.far
            broken = missing > self.max_gap if self.breaks else ahead | (ended & (missing >= laid))
        back, duplicate = (step < 0) & ~first, step == 0
        taken = ~broken & ((missing < laid) | ended) & (step > 0) & ~first
        set_back = self._set_back(rows, times, back)
        heard_at = np.maximum(table["heard_at"][rows], clock)
        table["heard_at"][rows[back]] = heard_at[back]  # whatever its clock says, it is not silent
        accepted = set_back | ~(back | duplicate | taken)
        starts = first | broken | set_back
        missing[starts] = 0
        kinds = {DUPLICATE: duplicate, LATE: taken, BACK: back & ~set_back}
        refused = {kind: int(some.sum()) for kind, some in kinds.items()}
        left = np.where(starts, 0, missing - laid)[accepted]
        return Placed(accepted, left, missing[accepted], starts[accepted], refused)

    def _set_back(self, rows: Array, times: Array, back: Array) -> Array:
        """Where the last reading is the one whose time was wrong."""
        table = self._table
        again = back & (table["back"][rows] > 0) & (times > table["back_time"][rows])
        count = np.where(back, np.where(again, table["back"][rows] + 1, 1), 0).astype(np.int8)
        found = count >= SET_BACK
        table["back"][rows] = np.where(found, 0, count)
        table["back_time"][rows] = times
        return np.asarray(found)

    def read(self, rows: Array, times: Array, clock: Array) -> bool:
        """Take accepted readings as the last ones; `clock` of the sources that brought them.
        Returns whether silence is now counted from an earlier time than before."""
        table = self._table
        table["last"][rows], table["laid"][rows] = times, 0
        table["ended"][rows], table["back"][rows] = False, 0
        if self.period is None:
            return False
        heard_at = times
        off = np.abs(clock - times) > IN_TIME * self._period(rows) + self._lateness
        if np.count_nonzero(off):
            heard_at = np.where(off, clock, times)
        earlier = bool(np.count_nonzero(heard_at < table["heard_at"][rows]))
        table["heard_at"][rows] = heard_at
        return earlier

    def add_silent(self, rows: Array) -> Array:
        """Times int64 of the next missing step of these devices, as known before a reading."""
        self._table["laid"][rows] += 1
        return np.asarray(self.newest(rows))

    def newest(self, rows: Array) -> Array:
        """Times int64 of the last steps of these devices."""
        period = 0.0 if self.period is None else self._period(rows)
        silent = np.rint(self._table["laid"][rows] * period).astype(np.int64)
        return np.asarray(self._table["last"][rows] + silent)

    def end(self, rows: Array) -> None:
        """The segments of these devices are over; the next reading starts another."""
        self._table["ended"][rows] = True

    def missed(self, rows: Array, clock: Array | int) -> tuple[Array, Array]:
        """How many steps are certainly missing and not yet laid when nothing before `clock` comes
        any more; and whose segment ends."""
        table = self._table
        laid, ended = table["laid"][rows], table["ended"][rows]
        elapsed = clock - table["heard_at"][rows]
        missing = missing_steps(elapsed, self._period(rows))
        over = missing > self.max_gap if self.breaks else np.zeros(len(rows), np.bool_)
        missing[over] = self.max_gap
        return np.where(ended, 0, np.maximum(missing - laid, 0)), over & ~ended

    def next_due(self, rows: Array) -> Array:
        """Microseconds before which none of these devices can have missed another step."""
        table = self._table
        steps = ((table["laid"][rows] + IN_TIME) * self._period(rows)).astype(np.int64)
        return np.where(table["ended"][rows], -NEVER, table["heard_at"][rows] + steps - 1)
