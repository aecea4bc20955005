"""`anomalynet audit-table`: exit codes, JSON, messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomalynet.cli.main import main


def test_the_papers_tables_exit_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit-table", "--paper", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [row["possible"] for row in found["rows"]] == [False] * 4
    assert found["rows"][0]["repairs"][0][0] | {"needed": 0} == {
        "column": "precision_attack",
        "printed": "93.86",
        "value": "98.86",
        "needed": 0,
        "slip": "one digit differs",
    }
    assert main(["audit-table", "--paper"]) == 1
    told = "possible with precision_attack 98.86 for 93.86 (98.85 to 98.87 %; one digit differs)"
    assert told in capsys.readouterr().out


def test_a_table_that_can_be_true_exits_with_0_and_tells_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("model,precision_normal,recall_normal,recall_attack\ncnn,76.69,97.47,88.11\n")
    assert main(["audit-table", str(path)]) == 0
    assert "precision_attack 98.85 to 98.87 %" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "give one table"),
        ("x.csv --paper", "give one table"),
        ("--paper --unit fraction", "unit, rounding and classes"),
        ("nowhere.csv", "nowhere.csv: cannot be read: No such file"),
        ("table.xlsx", "table.xlsx: not a table that can be audited"),
    ],
)
def test_a_mistake_exits_with_2(
    arguments: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["audit-table", *arguments.split()]) == 2
    assert message in capsys.readouterr().err


def test_plain_headings_are_read_as_the_class_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "usual.csv"
    path.write_text("model,Precision,Recall,F1-score,Accuracy\nSVM,95.1,93.2,97.0,96.0\n")
    assert main(["audit-table", str(path)]) == 0
    _, second, *_ = capsys.readouterr().out.splitlines()
    assert second.startswith("not audited: Precision (of which class? --of attack reads it so)")
    assert main(["audit-table", str(path), "--of", "attack"]) == 1
    told = "f1_attack 97.0 is above both precision_attack 95.1 and recall_attack 93.2"
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    "text, arguments, told",
    [
        ("precision_attack,recall_attack\nX,-5,93.2", [], "precision_attack -5"),
        ("precision_attack,recall_attack,f1_attack\nX,105,93.2,94.1", [], "precision_attack 105"),
        ("accuracy,mcc\nX,0.95,1.2", ["--unit", "fraction"], "mcc 1.2"),
    ],
)
def test_a_number_that_no_metric_can_be_is_told_as_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, arguments: list[str], told: str
) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"model,{text}")
    assert main(["audit-table", str(path), *arguments]) == 1
    shown = capsys.readouterr().out
    assert f"{told} is outside the range" in shown
    assert "harmonic" not in shown
