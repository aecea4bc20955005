"""Telemetry of a radio cell from its gateway's log (§3.1.4): bad and repeated frames go, frames
that overtook each other find their order, every node and slot is a row, silence is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from anomalynet.config.schema import QualityConfig
from anomalynet.data.prepared import Int64
from anomalynet.data.telemetry import CELL_SILENT, Channel
from anomalynet.simulation.environment.sensors import RANGES
from anomalynet.simulation.scenario import SENSORS, Scenario, frame_period, slots

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

EVIDENCE_CHANNELS = (
    Channel("frames", "1"),
    Channel("bad_frames", "1"),
    Channel("repeats", "1"),
    Channel("rssi_range", "dB"),
    Channel("transit", "log s"),
    *(Channel(f"{name}_range", unit) for name, unit in SENSORS),
    Channel(CELL_SILENT, "share", 0.0, 1.0),
    *(Channel(f"{name}_difference", unit) for name, unit in SENSORS),
)
"""Of all frames with a good FCS that name the node in a slot: `frames` counts them, `bad_frames`
those with a wrong CRC-32, `repeats` those whose sequence number does not exceed that of the frame
before; `rssi_range` and `<sensor>_range` are largest minus smallest value; `transit` is the longest
time from transmission by the node's clock to arrival, as sign(t)·log(1 + |t|). `cell_silent` is the
share of the cell's nodes without a reading in the slot, and stands in every slot.
`<sensor>_difference` is the reading minus the median of those that the nearest `NEAREST` nodes have
in the slot."""

NEAREST = 4  # nodes that a reading is compared with
MEMORY_FRAMES, MEMORY_SLOTS = 16, 10
"""A frame is taken for a repetition within so many frames of its node, and so many slots of time,
after the last of its number."""

NEAR = 16
"""Sequence numbers further apart are not put in order: the node restarted, or the frame is not its
own."""

GAP, SILENCE = 50, 10
"""Bounds of the link channels: frames (sequence_gap) and slots (inter_arrival)."""

_READ = (
    *("arrival", "node", "sequence", "retries", "sent"),
    *(name for name, _ in SENSORS),
    *("rssi", "snr", "fcs", "checksum"),
)


@dataclass(frozen=True, slots=True)
class Log:
    """A cell's frames after the quality stage."""

    # the last frame of a known node with a good FCS in each slot, with `slot`, `node_row` (the
    # node's index in the cell), the link channels, and the evidence of all frames of the slot
    heard: pl.DataFrame
    kept: pl.DataFrame  # those whose reading counts, in the order in which they count
    counts: Mapping[str, int]  # what was found, whether or not the stage drops it


def microseconds(scenario: Scenario) -> int:
    """The frame period, the length of a slot, in whole microseconds."""
    return round(frame_period(scenario) * 1e6)


def epoch(scenario: Scenario) -> int:
    """The scenario's start in microseconds since 1970-01-01 UTC."""
    return int(np.datetime64(scenario.start, "us").astype(np.int64))


def read_log(frames: Path, names: list[str], scenario: Scenario, quality: QualityConfig) -> Log:
    """Read and clean a cell's gateway log; `names` are the cell's nodes."""
    period = microseconds(scenario)
    raw = pl.read_parquet(frames, columns=list(_READ), glob=False)
    intact = raw.filter("fcs")
    known = intact.filter(pl.col("node").is_in(names))
    slot = (pl.col("arrival").to_physical() - epoch(scenario)).floordiv(period)
    row = pl.col("node").replace_strict(names, range(len(names)), return_dtype=pl.Int64)
    placed = known.with_columns(slot=slot, node_row=row)
    inside = placed.filter(pl.col("slot").is_between(0, slots(scenario) - 1))
    inside = inside.sort("arrival", maintain_order=True)
    repeated = _repeated(inside.filter("checksum") if quality.checksum else inside, period)
    kept = repeated.filter(~pl.col("repeated")) if quality.deduplicate else repeated
    before = pl.col("sequence").shift(1).over("node_row")
    kept = kept.with_columns(behind=_behind(pl.col("sequence"), before))
    late = pl.col("arrival") - pl.col("sent") > pl.duration(microseconds=period)
    expected = len(names) * slots(scenario)
    counts = {
        "frames": raw.height,
        "frames with a wrong FCS": raw.height - intact.height,
        "frames of no node": intact.height - known.height,
        "frames outside the simulated time": known.height - inside.height,
        "frames with a wrong CRC-32": inside.height - int(inside["checksum"].sum()),
        "repeated frames": int(repeated["repeated"].sum()),
        "frames out of order": int(kept["behind"].is_between(-NEAR, -1).sum()),
        "frames later than a slot by the node's clock": kept.filter(late).height,
        "slots expected": expected,
        "slots without a reading": expected - kept.select("node_row", "slot").n_unique(),
    }
    heard = _with_link(inside, period).join(
        _evidence(inside), on=["node_row", "slot"], how="left", maintain_order="left"
    )
    return Log(heard, _ordered(kept) if quality.reorder else kept, counts)


