"""Reads a recording from a file, once: a table as an import reads it (needs Polars), or JSON
lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain, groupby, islice, pairwise
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalynet.data.importing.cells import is_label, read_label
from anomalynet.detection.evaluation import Labels
from anomalynet.detection.records import Message, Reading
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.sources.follow import CHUNK, Lines, format_of, time_columns
from anomalynet.documents import json_value
from anomalynet.errors import DataError, UsageError, install_command, say
from anomalynet.runs.files import is_special, scratch_folder

if TYPE_CHECKING:
    from anomalynet.data.importing.format import TableFormat
    from anomalynet.data.importing.read import Table

LOOK = 50_000  # first rows that determine how the file is sorted
BATCH = 1 << 15  # rows of a table that are turned into readings at once


def messages(readings: Iterable[Reading], source: str, period: float | None) -> Iterator[Message]:
    """Group readings into messages: sorted by time, one per period (or timestamp) of one source, so
    that silent devices are detected by the clock of the others; sorted by device, each device is a
    separate source."""
    rows = iter(readings)
    seen = list(islice(rows, LOOK))
    rows = chain(seen, rows)
    in_time = all(before.time <= after.time for before, after in pairwise(seen))
    blocks = sum(1 for _ in groupby(seen, attrgetter("device")))
    if in_time and blocks > len({reading.device for reading in seen}):  # devices alternate
        step = max(1, round(period * 1e6)) if period else 1
        for _, group in groupby(rows, lambda reading: reading.time // step):
            yield Message(source, tuple(group))
    else:
        for device, group in groupby(rows, attrgetter("device")):
            while part := tuple(islice(group, 512)):
                yield Message(device, part)


class Recording:
    """One file of readings, optionally with labels: JSON lines (`.jsonl`, `.ndjson`, `.json`), or a
    table (CSV, Parquet or NumPy) with columns as in `format_of`, and `incident`, a row's incident.
    `parser`: with the model's sensors and the format of its table; `period`: seconds between
    readings, or None. Raises UsageError: no such file."""

    def __init__(self, path: Path, parser: Parser, period: float | None) -> None:
        if is_special(path):
            how = "give a file; a pipe is read by `anomalynet detect --follow - < PIPE`"
            raise UsageError(f"{path}: not a regular file", how)
        if not path.is_file():
            how = "`anomalynet data rows NAME --out FILE` writes the readings of a data set"
            raise UsageError(f"{path}: no such file", how)
        self.path, self._parser, self._period = path, parser, period
        self._labels = Labels()  # filled while messages are read
        self.labels: Labels | None = None  # the same, from the first row that has a label

    def messages(self) -> Iterator[Message]:
        """All messages of the file. Raises DataError: a table that an import would refuse."""
        if self.path.suffix.lower() in (".jsonl", ".ndjson", ".json"):
            yield from self._regrouped(chain.from_iterable(map(self._parse, self._lines())))
            return
        try:
            from anomalynet.data.importing.read import read_table
            from anomalynet.data.importing.rows import header
            from anomalynet.data.importing.values import TOO_LARGE
        except ImportError:
            how = f"{install_command('polars')}, or give a file of JSON lines"
            raise UsageError(f"{self.path}: reading tables needs the package polars", how) from None
        with scratch_folder() as staging:
            form = format_of(self._parser.form, self._parser.sensors, partial(header, self.path))
            try:
                table = read_table([self.path], form, staging)
            except DataError as error:
                what = re.sub(r" \(--\w+\)", "", error.message)
                is_option = "--" in error.message + (error.next_step or "")  # of an import
                advice = self._advice(form, error.next_step) if is_option else error.next_step
                raise DataError(what, advice) from error
            if large := table.counts.get(TOO_LARGE):
                self._parser.problems.add("not a number", table.warnings[0], large)
            if "label" in {*table.rows.names} - {*self._parser.sensors} and not form.label:
                say(f"{self.path}: column 'label' is not read: the model's table had no labels")
            yield from messages(self._readings(table), self.path.name, self._period)

    def _advice(self, form: TableFormat, of_import: str | None) -> str:
        """What to do about a table that an import refuses, in place of the options of an import."""
        from anomalynet.data.importing.rows import header

        if "--unsorted" in (of_import or ""):
            return "sort its rows by device and time"
        if "--duplicates" in (of_import or ""):
            return "leave one row for each device and time"
        named = ", ".join(filter(None, (form.time, form.series, *self._parser.sensors)))
        known = f"columns {named}; separator '{form.separator or ','}'; decimal sign "
        known += f"'{form.decimal or '.'}'; times {form.time_format or 'in ISO 8601'}"
        with suppress(DataError):
            there = header(self.path, form)
            wanted = {*self._parser.sensors, *filter(None, [form.series])}
            if not {*wanted, *time_columns(form, there)} <= {*there}:
                return f"its columns are {', '.join(there[:20])}; the model reads {known}"
        how = f"write the file as the model knows it, or empty the cell ({known}); or count and "
        return how + "leave out such rows: anomalynet detect --follow FILE"

    def _readings(self, table: Table) -> Iterator[Reading]:
        import polars as pl

        from anomalynet.data.importing.read import POSITION, canonical
        from anomalynet.data.importing.rows import ROW

        rows, keys, sensors = table.rows, table.keys, self._parser.sensors
        early = keys.filter(pl.col("time").to_physical() < 0)
        if early.height:
            where, time = early.select(ROW, "time").row(0)
            raise DataError(f"{rows.where(where)}: {time} is before 1970", "correct the line")
        keys = keys.with_columns(incident=pl.lit(None, pl.String))
        if "incident" in rows.names:
            text = rows.text(rows.names.index("incident"))
            column = rows.frame.select(ROW, incident=text).collect().sort(ROW)["incident"]
            keys = keys.with_columns(incident=column[keys[POSITION]])
        in_file_order = keys.sort(POSITION)
        if in_file_order["time"].is_sorted():
            keys = in_file_order
        if has_labels := keys["label"].count() > 0:
            self.labels = self._labels
        frame = canonical(table, keys).select(
            "series",
            pl.col("time").to_physical(),
            "label",
            "incident",
            "kind",
            *(pl.col(sensor).fill_null(float("nan")) for sensor in sensors),
        )
        for batch in frame.collect_batches(chunk_size=BATCH, maintain_order=True):
            for device, time, label, incident, kind, *values in batch.iter_rows():
                yield Reading(device, time, tuple(values))
                if has_labels:
                    self._labels.add(device, time, label, incident, kind)

    def _lines(self) -> Iterator[bytes | None]:
        lines = Lines(self._parser.max_bytes)
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield from (line for line, _ in lines.feed(chunk))
        yield from (line for line, _ in lines.rest())

    def _parse(self, line: bytes | None) -> Iterator[Message]:
        if line is None:
            what = f"a line of more than {self._parser.max_bytes} bytes"
            self._parser.problems.add("too large", what)
        elif line.strip() and (message := self._parser.parse(self.path.name, line)):
            yield message
            self._label(line, message)

    def _label(self, line: bytes, message: Message) -> None:
        """Keep the label of a single reading, for which the line is parsed again; readings of
        other messages have none."""
        single = b'"label"' in line and len(message.readings) == 1
        row: dict[str, Any] = json_value(line, values=False) if single else {}
        given = row.get("label")
        if not is_label(given, self._parser.form):
            self._parser.problems.add("unknown label", given)
        label = read_label(given, self._parser.form)
        if label is not None:
            self.labels = self._labels
        if self.labels is not None:
            names = (row.get("incident"), row.get("kind"))
            incident, kind = (None if name in (None, "") else str(name) for name in names)
            for reading in message.readings:
                self.labels.add(reading.device, reading.time, label, incident, kind)

    def _regrouped(self, parsed: Iterator[Message]) -> Iterator[Message]:
        """The messages unchanged if the first one names its gateway; otherwise their readings
        grouped as rows of a table."""
        source, first = self.path.name, list(islice(parsed, 1))
        everything = chain(first, parsed)
        if first and first[0].source != source:
            yield from everything
        else:
            readings = chain.from_iterable(message.readings for message in everything)
            yield from messages(readings, source, self._period)
