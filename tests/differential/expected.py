"""Differences from the baseline that are intended."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.differential.compare import Difference


@dataclass(frozen=True, slots=True)
class Expected:
    """Globs of a case, a file and a key, and why they differ."""

    case: str
    file: str
    key: str
    reason: str

    def matches(self, found: Difference) -> bool:
        """Whether it explains a difference."""
        pairs = ((found.case, self.case), (found.file, self.file), (found.key, self.key))
        return all(fnmatchcase(name, glob) for name, glob in pairs)


EXPECTED: tuple[Expected, ...] = ()
