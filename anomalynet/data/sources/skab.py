"""SKAB: recordings of a water circuit with eight sensors; 34 labelled runs, one anomaly-free
run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from anomalynet.data.importing.format import TableFormat
from anomalynet.data.sources import _reading
from anomalynet.data.telemetry import Channel, Telemetry

INFO = _reading.SourceInfo(
    name="skab",
    title="SKAB 0.9: water circuit, 8 sensors, 34 labelled runs and 1 anomaly-free run, 1 s",
    licence="GPL-3.0",
    url="https://github.com/waico/SKAB",
    period=1.0,
    folders=(".", "data"),
    warnings=(
        "one anomaly per run, mostly in its second half: the row index alone tells much of the "
        "label; compare with the audit",
    ),
)
FOLDERS = ("anomaly-free", "other", "valve1", "valve2")
RUNS = 35
CHANNELS = (
    Channel("Accelerometer1RMS", "g"),
    Channel("Accelerometer2RMS", "g"),
    Channel("Current", "A"),
    Channel("Pressure", "bar"),
    Channel("Temperature", "°C"),
    Channel("Thermocouple", "°C"),
    Channel("Voltage", "V"),
    Channel("Volume Flow RateRMS", "l/min"),
)
OTHER_KINDS = (
    *4 * ["leak or refill"],
    *5 * ["rotor imbalance"],
    *2 * ["more water in the circuit"],
    *2 * ["cavitation"],
    "hot water",
)
"""Kinds of the anomalies in `other/1` … `other/14`, from the readme of the data set."""
KINDS = {
    "valve1": "inlet valve closed",
    "valve2": "outlet valve closed",
    **{f"other/{number}": kind for number, kind in enumerate(OTHER_KINDS, 1)},
}
url = _reading.pinned("waico/SKAB", "b2c0d46c2971dcbfe71e26087b6d231998bb91c2", "data/")


def files(root: Path, subset: str | None) -> list[Path]:
    """The CSV files of the runs below `root`."""
    return [path for folder in FOLDERS for path in sorted((root / folder).glob("*.csv"))]


def load(root: Path, subset: str | None) -> Telemetry:
    """Read all runs. Runs with common timestamps form one group; the anomaly-free run is used only
    for training. Raises DataError: not a file of SKAB."""
    runs = [_read(path) for path in files(root, subset)]
    frame = pl.concat(runs)
    differ = pl.col("label").drop_nulls().n_unique() > 1
    shared = frame.group_by("time").agg("series", contradictory=differ)
    shared = shared.filter(pl.col("series").list.len() > 1)
    contradictory = int(shared["contradictory"].sum())
    warnings = []
    if shared.height:
        warnings.append(
            f"{shared.height:,} timestamps are in two runs, {contradictory:,} with contradictory "
            "labels: such runs form one group"
        )
    warnings += _reading.incomplete(len(runs), RUNS, "runs")
    free = frame["series"].unique()
    counts = {
        "runs": len(runs),
        "time stamps in two runs": shared.height,
        "contradicting labels": contradictory,
    }
    return _reading.telemetry(
        INFO,
        frame,
        CHANNELS,
        counts,
        warnings,
        groups=_groups(shared["series"].unique().to_list()),
        train_only=frozenset(free.filter(free.str.starts_with("anomaly-free/"))),
    )


def _read(path: Path) -> pl.DataFrame:
    """Read one run; `anomaly-free` has no label column and is normal."""
    folder, free = path.parent.name, path.parent.name == "anomaly-free"
    names = tuple(channel.name for channel in CHANNELS)
    label = None if free else "anomaly"
    form = TableFormat(separator=";", time="datetime", label=label, channels=names)
    kind = KINDS.get(folder, KINDS.get(f"{folder}/{path.stem}"))
    frame = _reading.read(path, form)
    attack = pl.col("label") == 1
    return frame.with_columns(
        pl.lit(f"{folder}/{path.stem}").alias("series"),
        pl.lit(0, pl.Int8).alias("label") if free else pl.col("label"),
        pl.when(attack).then(pl.lit(kind, dtype=pl.String)).alias("kind"),
    )


def _groups(overlaps: Sequence[Sequence[str]]) -> dict[str, str]:
    """Join series with common timestamps, also via a third one; a group has the name of its first
    series."""
    group: dict[str, str] = {}

    def first(name: str) -> str:
        while group.setdefault(name, name) != name:
            name = group[name]
        return name

    for series in overlaps:
        low, *rest = sorted(map(first, series))
        group.update(dict.fromkeys(rest, low))
    return {name: first(name) for name in sorted(group)}
