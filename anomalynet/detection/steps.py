"""What a detector made of messages: steps of devices with their scores, and events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anomalynet.detection.core.table import Array
from anomalynet.detection.events import Event


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps in the order in which they were made; those of one device are in order of time.

    Attributes:
        row: int64 (n,), number of the device; its name is `engine.names[row]`.
        time: int64 (n,), microseconds since 1970, UTC.
        observed: bool (n,), False where the device was silent and the grid expected a reading.
        values: float32 (n, channels), calibrated as the network reads them; NaN while the device is
        being calibrated. score: float64 (n,), NaN while the device is being calibrated or its
        window is not full. error: float32 (n, channels), NaN likewise; None where the network has
        none. attention: float32 (n, parts), likewise.
    """

    row: Array
    time: Array
    observed: Array
    values: Array
    score: Array
    error: Array | None = None
    attention: Array | None = None

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
        empty = np.empty(0, np.int64)
        return Steps(
            empty, empty, np.empty(0, np.bool_), np.empty((0, channels), np.float32), np.empty(0)
        )
    return Steps(
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.time for part in parts]),
        np.concatenate([part.observed for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.score for part in parts]),
        _joined(parts, "error"),
        _joined(parts, "attention"),
    )


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
