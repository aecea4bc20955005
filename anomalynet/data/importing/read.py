"""Reads tables of readings by their format: for an import, and for `detect`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import polars as pl

from anomalynet.data.importing import cells, ordering, values
from anomalynet.data.importing.format import TableFormat
from anomalynet.data.importing.request import LABEL_NAMES, Roles, assign
from anomalynet.data.importing.rows import ROW, Rows, header, open_rows
from anomalynet.data.importing.times import Clock, check_local, check_zone, read_clock, to_utc
from anomalynet.data.telemetry import LEADING
from anomalynet.errors import DataError, first_line

POSITION = "position"
MOST_REPEATED = 0.1  # share of rows with the time of another, above which it is a warning
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
    local: bool | None  # whether times have no offset; None without times

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
    labels: Path | None = None,
    words: Mapping[str, str] = cells.SWITCH,
) -> Table:
    """Read tables of the same columns.

    Args:
        form: what is known of their format; the rest is detected, over all rows.
        staging: an empty folder, which the result needs.
        units: of the sensors, by column.
        name: of the series, where the tables are one recording; without it, that of the file.
        labels: a file of labels: one column with a row per row of the tables, or a table with the
            same columns of time and series. `form.label` is its column then.
        words: of sensors → the digit that they stand for.

    Raises DataError: anything invalid, with file and line.
    """
    with _reported(paths, staging):
        if form.timezone:
            check_zone(form.timezone)
        if form.period is not None and not 1e-6 <= form.period < 1e9:
            raise DataError(
                f"--period must be from 1e-6 to 1e9, got {form.period:g}",
                "give --period in seconds",
            )
        rows = open_rows(paths, form, staging)
        roles = assign(rows, replace(form, label=None) if labels else form, units)
        sensors, found, counts, warnings = values.read_sensors(rows, roles.channels, form, words)
        given, form = form, replace(found, separator=rows.separator)
        if rows.path.suffix.lower() == ".npy" and (height := rows.count()) < len(rows.names):
            shape = f"{len(rows.names):,} columns, but {height:,} rows"
            warnings.append(f"{rows.path}: {shape}: transpose it if its rows are the sensors")
        name = name or paths[0].stem
        keys, form, clock = _keys(rows, roles, form, name, counts)
        local = None if clock is None else clock.local
        if local is False:
            form = replace(form, timezone=None)
        if labels:
            inner = staging / "labels"
            inner.mkdir()
            keys = _add_labels(keys, labels, given, inner, name, counts, local)
            form = replace(form, label=None)
        height = keys.height
        keys, changed = ordering.order(rows, keys, form)
        counts |= changed
        if form.duplicates in ("first", "last", "mean"):
            left = keys.select("series", "time").n_unique()
            if left < (1 - MOST_REPEATED) * height:
                warnings.append(
                    f"--duplicates {form.duplicates} leaves {left:,} of {height:,} rows: give "
                    "--series COLUMN or --series-from-name if there are several recordings"
                )
        file = staging / "readings.parquet"
        readings = [sensors[index].alias(channel.name) for index, channel in roles.channels.items()]
        rows.frame.select(readings).sink_parquet(file, maintain_order=True, compression="lz4")
        missing = pl.scan_parquet(file, glob=False).select(pl.sum_horizontal(pl.all().null_count()))
        if total := missing.collect(engine="streaming").item():
            counts["missing readings"] = total
        channels = tuple(channel.name for channel in roles.channels.values())
        columns = form.columns or (() if form.header else rows.names)
        form = replace(form, channels=channels, ignore=(), columns=columns)
        lazy = pl.scan_parquet(file, glob=False)
        return Table(rows, roles, form, keys, lazy, counts, warnings, local)


@contextmanager
def _reported(paths: Sequence[Path], staging: Path) -> Iterator[None]:
    """Report what Polars says of a damaged file, or of a disk that is full."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        why = (isinstance(error, OSError) and error.strerror) or first_line(error)
        if isinstance(error, OSError) or "os error" in why:
            what = f"{staging}: cannot be written: {why}"
            raise DataError(what, "free some space there") from error
        what = f"{', '.join(map(str, paths))}: cannot be read: {why}"
        raise DataError(what, "is the file whole? write it again") from error


def _keys(
    rows: Rows, roles: Roles, form: TableFormat, name: str, counts: dict[str, int]
) -> tuple[pl.DataFrame, TableFormat, Clock | None]:
    """Row, position and the columns `KEYS` with times in UTC, each series from its oldest row to
    its newest; the format with that of the times; and the times as they are in the file."""
    none = pl.lit(None, pl.String)
    label, labelled = pl.lit(None, pl.Int8), (roles.kind if roles.label is None else roles.label)
    if labelled is not None:
        label = values.label(rows, labelled, form, kind=roles.label is None)
    clock = None
    if roles.time:
        clock = read_clock(rows, roles.time, form.time_format, alone=roles.series is None)
        form = replace(form, time_format=clock.format)
    series = pl.lit(name) if roles.series is None else rows.text(roles.series)
    kind = none if roles.kind is None else rows.text(roles.kind, (*cells.NULLS, *form.null))
    split = none if roles.split is None else values.split(rows, roles.split)
    keys = rows.frame.select(ROW, series=series, label=label, kind=kind, split=split)
    ordered = keys.collect(engine="streaming").sort(ROW)
    frame = ordered.with_columns(pl.int_range(pl.len()).alias(POSITION))
    for row in frame.filter(pl.col("series").is_null())[ROW].head(1):
        what = f"{rows.where(row)}: series column {form.series!r} is empty"
        raise DataError(what, "fill in the series")
    for column in ("series", "kind"):
        names = frame.group_by(column).agg(pl.col(ROW).min()).drop_nulls(column).sort(ROW)
        for each, row in names.iter_rows():
            cells.check_name(each, f"{rows.where(row)}: {column}")
    if clock is None:
        step = round((form.period or 1.0) * 1e6)
        nth = pl.int_range(pl.len()).over("series")
        return frame.with_columns(time=(nth * step).cast(pl.Datetime("us"))), form, None
    frame = frame.hstack(clock.time.select("time"))
    frame, turned = ordering.oldest_first(frame)
    if turned:
        counts["rows newest first"] = turned
    if form.timezone and clock.local:
        frame, repeated = to_utc(rows, frame, form.timezone)
        counts |= repeated
    return frame, form, clock


