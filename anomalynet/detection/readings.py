"""What a detector is given: readings of devices, in the messages that brought them."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_NAME = 128
"""Characters of a device's name."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one device reported at one time.

    Attributes:
        time: microseconds since 1970, UTC.
        values: one a sensor of the contract, in its order; NaN = missing. All NaN says that the
        device is there and nothing was heard.
    """

    device: str
    time: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """Readings that arrived together.

    Attributes:
        source: gateway, topic or file. Its readings come in order, and its clock tells which of its
        devices are silent. clock: microseconds up to which this source is known to be complete;
        None: the newest time of the readings.
    """

    source: str
    readings: tuple[Reading, ...]
    clock: int | None = None
