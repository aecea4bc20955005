"""What is told of an alarm: which device, when, how sure, and what the network looked at."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, NamedTuple

from anomalynet.detection.times import EPOCH

TOP = 3
"""Channels and steps that an event names."""


Reason = Literal["", "quiet", "silent", "lost"]


class ChannelShare(NamedTuple):
    """A channel and its share of the step's error, 0 … 1."""

    name: str
    share: float


class StepShare(NamedTuple):
    """A span of steps, both ends included, and its share of the attention. Times in
    microseconds."""

    first: int
    last: int
    share: float


@dataclass(frozen=True, slots=True)
class Event:
    """An alarm of a device, or its end.

    Attributes:
        id: 16 hex digits of a hash of run, device and the alarm's time: the same readings give the
        same id, and both events of an
            alarm have it.
        time: microseconds since 1970, of the step.
        score: of that step, rounded to 6 digits; of the last scored step where the segment ended.
        JSON has null for what is no number. reason: of the end: `quiet`, or `silent` where the
        device's segment ended, `lost` where the network's state was no number; empty for
            an alarm.
        channels: those with the largest error.
        steps: those with most attention.
    """

    kind: Literal["alarm", "cleared"]
    id: str
    device: str
    time: int
    score: float
    threshold: float
    reason: Reason = ""
    channels: tuple[ChannelShare, ...] = ()
    steps: tuple[StepShare, ...] = ()

    def to_json(self) -> str:
        """One line of JSON; the same event gives the same bytes."""
        found: dict[str, Any] = {
            "kind": self.kind,
            "id": self.id,
            "device": self.device,
            "time": iso(self.time),
            "score": self.score if math.isfinite(self.score) else None,
            "threshold": self.threshold,
        }
        if self.reason:
            found["reason"] = self.reason
        if self.channels:
            found["channels"] = [{"channel": name, "share": share} for name, share in self.channels]
        if self.steps:
            found["steps"] = [
                {"first": iso(first), "last": iso(last), "share": share}
                for first, last, share in self.steps
            ]
        return json.dumps(found, ensure_ascii=False)


def event_id(run: str, device: str, time: int) -> str:
    """Name of the alarm that a device raises at a time."""
    return hashlib.sha256(f"{run}|{device}|{time}".encode(errors="surrogatepass")).hexdigest()[:16]


def iso(time: int) -> str:
    """Microseconds since 1970 as `2026-01-01T00:00:00Z`, with a fraction where there is one."""
    return (EPOCH + timedelta(microseconds=time)).replace(tzinfo=None).isoformat() + "Z"
