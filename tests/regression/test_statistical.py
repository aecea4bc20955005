"""A regression is a mean loss beyond the tolerance whose interval leaves zero out; worlds are the
witnesses."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from anomalynet.regression.baseline import RunMetrics, read_baseline
from anomalynet.regression.finding import (
    IMPROVEMENT,
    INSUFFICIENT_DATA,
    MISSING,
    NEW,
    NO_EVIDENCE,
    REGRESSION,
    SAME,
    Finding,
)
from anomalynet.regression.statistical import compare, means
from anomalynet.regression.verdict import exit_code
from anomalynet.reporting.ablation.contrasts import bootstrap_interval, sign_flip_p
from tests.benchmarks.gate_alarms import ALARMS, AP, rate, rates

ROOT = Path(__file__).parents[2]


def runs(values: list[float | None], metric: str = AP, worlds: bool = True) -> list[RunMetrics]:
    return [
        RunMetrics(number, 0, number if worlds else None, {metric: value})
        for number, value in enumerate(values)
    ]


def judged(differences: list[float], metric: str = AP, tolerance: float = 0.02) -> Finding:
    return compare(
        "cnn",
        metric,
        runs([0.5] * len(differences), metric),
        runs([0.5 + own for own in differences], metric),
        tolerance,
    )


def test_loss_tolerance_and_interval_together_decide() -> None:
    drops = [-0.05, -0.04, -0.06, -0.03, -0.05, -0.07]
    found = judged(drops)
    assert (found.verdict, found.before) == (REGRESSION, 0.5)
    assert found.now == pytest.approx(0.45)
    assert (found.low, found.high) == pytest.approx(bootstrap_interval(drops))
    assert judged(drops, tolerance=0.06).verdict == NO_EVIDENCE
    assert judged([-0.4, 0.3, -0.3, 0.2, -0.2, 0.1]).verdict == NO_EVIDENCE
    assert judged([-own for own in drops]).verdict == IMPROVEMENT
    assert judged([0.0] * 6).verdict == SAME
    uneven = [-0.09, -0.09, -0.06, -0.06, -0.05, 0.01, 0.01, 0.01]
    assert bootstrap_interval(uneven)[1] < 0
    assert sign_flip_p(uneven) == 0.0625
    assert judged(uneven).verdict == NO_EVIDENCE


def test_a_check_without_any_change_rarely_cries_wolf() -> None:
    assert rate(AP, 1.0, 0.0, 4000) < 0.0235 + 3 * math.sqrt(0.0235 / 4000)
    found = rates(2000, read_baseline(ROOT / "reports" / "baseline.json").tolerances.metrics)
    assert len(found) == 28
    assert sum(found.values()) < 0.05


def test_the_direction_is_the_metrics_own() -> None:
    more = [6.0, 7.0, 8.0, 6.0, 7.0, 8.0]
    assert judged(more, ALARMS, tolerance=5.0).verdict == REGRESSION
    assert judged([-own for own in more], ALARMS, tolerance=5.0).verdict == IMPROVEMENT


def test_too_few_witnesses_are_said_and_never_guessed() -> None:
    found = judged([-0.3] * 5)
    assert (found.verdict, found.low, found.note) == (
        INSUFFICIENT_DATA,
        None,
        "with 5 pairs in 5 worlds or seeds",
    )
    fewer = compare("cnn", AP, runs([0.5] * 6), runs([0.5] * 5), 0.02)
    assert (fewer.verdict, fewer.note[:33]) == (MISSING, "with 5 pairs in 5 worlds or seeds")
    folds = [RunMetrics(0, fold, 0, {AP: 0.5}) for fold in range(10)]
    worse = [RunMetrics(0, fold, 0, {AP: 0.1}) for fold in range(10)]
    assert compare("cnn", AP, folds, worse, 0.02).note == "with 10 pairs in 1 worlds or seeds"


def test_runs_of_one_world_are_averaged_and_data_of_one_world_is_judged_over_seeds() -> None:
    before = [RunMetrics(seed, fold, seed, {AP: 0.5}) for seed in range(6) for fold in (0, 1)]
    after = [
        RunMetrics(run.seed, run.fold, run.world, {AP: 0.5 - 0.1 * run.fold}) for run in before
    ]
    found = compare("cnn", AP, before, after, 0.02)
    assert found.low == pytest.approx(-0.05)  # every world's mean is the same: no spread is left
    assert found.high == pytest.approx(-0.05)
    assert (
        compare(
            "cnn", AP, runs([0.5] * 6, worlds=False), runs([0.4] * 6, worlds=False), 0.02
        ).verdict
        == REGRESSION
    )


def test_pairs_that_are_missing_or_undefined_are_counted_and_order_is_no_matter() -> None:
    before, now = runs([0.5] * 8), list(reversed(runs([0.4, None, 0.4, 0.4, 0.4, 0.4, 0.4])))
    found = compare("cnn", AP, before, now, 0.02)
    assert (found.verdict, found.before) == (REGRESSION, 0.5)
    assert found.now == pytest.approx(0.4)
    assert found.note == "undefined in 1 of 7 runs, before in 0; 1 runs of the baseline are missing"


def test_a_metric_undefined_in_more_runs_than_before_is_gone_and_no_pass() -> None:
    never = compare("cnn", AP, runs([0.5] * 8), runs([None] * 8), 0.02)
    assert (never.verdict, never.now) == (MISSING, None)
    assert never.note == "with 0 pairs in 0 worlds or seeds; undefined in 8 of 8 runs, before in 0"
    assert exit_code([never]) == 4
    once = compare("cnn", AP, runs([0.5] * 8), runs([None, *[0.5] * 7]), 0.02)
    assert (once.verdict, once.note) == (MISSING, "undefined in 1 of 8 runs, before in 0")
    both = compare("cnn", AP, runs([None, *[0.5] * 7]), runs([*[0.5] * 7, None]), 0.02)
    assert (both.verdict, both.note) == (SAME, "")
    assert compare("cnn", AP, runs([None, *[0.5] * 7]), runs([0.5] * 8), 0.02).verdict == SAME


def test_a_metric_that_one_side_lacks() -> None:
    assert compare("cnn", AP, runs([0.5]), runs([0.5], ALARMS), 0.02).verdict == MISSING
    assert compare("cnn", AP, runs([0.5], ALARMS), runs([0.5]), 0.02).verdict == NEW


def test_means_are_over_worlds() -> None:
    uneven = [
        RunMetrics(0, 0, 0, {AP: 0.2}),
        RunMetrics(0, 1, 0, {AP: 0.4}),
        RunMetrics(1, 0, 1, {AP: 0.9}),
        RunMetrics(2, 0, 2, {AP: None}),
    ]
    assert means(uneven) == {AP: pytest.approx(0.6)}
    assert means(runs([None])) == {AP: None}
