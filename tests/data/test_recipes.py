"""The recipes of `data/RECIPES.md`, on excerpts in the same layout; their numbers are invented."""

from __future__ import annotations

import re
import shlex
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

import anomalynet
from anomalynet.cli.main import main
from anomalynet.config.schema import DataConfig
from anomalynet.data import sources

TEXT = (Path(anomalynet.__file__).parent / "data/RECIPES.md").read_text(encoding="utf-8")
COMMANDS = {
    shlex.split(command)[shlex.split(command).index("--name") + 1]: command
    for command in re.findall(r"^```sh\n(.*?)\n```$", TEXT, re.S | re.M)
}

# File → content, for each set; below, how it must be read.


def swat(day: str, labels: list[str]) -> str:
    head = " Timestamp,FIT101,LIT101, MV101,P101,Normal/Attack\n"
    rows = (f" {day} 9:59:5{n} AM,2.4{n},522.{n},2,1,{word}\n" for n, word in enumerate(labels))
    return head + "".join(rows)


WADI_LABEL = '"Attack LABLE (1:No Attack, -1:Attack)"'
WADI_EMPTY = "2_LS_001_AL,2_LS_002_AL,2_P_001_STATUS,2_P_002_STATUS"
WADI = "\n".join(
    [
        "," * 9,
        f"Row ,Date ,Time,1_AIT_001_PV,1_FS_001_AL,{WADI_EMPTY},{WADI_LABEL}",
        *(
            f"{n},10/9/17,00:0{n}.0,164.{n},0.5{n},,,,,{-1 if 4 <= n <= 6 else 1}"
            for n in range(1, 9)
        ),
        "9,10/9/17,00:09.0,164.9,0.59,,,,,",
    ]
)


def hai(hour: int, attacks: str) -> str:
    head = "time,P1_B2004,P2_B2016,attack,attack_P1,attack_P2,attack_P3\n"
    rows = (
        f"2020-07-11 {hour}:00:0{n},0.1{n},1.{n},{label},{label},0,0\n"
        for n, label in enumerate(attacks)
    )
    return head + "".join(rows)


METRO = ",timestamp,TP2,TP3,Motor_current,Caudal_impulses\n" + "".join(
    f"{10 * n},2020-04-18 00:0{n // 6}:{10 * (n % 6):02},-0.01{n},9.3{n},0.0{n},1.0\n"
    for n in range(10)
)
AIR = "Date;Time;CO(GT);PT08.S1(CO);T;AH;;\n" + "".join(
    f"{10 + (18 + n) // 24}/03/2004;{(18 + n) % 24:02}.00.00;{'-200' if n == 3 else f'2,{n}'};"
    f"13{n}0;1{n},5;0,75{n}8;;\n"
    for n in range(9)
)
POWER = "Date;Time;Global_active_power;Voltage;Sub_metering_3\n" + "".join(
    f"16/12/2006;17:2{n}:00;{'?;?;' if n == 4 else f'4.2{n}6;234.{n}40;17.000'}\n"
    for n in range(10)
)


def occupancy(day: int, labels: str) -> str:
    head = '"date","Temperature","Humidity","Light","CO2","HumidityRatio","Occupancy"\n'
    rows = (
        f'"{n + 1}","2015-02-0{day} 17:5{n}:00",23.1{n},27.2{n},{4 * n},72{n}.5,0.0047,{label}\n'
        for n, label in enumerate(labels)
    )
    return head + "".join(rows)


FILES = {
    "swat": {
        "SWaT_Dataset_Normal_v1.csv": "P1,,,,,\n" + swat("22/12/2015", ["Normal"] * 9),
        "SWaT_Dataset_Attack_v0.csv": swat(
            "28/12/2015", ["Normal"] * 4 + ["Attack", "A ttack"] + ["Normal"] * 3
        ),
    },
    "wadi": {"WADI_attackdataLABLE.csv": WADI},
    "hai": {"test1.csv": hai(10, "000110000"), "test2.csv": hai(11, "000001100")},
    "hai23": {
        "hai-test1.csv": "timestamp,P1_B2004,P2_B2016\n"
        + "".join(f"2022-08-12 16:00:0{n},0.1{n},1.{n}\n" for n in range(10)),
        "label-test1.csv": "timestamp,label\n"
        + "".join(f"2022-08-12 16:00:0{n},{int(n in (4, 5))}\n" for n in range(10)),
    },
    "metropt": {
        "MetroPT3(AirCompressor).csv": METRO,
        "failures.csv": "start,end,type\n2020-04-18 00:00:20,2020-04-18 00:00:45,air leak\n",
    },
    "air": {"AirQualityUCI.csv": AIR + ";;;;;;;\n" * 3},
    "power": {"household_power_consumption.txt": POWER},
    "occupancy": {
        "datatraining.txt": occupancy(4, "1110000000"),
        "datatest.txt": occupancy(2, "1100000000"),
        "datatest2.txt": occupancy(8, "0000111000"),
    },
}

# The set → labels of each series (. unlabelled), start of the last one, sensors, and of the first
# sensor: its first value and its missing readings.
EXPECTED = {
    "swat": (
        {"SWaT_Dataset_Attack_v0": "000011000", "SWaT_Dataset_Normal_v1": "000000000"},
        datetime(2015, 12, 22, 9, 59, 50),
        "FIT101 LIT101 MV101 P101",
        (2.40, 0),
    ),
    "wadi": ({"wadi": "00011100."}, datetime(1970, 1, 1), "1_AIT_001_PV 1_FS_001_AL", (164.1, 0)),
    "hai": (
        {"test1": "000110000", "test2": "000001100"},
        datetime(2020, 7, 11, 11),
        "P1_B2004 P2_B2016",
        (0.10, 0),
    ),
    "hai23": ({"hai23": "0000110000"}, datetime(2022, 8, 12, 16), "P1_B2004 P2_B2016", (0.10, 0)),
    "metropt": (
        {"metropt": "0011100000"},
        datetime(2020, 4, 18),
        "TP2 TP3 Motor_current Caudal_impulses",
        (-0.010, 0),
    ),
    "air": ({"air": 9 * "."}, datetime(2004, 3, 10, 18), "CO(GT) PT08.S1(CO) T AH", (2.0, 1)),
    "power": (
        {"power": 10 * "."},
        datetime(2006, 12, 16, 17, 20),
        "Global_active_power Voltage Sub_metering_3",
        (4.206, 1),
    ),
    "occupancy": (
        {"datatest": "1100000000", "datatest2": "0000111000", "datatraining": "1110000000"},
        datetime(2015, 2, 4, 17, 50),
        "Temperature Humidity Light CO2 HumidityRatio",
        (23.10, 0),
    ),
}


def test_every_recipe_is_tried() -> None:
    assert COMMANDS.keys() == FILES.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_recipe(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file, content in FILES[name].items():
        (tmp_path / file).write_text(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    program, *words = shlex.split(COMMANDS[name])
    assert program == "anomalynet" and main(words) == 0
    telemetry = sources.load(DataConfig(name=name))
    frame = telemetry.frame.collect()
    labels, start, channels, (first, missing) = EXPECTED[name]
    letters = frame.select("series", pl.col("label").cast(pl.String).fill_null("."))
    found = letters.group_by("series").agg(pl.col("label").str.join(""))
    assert dict(found.rows()) == labels
    last = frame.filter(series=max(labels))
    assert last["time"][0] == start
    assert [channel.name for channel in telemetry.channels] == channels.split()
    sensor = last[telemetry.channels[0].name]
    assert (sensor[0], sensor.null_count()) == (pytest.approx(first), missing)
