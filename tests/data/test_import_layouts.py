"""Layouts of files: whatever separates and surrounds the rows, the readings are the same."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.data.importing.format import TableFormat
from anomalynet.data.importing.read import Table, read_table
from anomalynet.errors import DataError

READINGS = [(1.5, 20.0), (-2.0, 30.5)]


def read(folder: Path, files: dict[str, str | bytes], **form: Any) -> Table:
    paths = []
    for name, text in files.items():
        paths.append(folder / name)
        paths[-1].write_bytes(text if isinstance(text, bytes) else text.encode())
    staging = folder / f"staging{len(list(folder.iterdir()))}"
    staging.mkdir()
    return read_table(paths, TableFormat(**form), staging)


def readings(table: Table) -> list[tuple[float, ...]]:
    return table.readings.collect().rows()


LAYOUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "comma": ("a,b\n1.5,20\n-2,30.5\n", {}),
    "sep=": ("sep=;\na;b\n1.5;20\n-2;30.5\n", {}),
    "a trailing separator": ("a,b,\n1.5,20,\n-2,30.5,\n", {}),
    "two trailing separators": ("a;b;;\n1.5;20;;\n-2;30.5;;\n", {}),
    "a trailing separator in rows": ("a;b\n1.5;20;\n-2;30.5;\n", {}),
    "blank rows": ("a;b\n1.5;20\n;\n \n-2;30.5\n;\n", {}),
    "a title": ("Plant 7, export of 2024\na;b\n1.5;20\n-2;30.5\n", {}),
    "titles with separators": ("Plant 7;\n;\na;b\n1.5;20\n-2;30.5\n", {}),
    "a comment": ("# by the logger\na,b\n1.5,20\n-2,30.5\n", {}),
    "comments": ('# 5 sites, "x"\n#\n\n# 2,3,4\na,b\n1.5,20\n-2,30.5\n', {}),
    "annotations": ("#group,false\n#default,_result\na,b\n1.5,20\n-2,30.5\n", {}),
    "pandas": (",a,b\n0,1.5,20\n1,-2,30.5\n", {"ignore": ("index",)}),
    "R, selected rows": ('a b\n"7" 1.5 20\n"9" -2 30.5\n', {"ignore": ("index",)}),
    "R, named rows": ("a,b\nMazda,1.5,20\nFiat,-2,30.5\n", {"ignore": ("index",)}),
    "a counter": ("a,b\n0,1.5,20\n1,-2,30.5\n", {"ignore": ("index",)}),
    "R, times": ("a,b\n2024-03-05 06:00,1.5,20\n2024-03-05 06:01,-2,30.5\n", {"time": "index"}),
    "R, a short header": ('"a" "b"\n"1" 1.5 20\n"2" -2 30.5\n', {"ignore": ("index",)}),
    "no header": ("1.5,20\n-2,30.5\n", {"header": False}),
    "no header, names": ("1.5\t20\n-2\t30.5\n", {"columns": ("a", "b")}),
    "no header, trailing": ("1.5,20,\n-2,30.5,\n", {"columns": ("a", "b")}),
    "spaces": ("a    b\n 1.5  20\n-2\t 30.5 \n", {}),
    "a byte order mark": ("\ufeffa,b\n1.5,20\n-2,30.5\n", {}),
    "no header, a byte order mark": ("\ufeff1.5,20\n-2,30.5\n", {"columns": ("a", "b")}),
    "quotes in the header alone": ('"a","b"\n1.5,20\n-2,30.5\n', {}),
    "separators in names": ('"a, °C","b; %"\n1.5,20\n-2,30.5\n', {}),
    "quotes after spaces": ('a, "b"\n"1.5", "20"\n-2, "30.5"\n', {}),
    "Windows": ("a,b\r\n1.5,20\r\n-2,30.5\r\n", {}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_changes_no_reading(tmp_path: Path, layout: str) -> None:
    text, form = LAYOUTS[layout]
    table = read(tmp_path, {"t.csv": text}, **form)
    assert readings(table) == READINGS
    # The format that was found reads the file again without the options.
    found = TableFormat(
        time=form.get("time"),
        separator=table.form.separator,
        header=table.form.header,
        columns=table.form.columns,
        channels=table.form.channels,
    )
    again = tmp_path / "again"
    again.mkdir()
    assert readings(read_table([tmp_path / "t.csv"], found, again)) == READINGS


def test_lines_in_messages_are_those_of_the_file(tmp_path: Path) -> None:
    for text, line in (
        ("a,b\n1,2\n\n3,x\n", 4),
        ("Title\n\na;b\n1;2\n3;x\n", 5),
        ('a,b\n"1",2\n3,"x"\n', 3),
        ("sep=;\na;b\n1;x\n", 3),
    ):
        with pytest.raises(DataError, match=rf"t\.csv:{line}: "):
            read(tmp_path, {"t.csv": text})


def test_arrays_and_parquet(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array(READINGS))
    table = read(tmp_path, {"t.npy": buffer.getvalue()}, columns=("a", "b"))
    assert readings(table) == READINGS
    assert [channel.name for channel in table.roles.channels.values()] == ["a", "b"]
    pl.DataFrame(READINGS, schema=["a", "b"], orient="row").write_parquet(tmp_path / "t.parquet")
    inner = tmp_path / "inner"
    inner.mkdir()
    assert readings(read_table([tmp_path / "t.parquet"], TableFormat(), inner)) == READINGS
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((2, 60)))
    (warning,) = read(tmp_path, {"t.npy": buffer.getvalue()}).warnings
    assert "60 columns" in warning and "2 rows" in warning
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"t\.npy: not a table"):
        read(tmp_path, {"t.npy": buffer.getvalue()})
    buffer = io.BytesIO()
    np.save(buffer, np.empty((0, 3)))
    with pytest.raises(DataError, match=r"t\.npy: .*shape \(0, 3\)"):
        read(tmp_path, {"t.npy": buffer.getvalue()})


def test_types_of_parquet_that_csv_has_not(tmp_path: Path) -> None:
    columns = {
        "t": pl.Series([0, 90]).cast(pl.Duration("ms")),
        "a": pl.Series(["1.50", "2.25"]).cast(pl.Decimal(10, 2)),
        "b": [True, False],
        "c": [None, None],
    }
    pl.DataFrame(columns).write_parquet(tmp_path / "t.parquet")
    table = read(tmp_path, {"t.parquet": (tmp_path / "t.parquet").read_bytes()}, time="t")
    assert table.readings.collect().rows() == [(1.5, 1.0, None), (2.25, 0.0, None)]
    assert table.keys["time"].to_physical().to_list() == [0, 90_000]


def test_several_files_are_one_table_and_each_may_be_a_series(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"x.csv": "t,a\n0,1\n1,2\n", "y.csv": "t,a\n0,3\n1,4\n"}
    table = read(tmp_path, files, time="t", series_from_name=True)
    assert table.keys.select("series", "position").rows() == [
        ("x", 0),
        ("x", 1),
        ("y", 2),
        ("y", 3),
    ]
    assert readings(table) == [(1.0,), (2.0,), (3.0,), (4.0,)]
    with pytest.raises(DataError, match=r"y\.csv:3: "):
        read(tmp_path, {**files, "y.csv": "t,a\n0,3\n1,x\n"}, time="t", series_from_name=True)
    with pytest.raises(DataError, match=r"y\.csv: other columns.* 'b'"):
        read(tmp_path, {**files, "y.csv": "t,b\n0,3\n1,4\n"}, time="t", series_from_name=True)
    with pytest.raises(DataError, match=r"y\.csv:2: not sorted") as refused:
        read(tmp_path, files, time="t")
    assert str(refused.value.next_step).startswith("give --series-from-name")
    with pytest.raises(DataError, match=r"y\.csv:3: not sorted") as refused:
        read(tmp_path, {**files, "y.csv": "t,a\n2,3\n1,4\n"}, time="t")
    assert "--series-from-name" not in str(refused.value.next_step)


def test_files_of_the_same_name_are_series_with_their_folder(tmp_path: Path) -> None:
    for folder in ("A", "B", "C/A"):
        (tmp_path / folder).mkdir(parents=True)
    files: dict[str, str | bytes] = {f"{one}/x.csv": "t,a\n0,1\n1,2\n" for one in ("A", "B")}
    files["B/y.csv"] = "t,a\n0,1\n1,2\n"
    table = read(tmp_path, files, time="t", series_from_name=True)
    assert table.keys["series"].to_list() == ["A/x", "A/x", "B/x", "B/x", "y", "y"]
    with pytest.raises(DataError, match="'A/x'"):
        read(tmp_path, files | {"C/A/x.csv": "t,a\n0,1\n1,2\n"}, series_from_name=True)


TOA5 = """"TOA5","CR1000","CR1000","12345","CR1000.Std.32","CPU:x.CR1","1","Table1"
"TIMESTAMP","RECORD","BattV"
"TS","RN","Volts"
"","","Avg"
"2020-01-01 00:00:00",0,12.5
"2020-01-01 00:01:00",1,12.5
"""


@pytest.mark.parametrize(
    ("text", "form", "values"),
    [
        ("a,b\n1,2\n3\n", {}, ["t.csv:3: ", "1 fields", "header has 2"]),
        ("a,b\n1,2\n3,4,5\n", {}, ["t.csv:3: "]),
        ("v,t\n20,0,1\n21,3,2\n22,6,3\n", {"time": "t"}, ["t.csv:2: ", "decimal commas"]),
        ("t,v\n2024-03-05,2,0\n2024-03-06,2,5\n", {"time": "t"}, ["t.csv:2: ", "decimal"]),
        ("v t\n1 100 0\n1 250 1\n", {"time": "t"}, ["t.csv:2: ", "thousands", "header"]),
        ("id,v,t\n7,20,0,0\n8,21,0,1\n", {"series": "id"}, ["t.csv:2: ", "decimal commas"]),
        ("a,b\n1,2\n", {"columns": ("a", "b", "c")}, ["2 columns", "3 names"]),
        ("1,2\n3,4\n", {"columns": ("a", "a")}, ["--columns", "duplicate", "'a'"]),
        ("a,,c\n1,2,3\n", {}, ["t.csv:1: ", "column 2"]),
        ("a,b,\n1,2,3\n", {}, ["t.csv:1: ", "last column"]),
        ("1,2\n3,4\n", {}, ["t.csv:1: ", "missing header"]),
        ("a,b\n", {}, ["no rows"]),
        ('a,b\n1,"2\n', {}, ["t.csv:", "quotes of this row"]),
        (f'a,b\n1,"{"2" * 200_000}\n', {}, ["t.csv:2: field larger", "quotes of this row"]),
        ("t,a,b\ns,°C,%\n1,2,3\n", {}, ["t.csv:2: 's'", "delete the line"]),
        ("t,a\n,°C\n,Avg\n2020-01-01,3\n", {}, ["t.csv:2: '°C'", "delete the line"]),
        (TOA5, {}, ["begin at line 2", "tail -n +2"]),
        ("Testo\nSerial 1\n\nDate;°C\n2020-01-01;1,5\n", {}, ["begin at line 4"]),
    ],
)
def test_structures_that_are_refused(
    tmp_path: Path, text: str, form: dict[str, Any], values: list[str]
) -> None:
    with pytest.raises(DataError) as refused:
        read(tmp_path, {"t.csv": text}, **form)
    assert all(value in str(refused.value) for value in values), refused.value


NAMES = st.lists(
    st.text("abcxyz _%°", min_size=1, max_size=6).map(str.strip).filter(bool),
    min_size=2,
    max_size=4,
    unique=True,
)


@settings(max_examples=25)
@given(data=st.data())
def test_a_table_in_any_dialect_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    names = data.draw(NAMES)
    number = st.integers(-999, 999).map(lambda value: value / 4)
    row = st.tuples(*[number] * len(names))
    rows = data.draw(st.lists(row, min_size=2, max_size=6))
    separator = data.draw(st.sampled_from(",;\t|"))
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    buffer = io.StringIO()
    plain = csv.writer(buffer, delimiter=separator, lineterminator=end)
    quoted = csv.writer(buffer, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer = quoted if data.draw(st.booleans()) else plain
    writer.writerow(names)
    writer.writerows(rows)
    text = data.draw(st.sampled_from(["", "\ufeff", "A title" + end, f"sep={separator}{end}"]))
    text += buffer.getvalue() + data.draw(st.sampled_from(["", end]))
    folder = tmp_path_factory.mktemp("dialect")
    table = read(folder, {"t.csv": text}, channels=tuple(names))
    assert readings(table) == rows
