"""What a running detector knows of itself: filled by its loop, read by metrics, the health check
and the watch view."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from anomalynet.detection.events import Event
from anomalynet.detection.readings import Message
from anomalynet.detection.steps import Outcome
from anomalynet.detection.stream.drift import Measure

STALE = 15.0
"""Seconds after which a loop that has not turned is stuck."""


@dataclass(slots=True)
class Status:
    """Counts since the start, and how things stand; one thread writes, others read.

    Attributes:
        lag: seconds from the newest message's readings to now; None before any.
        states: devices by state.
        rejected: by kind, of parser, sources, sinks and engine together.
        last: newest score of each device by its number, NaN before any.
    """

    readings: int = 0
    messages: int = 0
    steps: int = 0
    scores: int = 0
    alarms: int = 0
    cleared: int = 0
    lag: float | None = None
    connected: bool = False
    started: float = field(default_factory=time.time)
    turned: float = field(default_factory=time.monotonic)
    states: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    drift: dict[str, Measure] = field(default_factory=dict)
    recent: deque[Event] = field(default_factory=lambda: deque(maxlen=8))
    last: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    names: Sequence[str] = ()

    @property
    def healthy(self) -> bool:
        """Whether the source is connected and the loop turns."""
        return self.connected and time.monotonic() - self.turned < STALE

    def add(self, messages: Sequence[Message], outcome: Outcome, names: Sequence[str]) -> None:
        """Count what one turn did."""
        steps = outcome.steps
        scored = np.isfinite(steps.score)
        self.messages += len(messages)
        self.readings += sum(len(message.readings) for message in messages)
        self.steps += len(steps.score)
        self.scores += int(scored.sum())
        for event in outcome.events:
            self.alarms += event.kind == "alarm"
            self.cleared += event.kind == "cleared"
        self.recent.extend(outcome.events)
        self.names = names
        if len(names) > len(self.last):
            self.last = np.concatenate(
                [self.last, np.full(max(64, len(names) * 2) - len(self.last), np.nan)]
            )
        self.last[steps.row[scored]] = steps.score[scored]

    def to_json(self) -> dict[str, Any]:
        """For people and programs; bounded, names no device."""
        return {
            "connected": self.connected,
            "seconds_since_turn": round(time.monotonic() - self.turned, 3),
            "readings": self.readings,
            "scores": self.scores,
            "alarms": self.alarms,
            "lag_seconds": None if self.lag is None else round(self.lag, 3),
            "devices": dict(self.states),
            "rejected": dict(self.rejected),
        }
