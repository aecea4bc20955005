"""Contrasts over clusters by hand, and what may be said of them."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from anomalynet.reporting.ablation.contrasts import (
    Contrast,
    SeriesKey,
    contrast,
    detectable,
    family,
    needed,
)
from anomalynet.reporting.ablation.tables import (
    p_text,
    signed,
    verdict_sentence,
    what_can_be_seen,
)

NAN = float("nan")


def keys(n: int) -> list[SeriesKey]:
    return [(0, f"s{place:02d}") for place in range(n)]


def alone(values: list[float]) -> Contrast:
    """Each series a cluster of its own."""
    names = keys(len(values))
    return contrast(dict(zip(names, values, strict=True)), {key: key for key in names})


def known(mean: float, low: float, high: float, adjusted: float, reachable: float) -> Contrast:
    return Contrast(mean, low, high, adjusted / 2, reachable, 12, 20, 0, adjusted, reachable)


def test_a_cluster_is_one_witness_however_many_series_it_has() -> None:
    a, b, c, d, e = keys(5)
    found = contrast({a: 0.1, b: 0.3, c: 0.5, d: -0.2, e: NAN}, {a: a, b: a, c: a, d: d, e: e})
    assert found.mean == pytest.approx((0.3 - 0.2) / 2), "mean of the cluster a, b, c is 0.3"
    assert (found.clusters, found.series, found.left_out) == (2, 4, 1)
    assert (found.low, found.high) == pytest.approx((-0.2, 0.3))
    assert (found.p, found.smallest) == (1.0, 0.5)


def test_one_cluster_has_a_difference_but_no_interval_and_no_p() -> None:
    (found,) = family([alone([0.25])])
    unknown = found.low, found.high, found.p, found.smallest, found.adjusted
    assert (found.mean, *map(math.isnan, unknown)) == (0.25, *[True] * 5)
    verdict = found.verdict("average_precision")
    assert verdict == "cannot be tested"
    (none,) = family([alone([NAN, NAN])])
    assert (none.clusters, none.series, none.left_out) == (0, 0, 2)
    assert none.verdict("auroc") == verdict


@pytest.mark.parametrize(
    ("mean", "low", "high", "adjusted", "metric", "verdict"),
    [
        (0.02, 0.01, 0.03, 0.01, "average_precision", "better"),
        (-0.02, -0.03, -0.01, 0.01, "average_precision", "worse"),
        (3.0, 1.0, 5.0, 0.01, "false_positives", "worse"),
        (-3.0, -5.0, -1.0, 0.01, "false_positives", "better"),
        (0.02, 0.01, 0.03, 0.05, "average_precision", "no evidence of a difference"),
        (0.02, -0.01, 0.05, 0.01, "average_precision", "no evidence of a difference"),
        (0.02, 0.0, 0.05, 0.01, "average_precision", "no evidence of a difference"),
    ],
)
def test_better_and_worse_need_both_the_p_and_the_interval(
    mean: float, low: float, high: float, adjusted: float, metric: str, verdict: str
) -> None:
    assert known(mean, low, high, adjusted, 0.001).verdict(metric) == verdict


def test_what_no_data_could_show_is_not_tested() -> None:
    assert known(0.02, 0.01, 0.03, 0.06, 0.05).verdict("auroc") == "cannot be tested"
    five, six = alone([0.1] * 5), alone([0.1] * 6)
    # 2/2⁵ = 0.0625, 2/2⁶ = 0.03125, and Holm makes two of them 0.0625
    for tested, verdict in (([five], "cannot be tested"), ([six], "better")):
        assert [one.verdict("auroc") for one in family(tested)] == [verdict]
    assert [one.verdict("auroc") for one in family([six, six])] == ["cannot be tested"] * 2
    rich, poor = family([alone([0.1] * 8), alone([0.1] * 3)])
    assert (rich.adjusted, rich.verdict("auroc")) == (2 * 2 / 2**8, "better")
    assert (poor.reachable, poor.verdict("auroc")) == (0.25, "cannot be tested")
    only, _ = family([six, alone([0.1])])  # an arm without a p costs the others nothing
    assert only.adjusted == only.p == 0.03125


def test_what_can_be_seen_is_the_lowest_p_and_the_smallest_difference() -> None:
    five = what_can_be_seen(family([alone([0.1, 0.2, -0.3, 0.1, 0.5])] * 3), "arm", "auroc")
    for part in ("could be told from the reference", "5 series in 5 clusters", "below 0.19"):
        assert part in five
    # 2/2⁵ times three tests, and no data could go below 0.05
    assert family([alone([0.1] * 5)] * 3)[0].reachable == pytest.approx(3 / 16)
    values = [0.1, 0.3, 0.2, 0.2, 0.1, 0.3, 0.2, 0.2]
    (one,) = family([alone(values)])
    steps = t.ppf(0.975, 7) + t.ppf(0.8, 7)
    assert one.detectable == pytest.approx(steps * np.std(values, ddof=1) / 8**0.5)
    found = what_can_be_seen([one], "arm", "auroc")
    assert f"{100 * one.detectable:.2f} points AUROC would be found" in found
    two = family([alone(values), alone([10 * value for value in values])])
    ends = [f"{100 * each.detectable:.2f}" for each in two]
    assert f"of {ends[0]} to {ends[1]} (by arm) points" in what_can_be_seen(two, "arm", "auroc")
    assert two[1].detectable == pytest.approx(10 * two[0].detectable)
    assert what_can_be_seen((), "arm", "auroc") == ""


@pytest.mark.parametrize(("tests", "least"), [(1, 6), (2, 7), (8, 9)])
def test_how_many_clusters_so_many_tests_need(tests: int, least: int) -> None:
    assert needed(tests) == least
    assert math.isinf(detectable(least - 1, tests)) and detectable(least, tests) > 0


def test_numbers_as_text() -> None:
    p = {0.31: "0.31", 1.0: "1.00", 0.0625: "0.0625", 0.05: "0.05", 0.0496: "0.0496", NAN: "–"}
    assert {value: p_text(value) for value in p} == p
    assert (p_text(0.04996), p_text(0.00005)) == ("< 0.05", "< 0.0001")
    auroc = {0.0123: "+1.23", -0.0123: "−1.23", -0.00001: "0.00", NAN: "–"}
    assert {value: signed(value, "auroc") for value in auroc} == auroc
    assert (signed(-0.0123, "mcc"), signed(-7.5, "false_positives")) == ("−0.012", "−7.50")


def test_a_verdict_without_evidence_names_the_largest_difference() -> None:
    found: list[Any] = [
        SimpleNamespace(arm=SimpleNamespace(name=name), contrast=one, verdict=one.verdict)
        for name, one in (
            ("a", known(0.02, -0.01, 0.05, 0.3, 0.01)),
            ("b", known(-0.04, -0.09, -0.01, 0.06, 0.01)),
        )
    ]
    assert verdict_sentence(found, "auroc").endswith(
        "The largest difference: b, −4.00 (−9.00 to −1.00, p 0.06 after correction)."
    )
    found.append(
        SimpleNamespace(
            arm=SimpleNamespace(name="c"),
            contrast=(best := known(0.01, 0.005, 0.02, 0.01, 0.01)),
            verdict=best.verdict,
        )
    )
    assert "largest" not in verdict_sentence(found, "auroc")
