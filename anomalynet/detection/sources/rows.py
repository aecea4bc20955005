"""Rows of a table or lines of a file → messages, whether they are sorted by device or by time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice, pairwise

from anomalynet.detection.readings import Message, Reading

LOOK = 50_000
"""Rows that are looked at to see how they are sorted."""


def by_time(readings: list[Reading]) -> bool:
    """Whether time never goes back from row to row, while devices take turns."""
    if any(after.time < before.time for before, after in pairwise(readings)):
        return False
    blocks = sum(after.device != before.device for before, after in pairwise(readings)) + 1
    return blocks > len({reading.device for reading in readings})


def messages(readings: Iterable[Reading], source: str, period: float | None) -> Iterator[Message]:
    """Group readings.

    Sorted by time: one message a period (of equal times where there is none), all of one source, so
    that devices which fall silent are noticed by the others' clock. Sorted by device: each device
    is a source of its own.
    """
    rows = iter(readings)
    seen = list(islice(rows, LOOK))
    rows = chain(seen, rows)
    if by_time(seen):
        step = max(1, round(period * 1e6)) if period else 1
        for _, group in groupby(rows, lambda reading: reading.time // step):
            yield Message(source, tuple(group))
    else:
        for device, group in groupby(rows, lambda reading: reading.device):
            while part := tuple(islice(group, 512)):
                yield Message(device, part)
