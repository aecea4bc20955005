"""A part of a report, and the captions under its tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from anomalynet.reporting import captions
from anomalynet.reporting.aggregate import ArmMetrics


@dataclass(frozen=True, slots=True)
class Section:
    """Markdown in paragraphs, and the files beside `report.md` that it names: path → content."""

    parts: Sequence[str] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


def caption(
    title: str,
    models: Sequence[ArmMetrics],
    everything: Sequence[ArmMetrics],
    csv: str | None = None,
    note: str = "",
) -> str:
    """What must be known to read a table or figure: a note of its own, facts, gaps, other code, and
    every warning that touches it."""
    shown = [one.arm for one in models]
    source = f" Numbers: [{csv}](tables/{csv})." if csv else ""
    lines = [" ".join(filter(None, (f"**{title}.**", note, f"{captions.facts(models)}{source}")))]
    lines += captions.notes(shown, [one.arm for one in everything])
    lines += (
        [" ".join(f"⚠ {warning}" for warning in told)] if (told := captions.warnings(shown)) else []
    )
    return "\n>\n".join(f"> {line}" for line in lines)


def figure(
    name: str,
    title: str,
    models: Sequence[ArmMetrics],
    everything: Sequence[ArmMetrics],
    note: str = "",
) -> str:
    """An image `figures/<name>.svg` with its alternative text and caption."""
    return (
        f"![{title}, {captions.short_facts(models)}](figures/{name}.svg)\n\n"
        f"{caption(title, models, everything, note=note)}"
    )
