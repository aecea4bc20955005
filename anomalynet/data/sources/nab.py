"""NAB, real known causes: seven recordings of one value each, with the windows of 19 events."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl

from anomalynet.data.importing.format import TableFormat
from anomalynet.data.sources import _reading
from anomalynet.data.telemetry import Channel, Telemetry
from anomalynet.documents import read_json_value
from anomalynet.errors import DataError

FILES = {
    "ambient_temperature_system_failure": (3600.0, "system failure"),
    "cpu_utilization_asg_misconfiguration": (300.0, "autoscaling misconfiguration"),
    "ec2_request_latency_system_failure": (300.0, "system failure"),
    "machine_temperature_system_failure": (300.0, "system failure"),
    "nyc_taxi": (1800.0, "unusual demand"),
    "rogue_agent_key_hold": (300.0, "change of user"),
    "rogue_agent_key_updown": (300.0, "change of user"),
}
"""Recording → seconds between its readings, and the cause of its events."""
INFO = _reading.SourceInfo(
    name="nab",
    title="NAB, real known causes: 7 recordings of one value, 5 min to 1 h, 19 events",
    licence="MIT",
    url="https://github.com/numenta/NAB",
    subsets=tuple(FILES),
    warnings=(
        "labels are wide windows, about 10 % of each recording divided by its events: most "
        "readings in a window are normal",
        "six of seven recordings are normal for their first third, and two end in a window",
        "quantities and steps differ (5 min, nyc_taxi 30 min, ambient 1 h): together, a reading is "
        "a step and windows cross silences; data.subset=nyc_taxi has its own grid",
        "published NAB scores and point adjustment are not comparable with metrics of single steps",
    ),
)
WINDOWS = "labels/combined_windows.json"
FOLDER = "data/realKnownCause"
url = _reading.pinned("numenta/NAB", "ea702d75cc2258d9d7dd35ca8e5e2539d71f3140")


def files(root: Path, subset: str | None) -> list[Path]:
    """The CSV file of one recording, or of all, and the windows; `root` is laid out as the
    repository."""
    wanted = (subset,) if subset else INFO.subsets
    paths = [root / FOLDER / f"{name}.csv" for name in wanted]
    found = [path for path in paths if path.is_file()]
    return [*found, root / WINDOWS] if found and (root / WINDOWS).is_file() else []


def load(root: Path, subset: str | None) -> Telemetry:
    """Read one recording or all. Both ends of a window belong to it, as NAB counts. Raises
    DataError: not a file of NAB."""
    *paths, windows = files(root, subset)
    frame = pl.concat([_read(path, _windows(windows, path)) for path in paths])
    few = _reading.incomplete(len(paths), 1 if subset else len(FILES), "recordings")
    repeated = frame.height - frame.select("series", "time").n_unique()
    counts = {"recordings": len(paths), "repeated times": repeated}
    period = FILES[subset][0] if subset else None
    return _reading.telemetry(INFO, frame, (Channel("value"),), counts, few, period=period)


def _read(path: Path, windows: list[tuple[datetime, datetime]]) -> pl.DataFrame:
    form = TableFormat(time="timestamp", unsorted="sort", duplicates="keep")
    inside = (pl.col("time").is_between(start, end) for start, end in windows)
    frame = _reading.read(path, form).with_columns(inside=pl.any_horizontal(pl.lit(False), *inside))
    kind = pl.when("inside").then(pl.lit(FILES[path.stem][1]))
    return frame.with_columns(label=pl.col("inside").cast(pl.Int8), kind=kind).drop("inside")


def _windows(labels: Path, path: Path) -> list[tuple[datetime, datetime]]:
    """First and last moment of each event of a recording."""
    try:
        pairs = read_json_value(labels)[f"{path.parent.name}/{path.name}"]
        read = datetime.fromisoformat
        return [(read(begin), read(end)) for begin, end in pairs]
    except (ValueError, KeyError, TypeError) as error:
        what = f"{labels}: no valid windows of {path.parent.name}/{path.name}: {error!r}"
        raise DataError(what, "fetch or copy the file again") from error
