"""Which values of a golden agree, and what is said of those that do not."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from anomalynet.regression.baseline import Golden, Tolerances, Values
from anomalynet.regression.finding import MISSING, NEW, REGRESSION, SAME
from anomalynet.regression.golden import compare

LIMITS = Tolerances(golden=1e-5, elsewhere=1e-3, metrics={})


def record(values: Values, run: str = "a") -> Golden:
    return Golden(update=1, code="c", run=run, values=values)


def test_the_worst_value_beyond_the_tolerance_is_named_in_the_order_of_the_pipeline() -> None:
    before: Values = {
        "train/loss by epoch": [0.5, 0.4, 0.3],
        "threshold": [0.5],
        "test/f1_attack": [None],
    }
    same = compare("cnn", record(before), {**before, "threshold": [0.500014]}, LIMITS, "a")
    assert [(one.verdict, one.metric) for one in same] == [(SAME, "all 5 values")]
    now: Values = {
        "train/loss by epoch": [0.5, 0.41, 0.28],
        "threshold": [0.500016],
        "test/f1_attack": [0.1],
    }
    first, second, third = compare("cnn", record(before), now, LIMITS, "b")
    assert (first.metric, first.before, first.now, first.verdict) == (
        "train/loss by epoch",
        0.3,
        0.28,
        REGRESSION,
    )
    assert first.note == "value 3 of 3; its configuration or data also changed"
    assert math.isclose(first.difference or 0, -0.02)
    assert (second.metric, third.metric, third.before, third.now) == (
        "threshold",
        "test/f1_attack",
        None,
        0.1,
    )
    assert first.sentence().startswith(
        "cnn: train/loss by epoch 0.3 → 0.28 (-0.02, tolerance 1e-05): regression (value 3 of 3;"
    )


def test_quantities_that_came_went_or_changed_in_number() -> None:
    found = compare(
        "cnn",
        record({"gone": [1.0], "losses": [1.0, 2.0]}),
        {"losses": [1.0], "new": [1.0]},
        LIMITS,
        "a",
    )
    assert [(one.metric, one.verdict) for one in found] == [
        ("losses", REGRESSION),
        ("gone", MISSING),
        ("new", NEW),
    ]
    assert (found[0].before, found[0].now) == (2, 1)


def test_two_scores_that_change_places_are_no_regression_of_a_ranking_metric() -> None:
    before: Values = {"test/auroc": [0.7], "test/accuracy": [0.7]}
    found = compare(
        "cnn", record(before), {"test/auroc": [0.70005], "test/accuracy": [0.70005]}, LIMITS, "a"
    )
    assert [one.metric for one in found] == ["test/accuracy"]
    assert (
        compare("cnn", record(before), {**before, "test/auroc": [0.7005]}, LIMITS, "a")[0].metric
        == "test/auroc"
    )


COUNTED: Values = {
    "test/true_negatives": [586.0],
    "test/false_positives": [47.0],
    "test/false_negatives": [36.0],
    "test/true_positives": [31.0],
    "test/recall_attack": [31 / 67],
    "test/event_recall": [1 / 3],
    "test/accuracy_at_half": [0.9],
    "test/auroc": [0.7],
}
"""700 scores."""


def test_under_other_kernels_two_scores_may_cross_the_threshold_and_no_more() -> None:
    def crossed(count: int, **others: float) -> Values:
        moved = {
            "test/false_negatives": 36.0 + count,
            "test/true_positives": 31.0 - count,
            "test/recall_attack": (31 - count) / 67,
        }
        given = {f"test/{name}": value for name, value in others.items()}
        return {**COUNTED, **{name: [value] for name, value in {**moved, **given}.items()}}

    def names(now: Values, elsewhere: str) -> list[str]:
        return [one.metric for one in compare("lstm", record(COUNTED), now, LIMITS, "a", elsewhere)]

    (same,) = compare(
        "lstm", record(COUNTED), crossed(2, event_recall=0.0), LIMITS, "a", "torch 2.12, AVX2"
    )
    assert (same.verdict, same.metric) == (SAME, "all 2 values")
    assert (
        same.note
        == "against torch 2.12, AVX2; 6 not compared, because up to 2 scores crossed the threshold"
    )
    assert names(crossed(1), "") == [
        "test/false_negatives",
        "test/true_positives",
        "test/recall_attack",
    ]
    assert names(crossed(3, event_recall=0.0), "e") == [*list(COUNTED)[2:5], "test/event_recall"]
    assert names(crossed(1, auroc=0.71), "e") == ["test/auroc"]
    assert names(crossed(0, event_recall=0.0), "e") == [
        "test/event_recall"
    ]  # no score crossed: the metric itself is another
    assert names(crossed(0, accuracy_at_half=0.9 - 2 / 700), "e") == ["all 7 values"]
    assert names(crossed(0, accuracy_at_half=0.9 - 3 / 700), "e") == ["test/accuracy_at_half"]


@given(st.floats(-1e6, 1e6), st.floats(-2, 2))
def test_tolerance_is_absolute_and_relative(value: float, share: float) -> None:
    moved = value + share * 1e-5 * (1 + abs(value))
    if abs(abs(share) - 1) < 1e-3:
        return
    (found,) = compare("cnn", record({"threshold": [value]}), {"threshold": [moved]}, LIMITS, "a")
    assert (found.verdict == REGRESSION) is (abs(share) > 1)
