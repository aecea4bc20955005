"""Tables as Parquet hold what their CSV holds."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from anomalynet.reporting.forms.files import parquet
from tests.reporting.forms.documents import every_report


def read(csv: bytes) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(parquet(csv)))


def test_numbers_are_numbers_and_what_names_something_is_text() -> None:
    frame = read(
        b'model,seeds,folds,mean,n,on_axes,reason\n"a, b",0,5,1.5,3,true,\nc,1,5,,4,false,\n'
    )
    assert frame.schema == {
        "model": pl.String,
        "seeds": pl.String,
        "folds": pl.String,
        "mean": pl.Float64,
        "n": pl.Int64,
        "on_axes": pl.Boolean,
        "reason": pl.Null,
    }
    assert frame.rows() == [
        ("a, b", "0", "5", 1.5, 3, True, None),
        ("c", "1", "5", None, 4, False, None),
    ]


def test_a_number_that_starts_like_a_count_in_the_first_row_is_read_from_all_rows() -> None:
    assert read(b"model,mean\na,1\nb,2.25\n")["mean"].to_list() == [1.0, 2.25]


def test_a_table_without_rows_keeps_its_columns() -> None:
    assert read(b"data,probe,auroc\n").schema == {
        "data": pl.Null,
        "probe": pl.Null,
        "auroc": pl.Null,
    }


@every_report
def test_every_cell_of_a_report_is_in_its_parquet(folder: Path) -> None:
    for path in sorted((folder / "tables").glob("*.csv")):
        frame, text = read(path.read_bytes()), pl.read_csv(path, infer_schema=False)
        assert frame.columns == text.columns
        for name in frame.columns:
            column = frame[name]
            if column.dtype.is_float():
                assert column.to_list() == [
                    None if cell is None else float(cell) for cell in text[name]
                ]
            else:
                assert column.cast(pl.String).to_list() == text[name].to_list()


def test_the_same_table_gives_the_same_bytes() -> None:
    csv = b"model,mean\na,1.5\nb,2.5\n"
    assert parquet(csv) == parquet(csv)
