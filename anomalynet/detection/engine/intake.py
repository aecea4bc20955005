"""Messages as arrays: devices and sources by number, without the readings that cannot be taken; and
how far the time of each source has come, whatever a single wrong time stamp says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from anomalynet.detection.engine.table import Array
from anomalynet.detection.records import LONGEST_NAME, Message, Reading

AGREEING = 3  # messages in a row that must name a far-off time before a source's clock goes there
NEVER = -(1 << 62)  # microseconds: before all times, and may be subtracted within int64
LONGEST_SOURCE = 1024  # characters of a source's name


class Clocks:
    """Sources by number. `far`: microseconds; a clock that moves by more than this has jumped."""

    def __init__(self, far: int) -> None:
        self.names: list[str] = []
        # microseconds of each source's clock; NEVER before its first message
        self.now: list[int] = []
        # microseconds; before that no device of the source can have missed a step. A lower bound.
        self.due: list[int] = []
        self.numbers: dict[str, int] = {}
        self._far = far
        # a far-off time, and how many messages in a row agreed on it
        self._candidates: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self.names)

    def add(self, name: str, now: int = NEVER, candidate: tuple[int, int] = (NEVER, 0)) -> int:
        """A new source's number."""
        number = self.numbers[name] = len(self.names)
        self.names.append(name)
        self.now.append(now)
        self.due.append(NEVER)
        self._candidates.append(candidate)
        return number

    def jumps(self, number: int, time: int) -> bool:
        """Whether this time takes its source's clock far off because messages before agree."""
        before, agreed = self._candidates[number]
        near = abs(time - before) <= self._far
        return agreed == AGREEING - 1 and self._is_far(number, time) and near

    def advance(self, number: int, time: int) -> None:
        """Move a source's clock: ahead, or after a jump to wherever it is."""
        far = self._is_far(number, time)
        if not far or self.jumps(number, time):
            self.now[number] = time if far else max(self.now[number], time)
            self._candidates[number] = (NEVER, 0)
        else:
            before, agreed = self._candidates[number]
            near = agreed and abs(time - before) <= self._far
            self._candidates[number] = (time, agreed + 1 if near else 1)

    def _is_far(self, number: int, time: int) -> bool:
        now = self.now[number]
        return now != NEVER and abs(time - now) > self._far

    def state(self) -> list[tuple[str, int, int, int]]:
        """What `restore` needs."""
        known = zip(self.names, self.now, self._candidates, strict=True)
        return [(name, now, *candidate) for name, now, candidate in known]

    def restore(self, state: Sequence[tuple[str, int, int, int]]) -> None:
        """Know these sources and no others."""
        self.names, self.now, self.due, self.numbers, self._candidates = [], [], [], {}, []
        for name, now, far, agreed in state:
            self.add(name, now, (far, agreed))

    def keep(self, wanted: set[int]) -> dict[int, int]:
        """Forget all other sources. Returns: old number → new number."""
        kept = [(number, state) for number, state in enumerate(self.state()) if number in wanted]
        self.restore([state for _, state in kept])
        return {number: new for new, (number, _) in enumerate(kept)}


EARLIEST, LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Microseconds: years 1 … 9999, which can be written as dates."""

UNKNOWN, UNNAMED = -1, -2  # of a source that brought nothing yet, and of one with too long a name


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings of some messages, in order."""

    sources: list[int]  # number of each message's source; below 0 where there is none
    clocks: list[int]  # microseconds, what each message says of its source's clock; NEVER: nothing
    ends: list[int]  # number of readings up to and with each message
    rows: Array  # int64 (reading,), the device
    times: Array  # int64 (reading,), microseconds
    values: Array  # float64 (reading, sensor)


class Intake:
    """Numbers devices as they come."""

    def __init__(
        self, clocks: Clocks, sensors: int, most: int, allowed: Collection[str] | None
    ) -> None:
        self.names: list[str] = []  # of the devices, by number
        self.refused: Counter[str] = Counter()  # readings that were not taken, by kind
        # the sources of the devices that are new since the engine took this list
        self.owners: list[int] = []
        self._rows: dict[str, int] = {}
        self._clocks, self._sensors, self._most = clocks, sensors, most
        self._allowed = None if allowed is None else frozenset(allowed)

    def read(self, messages: Sequence[Message]) -> Batch:
        """Number devices and sources, and drop what cannot be taken."""
        sources, clocks, ends = [], [], []
        known, sensors = self._rows, self._sensors
        rows: list[int] = []
        times: list[int] = []
        values: list[tuple[float, ...]] = []
        for message in messages:
            source, before = self._clocks.numbers.get(message.source), len(rows)
            if source is None:
                source = UNKNOWN if len(message.source) <= LONGEST_SOURCE else UNNAMED
            for reading in message.readings:
                row, time, own = known.get(reading.device, -1), reading.time, reading.values
                usual = row >= 0 <= source and len(own) == sensors and EARLIEST <= time <= LATEST
                if not usual:
                    if (fault := self._fault(source, row, reading)) is not None:
                        self.refused[fault] += 1
                        continue
                    if source == UNKNOWN:
                        source = self._clocks.add(message.source)
                    if row < 0:
                        row = known[reading.device] = len(self.names)
                        self.names.append(reading.device)
                        self.owners.append(source)
                rows.append(row)
                times.append(time)
                values.append(own)
            sources.append(source)
            given = message.clock
            clock = max(times[before:], default=NEVER) if given is None else given
            clocks.append(clock if EARLIEST <= clock <= LATEST else NEVER)
            ends.append(len(rows))
        table = np.fromiter(chain.from_iterable(values), np.float64, len(values) * sensors)
        of, at = np.array(rows, np.int64), np.array(times, np.int64)
        return Batch(sources, clocks, ends, of, at, table.reshape(-1, sensors))

    def restore(self, names: Sequence[str], refused: Mapping[str, int]) -> None:
        """Know these devices and no others."""
        self.names, self.owners = list(names), []
        self.refused.clear()
        self.refused.update(refused)
        self._rows = {name: row for row, name in enumerate(names)}

    def _fault(self, source: int, row: int, reading: Reading) -> str | None:
        """Why a reading cannot be taken."""
        if source == UNNAMED:
            return "source name too long"
        if len(reading.values) != self._sensors:
            return "wrong number of values"
        if not EARLIEST <= reading.time <= LATEST:
            return "impossible time"
        if row >= 0:
            return None
        if self._allowed is not None and reading.device not in self._allowed:
            return "unknown device"
        if len(reading.device) > LONGEST_NAME:
            return "device name too long"
        return "too many devices" if len(self.names) >= self._most else None


def rounds(rows: Array) -> Iterator[Array]:
    """Places of readings such that each round holds a device at most once, ascending, and a
    device's rounds are in order. `rows`: int64 (reading,), the device of each."""
    if len(rows) == 1:
        yield np.zeros(1, np.int64)
        return
    order = np.argsort(rows, kind="stable")
    ordered, place = rows[order], np.arange(len(rows))
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    if first.all():
        yield order
        return
    nth = place - np.maximum.accumulate(np.where(first, place, 0))
    by_round = order[np.argsort(nth, kind="stable")]
    stops = np.cumsum(np.bincount(nth)).tolist()
    for start, stop in zip([0, *stops[:-1]], stops, strict=True):
        yield by_round[start:stop]
