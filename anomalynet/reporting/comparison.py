"""Writes the comparison of models over data sets: ranks in each block, which is a data set or a
world of a simulated one, and a figure of mean ranks. Ranks alone: with so few blocks no test of
them means anything.

Source: not in the paper. Demšar: Statistical Comparisons of Classifiers over Multiple Data Sets,
JMLR 7, 2006."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anomalynet.errors import counted
from anomalynet.reporting import figures
from anomalynet.reporting.aggregate import ArmMetrics, aggregate, in_world
from anomalynet.reporting.arms import Arm, arms
from anomalynet.reporting.captions import ReportContext, bullets
from anomalynet.reporting.formats.files import write_files
from anomalynet.reporting.formats.markdown import grid
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.tables import Row, csv_file, runs_file
from anomalynet.runs.collect import RunRecord

COMPARISON = "comparison"  # name of its folder
MIN_DATA, MIN_MODELS = 2, 3

RANKS = ("metric", "model", "block", "value", "rank", "unit")
METRICS = ("average_precision_fold_mean", "auroc_fold_mean", "f1_attack", "balanced_accuracy")

NOTE = (
    "A *block* is a data set, or each world of a simulated one; its value is the mean over the "
    "repetitions there. In each, 1 is best and equal models share their mean rank. Worlds of one "
    "simulator are more alike than data sets."
)
FIGURE, FIGURE_TITLE = "ranks", "Mean ranks of the models, 1 is best"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Models that every data set has, with their metrics there."""

    # data set → experiment → its metrics; the same experiments, in the same order, everywhere
    models: Mapping[str, Mapping[str, ArmMetrics]]
    left_out: tuple[str, ...]  # sentences on experiments that are not compared

    @property
    def titles(self) -> dict[str, str]:
        """Experiment → its title in tables; there is one arm per experiment, so no difference."""
        return {name: one.arm.title for name, one in next(iter(self.models.values())).items()}


Blocks = dict[str, list[float]]  # block → the value of each model
Ranks = Mapping[str, NDArray[np.float64]]  # metric → (blocks, models)


def comparable(records: Mapping[str, Sequence[RunRecord]]) -> bool:
    """Whether there are enough data sets, and enough experiments with one configuration in each."""
    return len(records) >= MIN_DATA and len(_chosen(_arms(records))[0]) >= MIN_MODELS


def compare_models(records: Mapping[str, Sequence[RunRecord]]) -> Comparison:
    """Compute the metrics of each data set's models; an experiment with several configurations in
    a data set is left out."""
    found = _arms(records)
    chosen, left_out = _chosen(found)
    models = {
        data: dict(zip(chosen, aggregate([own[name][0] for name in chosen]), strict=True))
        for data, own in found.items()
    }
    return Comparison(models, tuple(left_out))


def _arms(records: Mapping[str, Sequence[RunRecord]]) -> dict[str, dict[str, list[Arm]]]:
    """Data set → experiment → its arms that have runs."""
    found: dict[str, dict[str, list[Arm]]] = {}
    for data in sorted(records):
        own = found.setdefault(data, {})
        for arm in arms(records[data]):
            if arm.records:
                own.setdefault(arm.experiment, []).append(arm)
    return found


def _chosen(found: Mapping[str, Mapping[str, Sequence[Arm]]]) -> tuple[list[str], list[str]]:
    """The experiments with one arm in every data set, and why others are not compared."""
    kept, left_out = [], []
    for name in dict.fromkeys(name for own in found.values() for name in own):
        absent = [data for data, own in found.items() if name not in own]
        several = [data for data, own in found.items() if len(own.get(name, ())) > 1]
        if absent:
            left_out.append(f"`{name}` has no run on {', '.join(absent)}.")
        elif several:
            left_out.append(
                f"`{name}` has runs of several configurations on {', '.join(several)}: it is "
                "unknown which of them to compare."
            )
        else:
            kept.append(name)
    return kept, left_out


def blocks_of(comparison: Comparison, metric: str) -> tuple[Blocks, list[str]]:
    """A metric's mean per block; and the blocks that are left out, with the models that have no
    value there."""
    rows: Blocks = {}
    left_out = []
    for data, models in comparison.models.items():
        worlds = sorted({world for one in models.values() for world in one.arm.worlds})
        for world in worlds if len(worlds) > 1 else [None]:
            name = data if world is None else f"{data}, world {world}"
            row = [
                (one.summary(metric) if world is None else in_world(one, world, metric)).mean
                for one in models.values()
            ]
            pairs = zip(comparison.titles.values(), row, strict=True)
            if undefined := ", ".join(title for title, value in pairs if math.isnan(value)):
                left_out.append(f"{name} (no value: {undefined})")
            else:
                rows[name] = row
    return rows, left_out


def rank(values: NDArray[np.float64], higher_is_better: bool) -> NDArray[np.float64]:
    """Ranks of the models in each block, 1 is best, ties share their mean: (blocks, models), like
    `values`, which have no NaN. `higher_is_better`: whether that holds for the metric."""
    from scipy.stats import rankdata

    ranks: NDArray[np.float64] = rankdata(-values if higher_is_better else values, axis=1)
    return ranks


