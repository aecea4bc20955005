"""What became of each kind of incident: every labelled step counted, scored or missed, alarmed or
not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import polars as pl

from anomalynet.metrics.kernels import ratio
from anomalynet.reporting.aggregate import Summary, summarise
from anomalynet.reporting.arms import Arm
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.incidents import IncidentNote, read_incidents
from anomalynet.runs.scores import read_test_steps

NONE, UNKNOWN = "no incident", "not stated"
CAUSES = ("attack", "fault", "environment")

GROUPINGS = {"by_type": ("type", "cause"), "by_cause": ("cause",), "by_severity": ("severity",)}
"""Name of the table → what its rows are told apart by, beside the label."""


@dataclass(frozen=True, slots=True)
class Group:
    """A row of a table: the labelled steps of one kind of incident; those of label 1 and 0 are
    never in one row."""

    positive: bool  # whether the steps are labelled 1, so that an alarm is right there
    # type, cause, severity: "" where the table does not tell apart by it; `NONE` outside incidents,
    # `UNKNOWN` where nobody says
    type: str = ""
    cause: str = ""
    severity: str = ""

    @property
    def place(self) -> tuple[bool, bool, int, str, str]:
        """Sorts the positive class first, then by cause, and steps outside incidents last."""
        cause = CAUSES.index(self.cause) if self.cause in CAUSES else len(CAUSES)
        outside = NONE in (self.type, self.cause, self.severity)
        return not self.positive, outside, cause, self.type, self.severity


@dataclass(frozen=True, slots=True)
class Counted:
    """One arm's numbers of a group over its counted repetitions."""

    incidents: int  # distinct ones, over all worlds
    steps: int  # labelled, over folds and repetitions
    missed: int  # those of them without a score
    # share of incidents with an alarmed step, over repetitions; undefined where none is right
    detected: Summary
    alarmed: Summary  # share of the scored steps that are alarmed, over repetitions


def count_steps(record: RunRecord) -> pl.DataFrame:
    """The labelled test steps of a run by incident and label.

    Returns:
        incident (Int64, null outside), positive (Boolean), type, cause, severity (String), steps,
        scored, alarmed (Int64).
    Raises: RunError: `scores.parquet` or `incidents.json` cannot be read.
    """
    positive = (pl.col("label") == 1).alias("positive")
    found = (
        read_test_steps(record)
        .drop_nulls("label")
        .group_by("incident", "kind", positive)
        .agg(
            pl.len().cast(pl.Int64).alias("steps"),
            pl.col("score").count().cast(pl.Int64).alias("scored"),
            (pl.col("score") >= pl.col("threshold")).sum().cast(pl.Int64).alias("alarmed"),
        )
    )
    return _described(found, read_incidents(record.folder / "incidents.json"))


def _described(found: pl.DataFrame, notes: Mapping[int, IncidentNote]) -> pl.DataFrame:
    """With type, cause and severity; steps outside incidents say so, a type that no note gives is
    the step's kind."""
    texts = dict.fromkeys(("type", "cause", "layer", "impact"), pl.String)
    schema = {"incident": pl.Int64, **texts, "severity": pl.Int64}
    rows = [{"incident": number, **asdict(note)} for number, note in notes.items()]
    table = pl.DataFrame(rows, schema=schema)
    outside = pl.col("incident").is_null() & pl.col("kind").is_null() & ~pl.col("positive")

    def told(known: pl.Expr, name: str) -> pl.Expr:
        return pl.when(outside).then(pl.lit(NONE)).otherwise(known.fill_null(UNKNOWN)).alias(name)

    return found.join(table, on="incident", how="left", maintain_order="left").select(
        "incident",
        "positive",
        told(pl.coalesce("type", "kind"), "type"),
        told(pl.col("cause"), "cause"),
        told(pl.col("severity").cast(pl.String), "severity"),
        "steps",
        "scored",
        "alarmed",
    )


@dataclass(frozen=True, slots=True)
class IncidentTable:
    """The rows of one grouping in order, for each arm that has runs: `cells` has (arm's name,
    group) where the arm tested such steps."""

    name: str
    arms: tuple[Arm, ...]
    groups: tuple[Group, ...]
    cells: Mapping[tuple[str, Group], Counted]

    def total(self, arm: Arm) -> tuple[int, int]:
        """Labelled steps of an arm, and how many of them were missed."""
        mine = [cell for (name, _), cell in self.cells.items() if name == arm.name]
        return sum(cell.steps for cell in mine), sum(cell.missed for cell in mine)


def incident_tables(arms: Sequence[Arm]) -> tuple[IncidentTable, ...]:
    """Count the steps of every arm that has runs, one run's scores at a time.

    Returns:
        a table for each of `GROUPINGS` that says something: none where no type of incident is
        known; where nobody states a cause or a severity, that table is left out.
    Raises: RunError: a run's files cannot be read.
    """
    run = tuple(arm for arm in arms if arm.records)
    counted: list[_Steps] = [
        (arm.name, one.world, pl.concat([count_steps(record) for record in one.records]))
        for arm in run
        for one in arm.counted
    ]
    known = [
        name
        for name, (first, *_) in GROUPINGS.items()
        if any(not set(steps[first].unique()) <= {NONE, UNKNOWN} for *_, steps in counted)
    ]
    return tuple(_table(name, run, counted) for name in known) if "by_type" in known else ()


_Steps = tuple[str, int | None, pl.DataFrame]
"""Name of an arm, world of a repetition, and what `count_steps` gives of its runs."""


def _table(name: str, arms: tuple[Arm, ...], counted: Sequence[_Steps]) -> IncidentTable:
    keys = ("positive", *GROUPINGS[name])
    parts: dict[tuple[str, Group], list[tuple[int | None, pl.DataFrame]]] = {}
    for arm, world, steps in counted:
        for key, part in steps.group_by(keys):
            group = Group(**dict(zip(keys, key, strict=True)))
            parts.setdefault((arm, group), []).append((world, part))
    groups = sorted({group for _, group in parts}, key=lambda group: group.place)
    cells = {place: _counted(place[1], own) for place, own in parts.items()}
    return IncidentTable(name, arms, tuple(groups), cells)


def _counted(group: Group, parts: Sequence[tuple[int | None, pl.DataFrame]]) -> Counted:
    numbers = {(world, number) for world, part in parts for number in part["incident"].drop_nulls()}
    return Counted(
        incidents=len(numbers),
        steps=sum(_sum(part, "steps") for _, part in parts),
        missed=sum(_sum(part, "steps") - _sum(part, "scored") for _, part in parts),
        detected=summarise(_detected(part) for _, part in parts if group.positive),
        alarmed=summarise(ratio(_sum(part, "alarmed"), _sum(part, "scored")) for _, part in parts),
    )


def _sum(part: pl.DataFrame, column: str) -> int:
    return int(part[column].sum())


def _detected(part: pl.DataFrame) -> float:
    """An incident that several folds test is one, detected where any of them alarms."""
    alarms = part.drop_nulls("incident").group_by("incident").agg(pl.col("alarmed").sum())
    return ratio(int((alarms["alarmed"] > 0).sum()), alarms.height)
