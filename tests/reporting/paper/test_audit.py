"""The audit finds in the paper's tables what was found by hand, with the same numbers."""

from __future__ import annotations

import pytest

from anomalynet.metrics.kernels import Confusion
from anomalynet.metrics.suite import PAPER_PREVALENCE
from anomalynet.reporting.paper import published
from anomalynet.reporting.paper.audit_section import FINDINGS, audit
from anomalynet.reporting.paper.table_audit.sentences import span
from anomalynet.reporting.paper.table_audit.table import RowAudit

THREE = ("cnn", "lstm", "cnn_lstm")


def row(model: str) -> RowAudit:
    return next(one for one in audit().rows if one.model == model)


def test_one_digit_makes_a_row_possible_and_the_hybrid_needs_two_other_cells() -> None:
    slips = {"cnn": ("93.86", "98.86"), "lstm": ("95.31", "98.31"), "cnn_lstm": ("95.6", "97.6")}
    for model, cells in slips.items():
        ((only,),) = row(model).repairs
        assert (only.printed, only.value) == cells
        assert (only.column, only.slip) == ("precision_attack", "one digit differs")
        assert only.needed is not None
        for end in only.needed:
            assert 100 * end == pytest.approx(float(cells[1]), abs=0.01)
    (both,) = row("hybrid").repairs
    assert [(one.column, one.value, one.slip) for one in both] == [
        ("precision_attack", "98.85", None),
        ("f1_normal", "96.49", None),
    ]


def test_no_row_of_the_paper_can_be_true_and_what_its_f1_are() -> None:
    assert {one.model: one.possible for one in audit().rows} == dict.fromkeys(
        published.TITLES, False
    )
    assert {model: dict(row(model).f1) for model in published.TITLES} == {
        "cnn": {"attack": "not the mean"},
        "lstm": {"attack": "above"},
        "cnn_lstm": {"attack": "above"},
        "hybrid": {"normal": "below", "attack": "above"},
    }


def test_the_normal_rows_share_a_test_set_and_the_attack_rows_do_not() -> None:
    normal, attack = audit().agreements
    assert (normal.reading, normal.agree, set(normal.others)) == ("normal", THREE, {"hybrid"})
    assert normal.prevalence[0] < 0.7136 < normal.prevalence[1] < 0.7138
    assert (attack.reading, len(attack.agree), len(attack.others)) == ("attack", 1, 3)


def test_the_recipe_of_eq_13_gives_no_printed_accuracy() -> None:
    tried = {
        (model, one.column): one
        for model, found in audit().recipes.items()
        for one in found
        if one.recipe == "precisions alone"
    }
    assert len(tried) == 8
    assert not any(one.fits for one in tried.values())
    both = [tried["hybrid", f"accuracy_{class_}"].made for class_ in ("normal", "attack")]
    made = [100 * float(sum(ends)) / 2 for ends in both]
    assert made == pytest.approx([96.21, 95.53], abs=0.01)
    assert f"gives none of the {len(tried)} within" in FINDINGS


@pytest.mark.parametrize("model", published.TITLES)
def test_repaired_counts_follow_from_the_recalls_and_the_common_prevalence(model: str) -> None:
    cells, counts = published.load().printed_cells[model], published.load().repaired_counts(model)
    attack = round(10_000 * PAPER_PREVALENCE)
    found = round(100 * PAPER_PREVALENCE * cells["recall_attack"])
    kept = round(100 * (1 - PAPER_PREVALENCE) * cells["recall_normal"])
    assert counts == Confusion(kept, 10_000 - attack - kept, attack - found, found)


def test_the_findings_are_those_of_the_audit() -> None:
    for model in THREE:
        ((one,),) = row(model).repairs
        assert f"{one.printed} → {one.value}" in FINDINGS
    (both,) = row("hybrid").repairs
    cells = " and ".join(f"{one.column} {one.printed} → {one.value}" for one in both)
    assert f"Hybrid needs {cells};" in FINDINGS
    normal, _ = audit().agreements
    assert f"one test set of {span(normal.prevalence, 'percent')} attack" in " ".join(
        FINDINGS.split()
    )
