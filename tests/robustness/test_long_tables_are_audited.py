"""`audit-table` shows how far it is with a long table, and when it is stopped it names the rows
that it has not examined, beside the verdicts that it has."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from pathlib import Path

import pytest

from anomalynet.cli import progress
from anomalynet.cli.main import main
from anomalynet.reporting.paper.table_audit.read import parse
from anomalynet.reporting.paper.table_audit.table import audit_table

TABLE = "model,prevalence,recall_normal,accuracy\n" + "".join(
    f"m{number},{20 + number}.0,90.0,9{number}.0\n" for number in range(8)
)


def test_a_stopped_audit_names_the_rows_that_it_has_not_examined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "long.csv"
    path.write_text(TABLE, encoding="utf-8")
    assert main(["audit-table", str(path)]) in (0, 1)
    whole = capsys.readouterr().out.splitlines()

    def stop(shown: progress.RowProgress, done: int) -> None:
        assert shown.total == 8
        if done == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress.RowProgress, "__call__", stop)
    assert main(["audit-table", str(path)]) == 130
    told = capsys.readouterr().out.splitlines()
    assert told[-1] == "not examined: 5 rows, from m3 (line 5) to m7 (line 9)"
    verdicts = [line for line in whole if line.startswith("m")]
    assert [line for line in told if line.startswith("m")] == verdicts[:3]
    assert main(["audit-table", str(path), "--json"]) == 130
    found = json.loads(capsys.readouterr().out)
    assert found["not_examined"] == ["m3", "m4", "m5", "m6", "m7"]


def test_progress_is_reported_row_by_row() -> None:
    done: list[int] = []
    audit = audit_table(parse(TABLE, "t.csv", ".csv"), progress=done.append)
    assert done == list(range(1, 9))
    assert audit.left == ()


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
