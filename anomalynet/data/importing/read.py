"""Reads tables of readings by their format: for an import, and for `detect`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import polars as pl

from anomalynet.data.importing import ordering, values
from anomalynet.data.importing.format import TableFormat
from anomalynet.data.importing.request import Roles, assign
from anomalynet.data.importing.rows import NULLS, ROW, Rows, open_rows
from anomalynet.data.importing.times import check_zone, read_clock, to_utc
from anomalynet.errors import DataError

POSITION = "position"
KEYS = ("series", "time", "label", "kind", "split")


@dataclass(slots=True)
class Table:
    """Tables that were read: keys in memory, readings on disk."""

    rows: Rows
    roles: Roles
    form: TableFormat  # with all that was detected
    keys: pl.DataFrame
    """Row, position (in the files) and the columns `KEYS`, sorted by (series, time)."""
    readings: pl.LazyFrame  # Float64, a column per channel, in the order of the files
    counts: dict[str, int]
    warnings: list[str]

    @property
    def in_file_order(self) -> bool:
        """Whether `keys` and `readings` have the same rows in the same order."""
        return self.keys[POSITION].is_sorted() and self.keys.height == self.rows.count()

    def frame(self, keys: pl.DataFrame) -> pl.LazyFrame:
        """The columns of `keys` that are in it, beside the readings of these rows. Readings stay on
        disk if their order does not change. `keys`: with the column `position`."""
        leading = keys.drop(POSITION, ROW, strict=False)
        if keys[POSITION].is_sorted() and keys.height == self.rows.count():
            return pl.concat([leading.lazy(), self.readings], how="horizontal")
        return leading.hstack(self.readings.collect()[keys[POSITION]]).lazy()


def read_table(
    paths: Sequence[Path],
    form: TableFormat,
    staging: Path,
    units: Mapping[str, str] = MappingProxyType({}),
    name: str = "",
) -> Table:
    """Read tables of the same columns.

    Args:
        form: what is known of their format; the rest is detected, over all rows.
        staging: an empty folder, which the result needs.
        units: of the sensors, by column.
        name: of the series, where the tables are one recording; without it, that of the file.

    Raises DataError: anything invalid, with file and line.
    """
    if form.timezone:
        check_zone(form.timezone)
    if form.period is not None and not 0 < form.period < 1e9:
        raise DataError(
            f"--period must be positive and below 1e9, got {form.period:g}",
            "give --period in seconds",
        )
    rows = open_rows(paths, form, staging)
    roles = assign(rows, form, units)
    sensors, found, counts, warnings = values.read_sensors(rows, roles.channels, form)
    form = replace(found, separator=rows.separator)
    keys, form = _keys(rows, roles, form, name or paths[0].stem, counts)
    keys, changed = ordering.order(rows, keys, form)
    counts |= changed
    file = staging / "readings.parquet"
    readings = [
        sensors[index].cast(pl.Float64).alias(channel.name)
        for index, channel in roles.channels.items()
    ]
    rows.frame.select(readings).sink_parquet(file, maintain_order=True, compression="lz4")
    channels = tuple(channel.name for channel in roles.channels.values())
    columns = form.columns or (() if form.header else rows.names)
    form = replace(form, channels=channels, ignore=(), columns=columns)
    return Table(rows, roles, form, keys, pl.scan_parquet(file), counts, warnings)


def _keys(
    rows: Rows, roles: Roles, form: TableFormat, name: str, counts: dict[str, int]
) -> tuple[pl.DataFrame, TableFormat]:
    """Row, position and the columns `KEYS` with times in UTC, each series from its oldest row to
    its newest; and the format with that of the times."""
    none = pl.lit(None, pl.String)
    label: pl.Expr = pl.lit(None, pl.Int8)
    if roles.label is not None:
        label = values.label(rows, roles.label, form)
    elif roles.kind is not None:
        label = values.label_from_kind(rows, roles.kind, form)
    clock = None
    if roles.time:
        clock = read_clock(rows, roles.time, form.time_format, alone=roles.series is None)
        form = replace(form, time_format=clock.format)
    series = pl.lit(name) if roles.series is None else rows.text(roles.series)
    kind = none if roles.kind is None else rows.text(roles.kind, (*NULLS, *form.null))
    split = none if roles.split is None else values.split(rows, roles.split)
    keys = rows.frame.select(ROW, series=series, label=label, kind=kind, split=split)
    ordered = keys.collect(engine="streaming").sort(ROW)
    frame = ordered.with_columns(pl.int_range(pl.len()).alias(POSITION))
    if frame["series"].null_count():
        where = rows.where(frame.filter(pl.col("series").is_null())[ROW][0])
        raise DataError(f"{where}: series column {form.series!r} is empty", "fill in the series")
    if clock is None:
        step = round((form.period or 1.0) * 1e6)
        nth = pl.int_range(pl.len()).over("series")
        return frame.with_columns(time=(nth * step).cast(pl.Datetime("us"))), form
    frame = frame.hstack(clock.time.select("time"))
    frame, turned = ordering.oldest_first(frame)
    if turned:
        counts["rows newest first"] = turned
    if form.timezone and not clock.local:
        raise DataError(
            f"{rows.path}: times have a UTC offset or are in seconds", "remove --timezone"
        )
    if form.timezone:
        frame, repeated = to_utc(rows, frame, form.timezone)
        if repeated:
            counts["readings in a repeated hour"] = repeated
    return frame, form
