"""Parses JSON of gateways and devices into messages of readings. Invalid input is counted by kind
and never raises an error."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from anomalynet.data.importing import cells
from anomalynet.data.importing.format import TableFormat
from anomalynet.detection.records import LONGEST_NAME, Message, Reading
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.documents import json_value
from anomalynet.errors import DataError

RESERVED = frozenset(("device", "time", "gateway", "sequence", "label", "incident", "kind"))
"""Keys of a reading that are not channels."""


class Parser:
    """Parses payloads, of at most `max_bytes`. `sensors`: the contract's channels that devices
    report, in order. Times, numbers and missing values are read as in its table (`form`); text that
    is not a time in its format is read as ISO 8601. `problems` counts invalid input."""

    def __init__(
        self,
        sensors: Sequence[str],
        problems: ProblemLog,
        max_bytes: int = 1 << 20,
        form: TableFormat | None = None,
    ) -> None:
        self.sensors = tuple(sensors)
        self.problems = problems
        self.max_bytes = max_bytes
        self.form = form or TableFormat()
        self._known = frozenset(self.sensors)
        self._nothing = (math.nan,) * len(self.sensors)
        self._last: tuple[object, int | None] = (None, None)  # readings of a batch share their time
        self._read = self._failed = False  # whether there was a reading, and one that is invalid
        # sensors without a value so far, and whether one was rejected
        self._unread = dict.fromkeys(self.sensors, False)

    def parse(self, source: str, payload: bytes) -> Message | None:
        """The message of a payload; None if it is invalid. `source`: topic or file, which is the
        message's source if the payload names no gateway."""
        try:
            return self._message(source, payload)
        except _RejectedError as rejected:
            self.reject(*rejected.args)
            return None

    def reject(self, kind: str, example: object) -> None:
        """Count a reading that cannot be read."""
        self._failed = True
        self.problems.add(kind, example)

    def check_read(self) -> None:
        """Check after a run. Raises DataError: every reading, or every value of a sensor, was
        rejected: its steps were scored as missing."""
        lost = [repr(name) for name, rejected in self._unread.items() if rejected]
        if lost or (self._failed and not self._read):
            what = f"value of {', '.join(lost[:5])}" if lost else "reading"
            raise DataError(
                f"no {what} could be read: all were rejected, steps were scored without them",
                "write names, times and decimal signs as in the table that the model was trained "
                f"on: the sensors are {', '.join(map(repr, self.sensors[:8]))}",
            )

    def _message(self, source: str, payload: bytes) -> Message:
        if len(payload) > self.max_bytes:
            raise _RejectedError("too large", f"{len(payload)} bytes on {source}")
        try:
            document = json_value(payload, values=False)
        except ValueError:
            raise _RejectedError("malformed JSON", payload) from None
        if type(document) is not dict:
            raise _RejectedError("not an object", payload)
        gateway = _name(document["gateway"]) if "gateway" in document else source
        if gateway is None:
            raise _RejectedError("bad gateway", document["gateway"])
        if "readings" not in document:
            return Message(gateway, (self._reading(document, None),))
        if type(document["readings"]) is not list:
            raise _RejectedError("readings are no list", payload)
        clock = self._time(document["time"]) if "time" in document else None
        found = []
        for entry in document["readings"]:
            try:
                found.append(self._reading(entry, clock))
            except _RejectedError as rejected:
                self.reject(*rejected.args)
        return Message(gateway, tuple(found), clock)

    def _reading(self, entry: Any, default: int | None) -> Reading:
        if type(entry) is not dict:
            raise _RejectedError("not an object", entry)
        device = _name(entry.get("device"))
        if device is None:
            kind = "bad device" if "device" in entry else "no device"
            raise _RejectedError(kind, entry.get("device", entry))
        time = self._time(entry["time"]) if "time" in entry else default
        if time is None:
            raise _RejectedError("no time", device)
        own = (entry["values"], frozenset[str]()) if "values" in entry else (entry, RESERVED)
        values = self._values(*own)
        self._read = True
        return Reading(device, time, values)

    def _values(self, given: object, reserved: frozenset[str]) -> tuple[float, ...]:
        """One float per sensor, NaN if it is missing or not a number."""
        if given is None:
            return self._nothing
        if type(given) is dict:
            strange = not given.keys() <= self._known  # quicker than the difference
            if strange and (unknown := given.keys() - self._known - reserved):
                self.problems.add("unknown channel", min(unknown), len(unknown))
                self._unread.update(dict.fromkeys(self._unread.keys() - given.keys(), True))
            return self._numbers(map(given.get, self.sensors))
        if type(given) is not list:
            raise _RejectedError("bad values", given)
        if len(given) != len(self.sensors):
            what = f"{len(given)} instead of {len(self.sensors)}"
            raise _RejectedError("wrong channel count", what)
        return self._numbers(given)

    def _time(self, given: object) -> int:
        if given != self._last[0] or type(given) is not type(self._last[0]):
            form, zone = self.form.time_format, self.form.timezone
            found = cells.read_time(given, form, zone)
            if found is None and form is not None and isinstance(given, str) and "-" in given:
                found = cells.read_time(given, None, zone)
            self._last = given, found
        if self._last[1] is None or self._last[1] < 0:  # a stream's clock begins in 1970
            raise _RejectedError("bad time", given)
        return self._last[1]

    def _numbers(self, given: Iterable[Any]) -> tuple[float, ...]:
        found = []
        for name, value in zip(self.sensors, given, strict=True):
            if type(value) in (float, int) and -cells.LARGEST < value < cells.LARGEST:
                found.append(float(value))
            else:
                found.append(math.nan if value is None else self._number(name, value))
        if self.form.null:
            found = [math.nan if cells.is_missing(value, self.form) else value for value in found]
        if self._unread:
            pairs = zip(self.sensors, found, strict=True)
            for name in (name for name, value in pairs if not math.isnan(value)):
                self._unread.pop(name, None)
        return tuple(found)

    def _number(self, name: str, value: object) -> float:
        """A number as it is written in a cell; NaN if it is missing or, counted, invalid."""
        if type(value) is not int and cells.is_missing(value, self.form):
            return math.nan
        word = str(value).strip().lower() if type(value) in (bool, str) else ""
        is_switch = word in cells.SWITCH and name in self.form.switches
        number = float(cells.SWITCH[word]) if is_switch else None
        if type(value) is str and not is_switch:
            number = cells.read_number(value, self.form.decimal or ".", self.form.thousands or "")
        if number is not None and -cells.LARGEST < number < cells.LARGEST:
            return number
        self.problems.add("not a number", value)
        if name in self._unread:
            self._unread[name] = True
        return math.nan


class _RejectedError(Exception):
    """The kind of problem, and an example: the arguments of `Parser.reject`."""


def _name(given: object) -> str | None:
    """A valid name, printable on one line: text or a whole number. None otherwise."""
    if type(given) is int and abs(given) < 1 << 63:
        return str(given)
    text = isinstance(given, str) and len(given) <= LONGEST_NAME and cells.is_name(given)
    return str(given) if text else None
