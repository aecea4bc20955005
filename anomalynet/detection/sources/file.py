"""Reads a recording from a file, once: CSV, JSON lines, or Parquet (needs polars)."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby, islice, pairwise
from pathlib import Path
from typing import Any

from anomalynet.detection.evaluation import Labels
from anomalynet.detection.records import Message, Reading, microseconds
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.sources.follow import Lines
from anomalynet.errors import DataError, UsageError

LOOK = 50_000  # first rows that determine how the file is sorted


def by_time(readings: list[Reading]) -> bool:
    """Whether readings are sorted by time, with alternating devices."""
    if any(after.time < before.time for before, after in pairwise(readings)):
        return False
    blocks = sum(after.device != before.device for before, after in pairwise(readings)) + 1
    return blocks > len({reading.device for reading in readings})


def messages(readings: Iterable[Reading], source: str, period: float | None) -> Iterator[Message]:
    """Group readings into messages.

    Sorted by time: one message per period (or per timestamp without a period), all of one source,
    so that silent devices are detected by the clock of the others. Sorted by device: each device is
    a separate source."""
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


Row = Mapping[str, Any]

NO_POLARS = "reading Parquet needs the package polars"


class Recording:
    """One file of readings, optionally with labels.

    Args:
        path: `.csv`, `.jsonl` (also `.ndjson`, `.json`) or `.parquet`. Columns: `device`
            or `series`, `time`, one per channel, optionally `label`, `incident` and `kind`. An
            empty cell is a missing value.

    Raises UsageError: no such file, or an unknown kind of file.
    """

    def __init__(self, path: Path, parser: Parser, period: float | None) -> None:
        if not path.is_file():
            how = "`anomalynet data rows NAME --out FILE` writes the readings of a data set"
            raise UsageError(f"{path}: no such file", how)
        kind = path.suffix.lower()
        self._rows = {".csv": self._csv, ".parquet": self._parquet}.get(kind)
        if self._rows is None and kind not in (".jsonl", ".ndjson", ".json"):
            how = "use a .csv, .jsonl or .parquet file"
            raise UsageError(f"{path}: unknown kind of file", how)
        self.path, self._parser, self._period = path, parser, period
        self.labels: Labels | None = None
        """Filled while messages are read; None until a row has a label."""

    def messages(self) -> Iterator[Message]:
        """All messages of the file. Raises DataError: damaged file or missing column."""
        if self._rows is None:
            return _regrouped(self._parsed(), self.path.name, self._period)
        return messages(self._readings(self._rows()), self.path.name, self._period)

    def _readings(self, rows: Iterator[Row]) -> Iterator[Reading]:
        header = next(rows, {})
        name = next((name for name in ("device", "series") if name in header), None)
        if name is None or "time" not in header:
            what = f"{self.path}: missing column {'time' if name else 'device'!r}"
            raise DataError(what, "columns: device, time, one per channel")
        sensors = self._parser.sensors
        if missing := [sensor for sensor in sensors if sensor not in header]:
            what = f"{self.path}: missing column {missing[0]!r}"
            raise DataError(what, f"the model reads {', '.join(sensors)}")
        problems = self._parser.problems
        for row in rows:
            device, time = row[name], microseconds(row["time"])
            if not isinstance(device, str) or not device or not device.isprintable():
                problems.add("bad device", device)
            elif time is None:
                problems.add("bad time", row["time"])
            else:
                yield Reading(device, time, tuple(self._number(row[sensor]) for sensor in sensors))
                self._label(device, time, row)

    def _label(self, device: str, time: int, row: Row) -> None:
        if row.get("label") in (None, ""):
            return
        if self.labels is None:
            self.labels = Labels()
        incident, kind = (
            None if row.get(name) in (None, "") else str(row[name]) for name in ("incident", "kind")
        )
        label = 1 if row["label"] in ("1", 1, True, "1.0", "true") else 0
        self.labels.add(device, time, label, incident, kind)

    def _number(self, cell: Any) -> float:
        if cell is None or cell == "":
            return math.nan
        try:
            return float(cell)
        except (TypeError, ValueError):
            self._parser.problems.add("not a number", cell)
            return math.nan

    def _csv(self) -> Iterator[Row]:
        """The header as a first row, then the data rows."""
        csv.field_size_limit(self._parser.max_bytes)
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.reader(file)
                header = next(reader, [])
                yield dict.fromkeys(header)
                for cells in reader:
                    if len(cells) == len(header):
                        yield dict(zip(header, cells, strict=True))
                    elif cells:
                        self._parser.problems.add(
                            "wrong number of cells", f"line {reader.line_num}"
                        )
        except (csv.Error, UnicodeDecodeError) as error:
            what = f"{self.path}: not a valid CSV file: {error}"
            raise DataError(what, "save it as CSV in UTF-8") from None

    def _parquet(self) -> Iterator[Row]:
        try:
            import polars as pl
        except ImportError:
            how = "pip install polars, or give a .csv or .jsonl file"
            raise UsageError(f"{self.path}: {NO_POLARS}", how) from None
        try:
            frame = pl.scan_parquet(self.path)
            schema = frame.collect_schema()
            yield dict.fromkeys(schema.names())
            if schema.get("time", pl.Null).is_temporal():
                seconds = pl.col("time").cast(pl.Datetime("us")).to_physical() / 1e6
                frame = frame.with_columns(seconds)
            for part in frame.collect_batches(chunk_size=1 << 15, maintain_order=True):
                yield from part.iter_rows(named=True)
        except pl.exceptions.PolarsError as error:
            what = f"{self.path}: not a Parquet file of readings: {error}"
            raise DataError(what, "`anomalynet data rows` writes one") from None

    def _parsed(self) -> Iterator[Message]:
        lines = Lines(self._parser.max_bytes)
        with self.path.open("rb") as file:
            while chunk := file.read(1 << 18):
                for line, _ in lines.feed(chunk):
                    yield from self._parse(line)
            for line, _ in lines.rest():
                yield from self._parse(line)

    def _parse(self, line: bytes | None) -> Iterator[Message]:
        if line is None:
            what = f"a line of more than {self._parser.max_bytes} bytes"
            self._parser.problems.add("too large", what)
        elif line.strip() and (message := self._parser.parse(self.path.name, line)):
            yield message
            if (
                b'"label"' in line and len(message.readings) == 1
            ):  # a labelled reading: parse again for its label
                reading = message.readings[0]
                self._label(reading.device, reading.time, json.loads(line))


def _regrouped(parsed: Iterator[Message], source: str, period: float | None) -> Iterator[Message]:
    """The messages unchanged if the first one names its gateway; otherwise their readings grouped
    as rows of a table."""
    first = next(parsed, None)
    if first is None:
        return
    everything = chain([first], parsed)
    if first.source != source:
        yield from everything
    else:
        readings = chain.from_iterable(message.readings for message in everything)
        yield from messages(readings, source, period)
