"""The audit finds in the paper's tables what was found by hand, with the same numbers."""

from __future__ import annotations

import pytest

from anomalynet.metrics.kernels import decision_metrics
from anomalynet.reporting.paper import published
from anomalynet.reporting.paper.audit import (
    COLUMNS,
    CSV,
    audit,
    common_prevalence,
    paper_audit_section,
    readings,
    repaired_matrix,
)
from anomalynet.reporting.paper.table_audit.row import RowAudit
from tests.reporting.synthetic import rows

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


def test_the_implied_prevalences_and_precisions() -> None:
    found = {(one.model, one.class_): one for one in readings()}
    assert [round(found[model, "normal"].prevalence, 2) for model in THREE] == [71.36, 71.37, 71.38]
    assert [round(found[model, "attack"].prevalence, 1) for model in THREE] == [30.5, 46.5, 57.1]
    assert round(found["hybrid", "normal"].prevalence, 1) == 68.1
    assert all(100 * one.bounds[0] < one.prevalence < 100 * one.bounds[1] for one in found.values())
    assert common_prevalence() == 71.37
    assert [round(found[model, "attack"].implied, 2) for model in THREE] == [98.86, 98.31, 97.6]
    for model in THREE:
        cells, precision = published.load().printed_cells[model], found[model, "attack"].implied
        mean = 2 * precision * cells["recall_attack"] / (precision + cells["recall_attack"])
        assert mean == pytest.approx(cells["f1_attack"], abs=0.01)


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
    text = "\n".join(paper_audit_section().parts)
    for told in (
        "gives 96.21 (printed 96.16)",
        "95.53 (printed 95.33), mean 95.87 (printed 95.745",
    ):
        assert told in text


@pytest.mark.parametrize("model", published.TITLES)
def test_repaired_matrices_are_those_of_the_tables(model: str) -> None:
    found = repaired_matrix(model)
    assert found == published.load().repaired_counts(model)
    computed, cells = decision_metrics(found), published.load().repaired_cells[model]
    for metric in ("precision_normal", "precision_attack", "f1_normal", "f1_attack", "accuracy"):
        assert 100 * computed[metric] == pytest.approx(cells[metric], abs=0.02)


def test_the_section_is_the_same_every_time_and_its_table_is_tidy() -> None:
    section = paper_audit_section()
    assert section == paper_audit_section()
    lines = rows(section.files[CSV])
    assert tuple(lines[0]) == COLUMNS
    places = [(line["model"], line["class"]) for line in lines]
    assert places == [(model, kind) for model in published.TITLES for kind in ("normal", "attack")]
    assert lines[1]["printed_precision"] == "93.8600"
    assert round(float(lines[1]["implied_precision"]), 2) == 98.86
    assert section.parts[0] == "## The paper's tables, audited"
    assert f"]({CSV})" in "\n".join(section.parts)
