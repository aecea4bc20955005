"""Which files a report has, and that none of its forms tells of older runs than the others."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from anomalynet.reporting.figures import encode, style
from anomalynet.reporting.formats.files import (
    FILE_OF_FORM,
    Form,
    current,
    harmless,
    parquet,
    present,
    translate,
    wanted,
    write_files,
)
from tests.reporting.formats.documents import FILES, every_report

PAGES = ["cost.html", "cost.tex", "report.html", "report.tex"]
DRAWN = {**FILES, "figures/one.pdf": b"%PDF"}


@pytest.mark.parametrize(
    "forms, added",
    [
        (["md"], []),
        (["html"], ["cost.html", "report.html"]),
        (["latex"], ["figures/one.pdf", "cost.tex", "report.tex"]),
        (["csv", "md"], ["tables/t_1.parquet"]),
        (list(FILE_OF_FORM), ["figures/one.pdf", "tables/t_1.parquet", *PAGES]),
    ],
)
def test_each_form_adds_its_files_and_the_markdown_stays_as_it_is_and_last(
    forms: Sequence[Form], added: list[str]
) -> None:
    found = translate(DRAWN, forms)
    assert set(found) == {*FILES, *added}
    assert list(found)[-2:] == ["cost.md", "report.md"]
    assert [name for name in found if name in added and "/" not in name] == [
        name for name in added if "/" not in name
    ]
    text = harmless(FILES["report.md"].decode())  # its sample has `<group>`, and a foreign link
    assert {name: found[name] for name in FILES} == {**FILES, "report.md": text.encode()}


def test_markdown_alone_unless_more_is_wanted_and_again_afterwards(tmp_path: Path) -> None:
    assert current() == {"md"}
    with pytest.raises(ValueError, match="stop"), wanted(["latex", "md"], tmp_path) as path:
        assert path == tmp_path / "report.tex"
        assert current() == {"latex", "md"}
        raise ValueError("stop")
    assert current() == {"md"}


def test_forms_that_lie_there_are_renewed(tmp_path: Path) -> None:
    with wanted(["html", "csv"], tmp_path) as path:
        assert write_files(tmp_path, FILES) == tmp_path / "report.md"
    assert path == tmp_path / "report.html"
    assert present(tmp_path) == {"html", "md", "csv"}
    with wanted(["md"], tmp_path) as path:
        write_files(
            tmp_path, {**FILES, "report.md": b"# Renewed 4711\n", "tables/t_1.csv": b"mean\n3\n"}
        )
    assert path == tmp_path / "report.md"
    assert "4711" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "tables/t_1.parquet").read_bytes() != translate(FILES, ["csv"])[
        "tables/t_1.parquet"
    ]
    assert not (tmp_path / "report.tex").exists()


def test_a_failure_leaves_every_file_of_the_old_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wanted(["html"], tmp_path):
        write_files(tmp_path, FILES)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr("anomalynet.reporting.formats.html.slugs", lambda texts: 1 / 0)
    with pytest.raises(ZeroDivisionError), wanted(["html"], tmp_path):
        write_files(tmp_path, {**FILES, "tables/t_1.csv": b"mean\n3\n"})
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_figure_is_drawn_as_pdf_for_latex_alone_with_the_same_bytes_and_no_date(
    tmp_path: Path,
) -> None:
    from matplotlib.figure import Figure

    def drawn(form: Form) -> dict[str, bytes]:
        figure = Figure(figsize=(1, 1))
        figure.text(0, 0, "± µ")
        with style(), wanted([form], tmp_path):
            return dict(encode(figure, ("svg", "pdf") if form == "latex" else ("svg",)))

    pdf = drawn("latex")["pdf"]
    assert pdf == drawn("latex")["pdf"]
    assert b"Date" not in pdf
    assert b"Matplotlib" not in pdf


def read(csv: bytes) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(parquet(csv)))


def test_numbers_are_numbers_and_what_names_something_is_text() -> None:
    frame = read(
        b'model,seeds,folds,mean,n,on_axes,reason\n"a, b",0,5,1.5,3,true,\nc,1,5,,4,false,\n'
    )
    numbers = {"mean": pl.Float64, "n": pl.Int64, "on_axes": pl.Boolean, "reason": pl.Null}
    assert frame.schema == {**dict.fromkeys(("model", "seeds", "folds"), pl.String), **numbers}
    assert frame.rows() == [
        ("a, b", "0", "5", 1.5, 3, True, None),
        ("c", "1", "5", None, 4, False, None),
    ]


def test_a_number_that_starts_like_a_count_in_the_first_row_is_read_from_all_rows() -> None:
    assert read(b"model,mean\na,1\nb,2.25\n")["mean"].to_list() == [1.0, 2.25]


def test_a_table_without_rows_keeps_its_columns() -> None:
    empty = read(b"data,probe,auroc\n").schema
    assert empty == dict.fromkeys(("data", "probe", "auroc"), pl.Null)


@every_report
def test_every_cell_of_a_report_is_in_its_parquet(folder: Path) -> None:
    for path in sorted((folder / "tables").glob("*.csv")):
        frame, text = read(path.read_bytes()), pl.read_csv(path, infer_schema=False)
        assert frame.columns == text.columns
        for name in frame.columns:
            column = frame[name]
            if column.dtype.is_float():
                assert column.to_list() == text[name].cast(pl.Float64).to_list()
            else:
                assert column.cast(pl.String).to_list() == text[name].to_list()
