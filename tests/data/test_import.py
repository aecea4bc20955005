"""Importing tables: what is accepted, and what it becomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.importing import cells
from anomalynet.data.importing.import_table import import_table
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


def put(folder: Path, text: str, **asked: Any) -> ImportReport:
    """Write a table and import it as `mine`."""
    file = folder / "table.csv"
    file.write_bytes(text.encode())
    return import_table(ImportRequest(**{"file": file, "name": "mine", **asked}))


def table(report: ImportReport) -> pl.DataFrame:
    return sources.load(DataConfig(name=report.name)).frame.collect()


def test_a_plain_table(tmp_path: Path) -> None:
    report = put(tmp_path, PLAIN, time="time", label="label", units=(("temp", "°C"),))
    telemetry = sources.load(DataConfig(name="mine"))
    frame = telemetry.frame.collect()
    assert frame.columns == ["series", "time", "label", "incident", "kind", "temp", "hum"]
    known = [pl.String, pl.Datetime("us"), pl.Int8, pl.Int32, pl.String]
    assert frame.dtypes == [*known, pl.Float64, pl.Float64]
    assert frame.rows() == [
        ("mine", DAY, 0, None, None, 1.0, 2.0),
        ("mine", DAY + timedelta(seconds=1), 1, 0, None, 1.5, None),
        ("mine", DAY + timedelta(seconds=2), 1, 0, None, 2.0, 3.0),
    ]
    channels = [(channel.name, channel.unit) for channel in telemetry.channels]
    assert channels == [("temp", "°C"), ("hum", "")]
    assert telemetry.period == 1.0 and telemetry.counts == {"rows": 3, "missing readings": 1}
    assert (report.series, report.incidents) == (1, 1) and report.prevalence == pytest.approx(2 / 3)
    assert sources.names()[-1] == "mine"


FORMS: dict[str, list[tuple[str, str]]] = {
    "semicolon": [(",", ";")],
    "tab": [(",", "\t")],
    "bar": [(",", "|")],
    "bom": [("time,temp", "\ufefftime,temp")],
    "crlf": [("\n", "\r\n")],
    "spaces": [("time,temp,hum", "time, temp, hum")],
    "T": [("2020-01-01 ", "2020-01-01T")],
    "quoted": [("temp,hum", '"temp","hum"'), ("1.5,NA", '"1.5","NA"')],
    "blank lines": [("time,temp", "\ntime,temp"), ("\n", "\n\n")],
    "decimal labels": [(",0\n", ",0.0\n"), (",1\n", ",1.0\n")],
    "words": [(",0\n", ",normal\n"), (",1\n", ",Attack\n")],
    "no last newline": [("2,3,1\n", "2,3,1")],
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_table_in_another_form_is_the_same_data(tmp_path: Path, form: str) -> None:
    plain = table(put(tmp_path, PLAIN, time="time", label="label"))
    text = PLAIN
    for old, new in FORMS[form]:
        text = text.replace(old, new)
    assert text != PLAIN
    other = table(put(tmp_path, text, time="time", label="label", replace=True))
    assert other.equals(plain)


def test_parquet_gives_the_same_as_csv_and_its_words_are_read_as_words(tmp_path: Path) -> None:
    plain = table(put(tmp_path, PLAIN, time="time", label="label"))
    frame = pl.read_csv(tmp_path / "table.csv", try_parse_dates=True, null_values=["NA"])
    file = tmp_path / "table.parquet"
    frame.write_parquet(file)
    asked: dict[str, Any] = {"file": file, "name": "mine", "replace": True}
    assert table(import_table(ImportRequest(time="time", label="label", **asked))).equals(plain)
    numbers = pl.Series(["7", "8"], dtype=pl.Categorical)
    frame = pl.DataFrame({"t": [0, 1], "v": [" 1.5", "NA"], "w": numbers, "y": [False, True]})
    frame.write_parquet(file)
    found = table(import_table(ImportRequest(time="t", label="y", **asked)))
    assert found.select("v", "w", "label").rows() == [(1.5, 7.0, 0), (None, 8.0, 1)]


LATE = "".join(f"{step},{step}\n" for step in range(3_000))


@pytest.mark.parametrize(
    ("text", "null", "last"),
    [
        ("t,v\n0,true\n1,False\n2,1\n3,NA\n", (), [1, 0, 1, None]),
        ("t,v\n0,inf\n1,2\n2,1e39\n", ("inf", "1e39"), [None, 2, None]),
        (f"t,v\n{LATE}3000,0.25\n", (), [2999.0, 0.25]),  # integers that become decimals late
    ],
    ids=["booleans", "infinite null words", "late decimals"],
)
def test_forms_of_numbers(tmp_path: Path, text: str, null: Any, last: list[float | None]) -> None:
    assert table(put(tmp_path, text, time="t", null=null))["v"].to_list()[-len(last) :] == last


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
    start = datetime(1970, 1, 1)
    expected = [("a", start, 1.0), ("a", start + timedelta(seconds=30), 3.0), ("b", start, 2.0)]
    assert frame.select("series", "time", "v").rows() == expected


def test_a_zone_may_be_a_fixed_offset_in_tables_and_messages(tmp_path: Path) -> None:
    report = put(
        tmp_path, "t,v\n2024-01-01 01:00,1\n2024-01-01 02:00,2\n", time="t", timezone="+01:00"
    )
    first = datetime(2024, 1, 1)
    assert table(report)["time"][0] == first
    at = cells.read_time("2024-01-01 01:00", zone="+01:00")
    assert at == first.replace(tzinfo=UTC).timestamp() * 1e6


def test_the_repeated_hour_of_autumn_is_told_apart_by_order(tmp_path: Path) -> None:
    local = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    text = "t,v\n" + "".join(f"2020-10-25 {time},{number}\n" for number, time in enumerate(local))
    report = put(tmp_path, text, time="t", timezone="Europe/Berlin")
    first, step = datetime(2020, 10, 24, 23, 30), timedelta(minutes=30)
    assert table(report)["time"].to_list() == [first + number * step for number in range(6)]
    assert report.counts["readings in a repeated hour"] == 4 and report.period == 1800.0


def test_series_split_and_kind(tmp_path: Path) -> None:
    b = "0,b,test,normal,1\n1,b,test,flood,2\n2,b,test,,2\n"
    text = f"t,node,part,what,v\n{b}0,a,train,normal,3\n1,a,val,probe,4\n"
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
    text = "t,v,y\n0,0,0\n1,1,0\n1,2,1\n2,3,0\n"
    report = put(tmp_path, text, time="t", label="y", duplicates=how)
    frame = table(report)
    assert frame["v"].to_list() == values and frame["label"].to_list() == labels
    assert report.rows == len(values) and report.counts["repeated times"] == 1
    assert report.counts["repeated times with contradicting labels"] == 1
    warned = any("3 of 4 rows" in warning for warning in report.warnings)
    assert warned == (how != "keep")


def test_the_period_is_the_median_step_of_regular_readings_only(tmp_path: Path) -> None:
    steps = "".join(f"{step * 10 + step % 2 * 0.5},{step}\n" for step in range(20))
    assert put(tmp_path, f"t,v\n{steps}400,1\n", time="t").period == pytest.approx(10, abs=0.5)
    events = "t,v\n" + "".join(f"{2**step},{step}\n" for step in range(20))
    assert put(tmp_path, events, time="t", replace=True).period is None
    assert put(tmp_path, events, time="t", replace=True, period=60.0).period == 60.0


def test_one_class_and_silent_sensors_are_warned_of(tmp_path: Path) -> None:
    report = put(tmp_path, "t,v,w,y\n0,,1,0\n1,,1,0\n", time="t", label="y")
    told = ("'v' has no readings", "'w' is constant (1)", "every labelled row is normal")
    for warning, words in zip(report.warnings, told, strict=True):
        assert words in warning


def test_a_column_that_looks_like_a_label_can_be_chosen_as_a_sensor(tmp_path: Path) -> None:
    report = put(tmp_path, "t,class\n0,3\n1,4\n", time="t", channels=("class",))
    assert report.channels == ("class",)


def test_the_same_import_is_the_same_set_and_says_nothing_of_this_machine(
    tmp_path: Path, home: Path
) -> None:
    prints = []
    for text in (PLAIN, PLAIN, PLAIN.replace("1.5", "1.6")):
        put(tmp_path, text, time="time", label="label", replace=True)
        prints.append(sources.fingerprint(DataConfig(name="mine")))
        assert str(tmp_path) not in (home / "mine/dataset.json").read_text()
    assert prints[0] == prints[1] != prints[2]


def test_root_finds_a_set_elsewhere_and_a_damaged_description_is_said_so(
    tmp_path: Path, home: Path
) -> None:
    put(tmp_path, PLAIN, time="time", label="label")
    mine = home.rename(tmp_path / "other") / "mine"
    for root in (mine.parent, mine):
        assert sources.load(DataConfig(name="mine", root=str(root))).frame.collect().height == 3
    description = json.loads((mine / "dataset.json").read_text())
    (mine / "dataset.json").write_text(json.dumps({**description, "channels": [{"nom": 1}]}))
    with pytest.raises(DataError, match=r"dataset\.json: missing, damaged"):
        sources.load(DataConfig(name="mine", root=str(mine)))


ROW = st.tuples(
    st.sampled_from("ab"),
    st.integers(0, 10_000),
    st.none() | st.floats(-(2.0**59), 2.0**59, width=32),
    st.sampled_from([0, 1, None]),
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(ROW, min_size=1, max_size=30, unique_by=lambda row: row[:2]))
def test_what_goes_in_comes_out_sorted(
    tmp_path: Path, rows: list[tuple[str, int, float | None, int | None]]
) -> None:
    text = "t,s,v,y\n"
    for s, t, v, y in rows:
        text += f"{t},{s},{'' if v is None else repr(v)},{'NA' if y is None else y}\n"
    asked: dict[str, Any] = {"time": "t", "series": "s", "label": "y", "replace": True}
    asked["time_format"] = "seconds"  # 1900 could be a year
    frame = table(put(tmp_path, text, unsorted="sort", **asked))
    expected = sorted(rows, key=lambda row: row[:2])
    assert frame.select("series", pl.col("time").dt.epoch("s"), "v", "label").rows() == expected
