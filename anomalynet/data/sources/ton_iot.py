"""TON_IoT: seven IoT devices in normal operation and under attack; each has other channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from anomalynet.data.importing.format import TableFormat
from anomalynet.data.importing.rows import header
from anomalynet.data.sources import _reading
from anomalynet.data.telemetry import Channel, Telemetry
from anomalynet.errors import DataError

DEVICES: dict[str, tuple[Channel, ...]] = {
    "fridge": (Channel("fridge_temperature", "°C"), Channel("temp_condition", "1")),
    "garage_door": (Channel("door_state", "1"), Channel("sphone_signal", "1")),
    "gps_tracker": (Channel("latitude", "°"), Channel("longitude", "°")),
    "modbus": (
        Channel("FC1_Read_Input_Register", "1"),
        Channel("FC2_Read_Discrete_Value", "1"),
        Channel("FC3_Read_Holding_Register", "1"),
        Channel("FC4_Read_Coil", "1"),
    ),
    "motion_light": (Channel("motion_status", "1"), Channel("light_status", "1")),
    "thermostat": (Channel("current_temperature", "°C"), Channel("thermostat_status", "1")),
    "weather": (Channel("temperature", "°C"), Channel("pressure", ""), Channel("humidity", "%")),
}
WORDS = dict.fromkeys(("high", "open", "on", "true"), "1")
WORDS |= dict.fromkeys(("low", "closed", "off", "false"), "0")
NO_SIGNAL = ("fridge", "garage_door")
ZONE = "-07:00"  # of `date` and `time`, from the column `ts` of the releases that have it

INFO = _reading.SourceInfo(
    name="ton_iot",
    title="TON_IoT, train/test telemetry: seven IoT devices, normal and attack",
    licence="research use only, cite the authors; not to be redistributed",
    url="https://research.unsw.edu.au/projects/toniot-datasets",
    subsets=tuple(DEVICES),
    needs_subset=True,
    folders=(".", "Train_Test_IoT_dataset", "Train_Test_datasets/Train_Test_IoT_dataset"),
    by_hand=(
        "open https://research.unsw.edu.au/projects/toniot-datasets, follow the download link of "
        "the page, and copy the files Train_Test_IoT_*.csv of the folder Train_Test_IoT_dataset"
    ),
    warnings=(
        "date and time leak the label: normal in the first days, attacks later; compare with the "
        "audit's time step",
        "no day has both classes: a chronological split has a test part of one class",
        "Fridge and Garage_Door contain no signal: a high score there is a leak",
    ),
)


def files(root: Path, subset: str | None) -> list[Path]:
    """The file of the device below `root`, in upper or lower case; the train/test release is
    preferred."""
    if not root.is_dir():
        return []
    named = sorted(
        path
        for path in root.iterdir()
        if path.suffix.lower() == ".csv" and path.stem.lower().endswith(f"iot_{subset}")
    )
    return sorted(named, key=lambda path: not path.stem.lower().startswith("train_test"))[:1]


def load(root: Path, subset: str | None) -> Telemetry:
    """Read one device: events without a period; duplicate rows are counted and kept.

    Words become 0 and 1 after stripping, because padding and spelling leak the label (`high` and
    `high  `, `1` and `true`). Times are in UTC.

    Raises DataError: not a file of this device.
    """
    (path,) = files(root, subset)
    device = str(subset)
    names = tuple(channel.name for channel in DEVICES[device])
    form = TableFormat(
        **_time(path),
        label="label",
        kind="type",
        channels=names,
        unsorted="sort",
        duplicates="keep",
    )
    frame = _reading.read(path, form, WORDS).with_columns(
        series=pl.lit(device), kind=pl.when(pl.col("label") != 0).then("kind")
    )
    raw = pl.read_csv(path, infer_schema=False, glob=False).fill_null("")
    stripped = raw.with_columns(pl.all().str.strip_chars())
    own = [f"{device} is one of these two"] if device in NO_SIGNAL else []
    counts = {
        "duplicate rows": raw.height - stripped.n_unique(),
        "repeated times": frame.height - frame["time"].n_unique(),
        "padded fields": sum(int((raw[name] != stripped[name]).sum()) for name in raw.columns),
    }
    return _reading.telemetry(INFO, frame, DEVICES[device], counts, own)


def _time(path: Path) -> dict[str, Any]:
    """The format of the times of a release."""
    columns = header(path, TableFormat())
    if {"date", "time"} <= set(columns):
        return {"time": "date,time", "time_format": "month-name", "timezone": ZONE}
    if "ts" in columns:
        return {"time": "ts", "time_format": "seconds"}
    raise DataError(
        f"{path}:1: missing columns 'date' and 'time', or 'ts'", "use a file of TON_IoT"
    )
