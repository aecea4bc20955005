"""In place of the engine: score = first value, an alarm at 10; late and equal times are dropped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from prometheus_client.parser import text_string_to_metric_families

from anomalynet.detection.records import Event, Message, Outcome, Steps, event_id

THRESHOLD = 10.0


def event(
    device: str, time: int, score: float, kind: Literal["alarm", "cleared"] = "alarm"
) -> Event:
    """As the engine makes them: the id comes from device and time."""
    return Event(kind, event_id("r1", device, time), device, time, score, THRESHOLD)


def samples(text: str) -> dict[tuple[str, ...], float]:
    """(metric, values of its labels) → value, as Prometheus reads them."""
    found = [each for family in text_string_to_metric_families(text) for each in family.samples]
    return {(each.name, *each.labels.values()): each.value for each in found}


class FakeEngine:
    """Keeps the last time and value of each device."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.counts: Counter[str] = Counter()
        self.last: dict[str, list[float]] = {}
        self.ticks: list[tuple[str, int]] = []
        self.finished = False
        self.sources: dict[str, int] = {}

    def process(self, messages: Sequence[Message]) -> Outcome:
        rows, times, scores, events = [], [], [], []
        for message in messages:
            if not message.readings and message.clock is not None:
                self.ticks.append((message.source, message.clock))
            for reading in message.readings:
                self.sources[message.source] = reading.time
                if reading.device not in self.last:
                    self.names.append(reading.device)
                    self.last[reading.device] = [-1, 0.0]
                time, before = self.last[reading.device]
                if reading.time <= time:
                    self.counts["duplicate" if reading.time == time else "time went back"] += 1
                    continue
                score = reading.values[0]
                self.last[reading.device] = [reading.time, score]
                rows.append(self.names.index(reading.device))
                times.append(reading.time)
                scores.append(score)
                if score >= THRESHOLD and not before >= THRESHOLD:
                    events.append(event(reading.device, reading.time, score))
        return Outcome(_steps(rows, times, scores), events)

    def finish(self) -> Outcome:
        self.finished = True
        return Outcome(_steps([], [], []), [])

    def clocks(self) -> dict[str, int]:
        return dict(self.sources)

    def states(self) -> dict[str, int]:
        return {"scoring": len(self.names)}

    def snapshot(self) -> dict[str, npt.NDArray[Any]]:
        return {"fake": np.array(json.dumps([self.names, self.last]))}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        self.names, self.last = json.loads(str(state["fake"]))


def _steps(rows: list[int], times: list[int], scores: list[float]) -> Steps:
    score = np.array(scores, np.float64)
    row, time, seen = np.array(rows, np.int64), np.array(times, np.int64), np.ones(len(rows), bool)
    return Steps(row, time, seen, score.astype(np.float32)[:, None], score)
