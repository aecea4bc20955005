"""Which values of a golden agree, and what is said of those that do not."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from anomalynet.gate.baseline import Golden, Values
from anomalynet.gate.finding import GONE, NEW, REGRESSION, SAME
from anomalynet.gate.golden import compare


def record(values: Values, run: str = "a") -> Golden:
    return Golden(update=1, code="c", run=run, values=values)


def test_the_worst_value_beyond_the_tolerance_is_named_in_the_order_of_the_pipeline() -> None:
    before: Values = {"train/loss by epoch": [0.5, 0.4, 0.3], "threshold": [0.5], "test/f1_attack": [None]}
    same = compare("cnn", record(before), {**before, "threshold": [0.500014]}, 1e-5, "a")
    assert [(one.verdict, one.metric) for one in same] == [(SAME, "all 5 values")]
    now: Values = {"train/loss by epoch": [0.5, 0.41, 0.28], "threshold": [0.500016], "test/f1_attack": [0.1]}
    first, second, third = compare("cnn", record(before), now, 1e-5, "b")
    assert (first.metric, first.before, first.now, first.verdict) == ("train/loss by epoch", 0.3, 0.28, REGRESSION)
    assert first.note == "value 3 of 3; its configuration or data changed, too"
    assert math.isclose(first.difference or 0, -0.02)
    assert (second.metric, third.metric, third.before, third.now) == ("threshold", "test/f1_attack", None, 0.1)
    assert first.sentence().startswith("cnn: train/loss by epoch 0.3 → 0.28 (-0.02, tolerance 1e-05): regression (value 3 of 3;")


def test_quantities_that_came_went_or_changed_in_number() -> None:
    found = compare("cnn", record({"gone": [1.0], "losses": [1.0, 2.0]}), {"losses": [1.0], "new": [1.0]}, 1e-5, "a")
    assert [(one.metric, one.verdict) for one in found] == [("losses", REGRESSION), ("gone", GONE), ("new", NEW)]
    assert (found[0].before, found[0].now) == (2, 1)


def test_two_scores_that_change_places_are_no_regression_of_a_ranking_metric() -> None:
    before: Values = {"test/auroc": [0.7], "test/accuracy": [0.7]}
    found = compare("cnn", record(before), {"test/auroc": [0.70005], "test/accuracy": [0.70005]}, 1e-5, "a")
    assert [one.metric for one in found] == ["test/accuracy"]
    assert compare("cnn", record(before), {**before, "test/auroc": [0.7005]}, 1e-5, "a")[0].metric == "test/auroc"


@given(st.floats(-1e6, 1e6), st.floats(-2, 2))
def test_tolerance_is_absolute_and_relative(value: float, share: float) -> None:
    moved = value + share * 1e-5 * (1 + abs(value))
    if abs(abs(share) - 1) < 1e-3:
        return
    (found,) = compare("cnn", record({"threshold": [value]}), {"threshold": [moved]}, 1e-5, "a")
    assert (found.verdict == REGRESSION) is (abs(share) > 1)
