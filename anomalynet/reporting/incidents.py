"""Counts labelled steps by kind of incident: how many were scored, missed and alarmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import polars as pl

from anomalynet.metrics.kernels import ratio
from anomalynet.reporting.aggregate import Summary, summarise
from anomalynet.reporting.arms import Arm
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.scores import IncidentNote, read_incidents, read_test_steps

NONE, UNKNOWN = "no incident", "not stated"
CAUSES = ("attack", "fault", "environment")

GROUPINGS = {"by_type": ("type", "cause"), "by_cause": ("cause",), "by_severity": ("severity",)}
"""Name of the table → the columns by which its rows are grouped, besides the label."""


@dataclass(frozen=True, slots=True)
class Group:
    """A row of a table: the labelled steps of one kind of incident and one label."""

    positive: bool  # whether the steps are labelled 1, so that an alarm is correct
    # "" if the table is not grouped by it; `NONE` outside incidents, `UNKNOWN` if not stated
    type: str = ""
    cause: str = ""
    severity: str = ""

    @property
    def order(self) -> tuple[bool, bool, int, str, str]:
        """Sort key: the positive class first, then by cause; steps outside incidents last."""
        cause = CAUSES.index(self.cause) if self.cause in CAUSES else len(CAUSES)
        outside = NONE in (self.type, self.cause, self.severity)
        return not self.positive, outside, cause, self.type, self.severity


@dataclass(frozen=True, slots=True)
class Counted:
    """The numbers of one arm and group over the counted repetitions."""

    incidents: int  # number of distinct incidents over all worlds
    steps: int  # number of labelled steps over folds and repetitions
    missed: int  # how many of these have no score
    # share of incidents with an alarmed step, over repetitions; undefined if alarms are false
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
    return _describe(found, read_incidents(record.folder / "incidents.json"))


def _describe(found: pl.DataFrame, notes: Mapping[int, IncidentNote]) -> pl.DataFrame:
    """Add type, cause and severity: `NONE` outside incidents; without a note, type is the kind."""
    texts = dict.fromkeys(("type", "cause", "layer", "impact"), pl.String)
    schema = {"incident": pl.Int64, **texts, "severity": pl.Int64}
    rows = [{"incident": number, **asdict(note)} for number, note in notes.items()]
    table = pl.DataFrame(rows, schema=schema)
    outside = pl.col("incident").is_null() & pl.col("kind").is_null() & ~pl.col("positive")

    def filled(value: pl.Expr, name: str) -> pl.Expr:
        return pl.when(outside).then(pl.lit(NONE)).otherwise(value.fill_null(UNKNOWN)).alias(name)

    return found.join(table, on="incident", how="left", maintain_order="left").select(
        "incident",
        "positive",
        filled(pl.coalesce("type", "kind"), "type"),
        filled(pl.col("cause"), "cause"),
        filled(pl.col("severity").cast(pl.String), "severity"),
        "steps",
        "scored",
        "alarmed",
    )


@dataclass(frozen=True, slots=True)
class IncidentTable:
    """The table of one grouping."""

    name: str
    arms: tuple[Arm, ...]  # those that have runs
    groups: tuple[Group, ...]  # in the order of the rows
    cells: Mapping[tuple[str, Group], Counted]  # by name of arm; missing if it tested no such steps

    def total(self, arm: Arm) -> tuple[int, int]:
        """The number of labelled steps of an arm, and how many of them were missed."""
        mine = [cell for (name, _), cell in self.cells.items() if name == arm.name]
        return sum(cell.steps for cell in mine), sum(cell.missed for cell in mine)


def incident_tables(arms: Sequence[Arm]) -> tuple[IncidentTable, ...]:
    """Count the steps of every arm that has runs, reading one run's scores at a time.

    Returns:
        one table per grouping in `GROUPINGS`, without those by an unknown cause or severity; empty
        if no type of incident is known.
    Raises: RunError: a run's files cannot be read.
    """
    run = tuple(arm for arm in arms if arm.records)
    counted = [
        count_steps(record).with_columns(
            arm=pl.lit(arm.name), repetition=index, world=pl.lit(one.world, pl.Int64)
        )
        for arm in run
        for index, one in enumerate(arm.counted)
        for record in one.records
    ]
    steps = pl.concat(counted) if counted else pl.DataFrame()
    known = [
        name
        for name, (first, *_) in GROUPINGS.items()
        if counted and not set(steps[first].unique()) <= {NONE, UNKNOWN}
    ]
    return tuple(_table(name, run, steps) for name in known) if "by_type" in known else ()


def _table(name: str, arms: tuple[Arm, ...], steps: pl.DataFrame) -> IncidentTable:
    """The table of one grouping. An incident that several folds of a repetition test counts once,
    and is detected if any of them raises an alarm."""
    keys = ("positive", *GROUPINGS[name])
    number, alarmed = pl.col("incident"), pl.col("alarmed") > 0
    repetitions = steps.group_by("arm", "repetition", *keys, maintain_order=True).agg(
        pl.col("world").first(),
        pl.col("steps", "scored", "alarmed").sum(),
        number.drop_nulls().unique().alias("incidents"),
        number.filter(alarmed).drop_nulls().n_unique().alias("detected"),
    )
    cells: dict[tuple[str, Group], Counted] = {}
    for (arm, *key), own in repetitions.group_by("arm", *keys, maintain_order=True):
        group, rows = Group(**dict(zip(keys, key, strict=True))), own.rows(named=True)
        numbers = {(row["world"], number) for row in rows for number in row["incidents"]}
        detected = (ratio(row["detected"], len(row["incidents"])) for row in rows)
        cells[str(arm), group] = Counted(
            incidents=len(numbers),
            steps=sum(row["steps"] for row in rows),
            missed=sum(row["steps"] - row["scored"] for row in rows),
            detected=summarise(detected if group.positive else ()),
            alarmed=summarise(ratio(row["alarmed"], row["scored"]) for row in rows),
        )
    groups = sorted({group for _, group in cells}, key=lambda group: group.order)
    return IncidentTable(name, arms, tuple(groups), cells)
