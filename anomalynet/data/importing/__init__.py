"""From any table to the canonical one: `import_table` checks everything first, then writes
everything, or nothing."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from anomalynet.data.importing import ordering, store, values
from anomalynet.data.importing.intervals import Intervals, mark, read_intervals
from anomalynet.data.importing.request import ImportReport, ImportRequest
from anomalynet.data.importing.roles import Roles, assign
from anomalynet.data.importing.rows import ROW, Rows, open_rows
from anomalynet.data.importing.times import check_zone, read_clock, to_utc
from anomalynet.data.sources import _fingerprint
from anomalynet.data.sources._incidents import LEADING, number_incidents
from anomalynet.data.telemetry import Incident
from anomalynet.errors import DataError

POSITION = "position"


def import_table(request: ImportRequest) -> ImportReport:
    """Read a CSV, TSV or Parquet file of any size into the data folder as `data.name=<name>`.

    Columns are laid down one after the other, so that memory holds keys (series, time, label),
    never all readings, unless rows must be reordered.

    Raises:
        DataError: anything that cannot be understood, with file and line; nothing is written then.
    """
    folder = store.target(request.name, request.replace)
    if request.timezone:
        check_zone(request.timezone)
    if request.period is not None and not request.period > 0:
        raise DataError(
            f"the period is {request.period:g} s", "--period takes seconds, more than 0"
        )
    with store.staging(folder) as temporary:
        rows = open_rows(request.file, request.separator, temporary)
        roles = assign(rows, request)
        sensors, counts, warnings = values.read_sensors(
            rows, roles.channels, (*values.NULLS, *request.null)
        )
        keys = _keys(rows, roles, request, counts)
        keys, changed = ordering.order(rows, keys, request)
        counts |= changed
        keys, incidents = _incidents(keys, request, temporary, counts, warnings)
        frame = _lay_out(rows, roles, sensors, keys, request, temporary)
        if request.duplicates == "mean":
            keys = _once(keys)
        period = request.period or (ordering.period(keys) if request.time else 1.0)
        labelled = keys["label"].count()
        counts = {"rows": keys.height, **counts}
        if labelled and keys["label"].n_unique() == 1:
            warnings.append(
                f"every row is labelled {'attack' if keys['label'][0] else 'normal'}: nothing "
                "can be scored on one class"
            )
        elif labelled < keys.height:
            counts["unlabelled rows"] = keys.height - labelled
        channels = list(roles.channels.values())
        digest = _fingerprint.of_file(request.file)
        description = store.describe(
            name=request.name,
            file=request.file,
            digest=digest,
            channels=channels,
            period=period,
            incidents=incidents,
            counts=counts,
            warnings=warnings,
        )
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
    """Return row, position, series, time (UTC), label, kind and split, in file order."""
    words = values.Words((*values.NULLS, *request.null), (*values.UNLABELLED, *request.unlabelled))
    label: pl.Expr = pl.lit(None, pl.Int8)
    if roles.label is not None:
        label = values.label(rows, roles.label, words)
    elif roles.kind is not None:
        label = values.label_from_kind(rows, roles.kind, words)
    clock = (
        read_clock(rows, roles.time, alone=roles.series is None) if roles.time is not None else None
    )
    none = pl.lit(None, pl.String)
    keys = rows.frame.select(
        ROW,
        pl.lit(request.name).alias("series")
        if roles.series is None
        else values.text(rows, roles.series).alias("series"),
        (pl.lit(None, pl.Datetime("us")) if clock is None else clock.time).alias("time"),
        label.alias("label"),
        (none if roles.kind is None else values.text(rows, roles.kind, words.null)).alias("kind"),
        (none if roles.split is None else values.split(rows, roles.split)).alias("split"),
    )
    frame = (
        keys.collect(engine="streaming")
        .sort(ROW)
        .with_columns(pl.int_range(pl.len()).alias(POSITION))
    )
    if frame["series"].null_count():
        raise DataError(
            f"{rows.where(frame.filter(pl.col('series').is_null())[ROW][0])}: series "
            f"{request.series!r} is empty",
            "name the series",
        )
    if clock is None:
        step = round((request.period or 1.0) * 1e6)
        return frame.with_columns(
            time=(pl.int_range(pl.len()).over("series") * step).cast(pl.Datetime("us"))
        )
    if request.timezone and not clock.local:
        raise DataError(
            f"{rows.path}: times carry their own offset or are seconds", "leave --timezone out"
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
    """Number incidents: the annotators' first, then each stretch of label 1 outside them."""
    given = Intervals(pl.DataFrame(), {})
    keys = keys.with_columns(incident=pl.lit(None, pl.Int32))
    if request.incidents:
        inner = temporary / "incidents"
        inner.mkdir()
        given = read_intervals(
            request.incidents, keys["series"].unique().to_list(), request.timezone, inner
        )
        keys = mark(keys, given)
        inside = pl.col("incident").is_not_null()
        denied = keys.filter(inside & (pl.col("label") == 0)).height
        if denied:
            counts["rows labelled normal inside an incident"] = denied
        outside = pl.col("label") if request.label or request.kind else pl.lit(0, pl.Int8)
        keys = keys.with_columns(label=pl.when(inside).then(pl.lit(1, pl.Int8)).otherwise(outside))
        empty = sorted(set(given.incidents) - set(keys["incident"].drop_nulls().unique()))
        if empty:
            warnings.append(f"{len(empty)} of {len(given.incidents)} incidents hold no reading")
    keys = keys.with_columns(kind=pl.when(pl.col("label") == 1).then("kind"))
    free = keys.with_columns(label=pl.when(pl.col("incident").is_null()).then("label"))
    numbered, found = number_incidents(free)
    shift = len(given.incidents)
    keys = keys.with_columns(incident=pl.coalesce("incident", numbered["incident"] + shift))
    return keys, {
        **given.incidents,
        **{number + shift: incident for number, incident in found.items()},
    }


def _lay_out(
    rows: Rows,
    roles: Roles,
    sensors: dict[int, pl.Expr],
    keys: pl.DataFrame,
    request: ImportRequest,
    temporary: Path,
) -> pl.LazyFrame:
    """Return the canonical table; readings stay on disk where their order does."""
    readings = temporary / "readings.parquet"
    columns = [
        sensors[index].cast(pl.Float32).alias(channel.name)
        for index, channel in roles.channels.items()
    ]
    rows.frame.select(columns).sink_parquet(readings, maintain_order=True, compression="lz4")
    names = [channel.name for channel in roles.channels.values()]
    split = ["split"] if roles.split is not None else []
    leading = keys.select(*LEADING, *split)
    if (
        keys.height == rows.frame.select(pl.len()).collect().item()
        and keys[POSITION].is_sorted()
        and request.duplicates != "mean"
    ):
        return pl.concat([leading.lazy(), pl.scan_parquet(readings)], how="horizontal")
    frame = leading.hstack(pl.read_parquet(readings)[keys[POSITION]])
    if request.duplicates == "mean":
        means = frame.group_by("series", "time", maintain_order=True).agg(pl.col(*names).mean())
        frame = _once(leading).hstack(means.select(names))
    return frame.lazy()


def _once(keys: pl.DataFrame) -> pl.DataFrame:
    return keys.unique(["series", "time"], keep="first", maintain_order=True)
