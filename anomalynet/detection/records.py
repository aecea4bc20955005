"""Input and output records of a detector: readings in messages, scored steps, and events."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import numpy as np

from anomalynet.detection.engine.devices import Array

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_NAME = 128  # characters of a device's name


@dataclass(frozen=True, slots=True)
class Reading:
    """What one device reported at one time."""

    device: str
    time: int  # microseconds since 1970, UTC
    # one value per sensor, in the contract's order, NaN = missing; all NaN: the device is known
    # but sent no value
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """Readings that arrived together."""

    source: str  # gateway, topic or file; its readings come in order
    readings: tuple[Reading, ...]
    # microseconds up to which all readings of this source have arrived, which shows its silent
    # devices; None: the time of the newest reading
    clock: int | None = None


NAMED_IN_EVENT = 3  # channels, and steps, that an event names

# Of an alarm: empty, or its step had no reading. Of its end: scores were quiet; the device was
# silent, which ended the segment; or the network's state was lost, because it was not a number.
Reason = Literal["", "no readings", "quiet", "silent", "lost"]


class ChannelShare(NamedTuple):
    """A channel and its share, 0 … 1: of the step's error, where the model reconstructs; else of
    what the score loses in the mean when the channel reads as in ordinary windows."""

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
    """An alarm of a device, or its end."""

    kind: Literal["alarm", "cleared"]
    # 16 hex digits of a hash of run, device and the alarm's time: the same readings give the same
    # id, and both events of an alarm have it
    id: str
    device: str
    time: int  # microseconds since 1970, of the step
    # the highest since the first of the hits that raised the alarm, rounded to 6 digits: of
    # `cleared`, the alarm's peak; null in JSON if it is not a number
    score: float
    threshold: float  # of the alarm rule
    reason: Reason = ""
    channels: tuple[ChannelShare, ...] = ()  # those with the largest share
    steps: tuple[StepShare, ...] = ()  # those with most attention

    @property
    def key(self) -> str:
        """Unique; a repeated delivery has the same key."""
        return f"{self.id}-{self.kind}"

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
            spans = [(iso(first), iso(last), share) for first, last, share in self.steps]
            found["steps"] = [dict(zip(StepShare._fields, span, strict=True)) for span in spans]
        return json.dumps(found, ensure_ascii=False)


def event_id(run: str, device: str, time: int) -> str:
    """Name of the alarm that a device raises at a time."""
    return hashlib.sha256(f"{run}|{device}|{time}".encode(errors="surrogatepass")).hexdigest()[:16]


def iso(time: int) -> str:
    """Microseconds since 1970 as `2026-01-01T00:00:00Z`, with a fraction where there is one."""
    return (EPOCH + timedelta(microseconds=time)).replace(tzinfo=None).isoformat() + "Z"


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps in the order in which they were made; those of one device are in order of time."""

    row: Array  # int64 (n,), index of the device; its name is `engine.names[row]`
    time: Array  # int64 (n,), microseconds since 1970, UTC
    observed: Array  # bool (n,), False if the grid expected a reading and the device was silent
    # float32 (n, channels), calibrated as the network reads them; NaN during calibration
    values: Array
    score: Array  # float64 (n,), NaN during calibration and until the window is full

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one call: its steps, and the alarms that were raised or cleared."""

    steps: Steps
    events: list[Event]


def concatenate(parts: Sequence[Steps], channels: int) -> Steps:
    """The steps of all parts; without parts, no steps of `channels` channels."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        empty, values = np.empty(0, np.int64), np.empty((0, channels), np.float32)
        return Steps(empty, empty, np.empty(0, np.bool_), values, np.empty(0))
    columns = ([getattr(part, name) for part in parts] for name in Steps.__slots__)
    return Steps(*map(np.concatenate, columns))
