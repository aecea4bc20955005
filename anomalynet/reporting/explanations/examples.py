"""Which incidents a report shows: found best, in the middle and worst by one model, so that nobody
picks them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.scores import read, read_test_part
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.schema import EXPLANATION_COLUMNS

BEST, MIDDLE, WORST = "best", "middle", "worst"

RULE = (
    "Every run explains the first incident of up to six types, the graver types first, on the "
    "series that it touched longest. Of these "
    "{count} incidents of {model} ({runs}; one that several runs explain counts in the first), "
    "ranked by the share of their scored steps "
    "that are alarmed (then by how far the scores lie above the threshold), the first, the "
    "middle and the last are shown. "
    "Nobody chose them by their looks."
)


@dataclass(frozen=True, slots=True)
class Example:
    """An incident that a run explains.

    Attributes:
        record, incident, series: where it is.
        kind: type of the incident; "" where the data has none.
        alarmed: share of its labelled, scored steps on that series that are alarmed.
        margin: mean of score minus threshold over the same steps.
        steps: how many they are.
    """

    record: RunRecord
    incident: int
    series: str
    kind: str
    alarmed: float
    margin: float
    steps: int


def read_explanations(record: RunRecord) -> pl.DataFrame | None:
    """What a run kept around its incidents, columns as in `runs/schema.py`; None where it kept
    nothing.

    Raises:
        RunError: the file is damaged, or lacks a column.
    """
    path = RunFolder(record.folder).explanations
    if not path.is_file():
        return None
    return read(path, lambda frame: frame.select(EXPLANATION_COLUMNS))


def read_series(record: RunRecord, series: str) -> pl.DataFrame:
    """The test steps of one series: time, label, incident, kind, score and threshold.

    Raises:
        RunError: the scores are damaged.
    """
    columns = ("time", "label", "incident", "kind", "score", "threshold")
    return read_test_part(
        record, lambda steps: steps.filter(pl.col("series") == series).select(columns)
    )


def examples(one: ArmMetrics) -> list[Example]:
    """Every incident that the counted runs of an arm explain, the one found best first."""
    found: dict[tuple[int | None, int], Example] = {}
    for record in (record for repetition in one.arm.counted for record in repetition.records):
        table = read_explanations(record)
        if table is None:
            continue
        for incident, series in (
            table.select("incident", "series").unique(maintain_order=True).rows()
        ):
            place = (record.result.world, incident)
            if place not in found and (example := _example(record, incident, series)):
                found[place] = example
    return sorted(found.values(), key=lambda example: (-example.alarmed, -example.margin))


def _example(record: RunRecord, incident: int, series: str) -> Example | None:
    """None where no labelled step of it was scored."""
    own = read_series(record, series).filter(
        (pl.col("incident") == incident) & (pl.col("label") == 1) & pl.col("score").is_not_null()
    )
    if own.is_empty():
        return None
    over = (own["score"] - own["threshold"]).to_numpy()
    return Example(
        record,
        incident,
        series,
        own["kind"][0] or "",
        float((over >= 0).mean()),
        float(over.mean()),
        own.height,
    )


def choose(ranked: Sequence[Example]) -> dict[str, Example]:
    """The first, the middle and the last; fewer where there are fewer."""
    if not ranked:
        return {}
    last, middle = len(ranked) - 1, (len(ranked) - 1) // 2
    chosen = {BEST: ranked[0]}
    if middle > 0:
        chosen[MIDDLE] = ranked[middle]
    return chosen | ({WORST: ranked[last]} if last else {})
