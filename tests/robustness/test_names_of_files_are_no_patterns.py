"""A file is read whatever its name and folder are called, and no other file is read with it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from anomalynet.config.schema import DataConfig
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.data.prepare import prepare


@pytest.mark.parametrize("name", ["a*.csv", "a[1].csv", "[a.csv", "a?.parquet", "[a.parquet"])
def test_brackets_and_stars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "da[t]*"))
    for file, rows in ((name, 20), ("a1.csv", 7), ("a1.parquet", 7)):
        table = pl.DataFrame({"t": range(rows), 'v "1"': [row % 3 for row in range(rows)]})
        with (tmp_path / file).open("wb") as stream:
            table.write_csv(stream) if file.endswith("csv") else table.write_parquet(stream)
    report = import_table(ImportRequest(file=tmp_path / name, name="mine", time="t"))
    assert report.rows == 20
    assert len(prepare(DataConfig(name="mine", calibration_rows=5)).values) == 20
