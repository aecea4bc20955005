"""Writes the comparison of models over data sets: ranks in each block, which is a data set or a
world of a simulated one, Friedman's test, and figures of mean ranks.

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

from anomalynet.reporting import figures
from anomalynet.reporting.ablation.contrasts import LEVEL
from anomalynet.reporting.aggregate import ArmMetrics, aggregate, in_world
from anomalynet.reporting.arms import Arm, arms
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.formats import write_files
from anomalynet.reporting.formats.markdown import grid, unit
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.tables import runs_csv, to_csv
from anomalynet.runs.collect import RunRecord

COMPARISON = "comparison"  # name of its folder
MIN_DATA, MIN_MODELS = 2, 3
ROUGH = 10  # up to this number of blocks, Friedman's p is a rough approximation

SHORT = {"average_precision_fold_mean": "AP", "auroc_fold_mean": "AUROC"}
METRICS = ("average_precision_fold_mean", "auroc_fold_mean", "f1_attack", "balanced_accuracy")
COLUMNS = ("metric", "model", "block", "value", "rank", "unit")

NOTE = """\
A *block* is a data set, or each world of a simulated one; its value is the mean over the \
repetitions there. In every block the models are ranked: 1 is best, equal models share their mean \
rank. Worlds of one simulator are more alike than data sets."""

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


@dataclass(frozen=True, slots=True)
class Blocks:
    """The values of a metric."""

    names: tuple[str, ...]
    values: NDArray[np.float64]  # (blocks, models)
    left_out: tuple[str, ...]  # blocks in which a model has no value, with these models


def comparable(records: Mapping[str, Sequence[RunRecord]]) -> bool:
    """Whether there are enough data sets, and enough experiments with one configuration in each."""
    return len(records) >= MIN_DATA and len(_chosen(_arms(records))[0]) >= MIN_MODELS


def compare_models(records: Mapping[str, Sequence[RunRecord]]) -> Comparison:
    """Compute the metrics of each data set's models; an experiment with several configurations in
    one data set is left out.

    Raises: RunError: a run's scores cannot be read.
    """
    found = _arms(records)
    kept, left_out = _chosen(found)
    models = {
        data: dict(zip(kept, aggregate([own[name][0] for name in kept]), strict=True))
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


def blocks_of(comparison: Comparison, metric: str) -> Blocks:
    """A metric's mean per block; a block in which a model has no value is left out."""
    rows, left_out = {}, []
    for data, models in comparison.models.items():
        worlds = sorted({world for one in models.values() for world in one.arm.worlds})
        for world in worlds if len(worlds) > 1 else [None]:
            name = data if world is None else f"{data}, world {world}"
            row = [
                (one.summary(metric) if world is None else in_world(one, world, metric)).mean
                for one in models.values()
            ]
            pairs = zip(comparison.titles.values(), row, strict=True)
            undefined = ", ".join(title for title, value in pairs if math.isnan(value))
            if undefined:
                left_out.append(f"{name} (no value: {undefined})")
            else:
                rows[name] = row
    values = np.array(list(rows.values()), dtype=np.float64)
    return Blocks(tuple(rows), values.reshape(len(rows), len(comparison.titles)), tuple(left_out))


def rank(values: NDArray[np.float64], higher_is_better: bool) -> NDArray[np.float64]:
    """Ranks of the models in each block, 1 is best, ties share their mean: (blocks, models), like
    `values`, which have no NaN. `higher_is_better`: whether that holds for the metric."""
    from scipy.stats import rankdata

    ranks: NDArray[np.float64] = rankdata(-values if higher_is_better else values, axis=1)
    return ranks


def verdict(values: NDArray[np.float64]) -> str:
    """The result of Friedman's test of values (blocks, models) as a sentence, or why there is none:
    up to `ROUGH` blocks only the ranks are shown."""
    from scipy.stats import friedmanchisquare

    blocks, models = values.shape
    if blocks <= ROUGH:
        return (
            f"Nothing is tested with {ROUGH} blocks or fewer: the ranks above only show the order "
            f"of models in {'this block' if blocks == 1 else f'these {blocks} blocks'}."
        )
    if (values == values[:, :1]).all():
        return "All models have the same value in every block: there is nothing to test."
    statistic, p = map(float, friedmanchisquare(*values.T))
    p_text = f"{p:.4f}" if p >= 0.0001 else f"{p:.1e}"
    found = "The ranks differ" if p < LEVEL else "No evidence that any model's ranks differ"
    return (
        f"Friedman's χ² = {statistic:.2f}, p = {p_text} over {blocks} blocks and {models} models. "
        f"{found}."
    )


