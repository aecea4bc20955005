"""The section on calibration: which scores are probabilities, and how good these are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from anomalynet.reporting import captions, markdown
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.calibration.figure import draw
from anomalynet.reporting.calibration.measured import Calibrated, calibrate
from anomalynet.reporting.calibration.measures import BINS
from anomalynet.reporting.section import Section, caption, figure
from anomalynet.reporting.tables import Table, defined, metric_row, table_csv, to_csv

NAME, TITLE = "calibration", "Calibration"
FIGURE, FIGURE_TITLE = "calibration_reliability", "Reliability of the scores"
METRICS = ("brier", "brier_constant", "ece", "ece_equal_mass", "mean_score", "prevalence")
COLUMNS = (
    "model",
    "data",
    "bin",
    "low",
    "high",
    "steps",
    "score",
    "attack",
    "attack_lowest",
    "attack_highest",
)

NOTE = (
    "*Brier score*: mean squared difference between score and label; *share of attack alone*: "
    "what always saying the test part's own share would have, so that a Brier score above it is "
    "worse than no model. *Calibration error*: how far the share of attack in a bin of scores is "
    f"from their mean, averaged over steps; {BINS} bins of equal width, or with equally many "
    "steps each. Lower is better in all four. Where the *mean score* is far from the *share of "
    "attack* (prevalence), scores are too high or too low as a whole. Folds are pooled within a "
    "repetition."
)


def calibration_section(models: Sequence[ArmMetrics], data: str) -> Section:
    """Table and reliability diagram of every model whose score is a probability; the others are
    named.

    Raises:
        RunError: a run's scores cannot be read.
    """
    known, others = calibrate(models)
    if not known and not others:
        return Section()
    said = (
        f"The scores of {', '.join(one.arm.title for one in others)} are no probabilities: "
        "nothing there can be calibrated or not."
    )
    if not known:
        return Section([f"## {TITLE}", said])
    shown = [one.metrics for one in known]
    table = Table(
        NAME,
        TITLE,
        METRICS,
        tuple(shown),
        tuple(metric_row(NAME, one, data, metric) for one in shown for metric in METRICS),
    )
    parts = [
        f"## {TITLE}",
        NOTE,
        *([said] if others else []),
        markdown.matrix(table, captions.marks([one.arm for one in models])),
        caption(TITLE, shown, models, f"{NAME}.csv"),
        figure(FIGURE, FIGURE_TITLE, shown, models, note=_figure_note(known)),
        "Numbers: [reliability.csv](tables/reliability.csv).",
    ]
    files = {
        f"figures/{file}": content for file, content in draw(FIGURE, FIGURE_TITLE, known).items()
    }
    reliability = to_csv(COLUMNS, (row for one in known for row in _rows(one, data)))
    return Section(
        parts,
        {
            f"tables/{NAME}.csv": table_csv(table).encode(),
            "tables/reliability.csv": reliability.encode(),
            **files,
        },
    )


def _figure_note(known: Sequence[Calibrated]) -> str:
    several = max(len(one.bins) for one in known)
    spread = (
        "; a vertical line goes from the lowest to the highest repetition" if several > 1 else ""
    )
    return (
        f"Points: {BINS} bins of equal width, all repetitions together{spread}. On the "
        "diagonal a score is what it says; below: steps."
    )


def _rows(one: Calibrated, data: str) -> Iterator[list[object]]:
    pooled, (low, high) = one.pooled, one.observed_range
    for place in range(len(pooled.steps)):
        shares = (pooled.predicted[place], pooled.observed[place], low[place], high[place])
        edges = (float(pooled.edges[place]), float(pooled.edges[place + 1]))
        yield [
            one.metrics.arm.name,
            data,
            place,
            *edges,
            int(pooled.steps[place]),
            *(defined(float(share)) for share in shares),
        ]
