"""Writes the comparison of models over data sets: `report.md`, its tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from anomalynet.errors import NothingToCompareError
from anomalynet.reporting.ablation.contrasts import LEVEL
from anomalynet.reporting.captions import ReportContext
from anomalynet.reporting.comparison.blocks import (
    MIN_DATA,
    MIN_MODELS,
    Blocks,
    Comparison,
    blocks_of,
    compare_models,
)
from anomalynet.reporting.comparison.ranking import Ranking, draw, rank
from anomalynet.reporting.formats import write_files
from anomalynet.reporting.formats.markdown import grid, unit
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.sections.base import Section
from anomalynet.reporting.tables import to_csv
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.scores import reading_once

COMPARISON = "comparison"  # name of its folder

METRICS = ("average_precision_fold_mean", "auroc_fold_mean", "f1_attack", "balanced_accuracy")
COLUMNS = ("metric", "model", "block", "value", "rank", "unit")

NOTE = f"""\
A *block* is a data set, or each world of a simulated one. Its value for a model is the mean over \
the repetitions there; decisions are pooled over folds, rankings are averaged over folds. In every \
block the models are ranked: 1 is best, equal models share their mean rank. *Friedman's test* asks \
whether the ranks of any model differ from chance (p below {LEVEL:g}; χ², corrected for ties; an \
approximation that needs more than about ten blocks); it does not show which model. Worlds of one \
simulator are more alike than data sets: they show how a result generalises to another world, not \
to other data."""


@reading_once()
def write_comparison(records_by_data: Mapping[str, Sequence[RunRecord]], out: Path) -> Path:
    """Write the comparison of the models that every data set has into the folder `out`, and return
    the path of its `report.md`.

    Args:
        records_by_data: data set → its finished runs, in any order.
        out: folder; other files in it are kept.
    Raises:
        NothingToCompareError: fewer than two data sets, or fewer than three experiments with one
            configuration in each.
        RunError: a run's scores cannot be read.
    Source: not in the paper.
    """
    comparison = compare_models(records_by_data) if len(records_by_data) >= MIN_DATA else None
    if comparison is None or len(comparison.experiments) < MIN_MODELS:
        why = " ".join(comparison.left_out) if comparison else f"{len(records_by_data)} data set"
        raise NothingToCompareError(
            f"a comparison needs {MIN_DATA} data sets with {MIN_MODELS} experiments, each with "
            f"one configuration: {why}",
            "anomalynet reproduce --data NAME",
        )
    own = {data: tuple(models.values()) for data, models in comparison.models.items()}
    everything = [one.arm for models in own.values() for one in models]
    contexts = {name: ReportContext.of(models, among=everything) for name, models in own.items()}
    parts, rows = _opening(comparison, contexts), []
    files: dict[str, bytes] = {}
    for metric in METRICS:
        blocks = blocks_of(comparison, metric)
        ranking = rank(blocks.values, MEASURES[metric].higher_is_better)
        section = _section(metric, comparison, blocks, ranking)
        parts += section.parts
        files |= section.files
        rows += _rows(metric, comparison, blocks, ranking)
    files["tables/ranks.csv"] = to_csv(COLUMNS, rows).encode()
    files["report.md"] = ("\n\n".join([*parts, *_closing(contexts)]) + "\n").encode()
    return write_files(out, files)


def _opening(comparison: Comparison, contexts: Mapping[str, ReportContext]) -> list[str]:
    names = ", ".join(comparison.titles.values())
    signs = [f"- `{data}`: {context.facts()}" for data, context in contexts.items()]
    left_out = [f"- Not compared: {sentence}" for sentence in comparison.left_out]
    return [
        f"# {len(comparison.experiments)} models on {len(comparison.models)} data sets",
        f"Compared: {names}, of which every data set has runs of one configuration.",
        "\n".join([*signs, *left_out]),
        "## How to read the tables",
        NOTE,
    ]


def _closing(contexts: Mapping[str, ReportContext]) -> list[str]:
    notes = dict.fromkeys(note for one in contexts.values() for note in one.notes(one.models))
    lines = [f"- {note}" for note in notes]
    for data, context in contexts.items():
        lines += [f"- ⚠ {data}: {warning}" for warning in context.warnings()]
    parts = ["## Notes on the runs", "\n".join(lines)] if lines else []
    return [*parts, "Numbers: [ranks.csv](tables/ranks.csv)."]


def _section(metric: str, comparison: Comparison, blocks: Blocks, ranking: Ranking) -> Section:
    measure, titles = MEASURES[metric], list(comparison.titles.values())
    heading = f"## {measure.title}"
    left_out = [f"Blocks left out: {'; '.join(blocks.left_out)}."] if blocks.left_out else []
    if not blocks.names:
        return Section([heading, "No block has a value for every model.", *left_out])
    lines = []
    for block, row, ranks in zip(blocks.names, blocks.values, ranking.ranks, strict=True):
        values = [measure.text(float(row[one]) * measure.scale) for one in ranking.order]
        in_brackets = (f" ({ranks[one]:g})" for one in ranking.order)
        lines.append([block, *map("".join, zip(values, in_brackets, strict=True))])
    lines.append(["**Mean rank**", *(f"**{ranking.mean[one]:.2f}**" for one in ranking.order)])
    header = [f"Block{unit(measure.unit)} (rank)", *(titles[one] for one in ranking.order)]
    name, title = f"ranks_{metric}", f"Mean ranks by {measure.title}"
    count = len(blocks.names)
    foot = f"{count} block{'s' if count > 1 else ''}: {'; '.join(blocks.names)}"
    parts = [
        heading,
        grid(header, lines, "l" + "r" * len(titles)),
        *left_out,
        ranking.verdict,
        f"![{title}, {foot}](figures/{name}.svg)",
    ]
    files = draw(name, ranking, titles, title, foot)
    return Section(parts, {f"figures/{file}": content for file, content in files.items()})


def _rows(
    metric: str, comparison: Comparison, blocks: Blocks, ranking: Ranking
) -> list[tuple[object, ...]]:
    measure, ranks = MEASURES[metric], ranking.ranks.tolist()
    values = (blocks.values * measure.scale).tolist()
    return [
        (metric, experiment, block, values[row][column], ranks[row][column], measure.unit)
        for row, block in enumerate(blocks.names)
        for column, experiment in enumerate(comparison.experiments)
    ]