def write_comparison(records_by_data: Mapping[str, Sequence[RunRecord]], out: Path) -> Path:
    """Write the comparison of the models that every data set has into the folder `out`, and return
    the path of its `report.md`.

    Args:
        records_by_data: data set → its finished runs, in any order; `comparable`.
        out: folder; other files in it are kept.
    Raises: RunError: a run's scores cannot be read.
    """
    comparison = compare_models(records_by_data)
    own = {data: tuple(models.values()) for data, models in comparison.models.items()}
    everything = [one.arm for models in own.values() for one in models]
    contexts = {name: ReportContext.of(models, among=everything) for name, models in own.items()}
    facts = [f"- `{data}`: {context.facts()}" for data, context in contexts.items()]
    facts += [f"- Not compared: {sentence}" for sentence in comparison.left_out]
    facts += dict.fromkeys(
        f"- {note}" for one in contexts.values() for note in one.notes(one.models)
    )
    warned = ((data, text) for data, one in contexts.items() for text in one.warnings())
    found = {metric: blocks_of(comparison, metric) for metric in METRICS}
    ranks = {
        metric: rank(blocks.values, MEASURES[metric].higher_is_better)
        for metric, blocks in found.items()
        if blocks.names
    }
    title = f"{len(comparison.titles)} models on {len(comparison.models)} data sets"
    parts = [
        f"# {title}",
        _leader(comparison, found, ranks),
        "\n".join(f"- ⚠ {data}: {warning}" for data, warning in warned),
        f"![{FIGURE_TITLE}](figures/{FIGURE}.svg)\n\n> **{FIGURE_TITLE}.** {NOTE}",
        *(part for metric in METRICS for part in _metric(comparison, metric, found[metric], ranks)),
        "Numbers: [ranks.csv](tables/ranks.csv).",
        "## Conditions",
        "\n".join(facts),
    ]
    rows = [
        (
            metric,
            name,
            block,
            float(value) * MEASURES[metric].scale,
            own_rank,
            MEASURES[metric].unit,
        )
        for metric, all_ranks in ranks.items()
        for block, values, place in zip(
            found[metric].names, found[metric].values, all_ranks.tolist(), strict=True
        )
        for name, value, own_rank in zip(comparison.titles, values, place, strict=True)
    ]
    files = {"tables/ranks.csv": to_csv(COLUMNS, rows).encode()}
    files["tables/runs.csv"] = runs_csv(everything).encode()
    means = {metric: own.mean(axis=0).tolist() for metric, own in ranks.items()}
    if means:
        text = " ".join(facts)
        looks = figures.looks(next(iter(contexts.values())))
        files |= figures.drawn(
            FIGURE, FIGURE_TITLE, text, lambda: _figure(comparison, means, looks)
        )
    files["report.md"] = ("\n\n".join(filter(None, parts)) + "\n").encode()
    return write_files(out, files)


def _leader(
    comparison: Comparison, found: Mapping[str, Blocks], ranks: Mapping[str, NDArray[np.float64]]
) -> str:
    """Which model has the best mean rank by the first metric that has one, and how sure that is."""
    if not ranks:
        return "**Nothing to compare:** no block has a value for every model."
    metric, own = next(iter(ranks.items()))
    titles, mean = list(comparison.titles.values()), own.mean(axis=0)
    best = int(np.argmin(mean))
    first = int((own[:, best] == own.min(axis=1)).sum())
    return (
        f"**{titles[best]} ranks best** by {MEASURES[metric].title}: first in {first} of "
        f"{len(own)} blocks, mean rank {mean[best]:.2f}. {verdict(found[metric].values)}"
    )


def _metric(
    comparison: Comparison,
    metric: str,
    blocks: Blocks,
    ranks: Mapping[str, NDArray[np.float64]],
) -> Iterator[str]:
    """The section of a metric: a line per block, models by their mean rank, and its test."""
    measure, titles = MEASURES[metric], list(comparison.titles.values())
    yield f"## {measure.title}"
    if blocks.names:
        own = ranks[metric]
        mean = own.mean(axis=0)
        order = sorted(range(len(mean)), key=lambda one: (mean[one], one))
        lines = [
            [block, *(f"{measure.text(float(values[i]))} ({place[i]:g})" for i in order)]
            for block, values, place in zip(
                blocks.names, blocks.values * measure.scale, own, strict=True
            )
        ]
        lines.append(["**Mean rank**", *(f"**{mean[one]:.2f}**" for one in order)])
        header = [f"Block{unit(measure.unit)} (rank)", *(titles[one] for one in order)]
        yield grid(header, lines, "l" + "r" * len(titles))
        if len(blocks.names) > ROUGH:
            yield verdict(blocks.values)
    else:
        yield "No block has a value for every model."
    if blocks.left_out:
        yield f"Blocks left out: {'; '.join(blocks.left_out)}."


def _figure(
    comparison: Comparison,
    means: Mapping[str, Sequence[float]],
    looks: Mapping[str, Mapping[str, Any]],
) -> Figure:
    """A panel per metric, a line per model: its mean rank."""
    order = sorted(range(len(comparison.titles)), key=lambda at: next(iter(means.values()))[at])
    titles = list(comparison.titles.items())
    size = (1.6 + 1.75 * len(means), 1.0 + 0.27 * len(order))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(means), sharey=True, squeeze=False)[0]
    for axes, (metric, own) in zip(panels, means.items(), strict=True):
        for line, at in enumerate(order):
            look = looks[titles[at][0]]
            axes.plot([1, own[at]], [line, line], color=look["color"], linewidth=0.8, alpha=0.5)
            axes.plot(own[at], line, marker=look["marker"], color=look["color"])
        axes.set_title(SHORT.get(metric, MEASURES[metric].title), fontsize=9, loc="left")
        axes.set_xlim(0.7, len(order) + 0.3)
        axes.grid(axis="x", color="#E5E5E5", linewidth=0.6)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(order)), [titles[at][1] for at in order])
    panels[0].set_ylim(len(order) - 0.5, -0.5)
    figure.supxlabel("mean rank", fontsize=9)
    return figure
