"""The alarm of each device: raised, standing, cleared, cooling down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomalynet.detection.alarms import AlarmRule
from anomalynet.detection.contract import Contract
from anomalynet.detection.events import TOP, ChannelShare, Event, StepShare, event_id
from anomalynet.detection.table import Array, Table

NEVER = -(1 << 62)
"""Microseconds: before all times."""


class Alarms:
    """Follows the scores of all devices by one rule.

    Args:
        names: of the devices, by number; may grow.
    """

    def __init__(self, contract: Contract, rule: AlarmRule, table: Table, names: Sequence[str]) -> None:
        self._contract, self._rule, self._table, self.names = contract, rule, table, names
        self.threshold, self._quiet_below = rule.resolved(contract.threshold)
        self._last = np.uint64((1 << rule.n) - 1)
        self._cool_down = round(rule.cool_down * 1e6)
        table.add("hits", np.uint64)
        table.add("quiet", np.int32)
        table.add("raised", np.int64, fill=NEVER)
        table.add("cleared", np.int64, fill=NEVER)
        table.add("score", np.float64)

    def standing(self) -> Array:
        """Bool (devices,): whose alarm stands."""
        return np.asarray(self._table["raised"][: self._table.rows] != NEVER)

    def follow(self, rows: Array, times: Array, outputs: dict[str, Array]) -> list[Event]:
        """The next scored step of distinct devices.

        Args:
            rows: int64 (n,), ascending.
            times: int64 (n,), microseconds.
            outputs: of the network: score (n,), and error and attention where it has them.

        Returns: in order of the rows.
        """
        table, score = self._table, outputs["score"]
        hit = score >= self.threshold
        hits = ((table["hits"][rows] << np.uint64(1)) | hit.astype(np.uint64)) & self._last
        quiet = np.where(score < self._quiet_below, table["quiet"][rows] + 1, 0)
        table["hits"][rows], table["quiet"][rows], table["score"][rows] = hits, quiet, score
        stands = table["raised"][rows] != NEVER
        rested = times >= table["cleared"][rows] + self._cool_down
        raised = hit & ~stands & rested & (np.bitwise_count(hits) >= self._rule.k)
        over = stands & (quiet >= self._rule.n)
        table["raised"][rows[raised]] = times[raised]
        changed = np.flatnonzero(raised | over).tolist()
        return [self._raise(n, rows, times, outputs) if raised[n] else self._clear(int(rows[n]), int(times[n]), "quiet") for n in changed]

    def end(self, rows: Array, times: Array) -> list[Event]:
        """The segments of these devices are over: what stands is cleared, and earlier hits count no more."""
        table = self._table
        stands = np.flatnonzero(table["raised"][rows] != NEVER).tolist()
        events = [self._clear(int(rows[n]), int(times[n]), "silent") for n in stands]
        table["hits"][rows], table["quiet"][rows] = 0, 0
        return events

    def _raise(self, n: int, rows: Array, times: Array, outputs: dict[str, Array]) -> Event:
        device, time = self.names[int(rows[n])], int(times[n])
        return Event(
            kind="alarm",
            id=event_id(self._contract.run, device, time),
            device=device,
            time=time,
            score=round(float(outputs["score"][n]), 6),
            threshold=self.threshold,
            channels=self._channels(outputs["error"][n]) if "error" in outputs else (),
            steps=self._steps(outputs["attention"][n], int(self._table["steps"][rows[n]]), time) if "attention" in outputs else (),
        )

    def _clear(self, row: int, time: int, reason: str) -> Event:
        table, device = self._table, self.names[row]
        name = event_id(self._contract.run, device, int(table["raised"][row]))
        table["raised"][row], table["cleared"][row] = NEVER, time
        score = round(float(table["score"][row]), 6)
        return Event("cleared", name, device, time, score, self.threshold, "quiet" if reason == "quiet" else "silent")

    def _channels(self, error: Array) -> tuple[ChannelShare, ...]:
        total = float(error.sum(dtype=np.float64))
        largest = np.argsort(-error, kind="stable")[:TOP].tolist() if 0 < total < np.inf else []
        return tuple(ChannelShare(self._contract.channels[at], round(float(error[at]) / total, 4)) for at in largest)

    def _steps(self, attention: Array, count: int, time: int) -> tuple[StepShare, ...]:
        """When the parts with most attention were, by the expected period; nothing where parts are no steps."""
        contract = self._contract
        if contract.attention_axis != "time" or contract.period is None:
            return ()
        window, largest = contract.window, np.argsort(-attention, kind="stable")[:TOP].tolist()
        merged = -(-window // len(attention))
        found = []
        for part in largest:
            if contract.form == "step":
                first = last = (count - 1 - part) % window
            else:
                first, last = window - 1 - part * merged, max(window - (part + 1) * merged, 0)
            begin, end = (time - round(age * contract.period * 1e6) for age in (first, last))
            found.append(StepShare(begin, end, round(float(attention[part]), 4)))
        return tuple(found)
