"""The report on models over several data sets: `report.md`, `tables/ranks.csv`, `tables/pairs.csv`,
`figures/ranks_*`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from anomalynet.errors import NothingToCompareError
from anomalynet.reporting import captions
from anomalynet.reporting.comparison import diagram
from anomalynet.reporting.comparison.blocks import (
    FEWEST_DATA,
    FEWEST_MODELS,
    Blocks,
    Comparison,
    blocks_of,
    compared,
)
from anomalynet.reporting.comparison.ranking import LEVEL, Ranking, rank
from anomalynet.reporting.comparison.verdicts import p_text, verdict
from anomalynet.reporting.forms import write_files
from anomalynet.reporting.markdown import grid, unit
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.section import Section
from anomalynet.reporting.tables import defined, to_csv
from anomalynet.runs.collect import RunRecord

COMPARISON = "comparison"
"""Name of its folder."""

METRICS = ("average_precision_fold_mean", "auroc_fold_mean", "f1_attack", "balanced_accuracy")

RANK_COLUMNS = ("metric", "model", "block", "value", "rank", "unit")
PAIR_COLUMNS = (
    "metric",
    "model",
    "other",
    "blocks",
    "better",
    "worse",
    "difference",
    "p",
    "adjusted_p",
    "least_adjusted_p",
    "unit",
)

NOTE = f"""\
A *block* is a data set, or each world of a simulated one; its value is a model's mean over \
repetitions there. In every block the models are ranked, 1 is best, equal ones share their mean \
rank. *Friedman's test* asks whether any model's ranks are out of the ordinary (χ², corrected for \
ties; an approximation that wants more than about ten blocks). *Pairs* are tested by Wilcoxon's \
signed ranks over blocks, two-sided, adjusted by Holm over all pairs; two models are told apart \
where Friedman's p and the adjusted p are both below {LEVEL:g}. A bar in the diagram joins \
neighbours of which no two are told apart. Worlds of one simulator are more alike than data sets \
are: they say how a result carries over to another city, not to other data."""


def write_comparison(records_by_data: Mapping[str, Sequence[RunRecord]], out: Path) -> Path:
    """Write the comparison of the models that every data set has into the folder `out`, and return
    the path of its `report.md`.

    Args:
        records_by_data: data set → its finished runs, in any order.
        out: folder; other files in it stay.

    Raises:
        NothingToCompareError: fewer than two data sets, or fewer than three experiments with one
        configuration in each. RunError: a run's scores cannot be read.

    Source: not in the paper.
    """
    comparison = compared(records_by_data) if len(records_by_data) >= FEWEST_DATA else None
    if comparison is None or len(comparison.experiments) < FEWEST_MODELS:
        why = " ".join(comparison.left_out) if comparison else f"{len(records_by_data)} data set"
        raise NothingToCompareError(
            f"a comparison needs {FEWEST_DATA} data sets with {FEWEST_MODELS} experiments, each "
            f"of one configuration: {why}",
            "anomalynet reproduce --data NAME",
        )
    ranked = {
        metric: (found := blocks_of(comparison, metric), _ranked(metric, found))
        for metric in METRICS
    }
    sections = [_section(metric, comparison, *pair) for metric, pair in ranked.items()]
    parts = [
        *_opening(comparison),
        *(part for section in sections for part in section.parts),
        *_closing(comparison),
    ]
    files = {
        "tables/ranks.csv": _ranks_csv(comparison, ranked).encode(),
        "tables/pairs.csv": _pairs_csv(comparison, ranked).encode(),
        **{name: content for section in sections for name, content in section.files.items()},
        "report.md": ("\n\n".join(parts) + "\n").encode(),
    }
    return write_files(out, files)


def _ranked(metric: str, blocks: Blocks) -> Ranking:
    return rank(blocks.values, MEASURES[metric].higher_is_better)


def _opening(comparison: Comparison) -> list[str]:
    names = ", ".join(comparison.titles.values())
    signs = [
        f"- `{data}`: {captions.facts(list(models.values()))}"
        for data, models in comparison.models.items()
    ]
    left_out = [f"- Not compared: {sentence}" for sentence in comparison.left_out]
    return [
        f"# {len(comparison.experiments)} models on {len(comparison.models)} data sets",
        f"Compared: {names}, which every data set has in one configuration.",
        "\n".join([*signs, *left_out]),
        "## How to read the tables",
        NOTE,
    ]


