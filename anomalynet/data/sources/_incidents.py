"""From labels to incidents, the same way for every source that gives labels only."""

from __future__ import annotations

import polars as pl

from anomalynet.data.telemetry import Incident

LEADING = ("series", "time", "label", "incident", "kind")


def number_incidents(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[int, Incident]]:
    """Number each unbroken stretch of label 1 within a series; where a stretch has several kinds,
    each is an incident.

    Args:
        frame: sorted by (series, time), with the columns series, time, label and kind.

    Returns:
        the frame in canonical column order with the column `incident` (Int32, null outside), and
        the table number → incident.
    """
    attack = (pl.col("label") == 1).fill_null(False)
    begins = attack & (
        ~attack.shift(1, fill_value=False) | pl.col("series").ne_missing(pl.col("series").shift(1))
    )
    marked = frame.drop("incident", strict=False).with_columns(
        stretch=pl.when(attack).then(begins.cum_sum())
    )
    found = (
        marked.filter(attack)
        .select("stretch", "kind")
        .unique(maintain_order=True)
        .with_columns(incident=pl.int_range(pl.len(), dtype=pl.Int32))
    )
    numbered = marked.join(
        found, on=["stretch", "kind"], how="left", nulls_equal=True, maintain_order="left"
    )
    incidents = {
        number: Incident(type=kind) for number, kind in found.select("incident", "kind").rows()
    }
    return numbered.select(*LEADING, pl.exclude(*LEADING, "stretch")), incidents
