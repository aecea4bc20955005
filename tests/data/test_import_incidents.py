"""Annotators' intervals: rows inside become incidents; bad intervals are named with their line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportReport, ImportRequest
from anomalynet.data.telemetry import Incident
from anomalynet.errors import DataError

DAY = "2020-01-01"
ROWS = "t,node,y,v\n" + "".join(
    f"{DAY} 00:0{minute}:00,{node},{int(minute == 8)},{minute}\n"
    for node in "ab"
    for minute in range(10)
)
HEAD = "start,end,type,cause,impact,severity,series\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def put(folder: Path, intervals: str, **asked: Any) -> ImportReport:
    table, incidents = folder / "t.csv", folder / "i.csv"
    table.write_text(ROWS)
    incidents.write_text(intervals)
    names: dict[str, Any] = {"name": "mine", "time": "t", "series": "node"}
    return import_table(ImportRequest(file=table, incidents=incidents, **names, **asked))


def test_intervals_label_rows_and_carry_what_annotators_said(tmp_path: Path) -> None:
    jam = f"{DAY} 00:02:00,{DAY} 00:03:30,jam,attack,availability,3,a\n"
    drift = f"{DAY} 00:01:00,{DAY} 00:01:00,drift,,,,b\n"
    report = put(tmp_path, HEAD + jam + drift, ignore=("y",))
    telemetry = sources.load(DataConfig(name="mine"))
    frame = telemetry.frame.collect()
    assert frame["label"].to_list() == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0] + [0, 1] + [0] * 8
    assert frame["incident"].to_list() == [None, None, 0, 0] + [None] * 6 + [None, 1] + [None] * 8
    assert frame["kind"].drop_nulls().to_list() == ["jam", "jam", "drift"]
    jammed = Incident("jam", "attack", "availability", 3)
    assert telemetry.incidents == {0: jammed, 1: Incident("drift", None, None, None)}
    assert report.incidents == 2


def test_without_a_series_column_an_interval_means_all_series(tmp_path: Path) -> None:
    put(tmp_path, f"start,end\n{DAY} 00:02:00,{DAY} 00:02:00\n", ignore=("y",))
    frame = sources.load(DataConfig(name="mine")).frame.collect()
    assert frame["incident"].to_list() == 2 * ([None, None, 0] + [None] * 7)


def test_an_interval_of_two_dates_lasts_until_the_end_of_its_last_day(tmp_path: Path) -> None:
    put(tmp_path, f"start,end\n{DAY},{DAY}\n", ignore=("y",))
    frame = sources.load(DataConfig(name="mine")).frame.collect()
    assert frame["incident"].to_list() == 20 * [0]
    # The zone's own day, which ended at 23:00 UTC; and a date beside a time is its midnight.
    for rows, asked, expected in (
        ("2019-12-31,2019-12-31\n", {"timezone": "Etc/GMT-1"}, 10 * [None]),
        (f"2019-12-31 05:00,{DAY}\n", {}, [0] + 9 * [None]),
    ):
        put(tmp_path, f"start,end\n{rows}", ignore=("y",), replace=True, **asked)
        frame = sources.load(DataConfig(name="mine")).frame.collect()
        assert frame["incident"].to_list() == 2 * expected


def test_labels_outside_intervals_stay_and_are_numbered_on(tmp_path: Path) -> None:
    report = put(tmp_path, f"{HEAD}{DAY} 00:02:00,{DAY} 00:03:00,jam,,,,a\n", label="y")
    found = sources.load(DataConfig(name="mine")).frame.collect()["incident"].to_list()
    numbered = {row: number for row, number in enumerate(found) if number is not None}
    assert numbered == {2: 0, 3: 0, 8: 1, 18: 2}
    assert report.counts["rows labelled normal inside an incident"] == 2 and report.incidents == 3


def test_dates_of_intervals_have_the_order_of_the_datas(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("t,v\n12/01/2020 00:00,1\n13/01/2020 00:00,2\n")
    asked: dict[str, Any] = {"file": tmp_path / "d.csv", "name": "mine", "time": "t"}
    for start in ("12/01/2020 00:00", "2020-01-12 00:00"):
        (tmp_path / "i.csv").write_text(f"start,end\n{start},{start}\n")
        import_table(ImportRequest(incidents=tmp_path / "i.csv", replace=True, **asked))
        assert sources.load(DataConfig(name="mine")).frame.collect()["label"].to_list() == [1, 0]


def test_an_interval_without_a_reading_is_warned_of(tmp_path: Path) -> None:
    report = put(tmp_path, HEAD + "2021-01-01 00:02:00,2021-01-01 00:03:00,jam,,,,a\n", label="y")
    assert "1 of 1 incidents contain no reading" in report.warnings


OVERLAP = f"{DAY} 00:01:00,{DAY} 00:04:00,,,,,a\n{DAY} 00:03:00,{DAY} 00:05:00,,,,,a\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (f"{DAY} 00:03:00,{DAY} 00:02:00,,,,,a\n", r"i\.csv:2: end 2020-01-01 00:02:00 is before"),
        (f"{DAY} 00:01:00,{DAY} 00:02:00,,,,,c\n", r"i\.csv:2: series 'c' is not in the data"),
        (f"{DAY} 00:01:00,{DAY} 00:02:00,,,,5,a\n", r"i\.csv:2: severity is '5'"),
        (f"{DAY} 00:01:00,{DAY} 00:02:00,,,,high,a\n", r"i\.csv:2: severity is 'high'"),
        (OVERLAP, r"i\.csv:3: overlaps with the incident of line 2 in series 'a'"),
        (f"{DAY} 00:01:00,later,,,,,a\n", r"i\.csv:2: invalid time 'later' in column 'end'"),
    ],
)
def test_bad_intervals(tmp_path: Path, home: Path, rows: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        put(tmp_path, HEAD + rows, ignore=("y",))
    assert not home.exists()


def test_columns_of_the_incidents_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing column 'end'"):
        put(tmp_path, "start,stop\n1,2\n")
    with pytest.raises(DataError, match="unknown column 'colour'"):
        put(tmp_path, "start,end,colour\n1,2,red\n")
