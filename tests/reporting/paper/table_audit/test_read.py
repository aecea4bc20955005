"""Formats give the same rows, mistakes their file and line; small repairs and readings by hand."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from anomalynet.errors import DataError
from anomalynet.reporting.paper.table_audit.cone import cell
from anomalynet.reporting.paper.table_audit.read import parse, read_table
from anomalynet.reporting.paper.table_audit.sentences import lines
from anomalynet.reporting.paper.table_audit.table import ONE_DIGIT, TableAudit, audit_table, slips

FAULTS = [
    ("", ".csv", "t.csv: no row has a metric"),
    ("a,b\n1,2\n", ".csv", "t.csv:2: no column `model`"),
    ("model,auroc\nA,2\n", ".csv", "no row has a metric of a .*columns are auroc"),
    ('model,accuracy\n"A,2\n', ".csv", "t.csv:2: cannot be read"),
    ("model\taccuracy\nA\tnan\n", ".tsv", "no row has a metric"),
    (f"model,accuracy\nA,0.{'9' * 5000}\n", ".csv", "t.csv:2: accuracy: '0.99999"),
    ("model,accuracy\nA,1e999\n", ".csv", "t.csv:2: accuracy: '1e999' is not a number"),
]

TABLES = {
    ".csv": "model,Precision (Attack),specificity,n\n# a comment\nA,94.0,–,100\n\nB,,97.5,\n",
    ".tsv": "model\tPrecision (Attack)\tspecificity\tn\nA\t94.0\t\t100\nB\t\t97.5\t\n",
    ".md": "Text.\n\n| Model | Precision (Attack) | specificity | n |\n| --- | ---: | :-: | --- "
    "|\n| **A** | 94.0 | – | 100 |\n"
    "| B |  | 97.5 | - |\n",
}


@pytest.mark.parametrize("suffix", TABLES)
def test_every_format_gives_the_same_cells(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"table{suffix}"
    path.write_text(TABLES[suffix], encoding="utf-8")
    rows = read_table(path).rows
    assert [(row.model, row.cells) for row in rows] == [
        ("A", {"precision_attack": "94.0", "n": "100"}),
        ("B", {"recall_normal": "97.5"}),
    ]
    lines = TABLES[suffix].splitlines()
    starts = "".join(lines[row.line - 1].strip(' |*{"[\t')[0] for row in rows)
    assert starts in ("AB", "mm")


def test_every_problem_is_named_at_once() -> None:
    text = "model,recall_attack,tp,Recall (Attack)\nA,0.9±0.1,5,\nB,x,5.5,0.9\nC,1\n"
    with pytest.raises(DataError) as caught:
        parse(text, "t.csv", ".csv")
    for problem in (
        "2: recall_attack: '0.9±0.1' is a mean over runs",
        "3: recall_attack: 'x' is not a number",
        "3: tp: '5.5' is not a count",
        "3: two cells for recall_attack",
        "4: 2 cells under 4 headings",
    ):
        assert f"t.csv:{problem}" in str(caught.value)


@pytest.mark.parametrize(("text", "suffix", "message"), FAULTS)
def test_a_file_that_is_no_table_is_one_message(text: str, suffix: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse(text, f"t{suffix}", suffix)


def audited(heads: str, *rows: str) -> TableAudit:
    return audit_table(parse("\n".join((f"model,{heads}", *rows, "")), "t.csv", ".csv"))


def test_two_neighbouring_digits_exchanged_are_told_and_no_digit_cures_a_sign() -> None:
    heads = "prevalence,recall_normal,recall_attack,accuracy"
    # 50 % attack, recalls 0.9 and 0.8: accuracy 85, printed 58
    found = audited(heads, "A,50.00,90.00,80.00,58.00").rows[0].repairs
    repairs = {one.column: (one.value, one.slip) for (one,) in found}
    assert repairs["accuracy"] == ("85.00", "two digits exchanged")
    values = {"accuracy": "85.00", "recall_normal": "36.00", "recall_attack": "26.00"}
    assert {name: value for name, (value, _) in repairs.items()} == values
    # accuracy is the mean of both recalls: 2 · 45 − 90 = 0, by rounding at most 0.03; the middle of
    # that
    found = audited(heads, "A,50.00,90.00,-5.00,45.00").rows[0].repairs
    repairs = {one.column: (one.value, one.slip) for (one,) in found}
    assert repairs["recall_attack"] == ("0.01", None)
    needed = Fraction(-62, 100)
    mcc = cell("mcc", "-0.52", "fraction", "half")  # MCC has a sign
    assert list(slips(mcc, (needed, needed), "half")) == [("-0.62", ONE_DIGIT)]


def test_rows_of_two_test_sets_are_no_alarm_but_are_told() -> None:
    audit = audited("prevalence,accuracy", "A,20.0,90.0", "B,20.04,91.0", "C,30.0,92.0")
    assert audit.possible
    (whole,) = audit.agreements
    assert (whole.reading, whole.agree, set(whole.others)) == ("whole row", ("A", "B"), {"C"})
    told = "not possible; A, B agree on 20.03 to 20.05 %; C 29.94 to 30.06 %"
    assert f"one test set, by whole rows: {told}" in list(lines(audit))
    audit = audited("accuracy,recal_attack,note", "A,94.0,1,x")
    assert "not audited: recal_attack (did you mean recall_attack?), note" in list(lines(audit))


def test_a_table_that_fits_in_one_unit_alone_is_read_in_it() -> None:
    # as fractions, accuracy 0.5 lies outside recalls of 0.9; in percent one alone of MCC 80 and 0.8
    # is meant
    assert audited("mcc,accuracy", "A,0.8,90").unit == "percent"
    assert audited("mcc,accuracy", "A,0.8,0.90").unit == "fraction"
    heads = "prevalence,recall_normal,recall_attack,precision_attack"
    assert not audited(heads, "A,0.5,0.9,0.9,0.1").possible
    shares = audited("accuracy,f1_attack", "A,94%,0.9%").rows[0].cells
    assert shares["f1_attack"].high < 0.01
