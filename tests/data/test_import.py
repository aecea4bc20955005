"""Importing tables: what is accepted, and what it becomes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.importing import import_table
from anomalynet.data.importing.request import ImportReport, ImportRequest
from anomalynet.errors import DataError

DAY = datetime(2020, 1, 1)
PLAIN = (
    "time,temp,hum,label\n2020-01-01 00:00:00,1,2,0\n2020-01-01 00:00:01,1.5,NA,1\n"
    "2020-01-01 00:00:02,2,3,1\n"
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def put(folder: Path, text: str | bytes, **asked: Any) -> ImportReport:
    """Write a table and import it as `mine`."""
    file = folder / asked.pop("file_name", "table.csv")
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return import_table(ImportRequest(**{"file": file, "name": "mine", **asked}))


def table(report: ImportReport) -> pl.DataFrame:
    return sources.load(DataConfig(name=report.name)).frame.collect()


def test_a_plain_table(tmp_path: Path) -> None:
    report = put(tmp_path, PLAIN, time="time", label="label", units=(("temp", "°C"),))
    telemetry = sources.load(DataConfig(name="mine"))
    expected = pl.DataFrame(
        {
            "series": ["mine"] * 3,
            "time": [DAY + timedelta(seconds=step) for step in range(3)],
            "label": [0, 1, 1],
            "incident": [None, 0, 0],
            "kind": [None] * 3,
            "temp": [1, 1.5, 2],
            "hum": [2, None, 3],
        },
        schema={
            "series": pl.String,
            "time": pl.Datetime("us"),
            "label": pl.Int8,
            "incident": pl.Int32,
            "kind": pl.String,
            "temp": pl.Float32,
            "hum": pl.Float32,
        },
    )
    assert telemetry.frame.collect().equals(expected)
    assert telemetry.frame.collect_schema() == expected.schema
    assert [(channel.name, channel.unit) for channel in telemetry.channels] == [
        ("temp", "°C"),
        ("hum", ""),
    ]
    assert telemetry.period == 1.0 and telemetry.counts == {"rows": 3, "missing readings": 1}
    assert (report.series, report.incidents) == (1, 1) and report.prevalence == pytest.approx(2 / 3)
    assert sources.names()[-1] == "mine"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace(",", "|"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("time,temp,hum", "time, temp, hum"),
        lambda text: text.replace("2020-01-01 ", "2020-01-01T"),
        lambda text: text.replace("temp,hum", '"temp","hum"').replace("1.5,NA", '"1.5","NA"'),
        lambda text: "\n" + text.replace("\n", "\n\n"),
        lambda text: (
            text.replace(":00:0", ":00:0").replace(",0\n", ",0.0\n").replace(",1\n", ",1.0\n")
        ),
        lambda text: text.replace(",0\n", ",normal\n").replace(",1\n", ",Attack\n"),
        lambda text: text.rstrip("\n"),
    ],
    ids=[
        "semicolon",
        "tab",
        "bar",
        "bom",
        "crlf",
        "spaces",
        "T",
        "quoted",
        "blank lines",
        "decimal labels",
        "words",
        "no last newline",
    ],
)
def test_the_same_table_in_another_form_is_the_same_data(tmp_path: Path, change: Any) -> None:
    plain = table(put(tmp_path, PLAIN, time="time", label="label"))
    other = table(put(tmp_path, change(PLAIN), time="time", label="label", replace=True))
    assert other.equals(plain)


def test_parquet_gives_the_same_as_csv(tmp_path: Path) -> None:
    plain = table(put(tmp_path, PLAIN, time="time", label="label"))
    frame = pl.read_csv(tmp_path / "table.csv", try_parse_dates=True, null_values=["NA"])
    frame.write_parquet(tmp_path / "table.parquet")
    request = ImportRequest(
        file=tmp_path / "table.parquet", name="mine", time="time", label="label", replace=True
    )
    assert table(import_table(request)).equals(plain)


def test_words_in_parquet_are_read_as_words(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "t": [0, 1],
            "v": [" 1.5", "NA"],
            "w": pl.Series(["7", "8"], dtype=pl.Categorical),
            "y": [False, True],
        }
    )
    frame.write_parquet(tmp_path / "table.parquet")
    request = ImportRequest(file=tmp_path / "table.parquet", name="mine", time="t", label="y")
    assert table(import_table(request)).select("v", "w", "label").rows() == [
        (1.5, 7.0, 0),
        (None, 8.0, 1),
    ]


def test_true_and_false_are_one_and_zero(tmp_path: Path) -> None:
    assert table(put(tmp_path, "t,door\n0,true\n1,False\n2,1\n3,NA\n", time="t"))[
        "door"
    ].to_list() == [1, 0, 1, None]


def test_null_words_may_be_infinite(tmp_path: Path) -> None:
    assert table(put(tmp_path, "t,v\n0,inf\n1,2\n2,1e39\n", time="t", null=("inf", "1e39")))[
        "v"
    ].to_list() == [None, 2, None]


def test_integers_that_become_decimals_late(tmp_path: Path) -> None:
    rows = "".join(f"{step},{step}\n" for step in range(3_000))
    report = put(tmp_path, f"t,v\n{rows}3000,0.25\n", time="t")
    assert table(report)["v"].to_list()[-2:] == [2999.0, 0.25]


def test_missing_and_unlabelled_words(tmp_path: Path) -> None:
    text = "t,v,y\n0,NA,0\n1,-1,1\n2,?,-999\n3,4,\n4,5,-999.0\n5,6,unsure\n"
    report = put(tmp_path, text, time="t", label="y", null=("-1", "?"), unlabelled=("unsure",))
    frame = table(report)
    assert frame["v"].to_list() == [None, None, None, 4.0, 5.0, 6.0]
    assert frame["label"].to_list() == [0, 1, None, None, None, None]
    assert report.counts == {"rows": 6, "missing readings": 3, "unlabelled rows": 4}


def test_data_without_any_label_is_welcome(tmp_path: Path) -> None:
    report = put(tmp_path, "t,v\n0,1\n1,2\n")
    assert report.prevalence is None and table(report)["label"].to_list() == [None, None]
    assert table(report).columns[-2:] == ["t", "v"]


def test_rows_without_a_clock_are_a_period_apart(tmp_path: Path) -> None:
    frame = table(put(tmp_path, "node,v\na,1\nb,2\na,3\n", series="node", period=30.0))
    assert frame.rows()[:3] == [
        ("a", datetime(1970, 1, 1), None, None, None, 1.0),
        ("a", datetime(1970, 1, 1, 0, 0, 30), None, None, None, 3.0),
        ("b", datetime(1970, 1, 1), None, None, None, 2.0),
    ]


@pytest.mark.parametrize(
    ("written", "first"),
    [
        (["1577836800", "1577836860"], DAY),
        (["1577836800000", "1577836860000"], DAY),
        (["1577836800.5", "1577836860.5"], DAY + timedelta(seconds=0.5)),
        (["2020-01-01T01:00:00+01:00", "2020-01-01T01:01:00+01:00"], DAY),
        (["2020-01-01T00:00:00Z", "2020-01-01T00:01:00Z"], DAY),
        (["2020-01-01 00:00:00.250", "2020-01-01 00:01:00"], DAY + timedelta(seconds=0.25)),
        (["01.01.2020 00:00", "01.01.2020 00:01"], DAY),
        (["13/01/2020 00:00", "13/01/2020 00:01"], datetime(2020, 1, 13)),
        (["01/13/2020 00:00", "01/13/2020 00:01"], datetime(2020, 1, 13)),
        (["1-Jan-20 00:00:00", "1-Jan-20 00:01:00"], DAY),
        (["12.5", "72.5"], datetime(1970, 1, 1, 0, 0, 12, 500_000)),
    ],
)
def test_forms_of_time(tmp_path: Path, written: list[str], first: datetime) -> None:
    report = put(
        tmp_path,
        "t,v\n" + "".join(f"{time},{number}\n" for number, time in enumerate(written)),
        time="t",
    )
    assert table(report)["time"][0] == first


def test_the_repeated_hour_of_autumn_is_told_apart_by_order(tmp_path: Path) -> None:
    local = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    text = "t,v\n" + "".join(f"2020-10-25 {time},{number}\n" for number, time in enumerate(local))
    report = put(tmp_path, text, time="t", timezone="Europe/Berlin")
    half_hours = [
        datetime(2020, 10, 24, 23, 30) + number * timedelta(minutes=30) for number in range(6)
    ]
    assert table(report)["time"].to_list() == half_hours
    assert report.counts["readings in a repeated hour"] == 4 and report.period == 1800.0


def test_series_split_and_kind(tmp_path: Path) -> None:
    text = (
        "t,node,part,what,v\n0,b,test,normal,1\n1,b,test,flood,2\n2,b,test,,2\n"
        "0,a,train,normal,3\n1,a,val,probe,4\n"
    )
    report = put(tmp_path, text, time="t", series="node", split="part", kind="what")
    frame = table(report)
    assert frame.select("series", "label", "incident", "kind", "split", "v").rows() == [
        ("a", 0, None, None, "train", 3.0),
        ("a", 1, 0, "probe", "validation", 4.0),
        ("b", 0, None, None, "test", 1.0),
        ("b", 1, 1, "flood", "test", 2.0),
        ("b", None, None, None, "test", 2.0),
    ]
    assert sources.load(DataConfig(name="mine")).incidents[1].type == "flood"


def test_unsorted_rows_are_sorted_when_asked_and_counted(tmp_path: Path) -> None:
    report = put(tmp_path, "t,v\n0,0\n2,2\n1,1\n3,3\n", time="t", unsorted="sort")
    assert table(report)["v"].to_list() == [0, 1, 2, 3] and report.counts["rows out of order"] == 1


@pytest.mark.parametrize(
    ("how", "values", "labels"),
    [
        ("first", [0, 1, 3], [0, 0, 0]),
        ("last", [0, 2, 3], [0, 1, 0]),
        ("mean", [0, 1.5, 3], [0, 1, 0]),
        ("keep", [0, 1, 2, 3], [0, 0, 1, 0]),
    ],
)
def test_duplicates(tmp_path: Path, how: Any, values: list[float], labels: list[int]) -> None:
    report = put(
        tmp_path, "t,v,y\n0,0,0\n1,1,0\n1,2,1\n2,3,0\n", time="t", label="y", duplicates=how
    )
    frame = table(report)
    assert frame["v"].to_list() == values
    assert frame["label"].to_list() == labels
    assert report.rows == len(values)
    assert report.counts["repeated times"] == 1
    assert report.counts["repeated times with contradicting labels"] == 1


def test_the_period_is_the_median_step_of_regular_readings_only(tmp_path: Path) -> None:
    regular = (
        "t,v\n"
        + "".join(f"{step * 10 + step % 2 * 0.5},{step}\n" for step in range(20))
        + "400,1\n"
    )
    assert put(tmp_path, regular, time="t").period == pytest.approx(10, abs=0.5)
    events = "t,v\n" + "".join(f"{2**step},{step}\n" for step in range(20))
    assert put(tmp_path, events, time="t", replace=True).period is None
    assert put(tmp_path, events, time="t", replace=True, period=60.0).period == 60.0


def test_one_class_and_silent_sensors_are_warned_of(tmp_path: Path) -> None:
    report = put(tmp_path, "t,v,w,y\n0,,1,0\n1,,1,0\n", time="t", label="y")
    assert report.warnings == (
        "sensor 'v' has no reading at all",
        "sensor 'w' is constant (1)",
        "every row is labelled normal: nothing can be scored on one class",
    )


def test_a_column_that_looks_like_a_label_can_be_chosen_as_a_sensor(tmp_path: Path) -> None:
    assert put(tmp_path, "t,class\n0,3\n1,4\n", time="t", channels=("class",)).channels == (
        "class",
    )


def test_the_same_import_is_the_same_set_and_says_nothing_of_this_machine(
    tmp_path: Path, home: Path
) -> None:
    put(tmp_path, PLAIN, time="time", label="label")
    first = sources.fingerprint(DataConfig(name="mine"))
    put(tmp_path, PLAIN, time="time", label="label", replace=True)
    assert sources.fingerprint(DataConfig(name="mine")) == first
    assert str(tmp_path) not in (home / "mine/dataset.json").read_text()
    put(tmp_path, PLAIN.replace("1.5", "1.6"), time="time", label="label", replace=True)
    assert sources.fingerprint(DataConfig(name="mine")) != first


def test_root_finds_an_imported_set_elsewhere(tmp_path: Path, home: Path) -> None:
    put(tmp_path, PLAIN, time="time", label="label")
    home.rename(tmp_path / "other")
    for root in (tmp_path / "other", tmp_path / "other/mine"):
        assert sources.load(DataConfig(name="mine", root=str(root))).frame.collect().height == 3


def test_a_damaged_description_is_said_so(tmp_path: Path, home: Path) -> None:
    put(tmp_path, PLAIN, time="time", label="label")
    description = json.loads((home / "mine/dataset.json").read_text())
    (home / "mine/dataset.json").write_text(json.dumps({**description, "channels": [{"nom": 1}]}))
    with pytest.raises(DataError, match=r"dataset\.json: missing, damaged"):
        sources.load(DataConfig(name="mine"))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.integers(0, 10**6),
            st.none() | st.floats(-(2.0**100), 2.0**100, width=32),
            st.sampled_from([0, 1, None]),
        ),
        min_size=1,
        max_size=30,
        unique_by=lambda row: row[:2],
    )
)
def test_what_goes_in_comes_out_sorted(
    tmp_path: Path, rows: list[tuple[str, int, float | None, int | None]]
) -> None:
    text = "t,s,v,y\n" + "".join(
        f"{t},{s},{'' if v is None else repr(v)},{'NA' if y is None else y}\n"
        for s, t, v, y in rows
    )
    frame = table(
        put(tmp_path, text, time="t", series="s", label="y", unsorted="sort", replace=True)
    )
    expected = sorted(rows, key=lambda row: row[:2])
    assert frame.select("series", pl.col("time").dt.epoch("s"), "v", "label").rows() == expected
