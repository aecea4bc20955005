"""Order in time, repeated times, and the step between readings."""

from __future__ import annotations

import polars as pl

from anomalynet.data.importing.request import ImportRequest
from anomalynet.data.importing.rows import ROW, Rows
from anomalynet.errors import DataError

REGULAR_SHARE = 0.5
REGULAR_WIDTH = 0.1
"""A set has a period if at least this share of its steps lies within this fraction of the median
step."""


def order(
    rows: Rows, keys: pl.DataFrame, request: ImportRequest
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Sort keys by (series, time), stably, and thin out repeated times; `mean` gives them one label
    here, their mean later.

    Args:
        rows: for the places of what is refused.
        keys: row, position (in the file), series, time, label in file order.
        request: `unsorted` and `duplicates`.

    Raises:
        DataError: times go back or repeat, and the option that permits it was not given.
    """
    counts: dict[str, int] = {}
    step = pl.col("time").diff().over("series")
    back = keys.filter(step < pl.duration())
    if back.height and request.unsorted == "refuse":
        where, what = rows.where(back[ROW][0]), _whose(back, 0)
        raise DataError(
            f"{where}: time goes back to {back['time'][0]}{what} ({back.height:,} in all)",
            "--unsorted sort puts rows in order; --timezone ZONE if clocks were set back in autumn",
        )
    if back.height:
        counts["rows out of order"] = back.height
    keys = keys.sort("series", "time", maintain_order=True)
    again = (pl.col("time") == pl.col("time").shift(1)) & (
        pl.col("series") == pl.col("series").shift(1)
    )
    repeated = keys.filter(again)
    if not repeated.height:
        return keys, counts
    if request.duplicates == "refuse":
        raise DataError(
            f"{rows.where(repeated[ROW][0])}: time {repeated['time'][0]} stands "
            f"twice{_whose(repeated, 0)} ({repeated.height:,} in all)",
            "--duplicates first, last, mean or keep; --series COLUMN if the table holds several "
            "recordings",
        )
    counts["repeated times"] = repeated.height
    contradictory = (
        keys.group_by("series", "time")
        .agg(pl.col("label").drop_nulls().n_unique() > 1)["label"]
        .sum()
    )
    if contradictory:
        counts["repeated times with contradicting labels"] = int(contradictory)
    if request.duplicates == "first":
        keys = keys.unique(["series", "time"], keep="first", maintain_order=True)
    elif request.duplicates == "last":
        keys = keys.unique(["series", "time"], keep="last", maintain_order=True)
    elif request.duplicates == "mean":
        whole = (
            pl.col("label").max(),
            pl.col("kind").drop_nulls().first(),
            pl.col("split").drop_nulls().first(),
        )
        keys = keys.with_columns(column.over("series", "time") for column in whole)
    return keys, counts


def _whose(keys: pl.DataFrame, index: int) -> str:
    return (
        f" in series {keys['series'][index]!r}"
        if keys["series"].n_unique() > 1 or keys["series"][index]
        else ""
    )


def period(keys: pl.DataFrame) -> float | None:
    """Return the median step in seconds where steps are regular, else None. `keys` is sorted by
    (series, time)."""
    steps = keys.select(
        step=pl.col("time").diff().over("series").dt.total_microseconds() / 1e6
    ).filter(pl.col("step") > 0)["step"]
    median = steps.median()
    if not isinstance(median, float) or not median:
        return None
    regular = ((steps - median).abs() <= REGULAR_WIDTH * median).sum()
    return median if regular >= REGULAR_SHARE * len(steps) else None
