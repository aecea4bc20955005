"""TON_IoT: seven IoT devices in normal operation and under attack; each has other channels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

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
CLOCK_AHEAD = 7 * 3600
"""Seconds from local `date` and `time` to UTC, from the column `ts` of the releases that have
it."""

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
        "date and time leak the label: normal in the first days, attacks later; the time step "
        "alone has AUROC ≈ 0.99 per window",
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
    channels = DEVICES[device]
    names = [channel.name for channel in channels]
    text, padded = _read_text(path, ",", ["label", "type", *names])
    label = _labels(path, text["label"])
    words = text.with_columns(pl.col(names).str.to_lowercase().replace(WORDS))
    frame = pl.DataFrame(
        {
            "series": pl.repeat(device, text.height, dtype=pl.String, eager=True),
            "time": _time(path, text),
            "label": label,
            "kind": text["type"].set(label == 0, None),
            **{name: _numbers(path, words[name]) for name in names},
        }
    )
    own = [f"{device} is one of these two"] if device in NO_SIGNAL else []
    duplicates = text.height - text.n_unique()
    repeated = frame.height - frame["time"].n_unique()
    numbered, incidents = _reading.number_incidents(frame.sort("time", maintain_order=True))
    return Telemetry(
        frame=numbered.lazy(),
        channels=channels,
        period=None,
        incidents=incidents,
        counts={
            "rows": text.height,
            "duplicate rows": duplicates,
            "repeated times": repeated,
            "padded fields": padded,
        },
        warnings=(*INFO.warnings, *own),
    )


def _time(path: Path, text: pl.DataFrame) -> pl.Series:
    """UTC times from `date` and `time`, else from the seconds in `ts`."""
    if {"date", "time"} <= set(text.columns):
        written = (text["date"] + " " + text["time"]).alias("date and time")
        local = written.str.to_datetime("%d-%b-%y %H:%M:%S", time_unit="us", strict=False)
        return _parse(
            path, written, local.dt.offset_by(f"{CLOCK_AHEAD}s"), "a time like '25-Apr-19 19:19:40'"
        )
    if "ts" in text.columns:
        read = text["ts"].cast(pl.Int64, strict=False)
        seconds = _parse(path, text["ts"], read, "seconds since 1970")
        return (seconds * 1_000_000).cast(pl.Datetime("us"))
    raise DataError(
        f"{path}:1: missing columns 'date' and 'time', or 'ts'", "use a file of TON_IoT"
    )


def _read_text(path: Path, separator: str, required: Sequence[str]) -> tuple[pl.DataFrame, int]:
    """Read a CSV (any BOM and line ends) as stripped text; return it with the number of padded
    fields. Raises DataError: the file cannot be read, or a `required` column is missing."""
    try:
        raw = pl.read_csv(path, separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{path}: not a table: {str(error).splitlines()[0]}", "fetch or copy the file again"
        ) from error
    raw = raw.rename({name: name.strip() for name in raw.columns})
    missing = [name for name in required if name not in raw.columns]
    if missing:
        raise DataError(
            f"{path}:1: missing column {', '.join(map(repr, missing))}; the file has "
            f"{', '.join(map(repr, raw.columns))}",
            "use a file of the data set; for your own table use `anomalynet data import`",
        )
    stripped = raw.select(pl.all().fill_null("").str.strip_chars())
    padded = sum(int((raw[name].fill_null("") != stripped[name]).sum()) for name in raw.columns)
    return stripped, padded


def _parse(path: Path, before: pl.Series, after: pl.Series, what: str) -> pl.Series:
    """Check that only empty text became null when `before` was parsed to `after`; return `after`.
    Raises DataError: text that could not be parsed; names the first line."""
    failed = (after.is_null() & (before != "")).arg_max()
    if failed is not None and after[failed] is None and before[failed] != "":
        raise DataError(
            f"{path}:{failed + 2}: {before.name} is {before[failed]!r}, not {what}",
            "fetch or copy the file again",
        )
    return after


def _numbers(path: Path, column: pl.Series) -> pl.Series:
    """Parse a text column as Float64; empty text is null. Raises DataError as `_parse`."""
    return _parse(path, column, column.cast(pl.Float64, strict=False), "a number")


def _labels(path: Path, column: pl.Series) -> pl.Series:
    """Parse a text column of 0 and 1, written as integers or decimals, as Int8. Raises DataError as
    `_parse`."""
    number = column.cast(pl.Float64, strict=False)
    known = number.set(~number.is_in([0.0, 1.0]), None).cast(pl.Int8)
    return _parse(path, column, known, "0 or 1")
