"""TON_IoT: padding, spelling, two forms of time, seven schemas."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.errors import DataError


def load(root: Path, subset: str | None) -> tuple[pl.DataFrame, dict[str, int], tuple[str, ...]]:
    telemetry = sources.load(DataConfig(name="ton_iot", root=str(root), subset=subset))
    return telemetry.frame.collect(), dict(telemetry.counts), telemetry.warnings


def write(root: Path, device: str, text: str) -> None:
    content = ("\ufeff" + text).replace("\n", "\r\n").encode()
    (root / f"Train_Test_IoT_{device}.csv").write_bytes(content)


def test_padding_and_spelling_do_not_give_the_label_away(tmp_path: Path) -> None:
    write(
        tmp_path,
        "Fridge",
        "ts,date,time,fridge_temperature,temp_condition,label,type\n"
        "1556245180,25-Apr-19, 19:19:40 ,9,high,1,ddos\n"
        "1556245180,25-Apr-19, 19:19:40 ,9,high,1,ddos\n"
        "1554061012,31-Mar-19,   12:36:52   ,3.5,high  ,0,normal\n"
        "1554061013,31-Mar-19,   12:36:53   ,3.5,low ,0,normal\n",
    )
    frame, counts, warnings = load(tmp_path, "fridge")
    assert frame["temp_condition"].to_list() == [1.0, 0.0, 1.0, 1.0]
    assert frame["time"].to_list()[0] == datetime(2019, 3, 31, 19, 36, 52)  # ts 1554061012
    assert frame["label"].to_list() == [0, 0, 1, 1]
    assert frame["kind"].to_list() == [None, None, "ddos", "ddos"]
    assert counts == {"rows": 4, "duplicate rows": 1, "repeated times": 1, "padded fields": 6}
    assert any("label" in warning and "audit" in warning for warning in warnings)
    assert any("chronological" in warning for warning in warnings)


def test_both_spellings_of_a_switch(tmp_path: Path) -> None:
    write(
        tmp_path,
        "Garage_Door",
        "ts,date,time,door_state,sphone_signal,label,type\n"
        "1,25-Apr-19,14:42:33,closed,0,1,ddos\n"
        "1,25-Apr-19,14:42:34,open,1,1,ddos\n"
        "1,31-Mar-19,8:00:01,closed,false  ,0,normal\n"
        "1,1-Apr-19,8:00:01,closed,true  ,0,normal\n",
    )
    frame, _, _ = load(tmp_path, "garage_door")
    assert frame["sphone_signal"].to_list() == [0.0, 1.0, 0.0, 1.0]
    assert frame["door_state"].to_list() == [0.0, 0.0, 0.0, 1.0]


LIGHT = "motion_status,light_status,label,type\n"


def test_ts_alone_neither_and_an_unknown_word(tmp_path: Path) -> None:
    first = f"ts,{LIGHT}1554061012,1, on,0,normal\n"
    write(tmp_path, "Motion_Light", first)
    frame, _, _ = load(tmp_path, "motion_light")
    assert frame["time"].to_list() == [datetime(2019, 3, 31, 19, 36, 52)]
    for text, told in (
        (LIGHT + "1, on,0,normal\n", "missing columns 'date' and 'time', or 'ts'"),
        (first + "1554061013,1,dim,0,normal\n", r"Light\.csv:3: sensor 'light_status' is 'dim'"),
    ):
        write(tmp_path, "Motion_Light", text)
        with pytest.raises(DataError, match=told):
            load(tmp_path, "motion_light")


def test_the_collection_wants_a_device(tmp_path: Path) -> None:
    for device, told in ((None, "fridge, garage_door, .*, weather"), ("fridg", "subset=fridge")):
        with pytest.raises(DataError, match=told):
            load(tmp_path, device)


@pytest.mark.parametrize(
    ("device", "rows", "attack", "channels", "duplicates"),
    [
        ("fridge", 59_944, 24_944, 2, 8_901),
        ("garage_door", 59_587, 24_587, 2, 38_836),
        ("gps_tracker", 58_960, 23_960, 2, 0),
        ("modbus", 51_106, 16_106, 4, 19_744),
        ("motion_light", 59_488, 24_488, 2, 28_629),
        ("thermostat", 52_774, 17_774, 2, 1_154),
        ("weather", 39_260, 24_260, 3, 0),
    ],
)
def test_the_real_files(
    real_data: Path, device: str, rows: int, attack: int, channels: int, duplicates: int
) -> None:
    telemetry = sources.load(DataConfig(name="ton_iot", root=str(real_data), subset=device))
    frame = telemetry.frame.collect()
    assert (frame.height, frame["label"].sum(), len(telemetry.channels)) == (rows, attack, channels)
    assert telemetry.counts["duplicate rows"] == duplicates
    assert telemetry.period is None and frame["time"].is_sorted()
    assert all(frame[channel.name].null_count() == 0 for channel in telemetry.channels)
    day = pl.col("time").dt.offset_by("-7h").dt.date()
    classes = frame.group_by(day).agg(pl.col("label").n_unique())
    assert classes["label"].max() == 1  # no day has both classes
    # an incident a kind: all attacks come after all normal rows, or in one stretch before
    assert len(telemetry.incidents) == frame["kind"].drop_nulls().n_unique()
