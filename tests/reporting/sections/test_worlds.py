"""How much results depend on the world, by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from anomalynet.reporting.render import write_report
from anomalynet.reporting.sections.worlds import BETWEEN, HEADLINE, WITHIN, several, spread
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import measured, record, rows


def report(records: list[RunRecord], out: Path) -> tuple[str, list[dict[str, str]]]:
    """The report of some runs, and its table of worlds."""
    text = write_report(records, out).read_text(encoding="utf-8")
    table = out / "tables" / "worlds.csv"
    return text, rows(table) if table.exists() else []


RECALL = {(0, 0): 0.2, (0, 1): 0.4, (1, 0): 0.6, (1, 1): 0.6, (2, 0): 0.9}
"""(world, seed) → event recall: the means of the worlds are 0.3, 0.6 and 0.9."""


@pytest.fixture
def records(tmp_path: Path) -> list[RunRecord]:
    metrics = {place: {"test/event_recall": value} for place, value in RECALL.items()}
    made = []
    for (world, seed), own in metrics.items():
        data: dict[str, Any] = {"world": world, "fingerprint": str(world) * 64}
        made.append(record(tmp_path / "runs", seed=seed, folds=1, metrics=dict(own), **data))
    return made


def test_deviations_between_and_within_worlds_by_hand(records: list[RunRecord]) -> None:
    one = next(metrics for metrics in measured(*records) if metrics.values)
    found = spread(one, "event_recall_fold_mean", several([one]))
    assert {name: round(value.mean, 12) for name, value in found.items()} == {
        "world 0": 0.3,
        "world 1": 0.6,
        "world 2": 0.9,
        BETWEEN: 0.3,
        WITHIN: round(math.sqrt(0.02) / 2, 12),  # world 1 does not vary, and world 2 has one seed
    }
    assert [value.n for value in found.values()] == [2, 2, 1, 3, 2]


@pytest.mark.usefixtures("no_figures")
def test_the_report_of_several_worlds_shows_them_and_names_them(
    records: list[RunRecord], tmp_path: Path
) -> None:
    text, lines = report(records, tmp_path / "out")
    section = text[text.index("## Spread over worlds") : text.index("## Leakage audit")]
    assert "| Event recall, fold mean, % | 30.00 | 60.00 | 90.00 | 30.00 | 7.07 |" in section
    assert "seeds of the repetitions: 0, 1; worlds 0, 1, 2." in section
    assert len(lines) == len(HEADLINE) * 5
    cells = {(one["metric"], one["quantity"]): one for one in lines}
    found = cells["event_recall_fold_mean", BETWEEN]
    assert (found["value"], found["n"], found["unit"]) == ("30.0000", "3", "%")
    text, lines = report(records[:2], tmp_path / "alone")
    assert "Spread over worlds" not in text and not lines
    assert "seeds of the repetitions: 0, 1; world 0." in text
