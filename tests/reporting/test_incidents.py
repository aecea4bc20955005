"""What became of each kind of incident, by hand: every labelled step is counted once."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

from anomalynet.errors import RunError
from anomalynet.reporting import incidents
from anomalynet.reporting.arms import arms
from anomalynet.reporting.incident_section import COLUMNS
from anomalynet.reporting.incidents import NONE, UNKNOWN, Group, IncidentTable, incident_tables
from anomalynet.reporting.render import write_report
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.incidents import IncidentNote, write_incidents
from tests.reporting.synthetic import record

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
    **more: int,
) -> RunRecord:
    """A run with the steps of a fold of `STEPS`, threshold 0.5."""
    made = record(runs, experiment, fold=fold, **more)  # type: ignore[arg-type]
    rows = STEPS[fold] if steps is None else steps
    kinds = [None if number is None else NOTES[number].type for _, number, _ in rows]
    pl.DataFrame(
        {
            "series": ["a"] * len(rows),
            "time": pl.Series([1_000_000 * second for second in range(len(rows))]).cast(
                pl.Datetime("us")
            ),
            "split": ["test"] * len(rows),
            "label": pl.Series([label for label, _, _ in rows], dtype=pl.Int8),
            "incident": pl.Series([number for _, number, _ in rows], dtype=pl.Int32),
            "kind": pl.Series(kinds, dtype=pl.String),
            "score": pl.Series([score for _, _, score in rows], dtype=pl.Float64),
            "threshold": [0.5] * len(rows),
        }
    ).write_parquet(made.folder / "scores.parquet")
    if notes:
        write_incidents(made.folder / "incidents.json", NOTES)
    return made


def tables(records: Sequence[RunRecord]) -> dict[str, IncidentTable]:
    return {table.name: table for table in incident_tables(arms(records))}


def test_types_by_hand(tmp_path: Path) -> None:
    table = tables([run(tmp_path, fold=fold) for fold in range(2)])["by_type"]
    assert [(group.positive, group.type, group.cause) for group in table.groups] == [
        (True, "black_hole", "attack"),
        (True, "jamming", "attack"),
        (False, "crash", "fault"),
        (False, NONE, NONE),
    ]
    black_hole, jamming, crash, none = (table.cells["cnn", group] for group in table.groups)
    assert (jamming.incidents, jamming.steps, jamming.missed) == (2, 6, 1)
    assert jamming.detected.mean == 0.5  # 1 of the incidents 1 and 2, though 1 stands in both folds
    assert jamming.alarmed.mean == pytest.approx(1 / 5)
    assert (black_hole.incidents, black_hole.steps, black_hole.missed) == (1, 2, 2)
    assert black_hole.detected.mean == 0.0
    assert math.isnan(black_hole.alarmed.mean)
    assert (crash.incidents, crash.steps, crash.missed) == (1, 2, 0)
    assert (crash.alarmed.mean, crash.detected.n) == (0.5, 0)
    assert (none.incidents, none.steps, none.missed) == (0, 4, 1)
    assert none.alarmed.mean == pytest.approx(1 / 3)
    assert table.total(table.arms[0]) == (14, 4)


def test_causes_and_severities_by_hand(tmp_path: Path) -> None:
    found = tables([run(tmp_path, fold=fold) for fold in range(2)])
    table = found["by_cause"]
    causes = {(one.cause, one.positive): table.cells["cnn", one] for one in table.groups}
    assert list(causes) == [("attack", True), ("fault", False), (NONE, False)]
    assert causes["attack", True].detected.mean == pytest.approx(1 / 3)
    table = found["by_severity"]
    severities = {(one.severity, one.positive): table.cells["cnn", one] for one in table.groups}
    assert list(severities) == [("1", True), ("4", True), ("2", False), (NONE, False)]
    assert (severities["1", True].detected.mean, severities["4", True].detected.mean) == (1.0, 0.0)
    assert severities["4", True].steps == 3


def test_every_labelled_step_of_the_scores_is_in_one_row_of_every_table(tmp_path: Path) -> None:
    records = [
        run(tmp_path, name, fold=fold, seed=seed)
        for name in ("cnn", "hybrid")
        for fold in range(2)
        for seed in range(2)
    ]
    scores = pl.concat([pl.read_parquet(one.folder / "scores.parquet") for one in records]).filter(
        pl.col("label").is_not_null()
    )
    missed = scores["score"].fill_nan(None).null_count()
    for table in tables(records).values():
        totals = [table.total(arm) for arm in table.arms]
        assert (sum(steps for steps, _ in totals), sum(lost for _, lost in totals)) == (
            scores.height,
            missed,
        )
        for positive in (True, False):
            cells = table.cells.items()
            own = sum(cell.steps for (_, group), cell in cells if group.positive is positive)
            assert own == scores.filter((pl.col("label") == 1) == positive).height


def test_shares_are_means_over_repetitions_and_worlds_hold_other_incidents(tmp_path: Path) -> None:
    steps: tuple[tuple[Step, ...], ...] = (
        ((1, 1, 0.9), (1, 1, 0.9), (0, None, 0.1)),
        ((1, 1, 0.9), (1, 1, 0.1), (0, None, 0.1)),
    )
    seeds = [run(tmp_path / "seeds", seed=seed, folds=1, steps=steps[seed]) for seed in range(2)]
    group = Group(True, type="jamming", cause="attack")
    cell = tables(seeds)["by_type"].cells["cnn", group]
    assert (cell.incidents, cell.steps) == (1, 4)
    assert (cell.alarmed.mean, cell.alarmed.n) == (0.75, 2)
    assert cell.alarmed.spread == pytest.approx(math.sqrt(0.125))
    worlds = [
        run(tmp_path / "worlds", world=world, folds=1, steps=steps[world]) for world in range(2)
    ]
    assert tables(worlds)["by_type"].cells["cnn", group].incidents == 2


def test_runs_of_an_earlier_version_have_types_but_no_cause(tmp_path: Path) -> None:
    found = tables([run(tmp_path, fold=fold, notes=False) for fold in range(2)])
    assert list(found) == ["by_type"]
    assert {(group.type, group.cause) for group in found["by_type"].groups} == {
        ("jamming", UNKNOWN),
        ("black_hole", UNKNOWN),
        ("crash", UNKNOWN),
        (NONE, NONE),
    }


def test_an_attack_that_nobody_numbered_is_counted_as_not_stated(tmp_path: Path) -> None:
    one = run(tmp_path, folds=1, steps=[(1, None, 0.9), (1, 1, 0.1), (0, None, 0.1)])
    table = tables([one])["by_type"]
    cell = table.cells["cnn", Group(True, type=UNKNOWN, cause=UNKNOWN)]
    assert (cell.incidents, cell.steps, cell.alarmed.mean, cell.detected.n) == (0, 1, 1.0, 0)


def test_data_without_types_has_no_such_section(tmp_path: Path) -> None:
    assert incident_tables(arms([record(tmp_path, fold=fold) for fold in range(2)])) == ()


def test_damaged_notes_are_named(tmp_path: Path) -> None:
    one = run(tmp_path)
    (one.folder / "incidents.json").write_text('{"1": {"severity": 9}}')
    with pytest.raises(RunError, match=r"incidents\.json.*severity.*9"):
        incidents.count_steps(one)


def test_the_report_shows_them_with_their_figure(tmp_path: Path) -> None:
    records = [
        run(tmp_path / "runs", name, fold=fold) for name in ("cnn", "logistic") for fold in range(2)
    ]
    path = write_report(records, tmp_path / "out")
    text = path.read_text(encoding="utf-8")
    section = text[text.index("## By incident") : text.index("## Calibration")]
    assert "| black hole | attack | 1 | 1 | 2 | 2 | 0.0 | 0.0 |" in section
    assert "| jamming | attack | 1 | 2 | 6 | 1 | 20.0 | 20.0 |" in section
    assert "| crash | fault | 0 | 1 | 2 | 0 | 50.0 | 50.0 |" in section
    assert "| no incident | no incident | 0 | – | 4 | 1 | 33.3 | 33.3 |" in section
    assert "Labelled steps in all rows: 14, 4 of them missed." in section
    captions = [line for line in section.splitlines() if line.startswith("> **")]
    assert len(captions) == 4
    assert all(
        "Split: group; 2 folds; seeds of the repetitions: 0." in caption and "% attack" in caption
        for caption in captions
    )
    svg = (tmp_path / "out" / "figures" / "by_type.svg").read_bytes()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    for name in ("by_type", "by_cause", "by_severity"):
        text = (tmp_path / "out" / "tables" / f"{name}.csv").read_text(encoding="utf-8")
        lines = list(csv.DictReader(text.splitlines()))
        assert tuple(lines[0]) == COLUMNS
        assert sum(int(line["steps"]) for line in lines if line["model"] == "cnn") == 14
        assert all((line["detected"] != "") == (line["label"] == "1") for line in lines)
