"""`audit-table` shows how far it is with a long table."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from anomalynet.cli import progress
from anomalynet.reporting.paper.table_audit.read import parse
from anomalynet.reporting.paper.table_audit.table import audit_table

TABLE = "model,prevalence,recall_normal,accuracy\n" + "".join(
    f"m{number},{20 + number}.0,90.0,9{number}.0\n" for number in range(8)
)


def test_progress_is_reported_row_by_row() -> None:
    done: list[int] = []
    audit_table(parse(TABLE, "t.csv", ".csv"), progress=done.append)
    assert done == list(range(1, 9))


def test_a_long_table_prints_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "INTERVAL", -1.0)
    with progress.RowProgress("long.csv", 8) as shown:
        shown(5)
    assert capsys.readouterr().err == "long.csv: 5 of 8 rows examined\n"


def test_the_largest_set_of_rows_with_a_common_prevalence_is_that_of_all_pairs() -> None:
    rng = random.Random(5)
    for _ in range(30):
        lines = [f"m{at},{rng.uniform(20, 21):.{rng.randint(0, 2)}f},90.0" for at in range(12)]
        text = "\n".join(("model,prevalence,recall_normal", *lines, ""))
        audit = audit_table(parse(text, "t.csv", ".csv"), "percent")
        ends = [row.prevalence or (Fraction(0), Fraction(0)) for row in audit.rows]
        most = max(sum(low <= point <= high for low, high in ends) for point, _ in ends)
        whole = audit.agreements[0]
        assert len(whole.agree) == most
        assert len(whole.agree) + len(whole.others) == len(audit.rows)
