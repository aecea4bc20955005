"""Imports any table into the canonical form. `import_table` checks everything first, then writes
all files or none."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import polars as pl

from anomalynet.data.importing import ordering, store, values
from anomalynet.data.importing.intervals import mark, read_intervals
from anomalynet.data.importing.request import ImportReport, ImportRequest, Roles, assign
from anomalynet.data.importing.rows import NULLS, ROW, Rows, open_rows
from anomalynet.data.importing.times import check_zone, read_clock, to_utc
from anomalynet.data.sources import digests
from anomalynet.data.sources._reading import LEADING, number_incidents
from anomalynet.data.sources.table import VERSION
from anomalynet.data.telemetry import Incident
from anomalynet.errors import DataError

__all__ = ["ImportReport", "ImportRequest", "import_table"]

POSITION = "position"


def import_table(request: ImportRequest) -> ImportReport:
    """Import a CSV, TSV or Parquet file of any size into the data folder as `data.name=<name>`.

    Memory holds only keys (series, time, label), and all readings only if rows must be reordered.

    Raises DataError: anything invalid, with file and line; nothing is written then.
    """
    folder = store.target(request.name, request.replace)
    if request.timezone:
        check_zone(request.timezone)
    if request.period is not None and not request.period > 0:
        raise DataError(
            f"--period must be positive, got {request.period:g}", "give --period in seconds"
        )
    with store.staging(folder) as temporary:
        rows = open_rows(request.file, request.separator, temporary)
        roles = assign(rows, request)
        null = (*NULLS, *request.null)
        sensors, counts, warnings = values.read_sensors(rows, roles.channels, null)
        keys = _keys(rows, roles, request, counts)
        keys, changed = ordering.order(rows, keys, request)
        counts |= changed
        keys, incidents = _incidents(keys, request, temporary, counts, warnings)
        frame = _canonical(rows, roles, sensors, keys, request, temporary)
        if request.duplicates == "mean":
            keys = _once(keys)
        period = request.period or (ordering.period(keys) if request.time else 1.0)
        labelled = keys["label"].count()
        counts = {"rows": keys.height, **counts}
        if labelled and keys["label"].n_unique() == 1:
            only = "attack" if keys["label"][0] else "normal"
            warnings.append(f"every row is labelled {only}: metrics need both classes")
        elif labelled < keys.height:
            counts["unlabelled rows"] = keys.height - labelled
        channels = list(roles.channels.values())
        # No absolute path and no current time: equal imports give equal sets.
        description = {
            "version": VERSION,
            "name": request.name,
            "file": request.file.name,
            "sha256": digests.of_file(request.file),
            "period": period,
            "channels": [{"name": channel.name, "unit": channel.unit} for channel in channels],
            "incidents": {str(number): asdict(one) for number, one in incidents.items()},
            "counts": counts,
            "warnings": warnings,
        }
        store.write(folder, temporary, frame, description)
    prevalence = keys["label"].mean()
    return ImportReport(
        name=request.name,
        folder=folder,
        series=keys["series"].n_unique(),
        rows=counts["rows"],
        channels=tuple(channel.name for channel in channels),
        period=period,
        prevalence=prevalence if isinstance(prevalence, float) else None,
        incidents=len(incidents),
        counts=counts,
        warnings=tuple(warnings),
    )


def _keys(rows: Rows, roles: Roles, request: ImportRequest, counts: dict[str, int]) -> pl.DataFrame:
    """Row, position, series, time (UTC), label, kind and split, in file order."""
    null = (*NULLS, *request.null)
    unlabelled = (*values.UNLABELLED, *request.unlabelled)
    none = pl.lit(None, pl.String)
    label: pl.Expr = pl.lit(None, pl.Int8)
    if roles.label is not None:
        label = values.label(rows, roles.label, null, unlabelled)
    elif roles.kind is not None:
        label = values.label_from_kind(rows, roles.kind, (*null, *unlabelled))
    clock = None
    if roles.time is not None:
        clock = read_clock(rows, roles.time, alone=roles.series is None)
    series = pl.lit(request.name) if roles.series is None else rows.text(roles.series)
    time = pl.lit(None, pl.Datetime("us")) if clock is None else clock.time
    kind = none if roles.kind is None else rows.text(roles.kind, null)
    split = none if roles.split is None else values.split(rows, roles.split)
    keys = rows.frame.select(ROW, series=series, time=time, label=label, kind=kind, split=split)
    ordered = keys.collect(engine="streaming").sort(ROW)
    frame = ordered.with_columns(pl.int_range(pl.len()).alias(POSITION))
    if frame["series"].null_count():
        where = rows.where(frame.filter(pl.col("series").is_null())[ROW][0])
        raise DataError(f"{where}: series column {request.series!r} is empty", "fill in the series")
    if clock is None:
        step = round((request.period or 1.0) * 1e6)
        nth = pl.int_range(pl.len()).over("series")
        return frame.with_columns(time=(nth * step).cast(pl.Datetime("us")))
    if request.timezone and not clock.local:
        raise DataError(
            f"{rows.path}: times have a UTC offset or are in seconds", "remove --timezone"
        )
    if request.timezone:
        frame, repeated = to_utc(rows, frame, request.timezone)
        if repeated:
            counts["readings in a repeated hour"] = repeated
    return frame


def _incidents(
    keys: pl.DataFrame,
    request: ImportRequest,
    temporary: Path,
    counts: dict[str, int],
    warnings: list[str],
) -> tuple[pl.DataFrame, dict[int, Incident]]:
    """Number incidents: first those of the incidents file, then each run of label 1 outside
    them."""
    given: dict[int, Incident] = {}
    keys = keys.with_columns(incident=pl.lit(None, pl.Int32))
    if request.incidents:
        inner = temporary / "incidents"
        inner.mkdir()
        series = keys["series"].unique().to_list()
        intervals, given = read_intervals(request.incidents, series, request.timezone, inner)
        keys = mark(keys, intervals)
        inside = pl.col("incident").is_not_null()
        denied = keys.filter(inside & (pl.col("label") == 0)).height
        if denied:
            counts["rows labelled normal inside an incident"] = denied
        outside = pl.col("label") if request.label or request.kind else pl.lit(0, pl.Int8)
        keys = keys.with_columns(label=pl.when(inside).then(pl.lit(1, pl.Int8)).otherwise(outside))
        empty = set(given) - set(keys["incident"].drop_nulls().unique())
        if empty:
            warnings.append(f"{len(empty)} of {len(given)} incidents contain no reading")
    keys = keys.with_columns(kind=pl.when(pl.col("label") == 1).then("kind"))
    free = keys.with_columns(label=pl.when(pl.col("incident").is_null()).then("label"))
    numbered, found = number_incidents(free)
    shift = len(given)  # numbers of the file come first and stay as they are
    keys = keys.with_columns(incident=pl.coalesce("incident", numbered["incident"] + shift))
    return keys, given | {number + shift: incident for number, incident in found.items()}


def _canonical(
    rows: Rows,
    roles: Roles,
    sensors: dict[int, pl.Expr],
    keys: pl.DataFrame,
    request: ImportRequest,
    temporary: Path,
) -> pl.LazyFrame:
    """The canonical table; readings stay on disk if their order does not change."""
    readings = temporary / "readings.parquet"
    names = {index: channel.name for index, channel in roles.channels.items()}
    columns = [sensors[index].cast(pl.Float64).alias(name) for index, name in names.items()]
    rows.frame.select(columns).sink_parquet(readings, maintain_order=True, compression="lz4")
    leading = keys.select(*LEADING, *(["split"] if roles.split is not None else []))
    mean = request.duplicates == "mean"
    if not mean and keys[POSITION].is_sorted() and keys.height == rows.count():
        return pl.concat([leading.lazy(), pl.scan_parquet(readings)], how="horizontal")
    frame = leading.hstack(pl.read_parquet(readings)[keys[POSITION]])
    if mean:
        sets = frame.group_by("series", "time", maintain_order=True)
        means = sets.agg(pl.col(*names.values()).mean())
        frame = _once(leading).hstack(means.select(*names.values()))
    return frame.lazy()


def _once(keys: pl.DataFrame) -> pl.DataFrame:
    return keys.unique(["series", "time"], keep="first", maintain_order=True)