def _behind(number: pl.Expr, before: pl.Expr) -> pl.Expr:
    """How far a sequence number is ahead of another, modulo 2^16 and signed: Int32, -32768 …
    32767."""
    return (number.cast(pl.Int32) - before.cast(pl.Int32) + 98_304) % 65_536 - 32_768


def _with_link(frames: pl.DataFrame, period: int) -> pl.DataFrame:
    """What the last frame of each slot says of its link, against the last frame of the slot in
    which its node was heard before."""
    heard = frames.unique(["node_row", "slot"], keep="last", maintain_order=True)
    before = pl.col("sequence", "arrival").shift(1).over("node_row").name.prefix("last_")
    waited = (pl.col("arrival") - pl.col("last_arrival")).dt.total_microseconds() / 1e6
    ahead = _behind(pl.col("sequence"), pl.col("last_sequence")) - 1
    return heard.with_columns(before).with_columns(
        sequence_gap=ahead.clip(-GAP, GAP).cast(pl.Float32),
        inter_arrival=waited.clip(upper_bound=SILENCE * period / 1e6).cast(pl.Float32),
        retries=pl.col("retries").cast(pl.Float32),
    )


def _evidence(frames: pl.DataFrame) -> pl.DataFrame:
    """One row per (node, slot) with frames: the channels of `EVIDENCE_CHANNELS` that these frames
    determine."""
    before = pl.col("sequence").shift(1).over("node_row")
    transit = (pl.col("arrival") - pl.col("sent")).dt.total_microseconds() / 1e6
    ranges = {
        f"{name}_range": (pl.col(name).max() - pl.col(name).min()).cast(pl.Float32)
        for name in ("rssi", *(name for name, _ in SENSORS))
    }
    return (
        frames.with_columns(behind=_behind(pl.col("sequence"), before), transit=transit)
        .group_by("node_row", "slot", maintain_order=True)
        .agg(
            frames=pl.len().cast(pl.Float32),
            bad_frames=(~pl.col("checksum")).sum().cast(pl.Float32),
            repeats=(pl.col("behind") <= 0).sum().cast(pl.Float32),
            transit=pl.col("transit").max(),
            **ranges,
        )
        .with_columns(
            transit=(pl.col("transit").sign() * pl.col("transit").abs().log1p()).cast(pl.Float32)
        )
    )


def _repeated(frames: pl.DataFrame, period: int) -> pl.DataFrame:
    """Mark the frames whose (node, sequence) was met within the memory; each repetition refreshes
    it."""
    place = pl.int_range(pl.len()).over("node_row").alias("place")
    same = ("node_row", "sequence")
    near = pl.col("place") - pl.col("place").shift(1).over(same) <= MEMORY_FRAMES
    recent = pl.col("arrival") - pl.col("arrival").shift(1).over(same) <= pl.duration(
        microseconds=MEMORY_SLOTS * period
    )
    return frames.with_columns(place).with_columns(repeated=(near & recent).fill_null(False))


