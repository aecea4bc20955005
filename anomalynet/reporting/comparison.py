"""Writes the comparison of models over data sets: ranks in each block, which is a data set or a
world of a simulated one, Friedman's test, and figures of mean ranks.

Source: not in the paper. Demšar: Statistical Comparisons of Classifiers over Multiple Data Sets,
JMLR 7, 2006."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anomalynet.reporting.ablation.contrasts import LEVEL
from anomalynet.reporting.aggregate import ArmMetrics, aggregate, in_world
from anomalynet.reporting.arms import Arm, arms
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.figures import drawn, heading
from anomalynet.reporting.formats import write_files
from anomalynet.reporting.formats.markdown import grid, unit
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.tables import to_csv
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.scores import reading_once

COMPARISON = "comparison"  # name of its folder
MIN_DATA, MIN_MODELS = 2, 3
ROUGH = 10  # up to this number of blocks, Friedman's p is a rough approximation

METRICS = ("average_precision_fold_mean", "auroc_fold_mean", "f1_attack", "balanced_accuracy")
COLUMNS = ("metric", "model", "block", "value", "rank", "unit")

NOTE = f"""\
A *block* is a data set, or each world of a simulated one. Its value for a model is the mean over \
the repetitions there; decisions are pooled over folds, rankings are averaged over folds. In every \
block the models are ranked: 1 is best, equal models share their mean rank. *Friedman's test* asks \
whether the ranks of any model differ from chance (p below {LEVEL:g}; χ², corrected for ties; an \
approximation that needs more than {ROUGH} blocks, so that fewer are not tested); it does not show \
which model. Worlds of one simulator are more alike than data sets: they show how a result \
generalises to another world, not to other data."""


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


@reading_once()
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
    names = ", ".join(comparison.titles.values())
    parts = [
        f"# {len(comparison.titles)} models on {len(comparison.models)} data sets",
        f"Compared: {names}, of which every data set has runs of one configuration.",
        "\n".join(facts),
        "## How to read the tables",
        NOTE,
    ]
    files: dict[str, bytes] = {}
    rows: list[tuple[object, ...]] = []
    for metric in METRICS:
        _add_metric(metric, comparison, parts, files, rows)
    notes = dict.fromkeys(note for one in contexts.values() for note in one.notes(one.models))
    lines = [f"- {note}" for note in notes]
    for data, context in contexts.items():
        lines += [f"- ⚠ {data}: {warning}" for warning in context.warnings()]
    parts += ["## Notes on the runs", "\n".join(lines)] if lines else []
    parts.append("Numbers: [ranks.csv](tables/ranks.csv).")
    files["tables/ranks.csv"] = to_csv(COLUMNS, rows).encode()
    files["report.md"] = ("\n\n".join(parts) + "\n").encode()
    return write_files(out, files)


def _add_metric(
    metric: str,
    comparison: Comparison,
    parts: list[str],
    files: dict[str, bytes],
    rows: list[tuple[object, ...]],
) -> None:
    """Add the section of a metric, its figure, and its rows of the CSV."""
    measure, titles = MEASURES[metric], list(comparison.titles.values())
    blocks = blocks_of(comparison, metric)
    parts.append(f"## {measure.title}")
    left_out = [f"Blocks left out: {'; '.join(blocks.left_out)}."] if blocks.left_out else []
    if not blocks.names:
        parts += ["No block has a value for every model.", *left_out]
        return
    ranks = rank(blocks.values, measure.higher_is_better)
    mean = ranks.mean(axis=0)
    order = sorted(range(len(mean)), key=lambda one: (mean[one], one))
    lines = []
    for block, values, own in zip(blocks.names, blocks.values * measure.scale, ranks, strict=True):
        lines.append([block, *(f"{measure.text(float(values[i]))} ({own[i]:g})" for i in order)])
        for name, value, at in zip(comparison.titles, values.tolist(), own.tolist(), strict=True):
            rows.append((metric, name, block, value, at, measure.unit))
    lines.append(["**Mean rank**", *(f"**{mean[one]:.2f}**" for one in order)])
    header = [f"Block{unit(measure.unit)} (rank)", *(titles[one] for one in order)]
    name, title = f"ranks_{metric}", f"Mean ranks by {measure.title}"
    count = len(blocks.names)
    foot = f"{count} block{'s' if count > 1 else ''}: {'; '.join(blocks.names)}"
    parts += [
        grid(header, lines, "l" + "r" * len(titles)),
        *left_out,
        verdict(blocks.values),
        f"![{title}, {foot}](figures/{name}.svg)",
    ]
    shown = [(titles[one], float(mean[one])) for one in order]
    files |= drawn(name, lambda: _figure(shown, title, foot))


def _figure(ranked: Sequence[tuple[str, float]], title: str, foot: str) -> Figure:
    """The models on a line of mean ranks. `ranked`: title and mean rank, best first."""
    models, left_count = len(ranked), (len(ranked) + 1) // 2  # the other names are on the right
    figure = Figure(figsize=(9.0, 1.7 + 0.34 * left_count), layout="constrained")
    axes = figure.subplots()
    axes.set_xlim(1 - 0.42 * (models - 1), models + 0.42 * (models - 1))
    axes.set_ylim(left_count + 0.9, -1.0)
    axes.axis("off")
    axes.plot([1, models], [0, 0], color="black", linewidth=1.0)
    for tick in range(1, models + 1):
        axes.plot([tick, tick], [0, -0.2], color="black", linewidth=1.0)
        axes.text(tick, -0.3, str(tick), ha="center", va="bottom")
    for at, (name, mean) in enumerate(ranked):
        on_left = at < left_count
        line = (at if on_left else models - 1 - at) + 0.8
        edge, side = (1 - 0.04 * models, "right") if on_left else (1.04 * models, "left")
        axes.plot([mean, mean, edge], [0, line, line], color="#606060", linewidth=0.8)
        axes.text(edge, line, f" {name} ({mean:.2f}) ", ha=side, va="center")
    heading(figure, title)
    figure.supxlabel(foot, fontsize=7, color="#404040", x=0.012, ha="left")
    return figure
