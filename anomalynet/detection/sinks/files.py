"""Writes alarms and scores to files. A restarted detector does not write an alarm again."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np

from anomalynet.detection.records import Event, Steps
from anomalynet.detection.service.journal import AppendFile
from anomalynet.detection.sinks import Sink, key_of
from anomalynet.errors import RunError, UsageError, cell_text
from anomalynet.runs.files import replacing

TAIL = 32 << 20  # bytes at the end of the file that are read at start
REMEMBERED = 100_000  # last events that are known; far more than there are between two snapshots


class StandardOutput(Sink):
    """Alarms on stdout; a restarted detector may repeat those since its last snapshot."""

    name = "-"

    def put(self, events: Sequence[Event]) -> None:
        if events:
            sys.stdout.write("".join(event.to_json() + "\n" for event in events))
            sys.stdout.flush()


class JsonLines(Sink):
    """Alarms appended to a file. `path`: a new file, or one that this sink wrote, whose events are
    not written again; an incomplete last line is removed. Raises UsageError: it has other content.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._file = AppendFile(path)
        tail = self._file.end(TAIL)
        if self._file.size > TAIL:
            tail = tail[tail.find(b"\n") + 1 :]
        whole, _, torn = tail.rpartition(b"\n")
        try:
            self._remember([key_of(line) for line in whole.splitlines()])
            foreign = bool(torn) and not torn.startswith(b"{")
        except (ValueError, TypeError, KeyError):
            foreign = True
        if foreign:
            raise UsageError(f"{path}: exists and is not a file of alarms", "give another file")
        # A line without its end was cut by a crash; the event is raised again from the journal.
        self._file.cut(self._file.size - len(torn))

    def put(self, events: Sequence[Event]) -> None:
        """Append new events with a single `write`. Raises RunError: the file cannot be written."""
        new = {event.key: event for event in events if event.key not in self._keys}
        if new:
            self._file.append("".join(event.to_json() + "\n" for event in new.values()).encode())
            self._remember(new)

    def sync(self) -> None:
        self._file.sync()

    def close(self) -> None:
        self._file.close()

    def _remember(self, keys: Iterable[str]) -> None:
        self._keys.update(dict.fromkeys(keys))
        while len(self._keys) > REMEMBERED:
            self._keys.popitem(last=False)


HEADER = b"device,time,observed,score\n"


class ScoresFile:
    """Appends scores to a file. `path`: `.csv` or `.jsonl`, a new file or one with scores;
    `replace`: write a new file and replace the old one at the end. In a CSV file, names of devices
    are `cell_text`, because people open it in spreadsheets; in JSON lines they are as they came.
    Raises UsageError: the file has other content, or another suffix."""

    def __init__(self, path: Path, replace: bool = False) -> None:
        if path.suffix not in (".csv", ".jsonl"):
            what = f"{path}: scores are written as CSV or JSON lines"
            raise UsageError(what, "use a .csv or .jsonl file")
        self.path = path
        self._csv = path.suffix == ".csv"
        begin, there = HEADER if self._csv else b'{"device":', b""
        try:
            with suppress(FileNotFoundError), path.open("rb") as file:
                there = file.read(len(begin))
        except OSError as error:
            what = f"{path}: {error.strerror}"
            raise UsageError(what, "use a file in an existing folder") from None
        if there and there != begin:
            raise UsageError(f"{path}: exists and is not a file of scores", "give another file")
        self._replacing = replacing(path) if replace else nullcontext(path)
        self._file = AppendFile(self._replacing.__enter__(), shown=path, empty=replace)
        if self._csv and not self.size:
            try:
                self._file.append(HEADER)
            except RunError:
                self.close(done=False)
                raise

    @property
    def size(self) -> int:
        """Bytes."""
        return self._file.size

    def cut(self, size: int) -> None:
        """Remove everything after this size: the same steps are replayed from the journal."""
        if 0 < size < self.size:
            self._file.cut(size)

    def sync(self) -> None:
        """Make written scores survive a power failure."""
        self._file.sync()

    def put(self, names: Sequence[str], steps: Steps) -> None:
        """Append the steps of one outcome. Raises RunError: the file cannot be written."""
        if not len(steps):
            return
        times = np.datetime_as_string(steps.time.astype("datetime64[us]"), timezone="UTC").tolist()
        scores = [None if math.isnan(score) else round(score, 9) for score in steps.score.tolist()]
        devices = [names[row] for row in steps.row.tolist()]
        lines = zip(devices, times, steps.observed.tolist(), scores, strict=True)
        text = io.StringIO()
        if self._csv:
            csv.writer(text, lineterminator="\n").writerows(
                (cell_text(name), time, int(seen), score) for name, time, seen, score in lines
            )
        else:
            for name, time, seen, score in lines:
                step = {"device": name, "time": time, "observed": seen, "score": score}
                text.write(json.dumps(step, ensure_ascii=False) + "\n")
        self._file.append(text.getvalue().encode())

    def close(self, done: bool = True) -> None:
        """Close the file. With `replace`, it replaces the old one if `done`."""
        self._file.close()
        undone = None if done else RunError("not done")  # which leaves the old one
        try:
            self._replacing.__exit__(None if done else RunError, undone, None)
        except OSError as error:
            raise RunError(f"{self.path}: {error.strerror}", "give another file") from None
