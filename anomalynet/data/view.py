"""What is learned and what a window shows: which incidents are the positive class (§3.1.6), and a
node alone or with its neighbours (§3.2). Both are choices of the experiment, not of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import polars as pl

from anomalynet.data.telemetry import Channel, Telemetry
from anomalynet.errors import DataError

CAUSES = ("attack", "fault", "environment")


def relabel(
    telemetry: Telemetry, policy: Literal["attack", "any", "fault", "environment"], name: str
) -> Telemetry:
    """Label rows by the cause of their incident; the columns `incident` and `kind` stay as they
    are.

    `attack`: 1 in an incident whose cause is attack, 0 in one of another cause; where the cause is
    unknown, the source's label stands. `any`: 1 in every incident and where the source says so.
    `fault`, `environment`: 1 in an incident of that cause, 0 in one of another; what the source
    calls an attack without a cause is unlabelled, for it may be of any. `name`: of the data, for
    the message.
    Raises DataError: no incident has the cause."""
    causes = {
        number: one.cause.lower()
        for number, one in telemetry.incidents.items()
        if one.cause and one.cause.lower() in CAUSES
    }
    if policy in ("fault", "environment") and policy not in causes.values():
        known = sorted(set(causes.values()))
        hint = "its causes are not known: data.label=attack"
        if known:
            hint = f"it has {', '.join(known)}: data.label={known[0]}, or data.label=any"
        raise DataError(f"data.label={policy}: no incident of {name} has the cause {policy}", hint)
    label, incident = pl.col("label"), pl.col("incident")
    if policy == "any":
        chosen = pl.when(incident.is_not_null()).then(1).otherwise(label)
    elif not causes:
        return telemetry
    else:
        cause = incident.replace_strict(causes, default=None, return_dtype=pl.String)
        other = label if policy == "attack" else pl.when(label == 0).then(0)
        chosen = pl.when(cause.is_not_null()).then(cause == policy).otherwise(other)
    expression = chosen.cast(pl.Int8).alias("label")
    parts = tuple(part.with_columns(expression) for part in telemetry.parts)
    return replace(telemetry, frame=telemetry.frame.with_columns(expression), parts=parts)


def without(telemetry: Telemetry, names: str | None, name: str) -> Telemetry:
    """Leave out the channels of `names`, separated by spaces. `name`: of the data, for the message.
    Raises DataError: no such channel, or none is left."""
    dropped = (names or "").split()
    known = [channel.name for channel in telemetry.channels]
    if unknown := [one for one in dropped if one not in known]:
        what = f"data.without: {name} has no channel {unknown[0]!r}"
        raise DataError(what, f"its channels are {', '.join(known)}")
    kept = tuple(channel for channel in telemetry.channels if channel.name not in dropped)
    if not kept:
        raise DataError(f"data.without leaves no channel of {name}", "name fewer channels")
    parts = tuple(part.drop(dropped) for part in telemetry.parts)
    return replace(telemetry, frame=telemetry.frame.drop(dropped), parts=parts, channels=kept)


def widen(
    telemetry: Telemetry,
    view: Literal["node", "neighbours", "cell"],
    neighbours: int,
    sensors: Sequence[Channel],
    name: str,
) -> Telemetry:
    """Add the channels of other nodes of the cell at the same time: `temperature.1` is the nearest
    node's.

    A node with fewer neighbours than others has nulls in the channels of those that it lacks.

    Args:
        view: `node` adds nothing, `neighbours` the nearest ones, `cell` all.
        neighbours: how many the view `neighbours` adds.
        sensors: the channels to add, where the data has them; what is known of a link is no sensor.
        name: of the data, for the message.
    Returns: telemetry whose parts are joined one at a time, when they are asked for: memory holds
    one part, a radio cell.
    Raises DataError: it is not known which series are neighbours, or no series has so many.
    """
    if view == "node":
        return telemetry
    most = max(map(len, telemetry.neighbours.values()), default=0)
    if most == 0:
        what = f"data.view={view}: it is not known which series of {name} are neighbours"
        raise DataError(what, "use data.view=node")
    if view == "neighbours" and neighbours > most:
        raise DataError(
            f"data.neighbours={neighbours}: no node of {name} has more than {most} others in its "
            "cell",
            f"data.neighbours={most}",
        )
    known = {channel.name for channel in telemetry.channels}
    sensors = [channel for channel in sensors if channel.name in known]
    count = most if view == "cell" else neighbours
    added = [
        replace(channel, name=f"{channel.name}.{rank + 1}")
        for rank in range(count)
        for channel in sensors
    ]
    names = [channel.name for channel in sensors]
    parts = telemetry.parts or (telemetry.frame,)
    schema = dict(telemetry.frame.collect_schema())
    schema |= {one.name: schema[one.name.rpartition(".")[0]] for one in added}
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
        other = pl.col("series").replace_strict(ranked, default=None, return_dtype=pl.String)
        renamed = others.rename({name: f"{name}.{rank + 1}" for name in sensors})
        frame = frame.with_columns(other=other).join(
            renamed, on=["other", "time"], how="left", maintain_order="left"
        )
        frame = frame.drop("other")
    return frame
