"""From labels to incidents, the same way for every source that gives labels only."""

from __future__ import annotations

import polars as pl

from anomalynet.data.telemetry import Incident


def number_incidents(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[int, Incident]]:
    """Number each unbroken stretch of label 1 within a series; a change of `kind` begins a new one.

    Args:
        frame: sorted by (series, time), with the columns series, time, label and kind.

    Returns:
        the frame in canonical column order with the column `incident` (Int32, null outside), and the table number → incident.
    """
    attack = (pl.col("label") == 1).fill_null(False)
    begins = attack & pl.any_horizontal(
        ~attack.shift(1, fill_value=False),
        pl.col("series").ne_missing(pl.col("series").shift(1)),
        pl.col("kind").ne_missing(pl.col("kind").shift(1)),
    )
    number = begins.cast(pl.Int32).cum_sum() - 1
    numbered = frame.with_columns(incident=pl.when(attack).then(number).otherwise(None).cast(pl.Int32))
    kinds = numbered.filter(begins).select("incident", "kind").rows()
    leading = ("series", "time", "label", "incident", "kind")
    return numbered.select(*leading, pl.exclude(leading)), {number: Incident(type=kind) for number, kind in kinds}
