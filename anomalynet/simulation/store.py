"""The folder of a simulated world: reads and writes its tables and its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from anomalynet.documents import read_json_value
from anomalynet.errors import DataError
from anomalynet.runs import checksums, files
from anomalynet.runs.files import sha256, write_json
from anomalynet.simulation.incidents.taxonomy import TYPES
from anomalynet.simulation.load import load_scenario
from anomalynet.simulation.records import CellResult, Columns
from anomalynet.simulation.scenario import SENSORS, Scenario

FORMAT = 1  # increased when the meaning of a file changes
MANIFEST, SCENARIO = "manifest.json", "scenario.yaml"
INCIDENTS_FILE, NODES_FILE = "incidents.parquet", "nodes.parquet"
_TIME = pl.Datetime("us")

FRAMES: dict[str, pl.DataType | type[pl.DataType]] = {
    "arrival": _TIME,
    "source": pl.Int32,
    "node": pl.String,
    "sequence": pl.UInt16,
    "retries": pl.UInt8,
    "sent": _TIME,
    **{name: pl.Float32 for name, _ in SENSORS},
    "rssi": pl.Float32,
    "snr": pl.Float32,
    "lqi": pl.UInt8,
    "fcs": pl.Boolean,
    "checksum": pl.Boolean,
    "frame": pl.Binary,
}
"""One row per frame that a gateway received, by arrival. `source`: address in the frame, or -1 for
a frame of another format, whose other fields are null. `node`: node of the cell with that address,
or null. `sent`: time by the sender's clock. `frame`: the received bytes."""

NODES: dict[str, pl.DataType | type[pl.DataType]] = {
    "node": pl.String,
    "number": pl.Int64,
    "cell": pl.Int32,
    **dict.fromkeys(("x", "y", "distance"), pl.Float64),
    "room": pl.Int32,
    **dict.fromkeys(("gateway_x", "gateway_y", "link"), pl.Float64),
    **dict.fromkeys(("expected", "sent", "received"), pl.Int64),
    **dict.fromkeys(("clock_error", "battery_start", "battery_end"), pl.Float64),
}
"""One row per node. `link`: mean received power. `expected`: number of slots. `sent`: frames that
were transmitted. `received`: distinct frames that the gateway received intact, late ones included.
`battery_end`: 0 if the battery ran empty, even if it was replaced afterwards."""

INCIDENTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "id": pl.Int32,
    **dict.fromkeys(("type", "variant", "cause", "layer", "impact"), pl.String),
    "severity": pl.Int8,
    "cell": pl.Int32,
    "nodes": pl.List(pl.String),
    "start": _TIME,
    "end": _TIME,
    **dict.fromkeys(("magnitude", "x", "y"), pl.Float64),
}
"""One row per incident. `x`, `y`: position of a jammer, an attacker, a fire or an obstacle."""

