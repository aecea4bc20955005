"""A part of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Section:
    """Markdown in paragraphs, and the files it links to: path next to `report.md` → content."""

    parts: Sequence[str] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
