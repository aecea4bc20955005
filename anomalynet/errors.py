"""The one family of errors; each knows its exit code and the next step for the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


def first_line(error: BaseException) -> str:
    """What an exception says, in one line; its class where it says nothing."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


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
        return f"{self.message}\n  → {self.next_step}" if self.next_step else self.message


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
