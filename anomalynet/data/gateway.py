"""Telemetry of a radio cell from its gateway's log: every node and slot is a row, and silence is
missing (§3.1.4)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from anomalynet.config.schema import QualityConfig
from anomalynet.data.log import epoch, microseconds, read_log
from anomalynet.data.telemetry import Channel
from anomalynet.simulation.scenario import SENSORS, Scenario, slots
from anomalynet.simulation.sensors import RANGES

SENSOR_CHANNELS = tuple(
    Channel(*named, *limits) for named, limits in zip(SENSORS, RANGES.tolist(), strict=True)
)
LINK_CHANNELS = (
    Channel("rssi", "dBm"),
    Channel("snr", "dB"),
    Channel("sequence_gap", "1"),
    Channel("inter_arrival", "s"),
    Channel("retries", "1"),
)
"""Of the last frame of a slot with a good FCS: `sequence_gap` is 0 where its number follows that of
the last frame of the slot in which the node was heard before, and `inter_arrival` is the time since
then."""


def telemetry_of_cell(
    frames: Path,
    nodes: pl.DataFrame,
    incidents: pl.DataFrame,
    scenario: Scenario,
    quality: QualityConfig | None = None,
    *,
    link: bool = True,
) -> pl.DataFrame:
    """Make the canonical telemetry of one radio cell: every node and slot is a row, heard or not.

    A row holds the last accepted reading that arrived in its slot. Its incident is the one that
    covers the slot's middle on that node, whatever the cause; its label is 1 in an attack, else 0.

    Args:
        frames: the cell's gateway log, Parquet.
        nodes: the cell's nodes; `node` is read.
        incidents: the world's incidents, or the cell's.
        scenario: gives start, frame period and number of slots.
        quality: `checksum`, `deduplicate` and `reorder` count here; the defaults without it.
        link: whether to add `LINK_CHANNELS`.

    Returns: sorted by (series, time), the columns of `telemetry.py`, sensors and link channels
    Float32. Source: §3.1.4; memory and order are not in the paper
    """
    names = sorted(nodes["node"].to_list())
    log = read_log(frames, names, scenario, quality or QualityConfig())
    count, period = slots(scenario), microseconds(scenario)
    size = len(names) * count
    found = pl.DataFrame(
        {
            "series": pl.Series(np.repeat(np.arange(len(names)), count)).replace_strict(
                range(len(names)), names, return_dtype=pl.String
            ),
            "time": pl.Series(
                np.tile(epoch(scenario) + np.arange(count) * period, len(names))
            ).cast(pl.Datetime("us")),
            **_incident_columns(incidents, names, scenario, size),
        }
    )
    columns = _laid(log.kept, [name for name, _ in SENSORS], count, size)
    if link:
        columns += _laid(log.heard, [channel.name for channel in LINK_CHANNELS], count, size)
    return found.with_columns(columns)


def _laid(frames: pl.DataFrame, names: list[str], count: int, size: int) -> list[pl.Series]:
    """Columns over all (node, slot): the last frame of a slot wins, null where there is none."""
    row = (frames["node_row"] * count + frames["slot"]).to_numpy()
    found = []
    for name in names:
        column = np.full(size, np.nan, np.float32)
        column[row] = frames[name].cast(pl.Float32).to_numpy()
        found.append(pl.Series(name, column).fill_nan(None))
    return found


def _incident_columns(
    incidents: pl.DataFrame, names: list[str], scenario: Scenario, size: int
) -> dict[str, pl.Series]:
    """Label, incident and kind of every (node, slot)."""
    count, period = slots(scenario), microseconds(scenario)
    begin = epoch(scenario)
    places = {name: place for place, name in enumerate(names)}
    number, attack = np.full(size, -1, np.int32), np.zeros(size, np.int8)
    for one in incidents.with_columns(pl.col("start", "end").to_physical()).iter_rows(named=True):
        first, last = (
            _slot_after_middle(one[edge] - begin, period, count) for edge in ("start", "end")
        )
        for node in one["nodes"]:
            if node in places:
                rows = slice(places[node] * count + first, places[node] * count + last)
                number[rows], attack[rows] = one["id"], one["cause"] == "attack"
    types = dict(incidents.select("id", "type").rows())
    column = pl.Series(number).replace(-1, None)
    kind = column.replace_strict(types, default=None, return_dtype=pl.String)
    return {"label": pl.Series(attack), "incident": column, "kind": kind}


def _slot_after_middle(time: int, period: int, count: int) -> int:
    """The first slot whose middle is not before a time, both in µs."""
    return min(max(-((period - 2 * time) // (2 * period)), 0), count)
