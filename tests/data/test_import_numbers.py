"""Numbers of tables and messages: signs, missing and invalid cells, values that do not fit 32-bit
floats, sentinels, and names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.importing import cells
from anomalynet.data.importing.format import TableFormat
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.read import Table, read_table
from anomalynet.data.importing.request import ImportReport, ImportRequest
from anomalynet.errors import DataError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def read(folder: Path, text: str, **form: Any) -> Table:
    file, staging = folder / "t.csv", folder / "staging"
    file.write_text(text, encoding="utf-8")
    staging.mkdir()
    return read_table([file], TableFormat(**form), staging)


def test_groups_of_three_beside_small_whole_numbers_are_refused(tmp_path: Path) -> None:
    rows = "t;p\n0;998\n1;999\n2;1.000\n3;1.001\n"
    with pytest.raises(DataError, match=r"t\.csv:4: .*'1.000', which could be 1 or 1000"):
        read(tmp_path, rows, time="t")
    for number, (decimal, thousands, value) in enumerate(((".", "", 1.0), (",", ".", 1000.0))):
        folder = tmp_path / str(number)
        folder.mkdir()
        table = read(folder, rows, time="t", decimal=decimal, thousands=thousands)
        assert table.readings.collect()["p"].to_list()[2] == value
    folder = tmp_path / "plain"
    folder.mkdir()
    assert read(folder, "t;p\n0;2\n1;1.125\n2;1.5\n", time="t").form.decimal == "."


def put(folder: Path, text: str, **asked: Any) -> ImportReport:
    file = folder / "t.csv"
    file.write_text(text, encoding="utf-8")
    return import_table(ImportRequest(**{"file": file, "name": "mine", **asked}))


@pytest.mark.parametrize(
    ("values", "form", "numbers", "signs"),
    [
        (["1.5", "2"], {}, [1.5, 2], (".", "")),
        (["1.234", "2.5"], {}, [1.234, 2.5], (".", "")),
        (["21,5", "2"], {}, [21.5, 2], (",", "")),
        (["-1,5E+03", ",5", "3,"], {}, [-1500, 0.5, 3], (",", "")),
        (["1.234,5", "1.234", "7"], {}, [1234.5, 1234, 7], (",", ".")),
        (["1,234.5", "1,234", "0.125"], {}, [1234.5, 1234, 0.125], (".", ",")),
        (["1.234.567", "21,5"], {}, [1234567, 21.5], (",", ".")),
        (["1,234,567", "21.5"], {}, [1234567, 21.5], (".", ",")),
        (["1'234.5", "1’234"], {}, [1234.5, 1234], (".", "'")),
        (["1'234", "7"], {}, [1234, 7], (".", "'")),
        (["1 234,5", "1\u00a0234", "1\u202f234"], {}, [1234.5, 1234, 1234], (",", " ")),
        (["1,234", "7"], {"decimal": ","}, [1.234, 7], (",", "")),
        (["1,234", "7"], {"thousands": ","}, [1234, 7], (".", ",")),
        (["1,234", "7"], {"decimal": "."}, [1234, 7], (".", ",")),
        (["21,5", "1.234"], {"thousands": "."}, [21.5, 1234], (",", ".")),
        (["FALSE", "true", "NA"], {}, [0, 1, None], (".", "")),
        (["\u22125,3", "4,2"], {}, [-5.3, 4.2], (",", "")),
        (["\u22125.3", "1e\u22122"], {}, [-5.3, 0.01], (".", "")),
        (["1,23,456.78", "12,34,567"], {}, [123456.78, 1234567], (".", ",")),
        (["21.5", "TRUE"], {"null": ("TRUE",)}, [21.5, None], (".", "")),
        (["21,5", "-200"], {"null": ("-200,0",)}, [21.5, None], (",", "")),
        (["1.5", "-200.0"], {"null": ("-200",)}, [1.5, None], (".", "")),
        (["1.5", "-NaN", "warm"], {"null": ("warm",)}, [1.5, None, None], (".", "")),
        (["inf", "2"], {"null": ("inf",)}, [None, 2], (".", "")),
        (["1e18", "-3e38", "9.9e17"], {}, [None, None, 9.9e17], (".", "")),
    ],
)
def test_numbers(
    tmp_path: Path,
    values: list[str],
    form: dict[str, Any],
    numbers: list[float | None],
    signs: tuple[str, str],
) -> None:
    text = "v;w\n" + "".join(f"{value};1\n" for value in values)
    table = read(tmp_path, text, separator=";", **form)
    assert table.readings.collect()["v"].to_list() == numbers
    assert (table.form.decimal, table.form.thousands) == signs
    assert table.counts.get("missing readings", 0) == numbers.count(None)
    pl.DataFrame({"v": values, "w": 1}).write_parquet(tmp_path / "t.parquet")
    (tmp_path / "again").mkdir()
    again = read_table([tmp_path / "t.parquet"], table.form, tmp_path / "again")
    assert again.readings.collect()["v"].to_list() == numbers
    for value, expected in zip(values, numbers, strict=True):
        if value.lower() not in cells.SWITCH:
            found = cells.read_number(value, *signs)
            large = found is not None and abs(found) >= cells.LARGEST
            missing = cells.is_missing(value, table.form) or large
            assert (None if missing else found) == expected


@pytest.mark.parametrize(
    ("values", "form", "line", "words", "advice"),
    [
        (["7", "1,234"], {}, 3, ["'v'", "1.234 or 1234"], "--decimal , or --thousands ,"),
        (["21.5", "1,234"], {}, 3, ["'1,234'", "1234"], "--thousands ,"),
        (["21,5", "1.234"], {}, 3, ["'1.234'", "1234"], "--thousands ."),
        (["21,5", "21,5", "2.5"], {}, 4, ["'2.5'", "','"], "alike"),
        (["21.5", "21.5", "2,5"], {}, 4, ["'2,5'", "'.'"], "alike"),
        (["21,5", "21,5", "0.512"], {}, 4, ["'0.512'"], "alike"),
        (["1.234,5", "1.23,4"], {}, 3, ["'1.23,4'"], "--ignore v"),
        (["21.5", "TRUE", "22"], {}, 3, ["'v' is 'TRUE'"], "--null 'TRUE'"),
        (["21,5", "22,5", "false"], {}, 4, ["'v' is 'false'"], "--ignore v"),
        (["20.5 °C", "21 °C"], {}, 2, ["'20.5 °C'"], "remove ' °C' from its cells"),
        (["20", "5%"], {}, 3, ["'5%'"], "remove '%'"),
        (["On", "Off"], {}, 2, ["'On'"], "write TRUE and FALSE"),
        (["1", "2,5"], {"decimal": "."}, 3, ["'2,5'"], "--decimal ,"),
        *(
            (["1", value], {}, 3, [f"{value!r}, not a finite number"], "--ignore v")
            for value in ("1_0", "inf", "-Infinity", "1e400", "0x10", "１２", "1 2", "warm", "--1")
        ),
    ],
)
def test_numbers_that_are_refused(
    tmp_path: Path,
    values: list[str],
    form: dict[str, Any],
    line: int,
    words: list[str],
    advice: str,
) -> None:
    with pytest.raises(DataError) as refused:
        read(tmp_path, "v;w\n" + "".join(f"{v};1\n" for v in values), separator=";", **form)
    assert all(word in refused.value.message for word in [f"t.csv:{line}: ", *words])
    assert advice in str(refused.value.next_step)
    if not form:
        assert "finite" not in words[0] or cells.read_number(values[-1]) is None


@pytest.mark.parametrize(
    "form", [{"decimal": ";"}, {"thousands": "_"}, {"decimal": ",", "thousands": ","}]
)
def test_signs_that_are_refused(tmp_path: Path, form: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"--decimal|--thousands"):
        read(tmp_path, "v,w\n1,2\n", **form)


SIGNS = [(p, t) for p in ".," for t in cells.THOUSANDS if t != p]
CELL = st.text("0123456789.,' +-eE", max_size=9) | st.sampled_from(
    ["nan", "NaN", "inf", "1_0", "-200", "１２", "1e400", "1e18", "1\u202f000", "NA", ""]
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts=st.lists(CELL, min_size=1, max_size=4),
    numbers=st.lists(st.floats(-1e17, 1e17), min_size=1, max_size=2),
    signs=st.sampled_from(SIGNS),
)
def test_tables_and_messages_read_the_same_numbers(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    numbers: list[float],
    signs: tuple[str, str],
) -> None:
    folder = tmp_path_factory.mktemp("numbers")
    point, sign = signs
    written = [
        f"{v:,.3f}".replace(",", "_").replace(".", point).replace("_", sign) for v in numbers
    ]
    form = TableFormat(decimal=point, thousands=sign, null=("-200",))  # type: ignore[arg-type]
    for number, text in zip(numbers, written, strict=True):
        assert cells.read_number(text, *signs) == float(f"{number:.3f}")
    cells_ = [text.strip() for text in [*texts, *written]]
    expected: list[Any] = []
    for text in cells_:
        value = None if cells.is_missing(text, form) else cells.read_number(text, *signs)
        invalid = value is None and not cells.is_missing(text, form)
        expected.append("invalid" if invalid else value)
    pl.DataFrame({"v": cells_}).write_parquet(folder / "t.parquet")
    if "invalid" in expected:
        with pytest.raises(DataError, match=rf"row {expected.index('invalid') + 1}: sensor 'v'"):
            read_table([folder / "t.parquet"], form, folder)
        return
    found = read_table([folder / "t.parquet"], form, folder).readings.collect()["v"].to_list()
    assert found == [None if v is None or abs(v) >= cells.LARGEST else v for v in expected]


def test_readings_that_are_too_large_are_missing_and_named(tmp_path: Path) -> None:
    report = put(tmp_path, "v,w\n1,2\n9.97e36,3\n-1e18,4\n1e17,9.97e36\n")
    frame = sources.load(DataConfig(name="mine")).frame.collect()
    assert frame["v"].to_list() == [1, None, None, 1e17]
    assert report.counts["readings too large for 32-bit windows"] == 3
    assert "'v': 2 readings" in report.warnings[0] and "t.csv:3" in report.warnings[0]
    assert "'w': 1 readings" in report.warnings[1] and "t.csv:5" in report.warnings[1]


def rows_of(**columns: Any) -> str:
    names, values = list(columns), zip(*columns.values(), strict=True)
    return "\n".join([",".join(names), *(",".join(map(str, row)) for row in values)]) + "\n"


@pytest.mark.parametrize(
    ("name", "ids", "warned"),
    [
        ("sensor_id", [1, 2, 3], True),
        ("Node", [7, 9], True),
        ("stationId", [1, 2], True),
        ("humid", [1, 2], False),
        ("id", [1.5, 2], False),
    ],
)
def test_a_column_of_device_numbers_is_warned_of(
    tmp_path: Path, name: str, ids: list[float], warned: bool
) -> None:
    number = np.resize(ids, 60)
    text = rows_of(**{"t": np.arange(60), name: number, "v": NOISE[:60]})
    found = [one for one in put(tmp_path, text, time="t").warnings if f"--series {name}" in one]
    assert bool(found) == warned
    if warned:
        cured = put(tmp_path, text, time="t", series=name, replace=True)
        assert cured.series == len(ids) and not cured.warnings


NOISE = np.random.default_rng(1).normal(20, 2, 100).round(3)


@pytest.mark.parametrize(
    ("values", "null"),
    [
        (np.where(np.arange(100) % 25 == 3, -200, NOISE), "--null -200"),
        (np.where(np.arange(100) % 25 == 3, -9999, NOISE), "--null -9999"),
        (np.where(np.arange(100) % 25 == 3, 65535, NOISE), "--null 65535"),
        (np.where(np.arange(100) % 25 == 3, 1e6, NOISE), "--null 1000000"),
        (np.where(np.arange(100) == 3, -200, NOISE), None),  # once: may be a reading
        (np.where(np.arange(100) % 25 == 3, 0, NOISE), None),  # switched off
        (np.where(np.arange(100) % 25 == 3, 12, NOISE), None),
        (np.arange(100) % 2, None),
    ],
)
def test_likely_sentinels(tmp_path: Path, values: Any, null: str | None) -> None:
    warnings = put(tmp_path, rows_of(v=values, w=NOISE)).warnings
    assert len(warnings) == (null is not None)
    if null:
        assert null in warnings[0]
        word = null.split()[1]
        cured = put(tmp_path, rows_of(v=values, w=NOISE), null=(word,), replace=True)
        assert cured.counts["missing readings"] == 4 and not cured.warnings


def test_values_that_collapse_as_32_bit_floats(tmp_path: Path) -> None:
    counter = 1e9 + np.arange(100) % 12
    assert not put(tmp_path, rows_of(v=counter, w=NOISE)).warnings
    apart = np.where(np.arange(100) < 50, counter, -counter)
    (warning,) = put(tmp_path, rows_of(v=apart, w=NOISE), replace=True).warnings
    assert "'v'" in warning and "32-bit" in warning


@pytest.mark.parametrize(
    ("text", "asked", "where"),
    [
        ("a,\x1b[31mb\n1,2\n", {}, "t.csv:1: column '\\x1b[31mb'"),
        ('a,"b\nc"\n1,2\n', {}, "column 'b\\nc'"),
        (f"a,{'b' * 300}\n1,2\n", {}, "t.csv:1: column 'bbb"),
        ("a,s\n1,x\n1,\x07y\n", {"series": "s"}, "t.csv:3: series '\\x07y'"),
        (f"a,s\n1,x\n1,{'y' * 300}\n", {"series": "s"}, "t.csv:3: series 'yyy"),
        ("a,k\n1,0\n1,\x1b]0;x\n", {"kind": "k"}, "t.csv:3: kind '\\x1b]0;x'"),
        ("1,2\n", {"columns": ("a", " ")}, "--columns ' ' is blank"),
    ],
)
def test_names_that_are_refused(
    tmp_path: Path, text: str, asked: dict[str, Any], where: str
) -> None:
    with pytest.raises(DataError) as refused:
        put(tmp_path, text, **asked)
    assert where in refused.value.message and refused.value.message.isprintable()


def test_names_of_a_parquet_file(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1], "b\x00": [2]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet: column 'b\\x00'"):
        import_table(ImportRequest(file=tmp_path / "t.parquet", name="mine"))
    assert put(tmp_path, f"Temp (°C),{'b' * 128}\n1,2\n").channels[0] == "Temp (°C)"
