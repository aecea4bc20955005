"""What became of each kind of incident, by hand: every labelled step is counted once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest

from anomalynet.errors import RunError
from anomalynet.reporting.sections import incidents
from anomalynet.reporting.sections.incidents import (
    CHANCE,
    NONE,
    UNKNOWN,
    Group,
    IncidentTable,
    incident_section,
    incident_tables,
)
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.scores import IncidentNote, write_incidents
from tests.reporting.synthetic import context, measured, record, rows

Step = tuple[int | None, int | None, float | None]
"""(label, incident, score)"""

NOTES = {
    1: IncidentNote(type="jamming", cause="attack", severity=1),
    2: IncidentNote(type="jamming", cause="attack", severity=4),
    3: IncidentNote(type="black_hole", cause="attack", severity=4),
    7: IncidentNote(type="crash", cause="fault", severity=2),
}

STEPS: tuple[tuple[Step, ...], ...] = (
    # fold 0: jamming 1 is alarmed in one of three scored steps, black hole 3 is never scored, crash
    # 7 alarms falsely
    (
        (1, 1, 0.9),
        (1, 1, 0.1),
        (1, 1, 0.2),
        (1, 1, None),
        (1, 3, None),
        (1, 3, math.nan),
        (0, 7, 0.8),
        (0, 7, 0.1),
        (0, None, 0.1),
    ),
    # fold 1: jamming 2 is not detected, and jamming 1 goes on in another series
    ((1, 2, 0.3), (1, 1, 0.4), (0, None, 0.9), (0, None, 0.2), (0, None, None), (None, None, 0.9)),
)


def run(
    runs: Path,
    experiment: str = "cnn",
    *,
    fold: int = 0,
    notes: bool = True,
    steps: Sequence[Step] | None = None,
    **more: Any,
) -> RunRecord:
    """A run with the steps of a fold of `STEPS`, threshold 0.5."""
    labels, numbers, scores = zip(*(steps or STEPS[fold]), strict=True)
    known = {"labels": labels, "incidents": numbers, "scores": scores, **more}
    made = record(runs, experiment, fold=fold, **known)
    kinds = [None if number is None else NOTES[number].type for number in numbers]
    path = made.folder / "scores.parquet"
    kind = pl.Series("kind", kinds, dtype=pl.String)
    pl.read_parquet(path).with_columns(kind).write_parquet(path)
    if notes:
        write_incidents(made.folder / "incidents.json", NOTES)
    return made


def test_types_causes_and_severities_by_hand(tmp_path: Path) -> None:
    found = tables([run(tmp_path, fold=fold) for fold in range(2)])
    table = found["by_type"]
    assert [(group.positive, group.type, group.cause) for group in table.groups] == [
        (True, "black_hole", "attack"),
        (True, "jamming", "attack"),
        (False, "crash", "fault"),
        (False, NONE, NONE),
    ]
    cells = [table.cells["cnn", group] for group in table.groups]
    black_hole, jamming, crash, none = cells
    counts = [(2, 6, 1), (1, 2, 2), (1, 2, 0), (0, 4, 1)]
    order = (jamming, black_hole, crash, none)
    assert [(one.incidents, one.steps, one.missed) for one in order] == counts
    assert jamming.detected.mean == 0.5  # 1 of the incidents 1 and 2, though 1 stands in both folds
    assert jamming.alarmed.mean == pytest.approx(1 / 5)
    assert black_hole.detected.mean == 0.0
    assert math.isnan(black_hole.alarmed.mean)
    assert (crash.alarmed.mean, crash.detected.n) == (0.5, 0)
    assert none.alarmed.mean == pytest.approx(1 / 3)
    table = found["by_cause"]
    causes = {(one.cause, one.positive): table.cells["cnn", one] for one in table.groups}
    assert list(causes) == [("attack", True), ("fault", False), (NONE, False)]
    assert causes["attack", True].detected.mean == pytest.approx(1 / 3)
    table = found["by_severity"]
    severities = {(one.severity, one.positive): table.cells["cnn", one] for one in table.groups}
    assert list(severities) == [("1", True), ("4", True), ("2", False), (NONE, False)]
    assert (severities["1", True].detected.mean, severities["4", True].detected.mean) == (1.0, 0.0)
    assert severities["4", True].steps == 3


def tables(records: Sequence[RunRecord]) -> dict[str, IncidentTable]:
    return {table.name: table for table in incident_tables(measured(*records))}


def test_every_labelled_step_of_the_scores_is_in_one_row_of_every_table(tmp_path: Path) -> None:
    records = [
        run(tmp_path, name, fold=fold, seed=seed)
        for name in ("cnn", "hybrid")
        for fold in range(2)
        for seed in range(2)
    ]
    scores = pl.concat([pl.read_parquet(one.folder / "scores.parquet") for one in records])
    scores = scores.drop_nulls("label")
    missed = scores["score"].fill_nan(None).null_count()
    for table in tables(records).values():
        counted = [cell for (name, _), cell in table.cells.items() if name != CHANCE]
        totals = [sum(cell.steps for cell in counted), sum(cell.missed for cell in counted)]
        assert totals == [scores.height, missed]
        for positive in (True, False):
            cells = table.cells.items()
            of_arms = {arm.name for arm in table.arms}
            own = sum(
                cell.steps
                for (name, group), cell in cells
                if group.positive is positive and name in of_arms
            )
            assert own == scores.filter((pl.col("label") == 1) == positive).height


def test_shares_are_means_over_repetitions_and_worlds_hold_other_incidents(tmp_path: Path) -> None:
    first: tuple[Step, ...] = ((1, 1, 0.9), (1, 1, 0.9), (0, None, 0.1))
    second: tuple[Step, ...] = ((1, 1, 0.9), (1, 1, 0.1), (0, None, 0.1))
    group = Group(True, type="jamming", cause="attack")
    cells = []
    for name in ("seed", "world"):
        own = [
            run(tmp_path / name, steps=steps, **{"folds": 1, name: number})  # type: ignore[arg-type]
            for number, steps in enumerate((first, second))
        ]
        cells.append(tables(own)["by_type"].cells["cnn", group])
    cell, of_worlds = cells
    assert (cell.incidents, cell.steps) == (1, 4)
    assert (cell.alarmed.mean, cell.alarmed.n) == (0.75, 2)
    assert cell.alarmed.spread == pytest.approx(math.sqrt(0.125))
    assert of_worlds.incidents == 2


def test_what_nobody_stated_is_unknown(tmp_path: Path) -> None:
    """Runs of an earlier version have types but no cause; some data have neither."""
    found = tables([run(tmp_path, fold=fold, notes=False) for fold in range(2)])
    assert list(found) == ["by_type"]
    groups = {(group.type, group.cause) for group in found["by_type"].groups}
    assert groups == {(kind, UNKNOWN) for kind in ("jamming", "black_hole", "crash")} | {
        (NONE, NONE)
    }
    one = run(tmp_path / "one", folds=1, steps=[(1, None, 0.9), (1, 1, 0.1), (0, None, 0.1)])
    cell = tables([one])["by_type"].cells["cnn", Group(True, type=UNKNOWN, cause=UNKNOWN)]
    assert (cell.incidents, cell.steps, cell.alarmed.mean, cell.detected.n) == (0, 1, 1.0, 0)
    assert tables([record(tmp_path / "none", fold=fold) for fold in range(2)]) == {}


def test_damaged_notes_are_named(tmp_path: Path) -> None:
    one = run(tmp_path)
    (one.folder / "incidents.json").write_text('{"1": {"severity": 9}}')
    with pytest.raises(RunError, match=r"incidents\.json.*severity.*9"):
        incidents.count_steps(one)


def test_the_report_shows_them_with_their_figure(tmp_path: Path) -> None:
    records = [run(tmp_path, name, fold=fold) for name in ("cnn", "logistic") for fold in range(2)]
    found = incident_section(context(*records))
    lines = rows(found.files["tables/by_type.csv"])
    cells = {(row["model"], row["type"]): row for row in lines}
    # of a day of one node, a threshold above 0.9, the highest normal score of fold 1
    assert cells["cnn", "jamming"]["at_one"] in ("0.0000", "50.0000", "100.0000")
    assert {row["model"] for row in lines} == {"cnn", "logistic", CHANCE}
    assert cells[CHANCE, "jamming"]["detected"] == ""
    section = "\n\n".join(found.parts)
    jamming = next(line for line in section.splitlines() if line.startswith("| jamming |"))
    assert jamming.split(" | ")[1:5] == ["2", "6", "1", "–"]
    assert "| crash | fault | 1 | 2 | 0 | 50.0 | 50.0 |" in section
    assert "| no incident | no incident | – | 4 | 1 | 33.3 | 33.3 |" in section
    assert ElementTree.fromstring(found.files["figures/by_type.svg"]).tag.endswith("svg")
    for name in ("by_type", "by_cause", "by_severity"):
        lines = rows(found.files[f"tables/{name}.csv"])
        assert sum(int(line["steps"]) for line in lines if line["model"] == "cnn") == 14
        own = [line for line in lines if line["model"] != CHANCE]
        assert all((line["detected"] != "") == (line["label"] == "1") for line in own)


def test_a_type_found_less_often_than_by_chance_is_marked(tmp_path: Path) -> None:
    """The model scores the attack lowest; random scores find it at some seed, for it is long."""
    steps = [(0, None, 0.9), (0, None, 0.8), *[(1, 1, 0.1)] * 40]
    found = incident_section(context(run(tmp_path, folds=1, steps=steps)))
    row = rows(found.files["tables/by_type.csv"])
    assert [one["at_one"] for one in row if one["type"] == "jamming"] == ["0.0000", "100.0000"]
    assert "| 0.0 ↓ | 100.0 |" in "\n".join(found.parts)
