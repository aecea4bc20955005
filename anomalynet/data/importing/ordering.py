"""Sorts rows by time, handles duplicate timestamps, and finds the period of readings."""

from __future__ import annotations

from typing import Literal

import polars as pl

from anomalynet.data.importing.format import TableFormat
from anomalynet.data.importing.rows import ROW, Rows
from anomalynet.errors import DataError

REGULAR_SHARE = 0.5
REGULAR_WIDTH = 0.1
"""A series is regular if at least `REGULAR_SHARE` of its time steps differ from the median step by
at most `REGULAR_WIDTH` of it; a set has a period if such series have this share of all steps."""


def oldest_first(keys: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Turn round the rows of each series whose times mostly fall, as loggers write that put the
    newest row on top. `keys`: series and time in file order.

    Returns: the keys, and how many rows were turned round."""
    step = pl.col("time").diff().over("series")
    falls, rises = (step < pl.duration()).sum(), (step > pl.duration()).sum()
    falling = falls.over("series") > 3 * rises.over("series")  # a clock set back is one rise
    marked = keys.with_columns(falling=falling)
    if not (count := int(marked["falling"].sum())):
        return keys, 0
    nth = pl.int_range(pl.len())
    marked = marked.with_columns(order=pl.when("falling").then(-nth).otherwise(nth))
    return marked.sort("order", maintain_order=True).drop("falling", "order"), count


def order(rows: Rows, keys: pl.DataFrame, form: TableFormat) -> tuple[pl.DataFrame, dict[str, int]]:
    """Sort keys by (series, time), stably, and remove duplicate timestamps. With `mean`, only their
    labels are merged here; readings are averaged later.

    Args:
        rows: for line numbers in messages.
        keys: row, position (in the file), series, time, label in file order.
        form: `unsorted` and `duplicates`.

    Raises DataError: times are unsorted or duplicate, and the option that allows it is missing.
    """
    counts: dict[str, int] = {}
    step = pl.col("time").diff().over("series")
    back = keys.filter(step < pl.duration())
    if back.height and form.unsorted == "refuse":
        time = f"{back['time'][0]}{_in_series(back)} ({back.height:,} in all)"
        raise DataError(
            f"{rows.where(back[ROW][0])}: not sorted by time: goes back to {time}",
            rows.recordings(back[ROW][0], form)
            + "sort with --unsorted sort; or give --timezone ZONE if clocks went back in autumn",
        )
    if back.height:
        counts["rows out of order"] = back.height
    keys = keys.sort("series", "time", maintain_order=True)
    key = ("series", "time")
    again = [pl.col(name) == pl.col(name).shift(1) for name in key]
    repeated = keys.filter(*again)
    if not repeated.height:
        return keys, counts
    if form.duplicates == "refuse":
        raise DataError(
            f"{rows.where(repeated[ROW][0])}: duplicate timestamp {repeated['time'][0]}"
            f"{_in_series(repeated)} ({repeated.height:,} in all)",
            rows.recordings(repeated[ROW][0], form)
            + "choose --duplicates first, last, mean or keep; or give --series COLUMN if there are "
            "several recordings",
        )
    counts["repeated times"] = repeated.height
    labels = keys.group_by(key).agg(pl.col("label").drop_nulls().n_unique() > 1)
    if contradictory := int(labels["label"].sum()):
        counts["repeated times with contradicting labels"] = contradictory
    if form.duplicates in ("first", "last"):
        keep: Literal["first", "last"] = "first" if form.duplicates == "first" else "last"
        keys = keys.unique(key, keep=keep, maintain_order=True)
    elif form.duplicates == "mean":
        first = pl.col("kind", "split").drop_nulls().first().over(key)
        keys = keys.with_columns(pl.col("label").max().over(key), first)
    return keys, counts


def _in_series(keys: pl.DataFrame) -> str:
    name = keys["series"][0]
    return f" in series {name!r}" if keys["series"].n_unique() > 1 or name else ""


def long_steps(rows: Rows, keys: pl.DataFrame) -> list[str]:
    """Warn of steps longer than 10 years. `keys` is sorted by (series, time)."""
    far = keys.with_columns(before=pl.col("time").shift(1).over("series"))
    far = far.filter(pl.col("time") - pl.col("before") > pl.duration(days=3653))
    return [
        f"{rows.where(row)}: {time} is more than 10 years after the row before, {before}: remove "
        f"rows of a clock that was not set ({far.height:,} such steps)"
        for row, time, before in far.select(ROW, "time", "before").head(1).rows()
    ]


def period(keys: pl.DataFrame) -> float | None:
    """The median time step in seconds of the longest regular series, if regular series have most of
    the steps, else None. `keys` is sorted by (series, time)."""
    step = (pl.col("time").diff().over("series").dt.total_microseconds() / 1e6).alias("step")
    steps = keys.select("series", step).filter(pl.col("step") > 0)
    median = pl.col("step").median()
    width = (pl.col("step") - median).abs() <= REGULAR_WIDTH * median
    each = steps.group_by("series", maintain_order=True).agg(
        median.alias("period"), count=pl.len(), regular=width.mean() >= REGULAR_SHARE
    )
    regular = each.filter("regular").sort("count", descending=True, maintain_order=True)
    if not regular.height or regular["count"].sum() < REGULAR_SHARE * steps.height:
        return None
    return float(regular["period"][0])
