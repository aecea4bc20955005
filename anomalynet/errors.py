"""The one family of errors; each knows its exit code and the next step for the user."""

from __future__ import annotations

import difflib
import errno
import os
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TextIO, cast

# Control characters except tab and newline, changes of the direction of writing, lone surrogates
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# Nothing more can be written
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def printable(text: str) -> str:
    r"""A text with what could steer a terminal or break a file written as `\u001b`."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def say(text: str) -> None:
    """Print a notice to stderr, if anybody reads it: stdout is for results. On a terminal, lines
    end between words."""
    with suppress(OSError):
        print(fitted(printable(text), sys.stderr), file=sys.stderr, flush=True)


def fitted(text: str, stream: TextIO) -> str:
    """A text in lines that fit the terminal, if the stream is one; a command after `next:`, which
    is there to be copied, stays one line."""
    if not stream.isatty():
        return text
    width = min(shutil.get_terminal_size().columns, 100)
    return "\n".join(
        line
        if len(line) <= width or line.startswith("next: ")
        else textwrap.fill(
            line,
            width,
            subsequent_indent=" " * max(len(line) - len(line.lstrip()), 2),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.split("\n")
    )


def terminal(stream: TextIO) -> TextIO:
    """A stream of this command for Rich and escape sequences: its texts stay as they are."""
    return cast(TextIO, getattr(stream, "terminal", stream))


_LONG_WORD = re.compile(r"(\S{100})\S{250,}(\S{40})")


def shortened(text: str) -> str:
    """A message without the middle of each word, such as a value of 5,000 digits, that is too long
    to be read."""
    return _LONG_WORD.sub(r"\1…\2", text)


def first_line(error: BaseException) -> str:
    """What an exception says, in one line; its class where it says nothing."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def counted(number: int, noun: str) -> str:
    """`1 cluster`, `2,000 clusters`; a noun that ends in s is not changed."""
    return f"{number:,} {noun}" + ("" if number == 1 or noun.endswith("s") else "s")


def meant(text: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the most similar known one, if there is one."""
    near = difflib.get_close_matches(text, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def install_command(*packages: str) -> str:
    """The command that installs packages in the versions that this project needs. It names no
    extra: no package index has the project itself."""
    from importlib.metadata import PackageNotFoundError, requires

    needed: list[str] = []
    with suppress(PackageNotFoundError):  # a source tree
        needed = [text.split(";")[0] for text in requires("anomalynet") or ()]
    known = {re.split("[<>=]", text)[0]: text for text in needed}
    return f"pip install {shlex.join(known.get(name, name) for name in packages)}"


# A text that a spreadsheet computes, unless it is a number
_FORMULA = re.compile(r"\s*([=@]|[+-](?!$|\.?\d[\d.]*(e[+-]?\d+)?$))", re.IGNORECASE)


def cell_text(text: str) -> str:
    """A text for a cell of a CSV file: printable, with an apostrophe before what a spreadsheet
    would compute."""
    shown = printable(text)
    return f"'{shown}" if _FORMULA.match(shown) else shown


class AnomalynetError(Exception):
    """An expected failure, shown to the user as one message without a traceback.

    Args:
        message: what is wrong, and where.
        next_step: what the user can do about it.
    """

    exit_code = 2

    def __init__(self, message: str, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        own = f"{self.message}\n  → {self.next_step}" if self.next_step else self.message
        return shortened(printable(own))


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration: where it stands, what is wrong, and the nearest valid key or
    value."""

    where: str
    what: str
    suggestion: str | None = None

    def __str__(self) -> str:
        hint = f"; did you mean {self.suggestion!r}?" if self.suggestion else ""
        return f"{self.where}: {self.what}{hint}"


class ConfigError(AnomalynetError):
    """Every problem found in a configuration, one line each."""

    def __init__(self, problems: Sequence[Problem], next_step: str | None = None) -> None:
        super().__init__("\n".join(map(str, problems)), next_step)
        self.problems = tuple(problems)


class UsageError(AnomalynetError):
    """A command that cannot be carried out as it was written."""


class DataError(AnomalynetError):
    """Data that cannot be read, trusted or split as asked."""


class RunError(AnomalynetError):
    """A run that failed, or whose folder cannot be used."""

    exit_code = 1


class StoppedError(AnomalynetError):
    """A run that was asked to stop, and did: what it trained is kept."""

    exit_code = 130


class NothingToCompareError(AnomalynetError):
    """A question about results that are not there."""

    exit_code = 4


class RegressionError(AnomalynetError):
    """Something that became worse than the baseline says."""

    exit_code = 3


def disk_hint(reason: str) -> str:
    """What to do after a failed writing. `reason`: a text that ends with the system's reason."""
    do = "free disk space"
    if reason.endswith(os.strerror(errno.EROFS)):
        do = "make the disk writable, or use another folder"
    elif reason.endswith(tuple(map(os.strerror, (errno.EIO, errno.EACCES, errno.EPERM)))):
        do = "check the disk and the permissions of the folder, or use another one"
    return f"{do}, and repeat the command: it continues, and nothing finished is lost"


def disk_error(error: BaseException | None) -> str:
    """Why nothing more can be written if an error or one of its causes says so; else empty."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            return os.strerror(error.errno)
        error = error.__cause__ or error.__context__
    return ""


@contextmanager
def disk_errors(where: object) -> Iterator[None]:
    """Make a full or read-only disk one message, which names the file or else `where`; what was
    written before is kept. Also usable as a decorator. Raises RunError."""
    try:
        yield
    except OSError as error:
        if full := disk_error(error):
            what = f"{error.filename or where}: cannot be written: {full}"
            raise RunError(what, disk_hint(full)) from error
        raise