def _closing(comparison: Comparison) -> list[str]:
    everything = [one.arm for models in comparison.models.values() for one in models.values()]
    per_data = [[one.arm for one in models.values()] for models in comparison.models.values()]
    notes = list(
        dict.fromkeys(note for arms in per_data for note in captions.notes(arms, everything))
    )
    warnings = [
        f"- ⚠ {data}: {told}"
        for data, arms in zip(comparison.models, per_data, strict=True)
        for told in captions.warnings(arms)
    ]
    lines = [*(f"- {note}" for note in notes), *warnings]
    numbers = "Numbers: [ranks.csv](tables/ranks.csv), [pairs.csv](tables/pairs.csv)."
    return [*(["## What to know of the runs", "\n".join(lines)] if lines else []), numbers]


def _section(metric: str, comparison: Comparison, blocks: Blocks, ranking: Ranking) -> Section:
    measure, titles = MEASURES[metric], list(comparison.titles.values())
    heading = f"## {measure.title}"
    gone = [f"Blocks left out: {'; '.join(blocks.left_out)}."] if blocks.left_out else []
    if not blocks.names:
        return Section([heading, "No block has a value of every model.", *gone])
    order = sorted(range(len(titles)), key=lambda one: (ranking.mean[one], one))
    lines = [
        [block, *(_valued(metric, row[one], place[one]) for one in order)]
        for block, row, place in zip(
            blocks.names, blocks.values.tolist(), ranking.ranks.tolist(), strict=True
        )
    ]
    lines.append(["**Mean rank**", *(f"**{ranking.mean[one]:.2f}**" for one in order)])
    name = f"ranks_{metric}"
    foot = (
        f"{len(blocks.names)} block{'s' if len(blocks.names) > 1 else ''}: "
        f"{'; '.join(blocks.names)}"
    )
    title = f"Mean ranks by {measure.title}"
    parts = [
        heading,
        grid(
            [f"Block{unit(measure.unit)} (rank)", *(titles[one] for one in order)],
            lines,
            "l" + "r" * len(order),
        ),
        *gone,
        verdict(ranking, len(blocks.names), titles),
        f"![{title}, {foot}](figures/{name}.svg)",
        _pairs_table(metric, ranking, titles),
    ]
    files = diagram.draw(name, ranking, titles, title, foot)
    return Section(parts, {f"figures/{file}": content for file, content in files.items()})


def _valued(metric: str, value: float, place: float) -> str:
    return f"{MEASURES[metric].text(value * MEASURES[metric].scale)} ({place:g})"


def _pairs_table(metric: str, ranking: Ranking, titles: Sequence[str]) -> str:
    measure = MEASURES[metric]
    lines = [
        [
            titles[pair.first],
            titles[pair.second],
            str(pair.better),
            str(pair.worse),
            measure.text(pair.difference * measure.scale),
            p_text(pair.p),
            p_text(pair.adjusted),
        ]
        for pair in ranking.pairs
    ]
    header = [
        "Model",
        "Other",
        "better in",
        "worse in",
        f"mean difference{unit(measure.unit)}",
        "p",
        "p (Holm)",
    ]
    return grid(header, lines, "llrrrrr")


def _ranks_csv(comparison: Comparison, ranked: Mapping[str, tuple[Blocks, Ranking]]) -> str:
    lines = [
        [
            metric,
            experiment,
            block,
            blocks.values[row, column] * MEASURES[metric].scale,
            float(ranking.ranks[row, column]),
            MEASURES[metric].unit,
        ]
        for metric, (blocks, ranking) in ranked.items()
        for row, block in enumerate(blocks.names)
        for column, experiment in enumerate(comparison.experiments)
    ]
    return to_csv(RANK_COLUMNS, lines)


def _pairs_csv(comparison: Comparison, ranked: Mapping[str, tuple[Blocks, Ranking]]) -> str:
    lines: list[list[object]] = []
    for metric, (blocks, ranking) in ranked.items():
        for pair in ranking.pairs:
            difference = defined(pair.difference, MEASURES[metric].scale)
            own = [
                comparison.experiments[pair.first],
                comparison.experiments[pair.second],
                len(blocks.names),
                pair.better,
                pair.worse,
            ]
            tests = [defined(pair.p), defined(pair.adjusted), defined(ranking.least_adjusted)]
            lines.append([metric, *own, difference, *tests, MEASURES[metric].unit])
    return to_csv(PAIR_COLUMNS, lines)
