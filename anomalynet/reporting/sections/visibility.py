"""The section "What could be detected": attacks against normal steps and against everything, and by
how visible they were to the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anomalynet.metrics.kernels import ratio
from anomalynet.reporting import figures
from anomalynet.reporting.aggregate import ArmMetrics, Summary, summarise
from anomalynet.reporting.arms import Repetition
from anomalynet.reporting.captions import ReportContext, Section
from anomalynet.reporting.formats.markdown import grid
from anomalynet.reporting.measures import primary
from anomalynet.reporting.tables import Row, csv_file, scaled, share_text
from anomalynet.runs.scores import read_test_steps

BINS = (-1.0, 0.0, 1.0, 2.0, 4.0, 8.0, 16.0, np.inf)
"""Borders of visibility, in ordinary deviations; the first bin is what equals the twin."""

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


def seen(repetition: Repetition) -> Seen:
    """Count a repetition's attack steps by visibility."""
    every = pl.concat(map(read_test_steps, repetition.records)).drop_nulls("score")
    every = every.filter(pl.col("label").is_not_null() | pl.col("other"))
    steps = every.drop_nulls("label")
    attack = steps.filter(pl.col("label") == 1, pl.col("visibility").is_not_null())
    bins = np.searchsorted(BINS[1:-1], attack["visibility"].to_numpy())
    alarmed = (attack["score"] >= attack["threshold"]).to_numpy()
    total, found = (np.bincount(own, minlength=len(BINS) - 1) for own in (bins, bins[alarmed]))
    seen = (pl.col("visibility") > 0) & ~pl.col("silent").fill_null(False)
    heard = attack.select(seen.sum()).item()
    label = (pl.col("label") == 1).fill_null(False).alias("attack")
    kinds = every.filter("silent").group_by(label, "kind").agg(n=pl.len().cast(pl.Int64))
    alike = Alike(kinds, heard, int(steps["label"].sum()), every.height)
    return Seen(total, found, ratio(int(steps["label"].sum()), steps.height), alike)


def visibility_section(context: ReportContext) -> Section:
    """Table, CSV and figure; empty if no visibility is known."""
    found = [(one, list(one.of(seen).values())) for one in context.run]
    if not found or not all(each.steps.any() for _, own in found for each in own):
        return Section()
    values = {one.arm.name: _values(one, own) for one, own in found}
    bins = {
        one.arm.name: [
            summarise(ratio(int(s.alarmed[at]), int(s.steps[at])) for s in own)
            for at in range(len(BINS) - 1)
        ]
        for one, own in found
    }
    every = found[0][1]
    ceiling = {
        "average_precision": summarise(s.visible + (1 - s.visible) * s.prevalence for s in every),
        "f1_attack": summarise(2 * s.visible / (1 + s.visible) for s in every),
        "visible": summarise(s.visible for s in every),
        "average_precision_all": summarise(s.alike.ceiling for s in every),
        "silent": summarise(s.alike.share for s in every),
    }
    lines = [
        [f"**{one.arm.title}**{context[one].sign}", *map(share_text, values[one.arm.name].values())]
        for one in context.run
    ]
    silent = every[0].alike
    with_all = share_text(ceiling["average_precision_all"]) if silent.attacks else ""
    lines.append(["*Ceiling*", share_text(ceiling["average_precision"]), with_all, *[""] * 4])
    note = f"Percent; {share_text(ceiling['visible'])} % of the attack steps are visible."
    parts = [
        "## What could be detected",
        NOTE,
        grid(["Model", *HEADER], lines, "l" + "r" * len(HEADER)),
        context.caption("What could be detected", note, "visibility.csv"),
        *([_alike(silent)] if silent.attacks else []),
        context.figure(FIGURE, TITLE, "At the run's own threshold."),
    ]
    rows: list[Row] = []

    def add(table: str, model: str, group: str, value: Summary, steps: int | None = None) -> None:
        mean, spread = scaled(value, 100)
        row: Row = {"table": table, "model": model, "data": context.data, "group": group}
        rows.append(row | {"steps": steps, "value": mean, "spread": spread, "n": value.n})

    for one, own in found:
        for name, value in values[one.arm.name].items():
            add("models", one.arm.name, name, value)
        for high, steps, value in zip(BINS[1:], own[0].steps, bins[one.arm.name], strict=True):
            add("bins", one.arm.name, f"{high:g}", value, int(steps))
    for name, value in ceiling.items():
        add("ceiling", "", name, value)
    drawn = figures.drawn(FIGURE, TITLE, context.facts(), lambda: _figure(context, bins))
    return Section(parts, csv_file("visibility", rows) | drawn)


def _alike(silent: Alike) -> str:
    return ALIKE.format(
        attack=silent.attacks,
        attacks=silent.commonest(attack=True),
        rest=int(silent.kinds["n"].sum()) - silent.attacks,
        others=silent.commonest(attack=False),
        share=100 * silent.share,
    )


def _values(one: ArmMetrics, own: Sequence[Seen]) -> dict[str, Summary]:
    """The metrics of a line of the table."""
    values = {name: one.summary(primary(name)) for name in METRICS}
    for name, chosen in (("visible alarmed", slice(1, None)), ("invisible alarmed", slice(1))):
        shares = (ratio(int(s.alarmed[chosen].sum()), int(s.steps[chosen].sum())) for s in own)
        values[name] = summarise(shares)
    return values


def _figure(context: ReportContext, bins: Mapping[str, Sequence[Summary]]) -> Figure:
    across, up = "visibility, ordinary deviations", "attack steps alarmed, %"
    (figure, axes), looks = figures.panel(7.0, 3.6, across, up), figures.looks(context)
    for one in context.run:
        values = [100 * share.mean for share in bins[one.arm.name]]
        look = {**looks[one.arm.name], "linewidth": 1.2, "markersize": 4}
        axes.plot(range(len(values)), values, label=one.arm.title + context[one].sign, **look)
    texts = ["none", *(f"≤ {high:g}" for high in BINS[2:-1]), f"> {BINS[-2]:g}"]
    axes.set_xticks(range(len(texts)), texts)
    axes.set_ylim(0, 102)
    figure.legend(loc="outside right upper", frameon=False)
    return figure
