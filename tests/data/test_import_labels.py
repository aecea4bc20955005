"""Labels of tables and messages: words, kinds, files of labels, windows, and columns that give the
label away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.importing import cells
from anomalynet.data.importing.format import TableFormat
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportReport, ImportRequest
from anomalynet.errors import DataError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def put(folder: Path, text: str, **asked: Any) -> ImportReport:
    file = folder / "t.csv"
    file.write_text(text, encoding="utf-8")
    return import_table(ImportRequest(**{"file": file, "name": "mine", "replace": True, **asked}))


def labels(column: str = "label") -> list[Any]:
    return sources.load(DataConfig(name="mine")).frame.collect()[column].to_list()


def labelled(words: list[str]) -> str:
    return "v;y\n" + "".join(f"{number};{word}\n" for number, word in enumerate(words))


@pytest.mark.parametrize(
    ("words", "form", "expected"),
    [
        (["0", "1", "1.0", "0.0", ""], {}, [0, 1, 1, 0, None]),
        (["True", "FALSE", " attack ", "Benign"], {}, [1, 0, 1, 0]),
        (["-1", "1"], {"attack": ("-1",), "normal": ("1",)}, [1, 0]),
        (["-1.0", "1", "NA"], {"attack": ("-1",), "normal": ("1",)}, [1, 0, None]),
        (["2", "0"], {"attack": ("2.0",)}, [1, 0]),
        (["Port  Scan", "port scan", "0"], {"attack": ("PORT SCAN",)}, [1, 1, 0]),
        (["1", "0", "unknown", "-999"], {"unlabelled": ("Unknown",)}, [1, 0, None, None]),
        (["1", "0", "5"], {"null": ("5", "0")}, [1, 0, None]),
        (["1,0", "0,0"], {"decimal": ","}, [1, 0]),
        (["yes", "no", "None"], {}, [1, 0, None]),
    ],
)
def test_words_of_a_label(
    tmp_path: Path, words: list[str], form: dict[str, Any], expected: list[int | None]
) -> None:
    put(tmp_path, labelled(words), label="y", separator=";", **form)
    assert labels() == expected
    assert [cells.read_label(word, TableFormat(**form)) for word in words] == expected
    assert all(cells.is_label(word, TableFormat(**form)) for word in words)
    stored = json.loads((tmp_path / "data/mine/dataset.json").read_text())["format"]
    assert {name: tuple(stored[name]) for name in form if name != "decimal"} == {
        name: given for name, given in form.items() if name != "decimal"
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, 1), (False, 0), (1, 1), (0.0, 0), (None, None), (float("nan"), None), (2, None)],
)
def test_labels_of_messages(value: object, expected: int | None) -> None:
    assert cells.read_label(value, TableFormat()) == expected
    assert cells.is_label(value, TableFormat()) == (value != 2)


@pytest.mark.parametrize("words", [["1", "-1"], ["-1", "1"], ["0", "1", "2"], ["0", "ddos"]])
def test_unknown_labels_are_refused_without_a_guess(tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(DataError) as refused:
        put(tmp_path, labelled(words), label="y")
    unknown = next(word for word in words if word not in ("0", "1"))
    assert f"t.csv:{words.index(unknown) + 2}: " in refused.value.message
    step = str(refused.value.next_step)
    assert all(f"--{name} WORD" in step for name in ("attack", "normal", "unlabelled"))
    assert unknown not in step and "--kind y" in step


@pytest.mark.parametrize(
    "form",
    [
        {"attack": ("1",), "normal": ("1.0",)},
        {"attack": ("Bad",), "unlabelled": ("bad ",)},
        {"normal": ("x",), "unlabelled": ("X",)},
    ],
)
def test_contradictory_words_are_refused(tmp_path: Path, form: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="--attack, --normal and --unlabelled"):
        put(tmp_path, labelled(["0", "1"]), label="y", **form)


@pytest.mark.parametrize(
    ("words", "form", "only"),
    [
        (["1", "1", ""], {}, "attack"),
        (["-1", "0", "-1"], {"unlabelled": ("-1",)}, "normal"),
        (["1", "-1"], {"attack": ("-1",)}, "attack"),
    ],
)
def test_one_class_is_warned_of(
    tmp_path: Path, words: list[str], form: dict[str, Any], only: str
) -> None:
    warnings = put(tmp_path, labelled(words), label="y", **form).warnings
    assert any(f"every labelled row is {only}" in warning for warning in warnings)


def test_kinds(tmp_path: Path) -> None:
    words = ["0.0", "None", "none", "-", "Normal", "0", "", "Port Scan", "2", "DoS", "-999"]
    expected = [0, 0, 0, 0, 0, 0, None, 1, 1, 1, None]
    put(tmp_path, labelled(words), kind="y", separator=";")
    assert labels() == expected
    assert [cells.read_label(word, TableFormat(), kind=True) for word in words] == expected
    assert labels("kind") == [None] * 7 + ["Port Scan", "2", "DoS", None]
    put(tmp_path, labelled(["idle", "DoS"]), kind="y", normal=("IDLE",), separator=";")
    assert labels() == [0, 1]


WORDS = st.sampled_from(
    [*cells.ATTACK, *cells.NORMAL, *cells.NULLS, "-999", "-1", "2.0", "odd", "1.0", "0,0"]
)


@given(word=WORDS, case=st.sampled_from([str.upper, str.title, str.lower]), spaces=st.booleans())
def test_case_and_spaces_change_no_label(word: str, case: Any, spaces: bool) -> None:
    form = TableFormat(attack=("odd",), normal=("-1",), unlabelled=("2",), decimal=",")
    changed = case(word) if word not in cells.NULLS else word
    changed = f" {changed}\t" if spaces else changed
    assert cells.read_label(changed, form) == cells.read_label(word, form)
    assert cells.is_label(changed, form)


TABLE = "t,s,v\n" + "".join(
    f"2024-01-01 00:0{minute}:00,{series},{minute}\n" for series in "ab" for minute in range(3)
)


@pytest.mark.parametrize(
    "text",
    [
        "0\n1\n0\n1\n1\n0\n",
        "label\n0\n1\n0\n1\n1\n0\n",
        "y\n0.0\n1.0\nno\nyes\n1\n0\n",
        "attack\n0\n1\n0\n1\n1\n0\n",
    ],
)
def test_a_file_with_a_label_per_row(tmp_path: Path, text: str) -> None:
    (tmp_path / "y.txt").write_text(text)
    table = TABLE.splitlines()
    shuffled = "\n".join([table[0], *table[4:], *table[1:4]]) + "\n"  # b before a
    put(tmp_path, shuffled, time="t", series="s", labels=tmp_path / "y.txt")
    assert labels("series") == list("aaabbb") and labels() == [1, 1, 0, 0, 1, 0]
    (tmp_path / "y.txt").write_text("anomaly\nno\nno\nno\nno\nno\n")  # a word of a label
    put(tmp_path, shuffled, time="t", series="s", labels=tmp_path / "y.txt")
    assert labels() == [0, 0, 0, 1, 0, 0]
    (tmp_path / "one.txt").write_text("attack\n")
    put(tmp_path, "v,w\n1,2\n", labels=tmp_path / "one.txt")
    assert labels() == [1]
    np.save(tmp_path / "y.npy", np.array([0, 1, 0, 1, 1, 0]))
    put(tmp_path, shuffled, time="t", series="s", labels=tmp_path / "y.npy")
    assert labels() == [1, 1, 0, 0, 1, 0]


def test_a_file_with_labels_by_time(tmp_path: Path) -> None:
    text = "s;t;Label\nb;2024-01-01T00:01:00Z;1\na;2024-01-01T00:00:00Z;0\n"
    (tmp_path / "y.csv").write_text(text + "a;2024-01-01T09:00:00Z;1\n")
    report = put(tmp_path, TABLE, time="t", series="s", labels=tmp_path / "y.csv")
    assert labels() == [0, None, None, None, 1, None]
    assert report.counts["labels without a reading"] == 1
    assert report.counts["unlabelled rows"] == 4
    (tmp_path / "y.csv").write_text(text.replace("Label", "state").replace(";1", ";bad"))
    given: dict[str, Any] = {"label": "state", "attack": ("bad",)}
    put(tmp_path, TABLE, time="t", series="s", labels=tmp_path / "y.csv", **given)
    assert labels() == [0, None, None, None, 1, None]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0\n1\n0\n", ["y.csv:3: ", "3 labels", "6 rows"]),
        ("y\n0\n1\n0\n1\n1\n0\n0\n", ["y.csv:8: ", "6 rows"]),
        ("label\n0\n1\n0\n1\n1\n", ["y.csv:6: ", "5 labels below the header", "6 rows"]),
        ("Attack\n0\n1\n0\n1\n1\n", ["y.csv:6: ", "5 labels below the header", "6 rows"]),
        ("0\n1\n0\n2\n1\n0\n", ["y.csv:4: ", "'2'"]),
        ("s,time,label\na,1,0\n", ["y.csv", "missing column 't'"]),
        ("t,s,state\n2024-01-01 00:00:00,a,0\n", ["y.csv", "3 columns"]),
        ("t,s,label\n2024-05-05 00:00:00,a,0\n", ["y.csv", "none of its times"]),
        ("t,s,label\nyesterday,a,0\n", ["y.csv:2: ", "'yesterday'"]),
        (
            "t,s,label\n2024-01-01 00:00:00,a,0\n2024-01-01 00:00:00,a,1\n",
            ["y.csv:3: ", "another label"],
        ),
    ],
)
def test_files_of_labels_that_are_refused(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "y.csv").write_text(text)
    with pytest.raises(DataError) as refused:
        put(tmp_path, TABLE, time="t", series="s", labels=tmp_path / "y.csv")
    assert all(word in refused.value.message for word in words), refused.value.message


OFFSETS = "t,v\n" + "".join(f"2024-01-01T00:0{minute}:00+01:00,1\n" for minute in range(6))
SECONDS = "t,v\n" + "".join(f"{1_704_063_600 + 60 * minute},1\n" for minute in range(6))


@pytest.mark.parametrize("text", [OFFSETS, SECONDS], ids=["offsets", "seconds"])
@pytest.mark.parametrize(
    ("option", "rows"),
    [
        ("incidents", "start,end\n2024-01-01 00:01,2024-01-01 00:02\n"),
        ("labels", "t,label\n2024-01-01 00:01,1\n2024-01-01 00:02,1\n"),
    ],
)
def test_local_labels_of_readings_with_an_offset_need_a_zone(
    tmp_path: Path, text: str, option: str, rows: str
) -> None:
    (tmp_path / "y.csv").write_text(rows)
    asked: dict[str, Any] = {"time": "t", option: tmp_path / "y.csv"}
    with pytest.raises(DataError, match=r"y\.csv:2: .*offset") as refused:
        put(tmp_path, text, **asked)
    assert "--timezone" in str(refused.value.next_step)
    report = put(tmp_path, text, timezone="Europe/Berlin", **asked)
    assert report.begins == "2023-12-31T23:00:00Z"
    assert [row for row, label in enumerate(labels()) if label == 1] == [1, 2]
    stored = json.loads((tmp_path / "data/mine/dataset.json").read_text())["format"]
    assert stored["timezone"] is None  # of the readings
    (tmp_path / "y.csv").write_text(
        rows.replace(" 00:01", "T00:01+01").replace(" 00:02", "T00:02+01")
    )
    put(tmp_path, text, **asked)
    assert [row for row, label in enumerate(labels()) if label == 1] == [1, 2]


def test_small_numbers_of_incidents_have_the_unit_of_the_readings(tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text("start,end\n2,3\n")
    asked: dict[str, Any] = {"time": "t", "time_format": "minutes", "period": 60.0}
    put(tmp_path, "t,v\n0,1\n1,2\n2,1\n3,2\n4,1\n", incidents=tmp_path / "i.csv", **asked)
    assert labels() == [0, 0, 1, 1, 0]


WINDOW = ["2024-01-01 00:01:00.000000", "2024-01-01 00:02:00.000000"]
ONE = "t,v\n" + "".join(f"2024-01-01 00:0{minute}:00,{minute}\n" for minute in range(4))


@pytest.mark.parametrize(
    ("text", "series", "content", "expected"),
    [
        (TABLE, "s", {"realKnownCause/a.csv": [WINDOW], "c.csv": [WINDOW]}, [0, 1, 1, 0, 0, 0]),
        (TABLE, "s", {"b": [WINDOW], "a": []}, [0, 0, 0, 0, 1, 1]),
        (ONE, None, {"folder/t.csv": [WINDOW], "u.csv": [WINDOW, WINDOW]}, [0, 1, 1, 0]),
        (ONE, None, [WINDOW], [0, 1, 1, 0]),
        (ONE, None, {"mine": [WINDOW]}, [0, 1, 1, 0]),
    ],
)
def test_windows_in_json(
    tmp_path: Path, text: str, series: str | None, content: Any, expected: list[int]
) -> None:
    (tmp_path / "w.json").write_text(json.dumps(content))
    report = put(tmp_path, text, time="t", series=series, incidents=tmp_path / "w.json")
    assert labels() == expected and report.incidents == 1
    others = (
        sum(len(many) for key, many in content.items() if key[0] in "cu")
        if isinstance(content, dict)
        else 0
    )
    assert report.counts.get("incidents of other series", 0) == others


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"c.csv": [["2024-01-01", "2024-01-02"]]}', ["no windows", "'c.csv'"]),
        ('[["2024-01-01", "2024-01-02"]]', ["names no series"]),
        ('{"a": [["2024-01-01"]]}', ["pair"]),
        ('{"a": 1}', ["not windows"]),
        ("{", ["not windows"]),
        ('{"a": [["2024-01-01", "later"]]}', ["row 1", "'later'"]),
        ('{"a": [["2024-01-02", "2024-01-01"]]}', ["row 1", "is before"]),
    ],
)
def test_windows_that_are_refused(tmp_path: Path, content: str, words: list[str]) -> None:
    (tmp_path / "w.json").write_text(content)
    with pytest.raises(DataError) as refused:
        put(tmp_path, TABLE, time="t", series="s", incidents=tmp_path / "w.json")
    assert all(word in refused.value.message for word in ["w.json", *words])


NOISE = np.random.default_rng(1).normal(20, 2, 100).round(3)
ATTACK = (np.arange(100) % 50 >= 40).astype(int)
SUSPECTS = [
    (np.arange(100), "row counter"),
    (np.arange(100) * 7 + NOISE / 100, "row counter"),
    (-np.arange(100), "row counter"),
    (np.arange(100) % 50 + 5, "row counter"),  # counts within each series
    (ATTACK, "one label only"),
    (1 - ATTACK, "one label only"),
    (np.where(ATTACK, np.arange(100) % 3, 7), "one label only"),
    (np.where(np.arange(100) < 50, ATTACK, 0), "in attacks only"),
    (np.where(ATTACK, NOISE + 100, NOISE), "alone"),
    (NOISE, None),
    (np.where(ATTACK, NOISE + 4, NOISE), None),
    (np.arange(100) // 4 % 2, None),
    (np.where(np.arange(100) == 45, 1, 0), None),  # one row may be chance
]


@pytest.mark.parametrize(("values", "reason"), SUSPECTS)
def test_columns_that_give_the_label_away(tmp_path: Path, values: Any, reason: str | None) -> None:
    columns = {"my x": values, "w": NOISE[::-1], "y": ATTACK, "s": np.arange(100) // 50}
    pl.DataFrame(columns).write_csv(tmp_path / "t.csv")
    asked: dict[str, Any] = {"name": "mine", "label": "y", "series": "s"}
    report = import_table(ImportRequest(file=tmp_path / "t.csv", **asked))
    assert len(report.warnings) == (reason is not None)
    if reason:
        assert reason in report.warnings[0]
        assert "'my x'" in report.warnings[0] and "--ignore 'my x'" in report.warnings[0]
        cured = ImportRequest(file=tmp_path / "t.csv", ignore=("my x",), replace=True, **asked)
        assert not import_table(cured).warnings


def test_columns_that_give_the_label_away_without_labels_are_row_counters(tmp_path: Path) -> None:
    columns = {"index": np.arange(30), "k": np.arange(30), "w": NOISE[:30]}
    pl.DataFrame(columns).write_csv(tmp_path / "t.csv")
    (warning,) = import_table(ImportRequest(file=tmp_path / "t.csv", name="mine")).warnings
    assert "'index', 'k'" in warning and "--ignore index,k" in warning