def write_comparison(records_by_data: Mapping[str, Sequence[RunRecord]], out: Path) -> Path:
    """Write the comparison of the models that every data set has into the folder `out`, and return
    the path of its `report.md`; other files there are kept. `records_by_data`: `comparable`."""
    comparison = compare_models(records_by_data)
    own = {data: tuple(models.values()) for data, models in comparison.models.items()}
    everything = [one.arm for models in own.values() for one in models]
    contexts = {name: ReportContext.of(models, among=everything) for name, models in own.items()}
    notes = [f"`{data}`: {context.facts()}" for data, context in contexts.items()]
    notes += [f"Not compared: {sentence}" for sentence in comparison.left_out]
    notes += dict.fromkeys(note for one in contexts.values() for note in one.notes())
    blocks: dict[str, Blocks] = {}
    ranks: dict[str, NDArray[np.float64]] = {}
    for metric in METRICS:
        rows, left_out = blocks_of(comparison, metric)
        if left_out:
            notes.append(f"{MEASURES[metric].title}, left out: {'; '.join(left_out)}.")
        if rows:
            blocks[metric] = rows
            ranks[metric] = rank(np.array([*rows.values()]), MEASURES[metric].higher_is_better)
    parts = [
        f"# {len(comparison.titles)} models on {len(comparison.models)} data sets",
        _leader(comparison, ranks),
        bullets(f"{data}: {text}" for data, one in contexts.items() for text in one.warnings()),
    ]
    files = runs_file(everything)
    files |= csv_file("ranks", _rank_rows(comparison, blocks, ranks), RANKS)
    if ranks:
        files |= csv_file("mean_ranks", _mean_rows(comparison, ranks))
        links = "Numbers: [mean_ranks.csv](tables/mean_ranks.csv), [ranks.csv](tables/ranks.csv)."
        title = "Mean ranks, and in how many blocks a model is first."
        parts += [f"{_table(comparison, ranks)}\n\n> **{title}** {links}"]
        parts += [f"![{FIGURE_TITLE}](figures/{FIGURE}.svg)\n\n> **{FIGURE_TITLE}.** {NOTE}"]
        looks = figures.looks(next(iter(contexts.values())))
        files |= figures.drawn(
            FIGURE, FIGURE_TITLE, " ".join(notes), lambda: _figure(comparison, ranks, looks)
        )
    parts += ["## Conditions", "\n".join(f"- {note}" for note in notes)]
    files["report.md"] = ("\n\n".join(filter(None, parts)) + "\n").encode()
    return write_files(out, files)


def _leader(comparison: Comparison, ranks: Ranks) -> str:
    """Which model has the best mean rank by the first metric that has one, and how sure that is."""
    if not ranks:
        return "**Nothing to compare:** no block has a value for every model."
    metric, own = next(iter(ranks.items()))
    mean = own.mean(axis=0)
    best = int(np.argmin(mean))
    blocks = counted(len(own), "block")
    return (
        f"**{list(comparison.titles.values())[best]} ranks best** by {MEASURES[metric].title}: "
        f"first in {_first(own)[best]} of {blocks}, mean rank {mean[best]:.2f}. **Nothing is "
        f"tested**: the ranks only show the order of models in {blocks}."
    )


def _first(ranks: NDArray[np.float64]) -> list[int]:
    """In how many blocks each model is first, alone or with others."""
    found: list[int] = (ranks == ranks.min(axis=1, keepdims=True)).sum(axis=0).tolist()
    return found


def _order(ranks: Ranks) -> list[int]:
    """The models by their mean rank in the first metric."""
    mean = next(iter(ranks.values())).mean(axis=0)
    return sorted(range(len(mean)), key=lambda at: (mean[at], at))


def _rank_rows(comparison: Comparison, blocks: Mapping[str, Blocks], ranks: Ranks) -> Iterator[Row]:
    for metric, own in ranks.items():
        measure = MEASURES[metric]
        for (block, values), places in zip(blocks[metric].items(), own.tolist(), strict=True):
            for name, value, place in zip(comparison.titles, values, places, strict=True):
                cells = (metric, name, block, value * measure.scale, place, measure.unit)
                yield dict(zip(RANKS, cells, strict=True))


def _mean_rows(comparison: Comparison, ranks: Ranks) -> Iterator[Row]:
    for metric, own in ranks.items():
        pairs = zip(comparison.titles, own.mean(axis=0).tolist(), _first(own), strict=True)
        for name, mean, first in pairs:
            row = {"metric": metric, "model": name, "mean_rank": mean, "first": first}
            yield row | {"blocks": len(own)}


def _table(comparison: Comparison, ranks: Ranks) -> str:
    """A line per model, mean rank and number of first places by each metric."""
    titles = list(comparison.titles.values())
    lines = [
        [f"**{titles[at]}**"]
        + [f"{own[:, at].mean():.2f} ({_first(own)[at]})" for own in ranks.values()]
        for at in _order(ranks)
    ]
    header = ["Model", *(MEASURES[metric].title for metric in ranks)]
    return grid(header, lines, "l" + "r" * len(ranks))


def _figure(comparison: Comparison, ranks: Ranks, looks: Mapping[str, Mapping[str, Any]]) -> Figure:
    """A panel per metric, a line per model: its mean rank."""
    order, names = _order(ranks), list(comparison.titles)
    size = 1.6 + 1.75 * len(ranks), 1.0 + 0.27 * len(order)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(ranks), sharey=True, squeeze=False)[0]
    for axes, (metric, own) in zip(panels, ranks.items(), strict=True):
        mean = own.mean(axis=0)
        for line, at in enumerate(order):
            look = looks[names[at]]
            axes.plot([1, mean[at]], [line, line], color=look["color"], linewidth=0.8, alpha=0.5)
            axes.plot(mean[at], line, marker=look["marker"], color=look["color"])
        axes.set_title(MEASURES[metric].title.partition(",")[0], fontsize=9, loc="left")
        axes.set_xlim(0.7, len(order) + 0.3)
        axes.grid(axis="x", color="#E5E5E5", linewidth=0.6)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(order)), [comparison.titles[names[at]] for at in order])
    panels[0].set_ylim(len(order) - 0.5, -0.5)
    figure.supxlabel("mean rank", fontsize=9)
    return figure
