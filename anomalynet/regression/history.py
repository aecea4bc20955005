"""The history of the metrics over all updates: as sparkline, as table rows, and as a figure with
one panel per metric and one line per experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from anomalynet.errors import NothingToCompareError
from anomalynet.metrics.suite import METRICS
from anomalynet.regression.baseline import Entry

BLOCKS = "▁▂▃▄▅▆▇█"
ABSENT = "·"
MARKERS = "osD^vP*X<"


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
    table: list[dict[str, object]] = []
    for number, one in enumerate(history, start=1):
        made = {"update": number, "date": one.date, "commit": short(one.commit)}
        table.append({**made, "environment": one.environment, "reason": one.reason})
    return table


def short(commit: str | None) -> str:
    """Eight digits of a commit, and its `+` (uncommitted changes)."""
    return "" if commit is None else commit[:8] + ("+" if commit.endswith("+") else "")


def entry_json(entry: Entry, wanted: Sequence[str] | None = None) -> dict[str, object]:
    """An update as a JSON object, with the means of the wanted experiments."""
    chosen = {name: own for name, own in entry.means.items() if wanted is None or name in wanted}
    return {**asdict(entry), "means": chosen}


def draw_history(history: Sequence[Entry], wanted: Sequence[str] | None = None) -> dict[str, bytes]:
    """The figure of the wanted experiments as suffix → content, `svg` and `png`. Equal histories
    give equal bytes. Raises NothingToCompareError: no update has a metric of them."""
    from matplotlib.figure import Figure

    from anomalynet.reporting import figures

    look: dict[str, Any]
    colours = [figures.BLUE, figures.ORANGE, figures.GREEN, figures.PURPLE, figures.VERMILION]
    colours += [figures.SKY, figures.BLACK, figures.YELLOW, "#999999"]
    found = series(history, wanted)
    if not found:
        raise NothingToCompareError("the baseline's history has no metrics of these experiments")
    names = list(dict.fromkeys(name for name, _ in found))
    metrics = list(dict.fromkeys(metric for _, metric in found))
    size = (max(7.0, 2 + 0.6 * len(history)), 0.8 + 2.1 * len(metrics))
    with figures.style():
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(metrics), 1, squeeze=False, sharex=True).flat
        for axes, metric in zip(panels, metrics, strict=True):
            for at, name in enumerate(names):
                means = [entry.means.get(name, {}).get(metric) for entry in history]
                measured_at = [update for update, mean in enumerate(means) if mean is not None]
                heights = [mean for mean in means if mean is not None]
                look = {"color": colours[at % len(colours)], "marker": MARKERS[at % len(MARKERS)]}
                axes.plot(measured_at, heights, label=name, markersize=4, linewidth=1, **look)
            part, _, own = metric.partition("/")
            declared = METRICS.get(own)
            title = declared.title if declared else own
            axes.set_title(f"{title} ({part})", loc="left", fontsize=9.5)
            axes.set_ylabel(declared.unit if declared else "")
            axes.grid(axis="y", color="#E5E5E5", linewidth=0.6)
        ticks = [f"{short(entry.commit)}\n{entry.date}" for entry in history]
        axes.set_xticks(range(len(history)), ticks)
        handles, labels = axes.get_legend_handles_labels()
        look = {"loc": "outside upper right", "frameon": False, "fontsize": 7.5}
        figure.legend(handles, labels, ncols=min(len(names), 5), **look)
        return dict(figures.encode(figure))
