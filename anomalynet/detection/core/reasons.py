"""What the network looked at when it raised an alarm: channels by reconstruction error, steps by
attention."""

from __future__ import annotations

import numpy as np

from anomalynet.detection.contract import Contract
from anomalynet.detection.core.table import Array, Table
from anomalynet.detection.events import TOP, ChannelShare, StepShare


class Times:
    """Times of the last steps of each device's segment, for networks whose attention tells of
    time."""

    def __init__(self, contract: Contract, table: Table) -> None:
        self._window, self._table = contract.window, table
        self._stepwise = contract.form == "step"
        self.known = contract.attention_axis == "time"
        if self.known:
            table.add("times", np.int64, (contract.window,))

    def note(self, rows: Array, times: Array) -> None:
        """Times int64 (n,) of the step that the scorer has just taken."""
        if self.known:
            self._table["times"][rows, (self._table["steps"][rows] - 1) % self._window] = times

    def shares(self, row: int, attention: Array) -> tuple[StepShare, ...]:
        """The steps with most attention (parts,) at the last step of a device. Pooling merges as
        many steps a part as fill the window."""
        times, count = self._table["times"][row], int(self._table["steps"][row])
        if not self._stepwise:
            times = times[(count + np.arange(self._window)) % self._window]
        pool = 1 if self._stepwise else -(-self._window // len(attention))
        found = []
        for part, share in top(attention):
            span = times[part * pool : (part + 1) * pool]
            if len(span):
                found.append(StepShare(int(span[0]), int(span[-1]), share))
        return tuple(found)


def channels(names: tuple[str, ...], error: Array) -> tuple[ChannelShare, ...]:
    """The channels with the largest error (channels,)."""
    return tuple(ChannelShare(names[place], share) for place, share in top(error))


def top(parts: Array) -> list[tuple[int, float]]:
    """Places and shares of the largest of some parts (n,), largest first; none where their sum is
    no positive number."""
    values = parts.astype(np.float64)
    whole = float(values.sum())
    if not 0 < whole < np.inf:
        return []
    largest = np.argsort(-values, kind="stable")[:TOP]
    return [
        (int(place), round(float(values[place]) / whole, 6))
        for place in largest
        if values[place] > 0
    ]
