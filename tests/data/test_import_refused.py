"""Importing tables: what is refused, with one message that says where and what to do."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.errors import DataError

HEAD = "time,temp,label\n2020-01-01 00:00:00,1,0\n2020-01-01 00:00:01,2,1\n"
THIRD = "2020-01-01 00:00:02"
LINE = HEAD + THIRD
AGAIN = HEAD + "2020-01-01 00:00:01,3,1\n"
PARTS = "time,part,temp\n1,train,1\n2,later,1\n"
TAKEN = ("skab", "smart_city", "simulated", "prepared")
TIME: dict[str, Any] = {"time": "time"}
BERLIN: dict[str, Any] = {"time": "time", "timezone": "Europe/Berlin"}
NAMED: dict[str, Any] = {"time": "time", "label": "label"}
HUGE = "time,temp,label\n2020-01-01 00:00:00,{},0\n2020-01-01 00:00:01,2,1\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("text", "asked", "values", "advice"),
    [
        ("", {}, ["t.csv: empty"], ""),
        ("\n\n", {}, ["t.csv: empty"], ""),
        ("time,temp,label\n", NAMED, ["t.csv: ", "no rows"], ""),
        ("1,2\n3,4\n", {}, ["t.csv:1: ", "missing header"], ""),
        ("words\nmore\n", {}, ["t.csv: only one column"], "--separator"),
        ("a,a\n1,2\n", {}, ["t.csv:1: duplicate", "'a'"], "rename"),
        ("a,,c\n1,2,3\n", {}, ["t.csv:1: column 2 "], ""),
        (HEAD, {"time": "tme"}, ["'tme' (--time)"], "did you mean 'time'?"),
        (HEAD, NAMED | {"channels": ("temq",)}, ["'temq' (--channels)"], "did you mean 'temp'?"),
        (HEAD, NAMED | {"ignore": ("label",)}, ["'label'", "--label", "--ignore"], ""),
        (HEAD, TIME, ["'label'", "reserved"], "--label label"),
        (HEAD.replace("label", "Label"), TIME, ["'Label'", "reserved"], "--label Label"),
        (HEAD.replace("label", "attack"), TIME, ["'attack'", "a label"], "--channels"),
        (HEAD, NAMED | {"ignore": ("temp",)}, ["no sensor"], "--channels"),
        (f"{LINE},warm,1\n", NAMED, ["t.csv:4: ", "'temp' is 'warm'"], "--null 'warm'"),
        (
            "time,device,temp,state\n1,a,1,ok\n2,b,2,ok\n",
            {"time": "time", "series": "device"},
            ["t.csv:2: ", "'state' is 'ok'"],
            "use --ignore state, or --null 'ok'",
        ),
        (
            "when,unit no,temp,rh\n06/10/2024 12:00 AM,a,1,x\n06/10/2024 12:01 AM,a,x,x\n",
            {},
            [
                "t.csv:2: ",
                "'when' is '06/10/2024 12:00 AM'",
                "'when' 2, 'unit no' 2, 'rh' 2, 'temp' 1",
            ],
            "use --time when --series 'unit no', or --ignore when",
        ),
        (HUGE.format("inf"), NAMED, ["t.csv:2: ", "'temp' is 'inf'"], "--null 'inf'"),
        (HUGE.format("1e400"), NAMED, ["t.csv:2: ", "'temp' is '1e400'"], ""),
        (f"{LINE},1\n", NAMED, ["t.csv:4: 2 fields", "has 3"], "the line"),
        (f'{LINE},"1",0,7\n', NAMED, ["t.csv:4: 4 fields", "has 3"], "the line"),
        (f"{LINE},1,2\n", NAMED, ["t.csv:4: ", "'label' has 3", "'0' (1"], "--unlabelled WORD"),
        (f"{LINE},1,ddos\n", NAMED, ["'ddos' (1 rows)"], "--kind label"),
        (
            HEAD + "yesterday,1,1\n",
            NAMED,
            ["t.csv:4: invalid time 'yesterday' in column 'time'"],
            "",
        ),
        (HEAD + ",1,1\n", NAMED, ["t.csv:4: invalid time '' in column 'time'"], ""),
        (HEAD.replace("2020-01-01 ", ""), NAMED, ["'time'", "without a date"], "--period"),
        ("time,temp\n0,1\n1,1\n23,2\n0,3\n1,4\n", TIME, ["without a date"], "--period"),
        (
            "time,temp\n01/02/2020,1\n02/02/2020,2\n",
            TIME,
            ["'01/02/2020'", "ambiguous"],
            "day-first",
        ),
        (HEAD + "2020-01-01 00:00:00,3,1\n", NAMED, ["t.csv:4: ", "00:00:00"], "--unsorted sort"),
        (AGAIN, NAMED, ["t.csv:4: ", "00:00:01"], "--duplicates first"),
        ("time,temp\n2020-03-29 01:00,1\n2020-03-29 02:30,1\n", BERLIN, ["t.csv:3: ", "02:30"], ""),
        ("time,temp\n1577836800,1\n1577836801,1\n", BERLIN, ["UTC offset"], ""),
        (HEAD, NAMED | {"timezone": "Europe/Berln"}, ["'Europe/Berln'"], "Europe/Berlin"),
        (HEAD, NAMED | {"period": 0.0}, ["got 0"], "--period"),
        ("time,node,temp\n1,a,1\n2,,1\n", TIME | {"series": "node"}, ["t.csv:3: ", "'node'"], ""),
        (PARTS, TIME | {"split": "part"}, ["t.csv:3: ", "'later'"], "validation"),
        (HEAD, NAMED | {"name": "../escape"}, ["'../escape'"], "--name"),
        (HEAD, NAMED | {"name": "-x"}, ["'-x'"], "--name"),
        (HEAD, NAMED | {"name": "x" * 201}, ["xxx"], "--name"),
        *((HEAD, NAMED | {"name": name}, [f"'{name}' is reserved"], "--name") for name in TAKEN),
    ],
)
def test_one_message_and_nothing_written(
    tmp_path: Path, home: Path, text: str, asked: dict[str, Any], values: list[str], advice: str
) -> None:
    file = tmp_path / "t.csv"
    file.write_text(text)
    with pytest.raises(DataError) as refused:
        import_table(ImportRequest(**{"file": file, "name": "mine", **asked}))
    message = refused.value.message
    assert all(value in message for value in values), message
    assert refused.value.exit_code == 2 and "\n" not in message
    assert advice in str(refused.value.next_step)
    assert not home.exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"time,temp\n1,2\n2,21\xb0\n", r"t\.csv:3: not UTF-8 \(byte 0xb0\)"),
        ("t.parquet", b"time,temp\n1,2\n", r"t\.parquet: not a Parquet file"),
        ("t.parquet", b"PAR1 and nothing else", r"t\.parquet: not a readable Parquet file"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), r"t\.csv: not a CSV but UTF-16"),
        ("t.csv.gz", b"\x1f\x8b\x08\x00", r"not a CSV but compressed"),
        ("t.csv.bz2", b"BZh91AY&SY", r"not a CSV but compressed"),
        ("t.csv.xz", b"\xfd7zXZ\x00\x00", r"not a CSV but compressed"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16-le"), r"t\.csv: not a CSV but UTF-16"),
        ("t.xlsx", b"PK\x03\x04", r"not a CSV but a spreadsheet"),
        ("t.csv", b"a,b\r1,2\r", r"lines end with CR only"),
        ("t.npz", b"PK\x03\x04", r"an archive of arrays"),
        ("t.feather", b"ARROW1\x00\x00\xff", r"an Arrow file"),
        ("t.jsonl", b'{"a": 1}\n{"a": 2}\n', r"JSON: import reads tables"),
        ("t.txt", b'[{"a": 1},\n{"a": 2}]\n', r"JSON: import reads tables"),
        ("nowhere.csv", None, r"nowhere\.csv: cannot be read"),
    ],
)
def test_files_that_are_no_table(
    tmp_path: Path, home: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        import_table(ImportRequest(file=tmp_path / name, name="mine"))
    assert not home.exists()


def test_an_existing_set_survives(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(HEAD)
    request = ImportRequest(file=file, name="mine", **NAMED)
    import_table(request)
    before = {path: path.read_bytes() for path in (home / "mine").iterdir()}
    with pytest.raises(DataError, match=r"a data set 'mine' exists"):
        import_table(request)
    file.write_text(HEAD + "nonsense\n")
    with pytest.raises(DataError, match="1 fields"):
        import_table(replace(request, replace=True))
    assert {path: path.read_bytes() for path in (home / "mine").iterdir()} == before
    assert [path.name for path in home.iterdir()] == ["mine"]


def test_a_folder_that_is_no_imported_set_is_never_replaced(tmp_path: Path, home: Path) -> None:
    (home / "mine").mkdir(parents=True)
    (home / "mine/thesis.txt").write_text("dear")
    (tmp_path / "t.csv").write_text(HEAD)
    with pytest.raises(DataError, match="is not an imported set"):
        import_table(ImportRequest(file=tmp_path / "t.csv", name="mine", replace=True, **NAMED))
    assert (home / "mine/thesis.txt").read_text() == "dear"


@pytest.mark.parametrize("row", ["1,{},0,test", "{},1,0,test", "1,1,{},test", "1,1,0,{}"])
def test_long_cells_are_shortened_in_messages(tmp_path: Path, row: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text("time,temp,label,part\n0,1,0,train\n" + row.format("x" * 2_000_000) + "\n")
    with pytest.raises(DataError, match=r"t\.csv:3: .*'x{60}…'") as refused:
        import_table(ImportRequest(file=file, name="mine", split="part", **NAMED))
    assert len(str(refused.value)) < 1_000


def test_a_pipe_is_no_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="not a regular file"):
        import_table(ImportRequest(file=tmp_path / "pipe.csv", name="mine"))
