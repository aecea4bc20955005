"""The forms of a report: Markdown is the document, the others are translations of it.

Whoever writes a report needs not know of them: `with wanted(["html"], out): write_report(…)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Literal

Form = Literal["html", "md", "latex", "csv"]
PLACES: Mapping[Form, str] = {
    "html": "report.html",
    "md": "report.md",
    "latex": "report.tex",
    "csv": "tables",
}
"""What a reader opens of each form, in the folder of the report."""

_WANTED: ContextVar[frozenset[Form]] = ContextVar("forms", default=frozenset({"md"}))


def current() -> frozenset[Form]:
    """The forms in which reports are written now; Markdown alone where nothing else is wanted."""
    return _WANTED.get()


@contextmanager
def wanted(forms: Sequence[Form], out: Path) -> Iterator[Path]:
    """Write a report in these forms, and in those that lie in its folder already: none of them may
    tell of older runs than the others.

    Args:
        forms: at least one.
        out: the folder of the report.

    Yields:
        the path of the first form, for the reader to open.

    Source: not in the paper.
    """
    token = _WANTED.set(frozenset(forms) | present(out))
    try:
        yield out / PLACES[forms[0]]
    finally:
        _WANTED.reset(token)


def present(out: Path) -> frozenset[Form]:
    """The forms in which a folder holds a report."""
    files = frozenset(form for form, place in PLACES.items() if (out / place).is_file())
    return files | {"csv"} if any((out / PLACES["csv"]).glob("*.parquet")) else files
