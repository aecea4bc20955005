"""What happens at a step, whether a reading came or not: prepare, score, judge: when scores become
an alarm, and when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np

from anomalynet.detection import records
from anomalynet.detection.engine.devices import Array, Table
from anomalynet.detection.engine.intake import NEVER
from anomalynet.detection.engine.preparation import Preparation
from anomalynet.detection.engine.scoring import WindowScorer, channel_parts, scorer
from anomalynet.detection.model import Model
from anomalynet.metrics.events import AlarmRule

Reasons = tuple[records.Reason, tuple[records.ChannelShare, ...], tuple[records.StepShare, ...]]


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
        table.add("score", np.float64, fill=np.nan)  # highest of the alarm, or of recent hits

    def update(
        self, rows: Array, times: Array, scores: Array, reasons: Callable[[int], Reasons]
    ) -> list[records.Event]:
        """Take a scored step of distinct devices: times int64 (n,) in microseconds, scores float64
        (n,), `reasons` is what an alarm of the i-th of them names."""
        table, rule = self._table, self._rule
        hit = scores >= self.threshold
        going = active = table["raised"][rows] != NEVER
        if rule.n > 1:
            hits = ((table["hits"][rows] << np.uint64(1)) | hit) & self._mask
            table["hits"][rows], going = hits, active | (hits > 1)  # an earlier hit counts, too
        table["score"][rows] = np.fmax(scores, np.where(going, table["score"][rows], np.nan))
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
            self._event("alarm", int(rows[at]), int(times[at]), reasons(at))
            for at in np.flatnonzero(raised).tolist()
        ]
        return events + self._clear(rows[cleared], times[cleared], "quiet")

    def end(
        self, rows: Array, times: Array, reason: Literal["silent", "lost"] = "silent"
    ) -> list[records.Event]:
        """The segments of these devices have ended; `times` int64 (n,), of their last steps."""
        active = self._table["raised"][rows] != NEVER
        events = self._clear(rows[active], times[active], reason)
        self._table["hits"][rows], self._table["quiet"][rows] = 0, 0
        return events

    def _clear(self, rows: Array, times: Array, reason: records.Reason) -> list[records.Event]:
        pairs = zip(rows.tolist(), times.tolist(), strict=True)
        events = [self._event("cleared", row, time, (reason, (), ())) for row, time in pairs]
        self._table["raised"][rows], self._table["until"][rows] = NEVER, times + self._cool_down
        return events

    def _event(
        self, kind: Literal["alarm", "cleared"], row: int, time: int, reasons: Reasons
    ) -> records.Event:
        name, score = self._name(row), round(float(self._table["score"][row]), 6)
        number = records.event_id(self._run, name, int(self._table["raised"][row]))
        return records.Event(kind, number, name, time, score, self.threshold, *reasons)


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
        self._model, self._scorer = model, scorer(model, table)
        self._alarms = Alarms(rule, contract.threshold, contract.run, name, table)
        self._contract, self._table, self._counts = contract, table, counts
        self._channels = len(contract.channels)
        self._in_time = contract.attention_axis == "time"
        if self._in_time:  # of the last steps of each device's segment
            table.add("times", np.int64, (contract.window,))
        self._steps: list[records.Steps] = []
        self._events: list[records.Event] = []

    def step(self, rows: Array, times: Array, values: Array | None) -> None:
        """The next step of each of these devices. `rows`: int64 (n,), ascending; `times`: int64
        (n,), microseconds; `values`: float64 (n, sensors), changed in place; None: nothing came."""
        prepared, inside = self.preparation.advance(rows, values)
        if inside is None:
            ready, outputs = self._score(rows, times, prepared)
        else:
            inside = np.flatnonzero(inside)
            ready, outputs = self._score(rows[inside], times[inside], prepared[inside])
            ready = inside if ready is None else inside[ready]
        score, some = np.full(len(rows), np.nan), slice(None) if ready is None else ready
        observed = np.full(len(rows), values is not None)
        self._steps.append(records.Steps(rows, times, observed, prepared, score))
        if outputs and len(outputs["score"]):
            score[some], rows = outputs["score"], rows[some]
            reasons = partial(self._reasons, rows, outputs, values is None)
            self._events += self._alarms.update(rows, times[some], score[some], reasons)

    def start(self, rows: Array, times: Array, laid: Array, first: Array) -> None:
        """The next step of these devices is the first of a segment. `times`: int64 (n,) of their
        last steps; `laid`: int64 (n,), how many of these were laid for a silence that turned out to
        be none of the grid's; `first`: int64 (n,), times of the steps to come."""
        self.end(rows, times)
        self._table["until"][rows[first < times]] = NEVER  # clocks were set back
        if self._contract.breaks:
            self.preparation.forget_silence(rows, laid)
        self._scorer.start(rows)

    def end(self, rows: Array, times: Array) -> None:
        """The segments of these devices end; `times` int64 (n,) of their last steps."""
        self._events += self._alarms.end(rows, times)

    def taken(self) -> records.Outcome:
        """What was made since the last call."""
        found = records.Outcome(records.concatenate(self._steps, self._channels), self._events)
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
        if self._in_time:
            last = (self._table["steps"][rows] - 1) % self._contract.window
            self._table["times"][rows, last] = times
        return None if scored.ready is None else np.flatnonzero(scored.ready), scored.outputs

    def _reasons(self, rows: Array, outputs: dict[str, Array], silent: bool, at: int) -> Reasons:
        """What an alarm at the last step of a device names, which is at this place: whether nothing
        came, the channels with the largest error, or without which the score falls most, and the
        steps with most attention. Pooling merges as many steps a part as fill the window."""
        names, window = self._contract.channels, self._contract.window
        row = int(rows[at])
        reason: records.Reason = "no readings" if silent else ""
        parts = np.empty(0)
        if "error" in outputs:
            parts = outputs["error"][at]
        elif isinstance(self._scorer, WindowScorer):
            parts = channel_parts(self._model, self._scorer.window(row))
        channels = tuple(records.ChannelShare(names[part], share) for part, share in top(parts))
        if "attention" not in outputs or not self._in_time:
            return reason, channels, ()
        attention, times, pool = outputs["attention"][at], self._table["times"][row], 1
        if self._contract.form != "step":  # their order is that of the window
            times = times[(int(self._table["steps"][row]) + np.arange(window)) % window]
            pool = -(-window // len(attention))
        spans = []
        for part, share in top(attention):
            if len(span := times[part * pool : (part + 1) * pool]):
                spans.append(records.StepShare(int(span[0]), int(span[-1]), share))
        return reason, channels, tuple(spans)


def top(parts: Array) -> list[tuple[int, float]]:
    """Positions and shares of the largest parts (n,), in order; none if the sum is not > 0."""
    values = parts.astype(np.float64)
    whole = float(values.sum())
    if not 0 < whole < np.inf:
        return []
    largest = np.argsort(-values, kind="stable")[: records.NAMED_IN_EVENT]
    shares = [(place, float(values[place])) for place in largest.tolist()]
    return [(place, round(value / whole, 6)) for place, value in shares if value > 0]
