"""When scores become an alarm, and when it is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from anomalynet.detection.engine.intake import NEVER
from anomalynet.detection.engine.table import Array, Table
from anomalynet.detection.records import ChannelShare, Event, Reason, StepShare, event_id
from anomalynet.metrics.events import AlarmRule

__all__ = ["AlarmRule", "Alarms", "Reasons"]

Reasons = tuple[tuple[ChannelShare, ...], tuple[StepShare, ...]]


class Alarms:
    """The rule and its state. `threshold`: the contract's; `names`: of the devices, by number."""

    def __init__(
        self, rule: AlarmRule, threshold: float, run: str, names: Callable[[int], str], table: Table
    ) -> None:
        self.threshold = threshold if rule.threshold is None else rule.threshold
        self._quiet = rule.quiet_below(self.threshold)
        self._rule, self._run, self._name, self._table = rule, run, names, table
        self._mask, self._cool_down = np.uint64((1 << rule.n) - 1), round(rule.cool_down * 1e6)
        table.add("hits", np.uint64)  # the last bit is the last scored step's
        table.add("quiet", np.int32)  # steps in a row since the alarm
        table.add("raised", np.int64, fill=NEVER)
        table.add("until", np.int64, fill=NEVER)
        table.add("score", np.float64, fill=np.nan)

    def active(self) -> Array:
        """Bool (devices,): whose alarm is not cleared."""
        return np.asarray(self._table["raised"][: self._table.rows] != NEVER)

    def update(
        self, rows: Array, times: Array, scores: Array, reasons: Callable[[int], Reasons]
    ) -> list[Event]:
        """Take a scored step of distinct devices: times int64 (n,) in microseconds, scores float64
        (n,), `reasons` is what an alarm of the i-th of them names."""
        table, rule = self._table, self._rule
        hit = scores >= self.threshold
        active = table["raised"][rows] != NEVER
        table["score"][rows] = scores
        if rule.n > 1:
            table["hits"][rows] = ((table["hits"][rows] << np.uint64(1)) | hit) & self._mask
        raised = hit & ~active
        if not np.count_nonzero(raised | active):
            return []
        if rule.n > 1:
            raised &= np.bitwise_count(table["hits"][rows]) >= rule.k
        if self._cool_down:
            raised &= times >= table["until"][rows]
        quiet = np.where(scores >= self._quiet, 0, table["quiet"][rows] + 1) * active
        table["quiet"][rows] = quiet
        cleared = quiet >= rule.n
        table["raised"][rows[raised]] = times[raised]
        events = [
            self._event("alarm", int(rows[at]), int(times[at]), "", reasons(at))
            for at in np.flatnonzero(raised).tolist()
        ]
        return events + self._clear(rows[cleared], times[cleared], "quiet")

    def set_back(self, rows: Array) -> None:
        """The clocks of these devices were set back: what was known of later times is invalid."""
        self._table["until"][rows] = NEVER

    def end(
        self, rows: Array, times: Array, reason: Literal["silent", "lost"] = "silent"
    ) -> list[Event]:
        """The segments of these devices have ended; `times` int64 (n,), of their last steps."""
        active = self._table["raised"][rows] != NEVER
        events = self._clear(rows[active], times[active], reason)
        self._table["hits"][rows], self._table["quiet"][rows] = 0, 0
        return events

    def _clear(self, rows: Array, times: Array, reason: Reason) -> list[Event]:
        pairs = zip(rows.tolist(), times.tolist(), strict=True)
        events = [self._event("cleared", row, time, reason) for row, time in pairs]
        self._table["raised"][rows], self._table["until"][rows] = NEVER, times + self._cool_down
        return events

    def _event(
        self,
        kind: Literal["alarm", "cleared"],
        row: int,
        time: int,
        reason: Reason,
        reasons: Reasons = ((), ()),
    ) -> Event:
        name, score = self._name(row), round(float(self._table["score"][row]), 6)
        number = event_id(self._run, name, int(self._table["raised"][row]))
        return Event(kind, number, name, time, score, self.threshold, reason, *reasons)
