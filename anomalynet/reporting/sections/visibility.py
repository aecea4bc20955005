"""The section "What could be detected": attacks against normal steps and against everything, and by
how visible they were to the gateway."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anomalynet.metrics.kernels import ratio
from anomalynet.reporting import figures
from anomalynet.reporting.aggregate import ArmMetrics, Summary, summarise
from anomalynet.reporting.arms import Repetition
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.formats.markdown import grid
from anomalynet.reporting.measures import primary
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.tables import scaled, to_csv
from anomalynet.runs.scores import read_test_steps

BINS = (-1.0, 0.0, 1.0, 2.0, 4.0, 8.0, 16.0, np.inf)
"""Borders of visibility, in ordinary deviations; the first bin is what equals the twin."""

COLUMNS = ("table", "model", "data", "group", "steps", "value", "spread", "n")

FIGURE, TITLE = "visibility", "Attack steps alarmed, by how visible they were"

NOTE = """\
Each cell was simulated with and without its incidents. A step is *visible* by the largest \
difference, in ordinary deviations, that the gateway received within the window. No model can \
detect the rest: the *ceiling* ranks visible attack steps first. *Everything* counts faults and \
events of the environment as normal."""

METRICS = ("average_precision", "average_precision_all", "auroc", "auroc_all")
HEADER: tuple[str, ...] = ("AP", "AP, everything", "AUROC", "AUROC, everything")
HEADER += ("Visible steps alarmed", "Invisible steps alarmed")


@dataclass(frozen=True, slots=True)
class Seen:
    """The attack steps of one repetition with a known visibility, by bin, int64 (bin,)."""

    steps: NDArray[np.int64]
    alarmed: NDArray[np.int64]
    prevalence: float  # of attack among the labelled, scored steps

    @property
    def visible(self) -> float:
        """Share of the steps that are visible."""
        return ratio(int(self.steps[1:].sum()), int(self.steps.sum()))


@dataclass(frozen=True, slots=True)
class Row:
    """A number of the section: `table` is `models`, `ceiling` or `bins`."""

    table: str
    model: str  # name of an arm; empty for the ceiling
    group: str
    value: Summary
    steps: int | None = None  # of the first repetition

    @property
    def text(self) -> str:
        """The value in percent."""
        mean, spread = scaled(self.value, 100)
        if mean is None:
            return "–"
        return f"{mean:.1f}" + ("" if spread is None else f" ± {spread:.1f}")


def seen(repetition: Repetition) -> Seen:
    """Count a repetition's attack steps by visibility. Raises RunError: scores cannot be read."""
    steps = pl.concat(map(read_test_steps, repetition.records)).drop_nulls(["label", "score"])
    attack = steps.filter(pl.col("label") == 1, pl.col("visibility").is_not_null())
    bins = np.searchsorted(BINS[1:-1], attack["visibility"].to_numpy())
    alarmed = (attack["score"] >= attack["threshold"]).to_numpy()
    total, found = (np.bincount(own, minlength=len(BINS) - 1) for own in (bins, bins[alarmed]))
    return Seen(total, found, ratio(int(steps["label"].sum()), steps.height))


def visibility_section(context: ReportContext) -> Section:
    """Table, CSV and figure; empty if no visibility is known. Raises RunError: the scores of a run
    cannot be read."""
    found = [(one, list(one.of(seen).values())) for one in context.run]
    if not found or not all(each.steps.any() for _, own in found for each in own):
        return Section()
    rows = [row for one, own in found for row in (*_numbers(one, own), *_bins(one, own))]
    every = found[0][1]
    ceilings = {
        "average_precision": summarise(s.visible + (1 - s.visible) * s.prevalence for s in every),
        "f1_attack": summarise(2 * s.visible / (1 + s.visible) for s in every),
        "visible": summarise(s.visible for s in every),
    }
    ceiling = [Row("ceiling", "", name, value) for name, value in ceilings.items()]
    rows += ceiling
    lines = [
        [f"**{one.arm.title}**{context[one].sign}"]
        + [row.text for row in rows if (row.table, row.model) == ("models", one.arm.name)]
        for one in context.run
    ]
    lines.append(["*Ceiling*", ceiling[0].text, *[""] * 5])
    note = f"Percent; {ceiling[2].text} % of the attack steps are visible."
    parts = [
        "## What could be detected",
        NOTE,
        grid(["Model", *HEADER], lines, "l" + "r" * len(HEADER)),
        context.caption("What could be detected", note, "visibility.csv"),
        context.figure(FIGURE, TITLE, "At the run's own threshold."),
    ]
    cells = ((*_place(row, context.data), *scaled(row.value, 100), row.value.n) for row in rows)
    files = {"tables/visibility.csv": to_csv(COLUMNS, cells).encode()}
    drawn = figures.drawn(FIGURE, TITLE, context.facts(), lambda: _figure(context, rows))
    return Section(parts, files | drawn)


def _place(row: Row, data: str) -> tuple[object, ...]:
    return row.table, row.model, data, row.group, row.steps


def _numbers(one: ArmMetrics, own: Sequence[Seen]) -> list[Row]:
    values = {name: one.summary(primary(name)) for name in METRICS}
    for name, chosen in (("visible alarmed", slice(1, None)), ("invisible alarmed", slice(1))):
        shares = (ratio(int(s.alarmed[chosen].sum()), int(s.steps[chosen].sum())) for s in own)
        values[name] = summarise(shares)
    return [Row("models", one.arm.name, name, value) for name, value in values.items()]


def _bins(one: ArmMetrics, own: Sequence[Seen]) -> list[Row]:
    return [
        Row(
            "bins",
            one.arm.name,
            f"{high:g}",
            summarise(ratio(int(s.alarmed[at]), int(s.steps[at])) for s in own),
            int(own[0].steps[at]),
        )
        for at, (_, high) in enumerate(itertools.pairwise(BINS))
    ]


def _figure(context: ReportContext, rows: Sequence[Row]) -> Figure:
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    axes, looks = figure.subplots(), figures.looks(context)
    for one in context.run:
        own = [row for row in rows if (row.table, row.model) == ("bins", one.arm.name)]
        values = [100 * row.value.mean for row in own]
        look = {**looks[one.arm.name], "linewidth": 1.2, "markersize": 4}
        axes.plot(range(len(own)), values, label=one.arm.title + context[one].sign, **look)
    texts = ["none", *(f"≤ {high:g}" for high in BINS[2:-1]), f"> {BINS[-2]:g}"]
    axes.set_xticks(range(len(texts)), texts)
    axes.set_xlabel("visibility, ordinary deviations")
    axes.set_ylabel("attack steps alarmed, %")
    axes.set_ylim(0, 102)
    axes.grid(color="#E5E5E5", linewidth=0.6)
    figure.legend(loc="outside right upper", frameon=False)
    return figure