def _ordered(frames: pl.DataFrame) -> pl.DataFrame:
    """Put the frames of a node and slot in the order of their numbers; those far from the last one
    come first, for they are not judged."""
    ahead = _behind(pl.col("sequence"), pl.col("sequence").last().over("node_row", "slot"))
    near = ahead.abs() <= NEAR
    keys = frames.with_columns(near=near, ahead=pl.when(near).then(ahead).otherwise(0))
    return keys.sort("node_row", "slot", "near", "ahead", maintain_order=True)


def telemetry_of_cell(
    frames: Path,
    nodes: pl.DataFrame,
    incidents: pl.DataFrame,
    scenario: Scenario,
    quality: QualityConfig | None = None,
    *,
    link: bool = True,
    evidence: bool = True,
) -> pl.DataFrame:
    """Make the canonical telemetry of one radio cell: every node and slot is a row, heard or not.

    A row holds the last accepted reading that arrived in its slot. Its incident is the one that
    covers the slot's middle on that node, whatever the cause; its label is 1 in an attack, else 0.

    Args:
        frames: the cell's gateway log, Parquet.
        incidents: the world's incidents, or the cell's.
        quality: `checksum`, `deduplicate` and `reorder` count here; the defaults without it.
        link: whether to add `LINK_CHANNELS`.
        evidence: whether to add `EVIDENCE_CHANNELS`.
    Returns: sorted by (series, time), the columns of `telemetry.py`.
    Source: §3.1.4; memory and order are not in the paper
    """
    names = sorted(nodes["node"].to_list())
    log = read_log(frames, names, scenario, quality or QualityConfig())
    count, period = slots(scenario), microseconds(scenario)
    size = len(names) * count
    numbers = pl.Series(np.repeat(np.arange(len(names)), count))
    times = np.tile(epoch(scenario) + np.arange(count) * period, len(names))
    found = pl.DataFrame(
        {
            "series": numbers.replace_strict(range(len(names)), names, return_dtype=pl.String),
            "time": pl.Series(times).cast(pl.Datetime("us")),
            **_incident_columns(incidents, names, scenario, size),
        }
    )
    columns = _laid(log.kept, [name for name, _ in SENSORS], count, size)
    if link:
        columns += _laid(log.heard, [channel.name for channel in LINK_CHANNELS], count, size)
    if evidence:
        own = [channel.name for channel in EVIDENCE_CHANNELS if channel.name in log.heard.columns]
        columns += _laid(log.heard, own, count, size)
        columns += _of_cell(found.with_columns(columns), nodes, count)
    return found.with_columns(columns)


def _of_cell(found: pl.DataFrame, nodes: pl.DataFrame, count: int) -> list[pl.Series]:
    """`cell_silent` and the differences from the nearest nodes, in the rows of `found`."""
    names = [name for name, _ in SENSORS]
    sensors = found.select(names).fill_null(np.nan).to_numpy().reshape(-1, count, len(names))
    silent = np.isnan(sensors).all(axis=2).mean(axis=0, dtype=np.float32)
    near = nearest(nodes.sort("node"))[:, :NEAREST]
    columns = [pl.Series(CELL_SILENT, np.tile(silent, len(sensors)))]
    for place, name in enumerate(names):
        own = sensors[:, :, place]
        usual = np.full_like(own, np.nan)  # where no neighbour has a reading
        for row, others in zip(usual, near, strict=True):
            known = ~np.isnan(beside := own[others]).all(axis=0)
            row[known] = np.nanmedian(beside[:, known], axis=0)
        difference = (own - usual).astype(np.float32).ravel()
        columns.append(pl.Series(f"{name}_difference", difference).fill_nan(None))
    return columns


def nearest(nodes: pl.DataFrame) -> Int64:
    """For each node of a cell the rows of the others, nearest first, int64 (node, others); at equal
    distance in table order."""
    position = nodes.select("x", "y").to_numpy()
    distance = np.linalg.norm(position[:, None] - position[None], axis=2)
    np.fill_diagonal(distance, -1.0)  # a node is its own nearest, even if another has its position
    order: Int64 = np.argsort(distance, axis=1, kind="stable")[:, 1:]
    return order


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
