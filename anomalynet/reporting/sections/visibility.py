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
events of the environment as normal. Of a device that was silent through the whole window, a \
crash and a black hole look alike: the ceiling against everything gives all silent windows one \
score."""

ALIKE = """\
{attack:.0f} attack steps end a silent window, most often {attacks}; so do {rest:.0f} of other \
incidents and normal operation, most often {others}: an alarm on silence is right in \
{share:.1f} % of these steps."""

METRICS = ("average_precision", "average_precision_all", "auroc", "auroc_all")
HEADER: tuple[str, ...] = ("AP", "AP, everything", "AUROC", "AUROC, everything")
HEADER += ("Visible steps alarmed", "Invisible steps alarmed")


@dataclass(frozen=True, slots=True)
class Alike:
    """The scored steps of one repetition whose whole window is silent."""

    kinds: pl.DataFrame  # attack (bool), kind (null: normal), n
    heard: int  # visible attack steps that end no silent window
    attack: int  # all attack steps
    steps: int  # all steps, those of other incidents too

    @property
    def attacks(self) -> int:
        """Attack steps that end a silent window."""
        return int(self.kinds.filter("attack")["n"].sum())

    @property
    def share(self) -> float:
        """Share of attack among the steps that end a silent window."""
        return ratio(self.attacks, int(self.kinds["n"].sum()))

    @property
    def ceiling(self) -> float:
        """Average precision where visible attacks come first, silent windows share one score, and
        the rest share another."""
        found = self.heard + self.attacks
        precision = ratio(found, self.heard + int(self.kinds["n"].sum()))
        rest = (self.attack - found) * ratio(self.attack, self.steps)
        return ratio(self.heard + self.attacks * precision + rest, self.attack)

    def commonest(self, *, attack: bool) -> str:
        """The two commonest kinds, with their steps."""
        own = self.kinds.filter(pl.col("attack") == attack).fill_null("normal operation")
        most = own.sort("n", "kind", descending=[True, False]).head(2)
        return " and ".join(f"{kind.replace('_', ' ')} ({n})" for _, kind, n in most.iter_rows())


@dataclass(frozen=True, slots=True)
class Seen:
    """The attack steps of one repetition with a known visibility, by bin, int64 (bin,)."""

    steps: NDArray[np.int64]
    alarmed: NDArray[np.int64]
    prevalence: float  # of attack among the labelled, scored steps
    alike: Alike

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
    every = pl.concat(map(read_test_steps, repetition.records)).drop_nulls("score")
    every = every.filter(pl.col("label").is_not_null() | pl.col("other"))
    steps = every.drop_nulls("label")
    attack = steps.filter(pl.col("label") == 1, pl.col("visibility").is_not_null())
    bins = np.searchsorted(BINS[1:-1], attack["visibility"].to_numpy())
    alarmed = (attack["score"] >= attack["threshold"]).to_numpy()
    total, found = (np.bincount(own, minlength=len(BINS) - 1) for own in (bins, bins[alarmed]))
    seen = (pl.col("visibility") > 0) & ~pl.col("silent").fill_null(False)
    heard = attack.select(seen.sum()).item()
    alike = Alike(_silent_kinds(every), heard, int(steps["label"].sum()), every.height)
    return Seen(total, found, ratio(int(steps["label"].sum()), steps.height), alike)


def _silent_kinds(steps: pl.DataFrame) -> pl.DataFrame:
    attack = (pl.col("label") == 1).fill_null(False).alias("attack")
    return steps.filter("silent").group_by(attack, "kind").agg(n=pl.len().cast(pl.Int64))


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
        "average_precision_all": summarise(s.alike.ceiling for s in every),
        "silent": summarise(s.alike.share for s in every),
    }
    ceiling = [Row("ceiling", "", name, value) for name, value in ceilings.items()]
    rows += ceiling
    lines = [
        [f"**{one.arm.title}**{context[one].sign}"]
        + [row.text for row in rows if (row.table, row.model) == ("models", one.arm.name)]
        for one in context.run
    ]
    silent = every[0].alike
    known = silent.attacks > 0
    lines.append(["*Ceiling*", ceiling[0].text, ceiling[3].text if known else "", *[""] * 4])
    note = f"Percent; {ceiling[2].text} % of the attack steps are visible."
    parts = [
        "## What could be detected",
        NOTE,
        grid(["Model", *HEADER], lines, "l" + "r" * len(HEADER)),
        context.caption("What could be detected", note, "visibility.csv"),
        context.figure(FIGURE, TITLE, "At the run's own threshold."),
    ]
    if known:
        parts.insert(-1, _alike(silent))
    cells = ((*_place(row, context.data), *scaled(row.value, 100), row.value.n) for row in rows)
    files = {"tables/visibility.csv": to_csv(COLUMNS, cells).encode()}
    drawn = figures.drawn(FIGURE, TITLE, context.facts(), lambda: _figure(context, rows))
    return Section(parts, files | drawn)


def _alike(silent: Alike) -> str:
    return ALIKE.format(
        attack=silent.attacks,
        attacks=silent.commonest(attack=True),
        rest=int(silent.kinds["n"].sum()) - silent.attacks,
        others=silent.commonest(attack=False),
        share=100 * silent.share,
    )


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
