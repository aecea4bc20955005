"""What a window shows: a node alone, or with its neighbours (§3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import polars as pl

from anomalynet.data.telemetry import Channel, Telemetry
from anomalynet.errors import DataError

View = Literal["node", "neighbours", "cell"]


def widen(
    telemetry: Telemetry, view: View, neighbours: int, sensors: Sequence[Channel], name: str
) -> Telemetry:
    """Add the channels of other nodes of the cell at the same time: `temperature.1` is the nearest
    node's.

    A node with fewer neighbours than others has nulls in the channels of those that it lacks.

    Args:
        view: `node` adds nothing, `neighbours` the nearest ones, `cell` all.
        neighbours: how many the view `neighbours` adds.
        sensors: the channels to add; what is known of a link is no sensor.
        name: of the data, for the message.

    Returns: telemetry whose parts are joined one at a time, when they are asked for: memory holds
    one part, a radio cell.

    Raises:
        DataError: it is not known which series are neighbours, or no series has so many.
    """
    if view == "node":
        return telemetry
    most = max(map(len, telemetry.neighbours.values()), default=0)
    if most == 0:
        raise DataError(
            f"data.view={view}: it is not known which series of {name} are neighbours",
            "use data.view=node",
        )
    if view == "neighbours" and neighbours > most:
        raise DataError(
            f"data.neighbours={neighbours}: no node of {name} has more than {most} others in its "
            "cell",
            f"data.neighbours={most}",
        )
    count = most if view == "cell" else neighbours
    added = [
        replace(channel, name=f"{channel.name}.{rank + 1}")
        for rank in range(count)
        for channel in sensors
    ]
    names = [channel.name for channel in sensors]
    parts = telemetry.parts or (telemetry.frame,)
    schema = {
        **telemetry.frame.collect_schema(),
        **{channel.name: pl.Float32() for channel in added},
    }
    wide = tuple(
        pl.defer(partial(_joined, part, telemetry.neighbours, count, names), schema=schema)
        for part in parts
    )
    return replace(
        telemetry, frame=pl.concat(wide), parts=wide, channels=(*telemetry.channels, *added)
    )


def _joined(
    part: pl.LazyFrame, neighbours: Mapping[str, tuple[str, ...]], count: int, sensors: list[str]
) -> pl.DataFrame:
    frame = part.collect()
    others = frame.select(pl.col("series").alias("other"), "time", *sensors)
    for rank in range(count):
        ranked = {series: near[rank] for series, near in neighbours.items() if len(near) > rank}
        other = (
            pl.col("series")
            .replace_strict(ranked, default=None, return_dtype=pl.String)
            .alias("other")
        )
        renamed = others.rename({name: f"{name}.{rank + 1}" for name in sensors})
        frame = (
            frame.with_columns(other)
            .join(renamed, on=["other", "time"], how="left", maintain_order="left")
            .drop("other")
        )
    return frame
