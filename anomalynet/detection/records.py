"""What a detector is given and gives: times, readings in messages, scored steps, and events of
alarms."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import numpy as np

from anomalynet.detection.engine.table import Array

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LATEST = 7_258_118_400
"""2200-01-01 in seconds: a larger number is taken for milliseconds by mistake, and refused."""


def since_epoch(moment: datetime) -> int:
    """Exact microseconds; UTC where the moment names no zone."""
    gone = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH
    return (gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds


def microseconds(value: object) -> int | None:
    """What a message or a table calls a time; None if it is none. `value`: ISO 8601 text (UTC where
    it names no zone), or seconds since 1970 UTC as a number or as text."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return None
        else:
            found = since_epoch(moment)
            return found if 0 <= found < LATEST * 1_000_000 else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST:
        return None
    return round(value * 1_000_000)


LONGEST_NAME = 128  # characters of a device's name


@dataclass(frozen=True, slots=True)
class Reading:
    """What one device reported at one time."""

    device: str
    time: int  # microseconds since 1970, UTC
    # one a sensor of the contract, in its order; NaN = missing. All NaN says that the device is
    # there and nothing was heard.
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """Readings that arrived together."""

    # gateway, topic or file. Its readings come in order, and its clock tells which of its devices
    # are silent.
    source: str
    readings: tuple[Reading, ...]
    # microseconds up to which this source is known to be complete; None: the newest of the readings
    clock: int | None = None


TOP = 3  # channels and steps that an event names


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
    """An alarm of a device, or its end."""

    kind: Literal["alarm", "cleared"]
    # 16 hex digits of a hash of run, device and the alarm's time: the same readings give the same
    # id, and both events of an alarm have it
    id: str
    device: str
    time: int  # microseconds since 1970, of the step
    # of that step, rounded to 6 digits; of the last scored step where the segment ended. JSON has
    # null for what is no number.
    score: float
    threshold: float
    # of the end: `quiet`, or `silent` where the device's segment ended, `lost` where the network's
    # state was no number; empty for an alarm
    reason: Reason = ""
    channels: tuple[ChannelShare, ...] = ()  # those with the largest error
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

    row: Array  # int64 (n,), number of the device; its name is `engine.names[row]`
    time: Array  # int64 (n,), microseconds since 1970, UTC
    observed: Array  # bool (n,), False where the device was silent and the grid expected a reading
    # float32 (n, channels), calibrated as the network reads them; NaN while the device is being
    # calibrated
    values: Array
    score: Array  # float64 (n,), NaN while the device is being calibrated or its window is not full
    # float32 (n, channels), NaN likewise; None where the network has none
    error: Array | None = None
    attention: Array | None = None  # float32 (n, parts), likewise

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one call: the steps that were made, and the alarms that were raised or cleared."""

    steps: Steps
    events: list[Event]


def joined(parts: Sequence[Steps], channels: int) -> Steps:
    """One after the other; without parts, no steps of `channels` channels."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        empty, values = np.empty(0, np.int64), np.empty((0, channels), np.float32)
        return Steps(empty, empty, np.empty(0, np.bool_), values, np.empty(0))
    names = ("row", "time", "observed", "values", "score")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    error, attention = _joined(parts, "error"), _joined(parts, "attention")
    return Steps(**columns, error=error, attention=attention)


def _joined(parts: Sequence[Steps], name: str) -> Array | None:
    """Of what only scored steps have: NaN in the others."""
    known = [getattr(part, name) for part in parts]
    width = next((value.shape[1] for value in known if value is not None), None)
    if width is None:
        return None
    filled = [
        np.full((len(part), width), np.nan, np.float32) if value is None else value
        for part, value in zip(parts, known, strict=True)
    ]
    return np.concatenate(filled)
