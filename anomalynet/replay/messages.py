"""Telemetry as the messages that its gateways would have sent, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import polars as pl

from anomalynet.data.prepared import CHUNK
from anomalynet.data.telemetry import Telemetry
from anomalynet.replay.rows import ordered


@dataclass(frozen=True, slots=True)
class Sent:
    """One message of a gateway.

    Attributes:
        time: µs since 1970 UTC, the newest of its rows; where nothing was heard there are rows too,
        and the gateway's clock goes on. gateway: who sends it. readings: (device, time in µs,
        channel → value of what was heard).
    """

    time: int
    gateway: str
    readings: tuple[tuple[str, int, Mapping[str, float]], ...]


def gateways(telemetry: Telemetry) -> dict[str, str]:
    """Series → the gateway of its radio cell, where cells are known; cells are numbered in the
    order of the series."""
    numbers: dict[frozenset[str], int] = {}
    cells = {name: frozenset((name, *others)) for name, others in telemetry.neighbours.items()}
    return {name: f"cell-{numbers.setdefault(cell, len(numbers))}" for name, cell in cells.items()}


def messages(
    rows: pl.LazyFrame,
    period: float | None,
    cells: Mapping[str, str],
    default: str,
    scratch: Path,
    *,
    first: int | None = None,
    last: int | None = None,
) -> Iterator[Sent]:
    """One message a gateway and period, or point in time where there is no period.

    A row in which nothing was heard is silence and not sent, except the first of a device, which
    says that the device is there.

    Args:
        rows: of `rows.detector_rows`.
        period: seconds.
        cells: device → gateway; the others belong to `default`.
        scratch: see `rows.ordered`.
        first, last: µs since 1970 UTC, ends included.
    """
    time = pl.col("time").to_physical()
    if first is not None:
        rows = rows.filter(time >= first)
    if last is not None:
        rows = rows.filter(time <= last)
    channels = [
        name
        for name in rows.collect_schema().names()
        if name not in ("device", "time", "label", "incident", "kind")
    ]
    table = rows.select(
        (time if period is None else time // round(period * 1e6)).alias("step"),
        pl.col("device")
        .replace_strict(dict(cells), default=default, return_dtype=pl.String)
        .alias("gateway"),
        time.alias("time"),
        "device",
        # By way of text: the shortest decimal that is this float32, instead of seventeen digits.
        pl.col(channels).cast(pl.String).cast(pl.Float64),
    )
    seen: set[str] = set()
    for (_, gateway), group in groupby(
        _each_row(ordered(table, ["step", "gateway", "time", "device"], scratch)), itemgetter(0, 1)
    ):
        readings, newest = [], 0
        for _, _, newest, device, *values in group:
            heard = {
                name: value
                for name, value in zip(channels, values, strict=True)
                if value is not None
            }
            if heard or device not in seen:
                seen.add(device)
                readings.append((device, newest, heard))
        yield Sent(newest, gateway, tuple(readings))


def _each_row(frame: pl.LazyFrame) -> Iterator[tuple[Any, ...]]:
    for batch in frame.collect_batches(chunk_size=CHUNK, maintain_order=True):
        yield from batch.iter_rows()
