"""Draws the history of a baseline: one panel per metric, one line per experiment."""

from __future__ import annotations

from collections.abc import Sequence

from anomalynet.errors import NothingToCompareError
from anomalynet.metrics.suite import METRICS
from anomalynet.regression.baseline import Entry
from anomalynet.regression.history import series, short
from anomalynet.reporting.figures import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    encode,
    style,
)  # fmt: skip

COLOURS = [BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY, BLACK, YELLOW, "#999999"]
MARKERS = "osD^vP*X<"


def draw_history(history: Sequence[Entry], wanted: Sequence[str] | None = None) -> dict[str, bytes]:
    """The figure of the wanted experiments as suffix → content, `svg` and `png`. Equal histories
    give equal bytes. Raises NothingToCompareError: no update has a metric of them."""
    from matplotlib.figure import Figure

    found = series(history, wanted)
    if not found:
        raise NothingToCompareError("the baseline's history has no metrics of these experiments")
    names = list(dict.fromkeys(name for name, _ in found))
    metrics = list(dict.fromkeys(metric for _, metric in found))
    size = (max(7.0, 2 + 0.6 * len(history)), 0.8 + 2.1 * len(metrics))
    with style():
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(len(metrics), 1, squeeze=False, sharex=True).flat
        for axes, metric in zip(panels, metrics, strict=True):
            for at, name in enumerate(names):
                means = [entry.means.get(name, {}).get(metric) for entry in history]
                measured_at = [update for update, mean in enumerate(means) if mean is not None]
                heights = [mean for mean in means if mean is not None]
                axes.plot(
                    measured_at,
                    heights,
                    label=name,
                    color=COLOURS[at % len(COLOURS)],
                    marker=MARKERS[at % len(MARKERS)],
                    markersize=4,
                    linewidth=1,
                )
            part, _, own = metric.partition("/")
            declared = METRICS.get(own)
            title = declared.title if declared else own
            axes.set_title(f"{title} ({part})", loc="left", fontsize=9.5)
            axes.set_ylabel(declared.unit if declared else "")
            axes.grid(axis="y", color="#E5E5E5", linewidth=0.6)
        ticks = [f"{short(entry.commit)}\n{entry.date}" for entry in history]
        axes.set_xticks(range(len(history)), ticks)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside upper right",
            ncols=min(len(names), 5),
            frameon=False,
            fontsize=7.5,
        )
        return dict(encode(figure))
