"""What reaches the detector."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of one device.

    Attributes:
        time: µs since 1970 UTC.
        values: one a sensor of the contract, in its order; NaN = missing. All NaN is a valid reading: the device
            is there, nothing was heard.
    """

    device: str
    time: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """Readings that came together.

    Attributes:
        source: gateway, topic or file: readings of one source come in order, and its clock ticks its devices.
        clock: µs: event time up to which this source is known to be complete; None: newest time of its readings.
    """

    source: str
    readings: tuple[Reading, ...]
    clock: int | None = None
