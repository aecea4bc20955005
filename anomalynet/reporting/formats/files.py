"""The files of a report in every form that is wanted, each replaced as a whole.

What draws a report needs not know of forms: `with wanted(["html"], out): write_files(…)`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import count
from pathlib import Path
from typing import Literal

from anomalynet.errors import UsageError, printable
from anomalynet.runs.files import write_bytes

Form = Literal["html", "md", "latex", "csv"]
FILE_OF_FORM: dict[Form, str] = {"html": "report.html", "md": "report.md"}
FILE_OF_FORM |= {"latex": "report.tex", "csv": "tables"}
"""The file or folder of each format, in the folder of the report."""

TEXT = {"table", "model", "arm", "data", "metric", "parameter", "paper", "used", "split", "seeds"}
TEXT |= {"folds", "worlds", "unit", "status", "reason"}
"""Columns that are always text, also if all values look like numbers, so that a column has the same
type in every report."""

_WANTED: ContextVar[frozenset[Form]] = ContextVar("forms", default=frozenset({"md"}))


def read_forms(names: Iterable[str]) -> list[Form]:
    """The forms that are named, in their order and each once; `all` names every one, no name at all
    Markdown. Raises UsageError: there is no such form."""
    found: dict[Form, None] = {}
    for name in names or ["md"]:
        own: list[Form] = [form for form in FILE_OF_FORM if name in (form, "all")]
        if not own:
            hint = f"formats are one or several of {', '.join(FILE_OF_FORM)}, or all"
            raise UsageError(f"there is no form {name!r} of a report", hint)
        found |= dict.fromkeys(own)
    return list(found)


def current() -> frozenset[Form]:
    """The formats in which reports are written now; by default only Markdown."""
    return _WANTED.get()


@contextmanager
def wanted(forms: Sequence[Form], out: Path) -> Iterator[Path]:
    """Write reports inside in these formats, and in those that its folder already has, so that no
    file of the report in `out` is older than the others. Yields the path of the first form."""
    token = _WANTED.set(frozenset(forms) | present(out))
    try:
        yield out / FILE_OF_FORM[forms[0]]
    finally:
        _WANTED.reset(token)


def present(out: Path) -> frozenset[Form]:
    """The formats of the report in a folder."""
    files = frozenset(form for form, name in FILE_OF_FORM.items() if (out / name).is_file())
    return files | {"csv"} if any((out / FILE_OF_FORM["csv"]).glob("*.parquet")) else files


def write_files(out: Path, files: Mapping[str, bytes]) -> Path:
    """Replace `files` (path below `out` → content) and their translations. All contents are made
    before the first file is replaced; other files are kept. Returns the path of the last of
    `files`, the document. Raises UsageError: the folder cannot be written to."""
    made = translate(files, current())  # all first: an error must not leave a mixed report
    try:
        for name, content in made.items():
            write_bytes(out / name, content)
    except OSError as error:
        raise UsageError(
            f"{out}: cannot be written to: {error.strerror}", "give another folder as out (--out)"
        ) from None
    return out / list(files)[-1]


# runs, and data sets of a comparison, in reports without `runs.csv`
_RUN = re.compile(r"^(?:\| `([^`|]+/[^`|]+)` \||- `([^`]+)`: Data:)", re.MULTILINE)
_SWEEP = re.compile(r"^## Arms$", re.MULTILINE)  # it compares arms, not only models
_OF_A_REPORT = re.compile(r"(report|cost|findings|best|pareto_\d+)\.\w+$")
REPORT_HINT = "`anomalynet report {name} --data NAME`, or another parent with --out; --replace "
REPORT_HINT += "writes it all the same"


def refuse_other_report(
    out: Path,
    made_of: Collection[str],
    *,
    sweep: bool = False,
    search: str = "",
    hint: str = REPORT_HINT,
) -> None:
    """Refuse to replace a report of more or other results, or to write one among files that are of
    no report: raises UsageError if `out` has such.

    Args:
        made_of: what the new report is made of: runs as `experiment/id`, of a search its trials as
            `trial N`, of a comparison also its data sets.
        sweep: whether the new report is a sweep's, which may replace a sweep's.
        search: the title of a search's report; other searches have trials of the same numbers.
        hint: what to do instead; `{name}` is a free folder's.
    """
    text = ""  # trouble appears when the new one is written
    with suppress(OSError):
        text = (out / FILE_OF_FORM["md"]).read_text(encoding="utf-8", errors="replace")
    listed = _column(out / "tables/runs.csv", "run")
    trials = [f"trial {number}" for number in _column(out / "tables/trials.csv", "trial")]
    held = {*(listed or (run or data for run, data in _RUN.findall(text))), *trials}
    if not held and not text and present(out) <= {"csv"}:
        files = [path.name for path in out.glob("[!.]*") if path.is_file()]
        others = sorted(name for name in files if not _OF_A_REPORT.match(name))
        if not others:
            return  # there is no report, or a command was killed that had begun to write one
        found = f"has files of no report: {', '.join(others[:3])}"
        raise UsageError(f"{out} {found}", _elsewhere(out, hint))
    title = text.partition("\n")[0].lstrip("# ")
    other = search and text and held == {*trials} and title != search
    lost = held if other else held - {*made_of}
    reason = f"{len(lost)} of its {len(held)} results are not in the new one"
    if not held:
        reason = "it does not name the results that it is made of"
    if not sweep and _SWEEP.search(text):
        reason = "it is a sweep's"
    elif held and not lost:
        return
    raise UsageError(f"{out} has another report, {title!r}: {reason}", _elsewhere(out, hint))


def _elsewhere(out: Path, hint: str) -> str:
    free = next(path for n in count(2) if not (path := out.with_name(f"{out.name}-{n}")).exists())
    return f"{free} is free: {hint.replace('{name}', free.name)}"


def _column(table: Path, name: str) -> list[str]:
    """A column of a table; empty if it cannot be read."""
    try:
        with table.open(encoding="utf-8", errors="replace", newline="") as file:
            return [row[name] for row in csv.DictReader(file) if row.get(name)]
    except (OSError, KeyError, csv.Error):
        return []


def translate(files: Mapping[str, bytes], forms: Collection[Form]) -> dict[str, bytes]:
    """The files of a report in the requested formats, in the order of writing: documents after
    their figures and tables, Markdown last.

    Markdown and CSV are always included, because the other formats are made from them. HTML: one
    file per document. LaTeX: one file per document, and figures as PDF. `csv`: also each table as
    Parquet. `files`: path below the report's folder → content."""
    documents = {
        name: harmless(content.decode()) for name, content in files.items() if name.endswith(".md")
    }
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
    return found | {name: text.encode() for name, text in documents.items()}


# An element, comment or declaration of HTML; a link to anything but a file of the report
_ELEMENT = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(r"\]\((?!(?!//)[\w./-]+\))")


def harmless(text: str) -> str:
    """Markdown in which no name from the data can be HTML, lead elsewhere, or steer a terminal."""
    return _LINK.sub(r"]\\(", _ELEMENT.sub("&lt;", printable(text)))


def parquet(table: bytes) -> bytes:
    """A CSV table (UTF-8, with header) as Parquet; equal tables give equal bytes. Numbers become
    Int64 or Float64, empty cells null, and a column without values has the type Null."""
    import polars as pl

    header = set(table.split(b"\n", 1)[0].decode().strip().split(","))
    texts = dict.fromkeys(header & TEXT, pl.String)
    frame = pl.read_csv(table, infer_schema_length=None, null_values=[""], schema_overrides=texts)
    # A column without values has no type that could be inferred.
    empty = [column.name for column in frame if column.null_count() == frame.height]
    target = io.BytesIO()
    nothing = (pl.lit(None).alias(name) for name in empty)
    frame.with_columns(nothing).write_parquet(target, compression="zstd", statistics=True)
    return target.getvalue()
