"""The history of the metrics over all updates: as sparkline and as table rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from anomalynet.regression.baseline import Entry

BLOCKS = "▁▂▃▄▅▆▇█"
ABSENT = "·"


def sparkline(values: Sequence[float | None]) -> str:
    """One block per value, from ▁ (lowest) to █ (highest); all ▄ if equal, · for None."""
    defined = [value for value in values if value is not None]
    if not defined:
        return ABSENT * len(values)
    low, span = min(defined), max(defined) - min(defined)

    def block(value: float | None) -> str:
        if value is None:
            return ABSENT
        return BLOCKS[round((value - low) / span * (len(BLOCKS) - 1)) if span else 3]

    return "".join(map(block, values))


def values_of(history: Sequence[Entry], experiment: str, metric: str) -> list[float | None]:
    """The mean of one metric in each update that measured the experiment."""
    return [entry.means[experiment].get(metric) for entry in history if experiment in entry.means]


def series(history: Sequence[Entry], wanted: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """All pairs (experiment, metric) of the history, in order of first appearance."""
    found = [
        (name, metric)
        for entry in history
        for name, values in entry.means.items()
        for metric in values
    ]
    return [one for one in dict.fromkeys(found) if wanted is None or one[0] in wanted]


def rows(history: Sequence[Entry], wanted: Sequence[str] | None = None) -> list[dict[str, object]]:
    """One row per experiment and metric: sparkline, first, last, lowest and highest mean."""
    table: list[dict[str, object]] = []
    for name, metric in series(history, wanted):
        values = values_of(history, name, metric)
        defined = [value for value in values if value is not None]
        ends = (defined[0], defined[-1], min(defined), max(defined)) if defined else (None,) * 4
        shown = (None if end is None else f"{end:.4f}" for end in ends)
        facts = {"updates": len(values), "history": sparkline(values)}
        facts |= zip(("first", "last", "lowest", "highest"), shown, strict=True)
        table.append({"experiment": name, "metric": metric, **facts})
    return table


def updates(history: Sequence[Entry]) -> list[dict[str, object]]:
    """One row per update: number, date, commit, environment, reason."""
    return [
        {
            "update": number,
            "date": entry.date,
            "commit": short(entry.commit),
            "environment": entry.environment,
            "reason": entry.reason,
        }
        for number, entry in enumerate(history, start=1)
    ]


def short(commit: str | None) -> str:
    """Eight digits of a commit, and its `+` (uncommitted changes)."""
    return "" if commit is None else commit[:8] + ("+" if commit.endswith("+") else "")


def entry_json(entry: Entry, wanted: Sequence[str] | None = None) -> dict[str, object]:
    """An update as a JSON object, with the means of the wanted experiments."""
    chosen = {name: own for name, own in entry.means.items() if wanted is None or name in wanted}
    return {**asdict(entry), "means": chosen}
