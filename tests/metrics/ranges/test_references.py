"""Equal to the published implementations on 200 cases; where one is at fault, ours holds."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from anomalynet.metrics.ranges.affiliation import affiliation
from anomalynet.metrics.ranges.ranges import Value, adjusted, range_precision, range_recall
from anomalynet.metrics.ranges.vus import vus

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("references.json").read_text())
NEAR = 1e-6


def arrays(case: dict[str, Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Labels, scores, alarms, and one stretch."""
    labels, alarms = (np.array(list(case[name]), dtype=np.int8) for name in ("labels", "alarms"))
    return labels, np.array(case["scores"]), alarms == 1, np.zeros(len(labels), dtype=np.int64)


def is_undefined(value: Value) -> bool:
    return math.isnan(value.value) and value.reason != ""


def same(value: Value, reference: float) -> None:
    assert value.reason == ""
    assert value.value == pytest.approx(reference, abs=NEAR)


def test_there_are_200_cases_with_every_edge() -> None:
    assert len(CASES) == 200
    kinds = {
        (*(len(set(case[name])) for name in ("labels", "alarms", "scores")), case["labels"][0])
        for case in CASES
    }
    constant = {(labels, first) for labels, _, _, first in kinds if labels == 1}
    assert constant == {(1, "0"), (1, "1")}
    alarms = {
        case["alarms"][0] for case in CASES if len({*case["alarms"]}) < len({*case["labels"]})
    }
    assert alarms == {"0", "1"}
    assert any(labels == 2 and scores == 1 for labels, _, scores, _ in kinds)
    assert any(len(case["labels"]) == 1 for case in CASES)
    assert any(
        case["labels"][:1] + case["labels"][-1:] == "11" and "0" in case["labels"] for case in CASES
    )


def test_vus_is_that_of_its_authors() -> None:
    compared = 0
    for case in CASES:
        labels, scores, _, stretch = arrays(case)
        found = vus(labels, scores, stretch, case["buffer"])
        if case["vus_all"] is None:  # the package divides by zero, or has no range to grow
            assert len(set(labels)) == 1, case
            assert is_undefined(found.pr) and is_undefined(found.roc)
            continue
        same(found.pr, case["vus_all"][0])
        same(found.roc, case["vus_all"][1])
        compared += 1
    assert compared > 180


def test_range_metrics_are_those_of_prts_and_aeon() -> None:
    """prts, where it was asked for these defaults, fails without attack or alarm; aeon says 0 for
    both where alarms are constant, even where every step is alarmed."""
    defaults = {"alpha": 0.0, "cardinality": "reciprocal", "bias": "flat"}
    compared = 0
    for case in CASES:
        labels, _, alarms, stretch = arrays(case)
        found = range_precision(labels, alarms, stretch), range_recall(labels, alarms, stretch)
        assert is_undefined(found[0]) == (not alarms.any())
        assert is_undefined(found[1]) == (not labels.any())
        if labels.any() and not alarms.any():
            assert found[1] == Value(0.0)
        if case["prts"] is not None and defaults.items() <= case.items():
            same(found[0], case["prts"][0])
            same(found[1], case["prts"][1])
        if len(set(alarms)) == 2:
            compared += 1
            same(found[0], case["aeon"][0])
            if labels.any():
                same(found[1], case["aeon"][1])
    assert compared > 160


def test_affiliation_is_that_of_its_authors() -> None:
    compared = 0
    for case in CASES:
        labels, _, alarms, stretch = arrays(case)
        found = affiliation(labels, alarms, stretch)
        if case["affiliation"] is None:
            assert not labels.any(), case
            assert is_undefined(found.precision)
            assert is_undefined(found.recall)
            continue
        precision, recall = case["affiliation"]
        same(found.recall, recall)
        if precision is None:
            assert not alarms.any()
            assert is_undefined(found.precision)
        else:
            same(found.precision, precision)
        compared += 1
    assert compared > 180


def test_point_adjustment_is_that_of_tsadmetrics() -> None:
    """Without attack tsadmetrics says 0, which is not a detector's fault: undefined here."""
    for case in CASES:
        labels, _, alarms, stretch = arrays(case)
        found = adjusted(labels, alarms, stretch)
        if not labels.any():
            assert is_undefined(found.f1)
            assert is_undefined(found.at_20)
            assert is_undefined(found.area)
            continue
        same(found.f1, case["pa_f1"])
        same(found.at_20, case["pa_20"])
        same(found.area, case["pa_area"])
