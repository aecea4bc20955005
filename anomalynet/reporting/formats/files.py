"""The files of a report in every form that is wanted, each replaced as a whole.

What draws a report needs not know of forms: `with wanted(["html"], out): write_files(…)`."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Literal

from anomalynet.errors import UsageError
from anomalynet.runs.files import write_bytes

Form = Literal["html", "md", "latex", "csv"]
PLACES: Mapping[Form, str] = {
    "html": "report.html",
    "md": "report.md",
    "latex": "report.tex",
    "csv": "tables",
}
"""What a reader opens of each form, in the folder of the report."""

TEXT = {"table", "model", "arm", "data", "metric", "parameter", "paper", "used", "split", "seeds"}
TEXT |= {"folds", "worlds", "unit", "status", "reason"}
"""Columns that are text even where all of it looks like numbers, so that a column has one type in
every report."""

_WANTED: ContextVar[frozenset[Form]] = ContextVar("forms", default=frozenset({"md"}))


def read_forms(names: Iterable[str]) -> list[Form]:
    """The forms that are named, in their order and each once; `all` names every one, no name at all
    Markdown. Raises UsageError: there is no such form."""
    found: dict[Form, None] = {}
    for name in names or ["md"]:
        own: list[Form] = [form for form in PLACES if name in (form, "all")]
        if not own:
            hint = f"--format is one or several of {', '.join(PLACES)}, or all"
            raise UsageError(f"there is no form {name!r} of a report", hint)
        found |= dict.fromkeys(own)
    return list(found)


def current() -> frozenset[Form]:
    """The forms in which reports are written now; Markdown alone where nothing else is wanted."""
    return _WANTED.get()


@contextmanager
def wanted(forms: Sequence[Form], out: Path) -> Iterator[Path]:
    """Write a report in these forms, and in those that lie in its folder already: none of them may
    tell of older runs than the others. `forms`: at least one; `out`: the folder of the report.
    Yields:
        the path of the first form, for the reader to open."""
    token = _WANTED.set(frozenset(forms) | present(out))
    try:
        yield out / PLACES[forms[0]]
    finally:
        _WANTED.reset(token)


def present(out: Path) -> frozenset[Form]:
    """The forms in which a folder holds a report."""
    files = frozenset(form for form, place in PLACES.items() if (out / place).is_file())
    return files | {"csv"} if any((out / PLACES["csv"]).glob("*.parquet")) else files


def write_files(out: Path, files: Mapping[str, bytes]) -> Path:
    """Replace `files` (path below `out` → content) and their translations; everything is made
    before the first is replaced, others stay.

    Returns:
        the path of the last of `files`, the document.
    Raises: UsageError: the folder cannot be written to.
    """
    made = translate(files, current())
    try:
        for name, content in made.items():
            write_bytes(out / name, content)
    except OSError as error:
        raise UsageError(
            f"{out}: cannot be written to: {error.strerror}", "--out names another folder"
        ) from None
    return out / list(files)[-1]


def translate(files: Mapping[str, bytes], forms: Collection[Form]) -> dict[str, bytes]:
    """The files of a report in every wanted form.

    Markdown and CSV are always among them: the Markdown is what the other forms are made from, and
    it does not depend on them. HTML is one file a document, LaTeX one and the figures as PDF, `csv`
    adds each table as Parquet. `files`: path below the report's folder → content: documents
    (`*.md`), `tables/*.csv`, `figures/*`; `forms`: what is wanted.

    Returns:
        path → content in the order in which to write them: documents after what they show, Markdown
        last.
    """
    documents = {name: content.decode() for name, content in files.items() if name.endswith(".md")}
    found = {name: content for name, content in files.items() if name not in documents}
    if "latex" not in forms:
        found = {name: content for name, content in found.items() if not name.endswith(".pdf")}
    if "csv" in forms:
        tables = [name for name in found if name.endswith(".csv")]
        found |= {f"{name.removesuffix('.csv')}.parquet": parquet(found[name]) for name in tables}
    for name, text in documents.items():
        stem = name.removesuffix(".md")
        if "html" in forms:
            from anomalynet.reporting.formats.html import html

            found[f"{stem}.html"] = html(text, files).encode()
        if "latex" in forms:
            from anomalynet.reporting.formats.latex import latex

            found[f"{stem}.tex"] = latex(text, files).encode()
    return found | {name: files[name] for name in documents}


def parquet(csv: bytes) -> bytes:
    """A CSV table as Parquet; the same table gives the same bytes.

    Numbers are Int64 or Float64, empty cells null, and a column without any value has the type
    Null, which says nothing that is not known. `csv`: UTF-8, a header and rows."""
    import polars as pl

    header = set(csv.split(b"\n", 1)[0].decode().strip().split(","))
    texts = dict.fromkeys(header & TEXT, pl.String)
    frame = pl.read_csv(csv, infer_schema_length=None, null_values=[""], schema_overrides=texts)
    empty = [column.name for column in frame if column.null_count() == frame.height]
    target = io.BytesIO()
    nothing = (pl.lit(None).alias(name) for name in empty)
    frame.with_columns(nothing).write_parquet(target, compression="zstd", statistics=True)
    return target.getvalue()