def _add_labels(
    keys: pl.DataFrame,
    path: Path,
    form: TableFormat,
    staging: Path,
    name: str,
    counts: dict[str, int],
    local: bool | None,
) -> pl.DataFrame:
    """Keys with the labels of a file. `form`: as given for the tables; `name`: of the only series;
    `local`: see `Table`.

    Raises DataError: the file fits the rows neither by number nor by time.
    """
    words = TableFormat(attack=form.attack, normal=form.normal, unlabelled=form.unlabelled)
    alone = replace(words, header=False)
    if len(header(path, alone)) == 1:
        rows = open_rows([path], alone, staging)
        return keys.sort(POSITION).with_columns(label=_label_per_row(rows, words, keys.height))
    rows = open_rows([path], words, staging)
    known = [each for each in rows.names if each.lower() in LABEL_NAMES]
    label = form.label or (known[0] if len(known) == 1 else None)
    if form.time is None or label is None:
        raise DataError(
            f"{path}: {len(rows.names)} columns, of which the labels are unknown",
            "give a file of one column with a label per row, or --time COLUMN and --label COLUMN "
            "that this file has, too",
        )
    same = replace(words, label=label, null=form.null, time=form.time, series=form.series)
    same = replace(same, time_format=form.time_format, timezone=form.timezone)
    labels, _, clock = _keys(rows, assign(rows, same, has_sensors=False), same, name, {})
    check_local(rows, clock, form.timezone, local)
    key = ["series", "time"]
    label_known = pl.col("label").drop_nulls()
    labels = labels.group_by(key).agg(
        label_known.first(), pl.col(ROW).max(), several=label_known.n_unique() > 1
    )
    for row in labels.filter("several")[ROW].sort().head(1):
        raise DataError(f"{rows.where(row)}: another label for the same time", "remove one of them")
    joined = keys.drop("label").join(labels.drop(ROW), on=key, how="left", maintain_order="left")
    if not joined["label"].count() and labels["label"].count():
        raise DataError(f"{path}: none of its times is in the table", "check zone and series")
    if unused := labels.join(keys, on=key, how="anti").height:
        counts["labels without a reading"] = unused
    return joined.select(keys.columns)


def _label_per_row(rows: Rows, form: TableFormat, height: int) -> pl.Series:
    bounds = rows.frame.select(pl.len(), first=pl.col(ROW).min(), last=pl.col(ROW).max())
    count, first, last = bounds.collect().row(0)
    head = rows.cell(0, first)
    below = replace(rows, frame=rows.frame.filter(pl.col(ROW) > first))
    named = head.strip().lower() in LABEL_NAMES
    named &= head.strip() not in (*form.attack, *form.normal, *form.unlabelled)
    if named and cells.is_label(head, form):  # such as attack: a name above numbers only
        number = pl.col("word").cast(pl.Float64, strict=False)
        words = below.frame.select(word=below.text(0)).drop_nulls()
        named = words.select(number.is_not_null().all() & (pl.len() > 0)).collect().item()
    if named or (count == height + 1 and not cells.is_label(head, form)):
        rows, count = below, count - 1
    if count != height:
        under = " below the header" if rows is below else ""
        raise DataError(
            f"{rows.where(last)}: {count:,} labels{under} end here, the table has {height:,} rows",
            "give as many labels as the table has rows, or a table with times",
        )
    label = values.label(rows, 0, form)
    return rows.frame.select(ROW, label=label).collect().sort(ROW)["label"]


def canonical(table: Table, keys: pl.DataFrame) -> pl.LazyFrame:
    """The canonical table, with the mean of readings with the same time if its format says so.
    `keys`: those of the table in any order, with the column `incident`."""
    split = ["split"] if table.roles.split is not None else []
    frame = table.frame(keys.select(POSITION, *LEADING, *split))
    if table.form.duplicates != "mean":
        return frame
    channels = table.form.channels
    whole = frame.collect()
    sets = whole.group_by("series", "time", maintain_order=True)
    means = sets.agg(pl.col(*channels).mean()).select(*channels)
    return once(whole.drop(channels)).hstack(means).lazy()


def once(keys: pl.DataFrame) -> pl.DataFrame:
    """The first row of each series and time."""
    return keys.unique(["series", "time"], keep="first", maintain_order=True)
