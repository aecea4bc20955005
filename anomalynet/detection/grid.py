"""When readings come, and when they are missed: every device's steps on its expected grid, by the rules of `data/grid.py`."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from anomalynet.detection.contract import Contract
from anomalynet.detection.readings import Message, Reading
from anomalynet.detection.table import Array
from anomalynet.errors import UsageError

DAY = 86_400_000_000
"""Microseconds."""

AGREEING = 3
"""Messages in a row that must agree before a source's clock jumps, and readings in a row before a device's clock was set back."""

LONGEST_NAME = 128
"""Characters of a device's or a source's name."""


@dataclass(slots=True)
class Device:
    """One device's place on its grid.

    Attributes:
        source: number of the source that reported it last.
        last: µs, its last reading.
        arrival: µs, its source's clock when that reading came: silence is counted from there, so that a device whose clock is
            behind is not taken for a silent one.
        laid: steps without a reading since then.
        behind: readings in a row that were older than the last one.
        behind_time: µs, the newest of those.
    """

    source: int
    last: int
    arrival: int
    laid: int = 0
    behind: int = 0
    behind_time: int = 0


@dataclass(slots=True)
class Source:
    """One source's clock, and the times at which its devices will have missed a step.

    Attributes:
        clock: µs, guarded against single wrong times.
        doubted: µs, a clock far ahead that has not been believed yet.
        doubts: messages in a row that agreed with it.
        due: heap of (µs, row, laid): an entry that no longer fits its device is passed over.
    """

    clock: int
    doubted: int = 0
    doubts: int = 0
    due: list[tuple[float, int, int]] = field(default_factory=list)


_Add = Callable[[int, int, "tuple[float, ...] | None", bool, int], None]
"""Notes a step: row, time, values, fresh, forgotten."""


@dataclass(slots=True)
class Round:
    """Steps of different devices, each list (step,).

    Attributes:
        rows: device numbers.
        times: µs.
        values: of the reading; None where none came.
        fresh: whether a new segment begins with this step.
        forgotten: steps laid before a new segment that the longer silence makes none.
    """

    rows: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    values: list[tuple[float, ...] | None] = field(default_factory=list)
    fresh: list[bool] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)


class Grid:
    """Places readings, message by message; what comes out does not depend on how messages are grouped.

    A reading more than 1.5 periods after the last one means round(step / period) - 1 missed steps. Up to `max_gap` of them are laid as
    steps without a reading, a longer silence ends the segment; where `breaks` is off, all are laid, up to a day. A source's clock lays
    those that are certain before the next reading comes.

    Args:
        contract: gives period, max_gap and breaks.
        most: devices that are known at a time.
        allowed: names of the devices; None allows any.
        lateness: seconds that a reading may come after others of its source before its step counts as missed.
    """

    def __init__(self, contract: Contract, most: int, allowed: Collection[str] | None = None, lateness: float = 0.0) -> None:
        self.names: list[str] = []
        self.devices: list[Device] = []
        self.source_names: list[str] = []
        self.sources: list[Source] = []
        self.counts: dict[str, int] = {}
        self._rows: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._most, self._allowed = most, None if allowed is None else frozenset(allowed)
        self._period = None if contract.period is None else contract.period * 1e6
        self._max_gap, self._breaks = contract.max_gap, contract.breaks
        self._lateness = round(lateness * 1e6)
        self._jump = DAY if self._period is None else max(DAY, round(2 * contract.max_gap * self._period))
        self._silence = self._max_gap if self._breaks or self._period is None else int(self._jump / self._period)

    def place(self, messages: Iterable[Message]) -> list[Round]:
        """The steps that messages make, as rounds in which each device has at most one: its n-th step is in round n."""
        rounds: list[Round] = []
        turns: dict[int, int] = {}

        def add(row: int, time: int, values: tuple[float, ...] | None, fresh: bool, forgotten: int) -> None:
            turn = turns.get(row, 0)
            turns[row] = turn + 1
            if turn == len(rounds):
                rounds.append(Round())
            into = rounds[turn]
            into.rows.append(row)
            into.times.append(time)
            into.values.append(values)
            into.fresh.append(fresh)
            into.forgotten.append(forgotten)

        for message in messages:
            number = self._source(message)
            if number is None:
                continue
            source = self.sources[number]
            self._move(source, message)
            for reading in message.readings:
                self._read(reading, number, source, add)
            self._tick(source, number, add)
        return rounds

    def _source(self, message: Message) -> int | None:
        number = self._numbers.get(message.source)
        if number is not None:
            return number
        times = [reading.time for reading in message.readings]
        if message.clock is None and not times:
            return None
        if len(message.source) > LONGEST_NAME or len(self.sources) >= self._most:
            self._reject("source name too long" if len(message.source) > LONGEST_NAME else "too many sources", len(times))
            return None
        number = self._numbers[message.source] = len(self.sources)
        self.source_names.append(message.source)
        self.sources.append(Source(clock=message.clock if message.clock is not None else int(median(times))))
        return number

    def _move(self, source: Source, message: Message) -> None:
        """Move a source's clock, if only far ahead when several messages agree."""
        clock = message.clock
        if clock is None:
            clock = max((reading.time for reading in message.readings), default=source.clock)
        if clock - source.clock > self._jump:
            near = source.doubts and abs(clock - source.doubted) <= self._jump
            source.doubted, source.doubts = clock, source.doubts + 1 if near else 1
            if source.doubts < AGREEING:
                self._reject("clock far ahead")
                return
            source.due.clear()  # so long a silence ends the segments of its devices
        source.clock, source.doubts = max(clock, source.clock), 0

    def _read(self, reading: Reading, number: int, source: Source, add: _Add) -> None:
        row = self._rows.get(reading.device)
        if row is None:
            row = self._new(reading.device)
            if row is None:
                return
            self.devices.append(Device(number, reading.time, source.clock))
            self._expect(row, source)
            add(row, reading.time, reading.values, True, 0)
            return
        device, period = self.devices[row], self._period
        step = reading.time - device.last
        fresh = False
        if step <= 0:
            fresh = self._set_back(device, reading.time)
            if not fresh:
                return
        elif period is not None:
            missing = round(step / period) - 1 if step > 1.5 * period else 0
            if missing < device.laid:
                self._reject("late")
                return
            fresh = missing > self._silence
            if not fresh:
                for nth in range(device.laid + 1, missing + 1):
                    add(row, device.last + round(nth / (missing + 1) * step), None, False, 0)
        forgotten = device.laid if fresh and self._breaks else 0
        device.source, device.last, device.arrival, device.laid, device.behind = number, reading.time, source.clock, 0, 0
        self._expect(row, source)
        add(row, reading.time, reading.values, fresh, forgotten)

    def _new(self, name: str) -> int | None:
        refused = None
        if self._allowed is not None and name not in self._allowed:
            refused = "unknown device"
        elif len(name) > LONGEST_NAME:
            refused = "device name too long"
        elif len(self.names) >= self._most:
            refused = "too many devices"
        if refused is not None:
            self._reject(refused)
            return None
        row = self._rows[name] = len(self.names)
        self.names.append(name)
        return row

    def _set_back(self, device: Device, time: int) -> bool:
        """Whether a reading that is not newer than the last one shows that the device's clock was set back."""
        if time == device.last:
            self._reject("duplicate")
            return False
        forward = device.behind == 0 or time > device.behind_time
        device.behind, device.behind_time = device.behind + 1 if forward else 1, time
        if device.behind < AGREEING:
            self._reject("time went back")
            return False
        return True

    def _expect(self, row: int, source: Source) -> None:
        """Note when a device will have missed its next step."""
        device = self.devices[row]
        if self._period is None or device.laid >= self._silence:
            return
        if len(source.due) > 64 + 8 * len(self.devices):  # a clock that stands still lets nothing go
            source.due = [entry for entry in source.due if self._fits(entry)]
            heapq.heapify(source.due)
        heapq.heappush(source.due, (device.arrival + (device.laid + 1.5) * self._period, row, device.laid))

    def _fits(self, entry: tuple[float, int, int], number: int | None = None) -> bool:
        """Whether an expected miss still belongs to its device."""
        at, row, laid = entry
        device = self.devices[row]
        assert self._period is not None
        return device.laid == laid and at == device.arrival + (laid + 1.5) * self._period and number in (None, device.source)

    def _tick(self, source: Source, number: int, add: _Add) -> None:
        """Lay the steps that are missed for certain: later readings would be more than 1.5 periods late."""
        now = source.clock - self._lateness
        while source.due and source.due[0][0] < now:
            entry = heapq.heappop(source.due)
            if self._period is not None and self._fits(entry, number):
                row = entry[1]
                device = self.devices[row]
                device.laid += 1
                add(row, device.last + round(device.laid * self._period), None, False, 0)
                self._expect(row, source)

    def _reject(self, kind: str, number: int = 1) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + number

    def snapshot(self) -> dict[str, Array]:
        """Names, places and clocks as arrays."""
        devices = [(one.source, one.last, one.arrival, one.laid, one.behind, one.behind_time) for one in self.devices]
        sources = [(one.clock, one.doubted, one.doubts) for one in self.sources]
        return {
            "names": np.array(self.names, np.str_),
            "sources": np.array(self.source_names, np.str_),
            "devices": np.array(devices, np.int64).reshape(-1, 6),
            "clocks": np.array(sources, np.int64).reshape(-1, 3),
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a snapshot. Raises UsageError if it is damaged."""
        names, sources = state["names"].tolist(), state["sources"].tolist()
        devices, clocks = state["devices"].tolist(), state["clocks"].tolist()
        if len(names) != len(devices) or len(sources) != len(clocks) or any(not 0 <= one[0] < len(sources) for one in devices):
            raise UsageError("the saved state is damaged", "start without it")
        self.names, self.source_names = names, sources
        self._rows = {name: row for row, name in enumerate(names)}
        self._numbers = {name: number for number, name in enumerate(sources)}
        self.devices = [Device(*one) for one in devices]
        self.sources = [Source(*one) for one in clocks]
        for row, device in enumerate(self.devices):
            self._expect(row, self.sources[device.source])
