"""Prints results: tables (rich on a terminal) and JSON on stdout, warnings on stderr; and what
happens when nobody reads them."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any, TextIO, cast

from anomalynet.errors import UsageError, fitted, printable, say, terminal
from anomalynet.runs.schema import NOTE


class OutputLostError(BaseException):
    """Nobody reads stdout any more, as after `| head`. The command ends like by SIGPIPE; no code
    for errors of its work may catch it."""


class _Stream:
    """A stream that survives the loss of its reader or its disk, and shows any text; no name in it
    may steer the terminal, except by `terminal`.

    What stderr cannot take is dropped: progress and warnings never end the work. On stdout, a
    closed pipe raises OutputLostError, and any other failure UsageError."""

    def __init__(self, stream: TextIO, *, results: bool, filtered: bool = True) -> None:
        self._stream, self._results, self._filtered = stream, results, filtered
        self.used = False  # whether anything was written
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the encoding does not have

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self.used = True
        try:
            return self._stream.write(printable(text) if self._filtered else text)
        except OSError as error:
            self._lost(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._lost(error)

    @property
    def terminal(self) -> _Stream:
        """The same stream for texts that may draw: escape sequences of this program."""
        return _Stream(self._stream, results=self._results, filtered=False)

    def _lost(self, error: OSError) -> None:
        with suppress(OSError):  # so that nothing fails again at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        if self._results and isinstance(error, BrokenPipeError):
            raise OutputLostError from None
        if self._results:
            what = f"stdout: cannot be written: {error.strerror}"
            raise UsageError(what, "write it to a place with free space") from None


class _Said(logging.Handler):
    """Prints what the package logs: how far a simulation is."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


@contextmanager
def guarded_streams() -> Iterator[None]:
    """Within it, the package's log goes to stderr, whose loss ends no work; a lost stdout is an
    error (`OutputLostError`)."""
    out, err = (one or Path(os.devnull).open("w") for one in (sys.stdout, sys.stderr))  # noqa: SIM115
    results, progress = _Stream(out, results=True), _Stream(err, results=False)
    log, said = logging.getLogger("anomalynet"), _Said()
    level = log.level
    with redirect_stdout(cast(TextIO, results)), redirect_stderr(cast(TextIO, progress)):
        try:
            log.addHandler(said)
            log.setLevel(logging.INFO)
            yield
        finally:  # a command that failed has another message
            log.removeHandler(said)
            log.setLevel(level)
            with suppress(OutputLostError, UsageError):
                results.flush()


def warn(warnings: Iterable[str]) -> None:
    """Print one warning or note per line."""
    for warning in warnings:
        say(f"{'note' if warning.startswith(NOTE) else 'warning'}: {warning}")


SCHEMA = 1
"""Version of all that `--json` prints: raised when a key changes its meaning or goes."""


def print_json(value: object) -> None:
    """Print one JSON document; letters that stdout's encoding does not have are escaped, and
    numbers that JSON does not have are null. It begins with `schema`; a list is its `rows`."""
    value = _finite(
        {"schema": SCHEMA, **(value if isinstance(value, Mapping) else {"rows": value})}
    )
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2, default=_plain)
    print(text, flush=True)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _plain(value: object) -> float | str:
    return float(value) if isinstance(value, Fraction) else str(value)


def print_rows(rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    """Print rows as JSON, or as a table."""
    print_json(rows) if as_json else print_table(rows)


FOLDED = 30  # texts longer than this are wrapped; ids, keys and paths, without spaces, never


def print_table(
    rows: Sequence[Mapping[str, object]],
    title: str | None = None,
    drop: Sequence[str] = (),
) -> None:
    """Print rows that share their keys as a table; tab separated when stdout is not a terminal.
    `drop`: columns that a narrow terminal does without, the first ones first."""
    if not rows:
        return
    headings = list(rows[0])
    title = None if title is None else printable(title)
    columns = {
        key: ["" if row.get(key) is None else printable(str(row[key])) for row in rows]
        for key in headings
    }
    if not sys.stdout.isatty():
        if title:
            print(f"# {title}")
        for line in (headings, *zip(*columns.values(), strict=True)):
            print("\t".join(line))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=terminal(sys.stdout))
    texts = {key for key, cells in columns.items() if any(" " in cell for cell in cells)}
    width = {
        key: min(max(map(len, [key, *cells])), FOLDED if key in texts else 1000)
        for key, cells in columns.items()
    }
    columns = {key: cells for key, cells in columns.items() if key not in drop or any(cells)}
    room = console.width - sum(width[key] + 2 for key in columns if key not in drop)
    left_out = []
    for key in reversed([key for key in drop if key in columns]):
        room -= width[key] + 2
        if room < 0:
            left_out.append(key)
            room += width[key] + 2
    columns = {key: cells for key, cells in columns.items() if key not in left_out}
    if title:
        console.print(Text(title, style="italic"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for key in columns:
        fits = key not in texts or width[key] < FOLDED
        least = width[key] if fits else None
        heading = Text(printable(key))  # no name is markup
        table.add_column(heading, no_wrap=fits, min_width=least, overflow="fold")
    for line in zip(*columns.values(), strict=True):
        table.add_row(*(Text(cell) for cell in line))
    console.print(table)
    if left_out:
        print(f"not shown for lack of width: {', '.join(left_out)}")


def print_text(text: str) -> None:
    """Print a text; on a terminal, in lines that end between words."""
    print(fitted(text, sys.stdout))


def print_next(*commands: str) -> None:
    """Print on stderr what a user would do next, unless a path in it can only be shown escaped."""
    for command in commands:
        if printable(command) == command:
            say(f"next: {command}")


def rounded(value: float | None) -> str:
    """A metric as text with four decimals."""
    return "undefined" if value is None else f"{value:.4f}"


def print_alarms(title: str, scores: Path) -> None:
    """Print the number of test steps in a scores.parquet that are alarms, in place of metrics."""
    from anomalynet.runs.scores import read

    test = read(scores, lambda rows: rows.filter(split="test").drop_nulls("score"))
    count = f"{test['alarm'].sum():,} of {test.height:,} test steps are alarms"
    print_text(title)
    print_text(f"no labels, so no metrics of the test part; {count}: column `alarm` of {scores}")
