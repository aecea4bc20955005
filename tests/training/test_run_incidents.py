"""A run tells what is known of its test part's incidents, and its metrics and report keep attacks
from other events."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.reporting.render import write_report
from anomalynet.runs.collect import load_record
from anomalynet.runs.scores import IncidentNote, read_incidents
from anomalynet.training.run import TrainingOutcome
from tests.training.small import table, trained

START = 1_700_000_000
ATTACK = IncidentNote(type="jamming", cause="attack", impact="availability", severity=3)
FAULT = IncidentNote(type="drift", cause="fault", severity=1)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> TrainingOutcome:
    """A run on six devices, each with three attacks that shift a sensor and two faults that change
    nothing."""
    tmp_path, lines = tmp_path_factory.mktemp("annotated"), []
    for device in range(6):
        for note, firsts, steps in ((ATTACK, (70, 170, 270), 30), (FAULT, (110, 210), 20)):
            for first in firsts:
                start, end = (
                    datetime.fromtimestamp(START + 10 * step, UTC).isoformat()
                    for step in (first, first + steps - 1)
                )
                lines.append(
                    [start, end, note.type, note.cause, note.impact, note.severity, f"d{device}"]
                )
    with (tmp_path / "annotated.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["start", "end", "type", "cause", "impact", "severity", "series"], *lines]
        )
    annotated: Any = {"ignore": ("attack",), "incidents": tmp_path / "annotated.csv"}
    where: Any = {"time": "time", "series": "device", "split": "part", "replace": True}
    own = table(tmp_path / "own.csv")
    import_table(ImportRequest(file=own, name="annotated", **where, **annotated))
    return trained("logistic", tmp_path, "data.name=annotated", "data.calibration_rows=20")


def test_a_run_notes_the_incidents_of_its_test_part(outcome: TrainingOutcome) -> None:
    scores = pl.read_parquet(outcome.folder.scores).filter(pl.col("split") == "test")
    notes = read_incidents(outcome.folder.incidents)
    assert sorted(notes) == sorted(scores["incident"].drop_nulls().unique().to_list())
    assert list(notes.values()) == 2 * [*3 * [ATTACK], *2 * [FAULT]]
    attacks = scores.filter(pl.col("label") == 1)["incident"].unique()
    assert {notes[number] for number in attacks} == {ATTACK}
    assert outcome.result.world is None


def test_faults_are_neither_recalled_nor_excused(outcome: TrainingOutcome) -> None:
    scores = pl.read_parquet(outcome.folder.scores).filter(pl.col("split") == "test")
    alarm = scores["alarm"].fill_null(False)
    attack = (scores["label"] == 1).fill_null(False)
    found = (
        scores.filter(alarm & attack)["incident"].n_unique()
        / scores.filter(attack)["incident"].n_unique()
    )
    assert outcome.result.metrics["test/event_recall"] == pytest.approx(found)
    normal = (scores["label"] == 0).fill_null(False)
    fault = scores.filter(pl.col("kind") == "drift")
    assert fault["other"].all() and fault["label"].null_count() == fault.height > 0
    false = (alarm & normal).to_numpy()
    series = scores["series"].to_numpy()
    begins = int(false.sum() - (false[1:] & false[:-1] & (series[1:] == series[:-1])).sum())
    assert begins > 0
    days = scores["score"].drop_nulls().len() * 10 / 86400
    assert outcome.result.metrics["test/false_alarms_per_device_day"] == pytest.approx(
        begins / days
    )


def test_the_reports_rows_add_up_to_the_runs_scores(
    outcome: TrainingOutcome, tmp_path: Path
) -> None:
    write_report([load_record(outcome.folder)], tmp_path / "report")
    scores = pl.read_parquet(outcome.folder.scores).filter(
        (pl.col("split") == "test") & (pl.col("label").is_not_null() | pl.col("other"))
    )
    for name in ("by_type", "by_cause", "by_severity"):
        table = pl.read_csv(tmp_path / "report" / "tables" / f"{name}.csv")
        rows = table.filter(model=outcome.result.experiment)  # others are of random scores
        assert (rows["steps"].sum(), rows["missed"].sum()) == (
            scores.height,
            scores["score"].null_count(),
        )
        summary = outcome.result.parts["test"]
        faults = scores.filter("other")["score"]
        assert rows["steps"].sum() == summary.labelled + faults.len()
        assert rows["missed"].sum() == summary.missed + faults.null_count()
        assert rows.filter(pl.col("label") == 1)["steps"].sum() == summary.attack
    table = pl.read_csv(tmp_path / "report" / "tables" / "by_type.csv")
    own = table.filter(model=outcome.result.experiment)
    drift = own.row(by_predicate=pl.col("type") == "drift", named=True)
    found = (drift["label"], drift["cause"], drift["incidents"], drift["detected"])
    assert found == (0, "fault", 4, None)