UNITS = {
    **dict(SENSORS),
    "rssi": "dBm",
    "snr": "dB",
    "link": "dBm",
    "clock_error": "ppm",
    "lqi": "0 to 255",
    **dict.fromkeys(("x", "y", "distance", "gateway_x", "gateway_y"), "m"),
    **dict.fromkeys(("battery_start", "battery_end"), "share"),
    **dict.fromkeys(("arrival", "start", "end"), "UTC"),
    "magnitude": "typical effects of the type",
    "sent": "UTC by the node's clock",
    "time": "UTC, beginning of the slot",
    "sequence_gap": "frames",
    "inter_arrival": "s",
    "severity": "1 to 4",
    "label": "1 attack, 0 anything else",
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """Description of a finished world; written last."""

    format: int
    # program → version; `code` is a hash of the simulator's source files
    versions: Mapping[str, str]
    scenario: Mapping[str, Any]
    units: Mapping[str, str]
    counts: Mapping[str, float]
    # path in the folder → sha256 (hexadecimal), bytes, rows (null for the scenario)
    files: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class World:
    """A world read from its folder."""

    folder: Path
    manifest: Manifest
    scenario: Scenario
    frames: pl.LazyFrame  # gateway logs of all cells, columns `FRAMES`
    telemetry: pl.LazyFrame | None  # canonical telemetry; None if it was not made
    nodes: pl.DataFrame  # columns `NODES`, by number
    incidents: pl.DataFrame  # columns `INCIDENTS`, by id


def partition(table: str, cell: int) -> str:
    """The path in the folder of one cell's part of `frames`, `telemetry` or `visibility`."""
    return f"{table}/cell-{cell:04d}.parquet"


def frames_table(result: CellResult, log: Columns) -> pl.DataFrame:
    """A cell's gateway log, columns `FRAMES`. `log`: the cell's frames, or its twin's."""
    names = dict(zip((result.cell.numbers + 1).tolist(), result.cell.names, strict=True))
    columns = {name: pl.Series(name, values) for name, values in log.items()}
    node = columns["source"].replace_strict(names, default=None, return_dtype=pl.String)
    frames = pl.DataFrame({**columns, "node": node}).select(
        pl.col(name).cast(dtype) for name, dtype in FRAMES.items()
    )
    own_format = pl.when(pl.col("source") >= 0).then(pl.col("sequence", "retries", "sent"))
    return frames.with_columns(own_format, pl.col(name for name, _ in SENSORS).fill_nan(None))


def nodes_table(result: CellResult) -> pl.DataFrame:
    """A cell's nodes, columns `NODES`."""
    return pl.DataFrame(dict(result.nodes)).select(
        pl.col(name).cast(dtype) for name, dtype in NODES.items()
    )


def incidents_table(result: CellResult, start: str) -> pl.DataFrame:
    """A cell's incidents, columns `INCIDENTS`; `start` is the scenario's first moment."""
    epoch = datetime.fromisoformat(start)
    rows = [
        {
            **{key: value for key, value in asdict(incident).items() if key in INCIDENTS},
            "id": incident.number,
            **{key: getattr(TYPES[incident.type], key) for key in ("cause", "layer", "impact")},
            "nodes": [result.cell.names[node] for node in incident.nodes],
            "start": epoch + timedelta(seconds=incident.start),
            "end": epoch + timedelta(seconds=incident.end),
            "x": incident.position[0],
            "y": incident.position[1],
        }
        for incident in result.incidents
    ]
    return pl.DataFrame(rows, schema=INCIDENTS)


def write_parquet(folder: Path, name: str, table: pl.DataFrame) -> dict[str, Any]:
    """Write a table atomically and return its `facts_of`. Equal rows give equal bytes."""
    options = {"compression": "zstd", "compression_level": 3, "row_group_size": 262_144}
    files.write_parquet(folder / name, table.rechunk(), statistics=True, **options)
    return facts_of(folder / name, table.height)


def facts_of(path: Path, rows: int | None = None) -> dict[str, Any]:
    """sha256, bytes and rows of a file, as stored in the manifest."""
    return {"sha256": sha256(path), "bytes": path.stat().st_size, "rows": rows}


def changes(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Which of a world's files are not as their facts say: name → what is wrong."""
    known = {name: (facts["bytes"], facts["sha256"]) for name, facts in files.items()}
    return checksums.compare(folder, known)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, which marks a world as finished; it is written last."""
    write_json(folder / MANIFEST, asdict(manifest))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a finished world; no other file is read. Raises DataError: it is missing or
    unreadable, or another format version wrote it."""
    path = folder / MANIFEST
    again = "simulate the world again into an empty folder, or restore the file"
    try:
        raw = read_json_value(path)
    except FileNotFoundError:
        if (folder / SCENARIO).is_file():
            command = f"anomalynet simulate {folder / SCENARIO} --out {folder}"
            raise DataError(
                f"{folder}: the simulation of this world was interrupted (no {MANIFEST})",
                f"{command} resumes it",
            ) from None
        raise DataError(
            f"{folder}: not a simulated world (no {MANIFEST})",
            "anomalynet simulate SCENARIO --out DIR makes one",
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise DataError(f"{path}: damaged: not JSON ({error})", again) from None
    if isinstance(raw, dict) and raw.get("format", FORMAT) != FORMAT:
        raise DataError(
            f"{path}: format {raw['format']}, but this version reads format {FORMAT}",
            "simulate the world again",
        )
    with suppress(TypeError, AttributeError):
        manifest = Manifest(**raw)
        keys = [facts.keys() for facts in manifest.files.values()]
        whole = all({"sha256", "bytes", "rows"} <= one for one in keys)
        whole &= all(isinstance(one, int | float) for one in manifest.counts.values())
        whole &= isinstance(manifest.scenario, dict) and isinstance(manifest.versions, dict)
        if NODES_FILE in manifest.files and whole:
            return manifest
    raise DataError(f"{path}: damaged: keys are missing or of the wrong type", again)


def read_world(folder: Path) -> World:
    """Open a finished world; every file is compared with its SHA-256 in the manifest. Raises
    DataError: not a finished world, or a file is missing, edited or damaged."""
    manifest = read_manifest(folder)
    here = folder.absolute()  # Polars takes `~` for the home folder
    for name, what in changes(folder, manifest.files).items():
        raise DataError(
            f"{folder / name}: listed in {MANIFEST}, but {what}: edited or damaged",
            "restore it, or simulate the world again into an empty folder",
        )
    frames, telemetry = (
        [here / name for name in manifest.files if name.startswith(f"{table}/")]
        for table in ("frames", "telemetry")
    )
    return World(
        folder,
        manifest,
        load_scenario(str(folder / SCENARIO)),
        pl.scan_parquet(frames, glob=False),
        pl.scan_parquet(telemetry, glob=False) if telemetry else None,
        pl.read_parquet(here / NODES_FILE, glob=False),
        pl.read_parquet(here / INCIDENTS_FILE, glob=False),
    )


def write_csv(world: World) -> None:
    """Write CSV copies into the world's folder `csv`: nodes, incidents (node names separated by
    spaces), frames (bytes as hexadecimal), telemetry. The manifest does not list them."""
    target = world.folder.absolute() / "csv"
    target.mkdir(exist_ok=True)
    world.nodes.write_csv(target / "nodes.csv")
    joined = world.incidents.with_columns(pl.col("nodes").list.join(" "))
    joined.write_csv(target / "incidents.csv")
    for name in world.manifest.files:
        table, _, cell = name.partition("/")
        if cell:
            rows = pl.scan_parquet(world.folder.absolute() / name, glob=False)
            if table == "frames":
                rows = rows.with_columns(pl.col("frame").bin.encode("hex"))
            rows.sink_csv(target / f"{table}-{Path(cell).stem}.csv")
