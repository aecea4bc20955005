"""Every step with its score, as CSV or JSON lines."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anomalynet.detection.steps import Steps
from anomalynet.detection.stream.appended import Appended
from anomalynet.errors import UsageError

HEADER = b"device,time,observed,score\n"


class ScoresFile:
    """Appends to a new file, or to one of its own.

    Args:
        path: `.csv`, or `.jsonl`.
        replace: write a new file and put it in the place of an old one at the end.

    Raises:
        UsageError: the file holds something else, or its name ends otherwise.
    """

    def __init__(self, path: Path, replace: bool = False) -> None:
        if path.suffix not in (".csv", ".jsonl"):
            raise UsageError(
                f"{path}: scores are written as CSV or JSON lines", "name a file .csv or .jsonl"
            )
        self.path = path
        self._csv = path.suffix == ".csv"
        begin = HEADER if self._csv else b'{"device":'
        try:
            if path.exists() and path.stat().st_size:
                with path.open("rb") as file:
                    if not file.read(len(begin)).startswith(begin):
                        raise UsageError(
                            f"{path}: is there and holds no scores", "name another file"
                        )
            self._written = path.with_name(f".{path.name}.{os.getpid()}.tmp") if replace else path
            self._file = Appended(self._written, told=path, empty=replace)
        except OSError as error:
            raise UsageError(
                f"{path}: {error.strerror}", "name a file in a folder that is there"
            ) from None
        if self._csv and not self.size:
            self._file.append(HEADER)

    @property
    def size(self) -> int:
        """Bytes."""
        return self._file.size

    def cut(self, size: int) -> None:
        """Forget what was written behind this size: the same steps come again from the journal."""
        if 0 < size < self.size:
            self._file.cut(size)

    def sync(self) -> None:
        """What was put survives a power cut from now on."""
        self._file.sync()

    def put(self, names: Sequence[str], steps: Steps) -> None:
        """Append the steps of one outcome.

        Raises:
            RunError: the file cannot be written.
        """
        if not len(steps):
            return
        times = np.datetime_as_string(steps.time.astype("datetime64[us]"), timezone="UTC").tolist()
        scores = [None if math.isnan(score) else round(score, 9) for score in steps.score.tolist()]
        lines = zip(
            (names[row] for row in steps.row.tolist()),
            times,
            steps.observed.tolist(),
            scores,
            strict=True,
        )
        text = io.StringIO()
        if self._csv:
            csv.writer(text, lineterminator="\n").writerows(
                (name, time, int(seen), score) for name, time, seen, score in lines
            )
        else:
            for name, time, seen, score in lines:
                shown = json.dumps(
                    {"device": name, "time": time, "observed": seen, "score": score},
                    ensure_ascii=False,
                )
                text.write(shown + "\n")
        self._file.append(text.getvalue().encode())

    def close(self, done: bool = True) -> None:
        """Close the file; a replacement takes its place if it is done, and goes if not."""
        self._file.close()
        if self._written != self.path:
            if done:
                self._written.replace(self.path)
            else:
                self._written.unlink()
