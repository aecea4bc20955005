"""Draws the README's picture, `.github/week.png` and `week-dark.png`: trains gradient boosting on
four simulated deployments of twelve nodes and shows a fifth: `python -m tests.docs.picture`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from anomalynet import open_run, train
from anomalynet.reporting.figures import METADATA, STYLE
from anomalynet.training.finished import FinishedRun

FOLDER = Path(__file__).parents[2] / ".github"
WORLD = "duration=7d deployment.nodes=12 deployment.cell_nodes=12 sampling.period=60 "
WORLD += "incidents.per_node_day=2 incidents.attack=2"
SETTINGS = ["data.worlds=5", f"data.scenario={WORLD}", "training.windows_per_epoch=60000"]
NODE = "node-0004"  # whose readings and score are shown
CAUSES = {"attack": "#D55E00", "fault": "#E69F00", "environment": "#009E73"}
THEMES = {
    "week.png": ("#ffffff", "#1f2328", "#0072B2"),
    "week-dark.png": ("#0d1117", "#e6edf3", "#56B4E9"),
}
"""File → colours of background, text and lines."""


def steps(run: FinishedRun) -> pl.DataFrame:
    """The steps of the test part with hours since the first, node, cause and temperature."""
    data = run.data.prepared
    incidents = data.incident_table
    names = {number: one.cause for number, one in incidents.items()}
    rows = [np.arange(*data.series_starts[at : at + 2]) for at in range(len(data.series))]
    heard = data.values[:, data.mask] < 0.15  # without a sensor its value is invented
    tables = [
        pl.DataFrame(
            {
                "series": [name] * len(own),
                "time": pl.Series(data.times[own]).cast(pl.Datetime("us")),
                "temperature": np.where(
                    heard[own], data.values[own, 0] + data.calibration_mean[at, 0], np.nan
                ),
            }
        )
        for at, (name, own) in enumerate(zip(data.series, rows, strict=True))
    ]
    table = run.scores.filter(split="test").join(pl.concat(tables), on=["series", "time"])
    hours = (pl.col("time") - pl.col("time").min()).dt.total_seconds() / 3600
    return table.sort("series", "time").with_columns(
        hour=hours,
        node=pl.col("series").str.split("/").list.last(),
        cause=pl.col("incident").replace_strict(names, default=None, return_dtype=pl.String),
    )


def spans(table: pl.DataFrame) -> pl.DataFrame:
    """First and last day of each incident on each node of a table, with its cause."""
    grouped = table.drop_nulls("cause").group_by("node", "incident", "cause")
    day = pl.col("hour") / 24
    return grouped.agg(start=day.min(), end=day.max()).sort("node", "start")


def network(axes: Axes, table: pl.DataFrame, text: str) -> None:
    """A line per node, its incidents as bars and its alarms as ticks."""
    nodes = table["node"].unique().sort().to_list()
    for node, _, cause, start, end in spans(table).iter_rows():
        width = max(end - start, 0.02)
        axes.barh(nodes.index(node), width, left=start, height=0.8, color=CAUSES[cause], alpha=0.75)
    alarms = table.filter("alarm")
    below = [nodes.index(node) + 0.28 for node in alarms["node"]]
    axes.plot(alarms["hour"] / 24, below, "|", color=text, markersize=5, markeredgewidth=0.7)
    axes.set_yticks(range(len(nodes)), [str(int(node[-4:])) for node in nodes], fontsize=7)
    axes.set_ylabel("node")
    axes.invert_yaxis()
    handles: list[Artist] = [
        Patch(color=color, alpha=0.75, label=cause) for cause, color in CAUSES.items()
    ]
    handles += axes.plot([], [], "|", color=text, label="alarm")
    axes.legend(handles=handles, ncol=4, loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
    axes.set_title("A week of twelve nodes that the model never saw", loc="left")


def draw(table: pl.DataFrame, file: str) -> None:
    """Write one picture."""
    ground, text, line = THEMES[file]
    style: dict[Any, Any] = {"figure.facecolor": ground, "axes.facecolor": ground, **STYLE}
    style |= dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), text)
    with plt.rc_context({**style, "xtick.color": text, "ytick.color": text}):
        figure, (top, middle, bottom) = plt.subplots(
            3, figsize=(10, 5.4), sharex=True, height_ratios=[2.4, 1, 1], layout="constrained"
        )
        network(top, table, text)
        own = table.filter(node=NODE)
        days, score = own["hour"] / 24, own["score"]
        for axes in (middle, bottom):
            for *_, cause, start, end in spans(own).iter_rows():
                axes.axvspan(start, max(end, start + 0.02), color=CAUSES[cause], alpha=0.3, lw=0)
        middle.plot(days, own["temperature"], color=line, lw=0.7)
        middle.set_ylabel(f"node {int(NODE[-4:])}\ntemperature, °C")
        bottom.plot(days, score, color=line, lw=0.7)
        bottom.axhline(own["threshold"][0], color=text, lw=0.8, ls="--")
        alarms = own.filter("alarm")
        bottom.plot(alarms["hour"] / 24, alarms["score"], ".", color=text, markersize=2)
        bottom.set_ylabel("score,\nthreshold")
        bottom.set_xlabel("days")
        bottom.set_xlim(0, 7)
        figure.savefig(FOLDER / file, dpi=110, metadata=METADATA["png"])
        plt.close(figure)


if __name__ == "__main__":
    plt.switch_backend("agg")
    made = train("gradient_boosting", sys.argv[1], overrides=SETTINGS)  # a folder for the run
    assert made is not None
    found = steps(open_run(made.folder.path))
    for name in THEMES:
        draw(found, name)
