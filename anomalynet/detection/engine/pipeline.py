"""What happens at a step, whether a reading came or not: prepare, score, judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from anomalynet.detection.contract import Contract
from anomalynet.detection.engine.alarms import AlarmRule, Alarms, Reasons
from anomalynet.detection.engine.preparation import Preparation
from anomalynet.detection.engine.scoring import scorer
from anomalynet.detection.engine.table import Array, Table
from anomalynet.detection.model import Model
from anomalynet.detection.records import (
    NAMED_IN_EVENT,
    ChannelShare,
    Event,
    Outcome,
    Steps,
    StepShare,
    concatenate,
)


class Pipeline:
    """Takes steps of distinct devices and keeps what became of them until `taken`. `name`: of a
    device, by number; `counts`: is added to, by kind."""

    def __init__(
        self,
        model: Model,
        rule: AlarmRule,
        name: Callable[[int], str],
        table: Table,
        counts: Counter[str],
    ) -> None:
        contract = model.contract
        self.preparation = Preparation(contract, table)
        self._scorer = scorer(model, table)
        self._times = Times(contract, table)
        self._alarms = Alarms(rule, contract.threshold, contract.run, name, table)
        self._contract, self._table, self._counts = contract, table, counts
        self._steps: list[Steps] = []
        self._events: list[Event] = []

    def step(self, rows: Array, times: Array, values: Array | None) -> None:
        """The next step of each of these devices.

        Args:
            rows: int64 (n,), ascending.
            times: int64 (n,), microseconds.
            values: float64 (n, sensors), changed in place; None: nothing came.
        """
        prepared, inside = self.preparation.advance(rows, values)
        if inside is None:
            ready, outputs = self._score(rows, times, prepared)
        else:
            inside = np.flatnonzero(inside)
            ready, outputs = self._score(rows[inside], times[inside], prepared[inside])
            ready = inside if ready is None else inside[ready]
        known = outputs
        if ready is not None:
            known = {name: _spread(value, ready, len(rows)) for name, value in outputs.items()}
        observed = np.full(len(rows), values is not None)
        score = known["score"].astype(np.float64) if known else np.full(len(rows), np.nan)
        error, attention = known.get("error"), known.get("attention")
        made = Steps(rows, times, observed, prepared, score, error, attention)
        self._steps.append(made)
        self._judge(made, ready)

    def start(self, rows: Array, times: Array, laid: Array, first: Array) -> None:
        """The next step of these devices is the first of a segment.

        Args:
            times: int64 (n,) of their last steps.
            laid: int64 (n,), how many of these were laid for a silence that turned out to be none
            of the grid's. first: int64 (n,), times of the steps to come.
        """
        self.end(rows, times)
        self._alarms.set_back(rows[first < times])
        if self._contract.breaks:
            self.preparation.forget_silence(rows, laid)
        self._scorer.start(rows)

    def end(self, rows: Array, times: Array) -> None:
        """The segments of these devices end; `times` int64 (n,) of their last steps."""
        self._events += self._alarms.end(rows, times)

    def states(self) -> tuple[Array, Array, Array]:
        """Bool (devices,) each: is being calibrated, has no full window, has an alarm."""
        filling = self._table["steps"][: self._table.rows] < self._contract.window
        return self.preparation.calibrating(), filling, self._alarms.active()

    def taken(self) -> Outcome:
        """What was made since the last call."""
        found = Outcome(concatenate(self._steps, len(self._contract.channels)), self._events)
        self._steps, self._events = [], []
        return found

    def _score(
        self, rows: Array, times: Array, prepared: Array
    ) -> tuple[Array | None, dict[str, Array]]:
        """Places of the scored among these, None: all; and the network's outputs for them."""
        if not len(rows):
            return rows, {}
        scored = self._scorer.push(rows, prepared)
        if scored.lost is not None and (count := int(scored.lost.sum())):
            self._counts["state lost"] += count
            self._events += self._alarms.end(rows[scored.lost], times[scored.lost], "lost")
        self._times.note(rows, times)
        return None if scored.ready is None else np.flatnonzero(scored.ready), scored.outputs

    def _judge(self, made: Steps, ready: Array | None) -> None:
        if ready is not None and not len(ready):
            return
        some = slice(None) if ready is None else ready
        places = range(len(made)) if ready is None else ready.tolist()
        rows, times, scores = made.row[some], made.time[some], made.score[some]
        self._events += self._alarms.update(
            rows, times, scores, lambda at: self._reasons(made, places[at])
        )

    def _reasons(self, made: Steps, at: int) -> Reasons:
        error, attention = made.error, made.attention
        channels = () if error is None else largest_channels(self._contract.channels, error[at])
        steps = (
            self._times.shares(int(made.row[at]), attention[at])
            if attention is not None and self._times.known
            else ()
        )
        return channels, steps


def _spread(values: Array, places: Array, count: int) -> Array:
    found = np.full((count, *values.shape[1:]), np.nan, values.dtype)
    found[places] = values
    return found


class Times:
    """Times of the last steps of each device's segment, for networks with attention over time."""

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


def largest_channels(names: tuple[str, ...], error: Array) -> tuple[ChannelShare, ...]:
    """The channels with the largest error (channels,)."""
    return tuple(ChannelShare(names[place], share) for place, share in top(error))


def top(parts: Array) -> list[tuple[int, float]]:
    """Positions and shares of the largest parts (n,), in order; none if the sum is not > 0."""
    values = parts.astype(np.float64)
    whole = float(values.sum())
    if not 0 < whole < np.inf:
        return []
    largest = np.argsort(-values, kind="stable")[:NAMED_IN_EVENT]
    shares = [(place, float(values[place])) for place in largest.tolist()]
    return [(place, round(value / whole, 6)) for place, value in shares if value > 0]
