"""Contrasts over clusters by hand, and what may be said of them."""

from __future__ import annotations

import math

import pytest

from anomalynet.reporting.ablation.contrasts import Contrast, SeriesKey, contrast, family
from anomalynet.reporting.ablation.sentences import base, contrast_text, notice, p_text, signed

NAN = float("nan")


def keys(n: int) -> list[SeriesKey]:
    return [(0, f"s{place:02d}") for place in range(n)]


def alone(values: list[float]) -> Contrast:
    """Each series a cluster of its own."""
    return contrast(
        dict(zip(keys(len(values)), values, strict=True)), {key: key for key in keys(len(values))}
    )


def known(
    mean: float, low: float, high: float, adjusted: float, reachable: float = 0.001
) -> Contrast:
    return Contrast(
        mean,
        low,
        high,
        p=adjusted / 2,
        smallest=reachable,
        clusters=12,
        series=20,
        left_out=0,
        adjusted=adjusted,
        reachable=reachable,
    )


def test_a_cluster_is_one_witness_however_many_series_it_has() -> None:
    a, b, c, d, e = keys(5)
    found = contrast({a: 0.1, b: 0.3, c: 0.5, d: -0.2, e: NAN}, {a: a, b: a, c: a, d: d, e: e})
    assert found.mean == pytest.approx((0.3 - 0.2) / 2), "mean of the cluster a, b, c is 0.3"
    assert (found.clusters, found.series, found.left_out) == (2, 4, 1)
    assert (found.low, found.high) == pytest.approx((-0.2, 0.3))
    assert (found.p, found.smallest) == (1.0, 0.5)


def test_one_cluster_has_a_difference_but_no_interval_and_no_p() -> None:
    found = family([alone([0.25])])[0]
    assert found.mean == 0.25
    assert all(
        math.isnan(value)
        for value in (found.low, found.high, found.p, found.smallest, found.adjusted)
    )
    assert found.verdict("average_precision") == "cannot be tested"
    assert contrast_text("x", found, "average_precision", found.verdict("average_precision")) == (
        "x: +25.00 points AP: cannot be tested, 1 cluster."
    )


def test_no_cluster_at_all() -> None:
    found = family([alone([NAN, NAN])])[0]
    assert (found.clusters, found.series, found.left_out) == (0, 0, 2)
    assert (
        contrast_text("x", found, "auroc", found.verdict("auroc"))
        == "x: cannot be tested, 0 clusters."
    )


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
    assert known(mean, low, high, adjusted).verdict(metric) == verdict


def test_what_no_data_could_show_is_not_tested() -> None:
    assert known(0.02, 0.01, 0.03, 0.06, reachable=0.05).verdict("auroc") == "cannot be tested"
    five, six = alone([0.1] * 5), alone([0.1] * 6)
    assert [one.verdict("auroc") for one in family([five])] == ["cannot be tested"], "2/2⁵ = 0.0625"
    assert [one.verdict("auroc") for one in family([six])] == ["better"], "2/2⁶ = 0.03125"
    assert [one.verdict("auroc") for one in family([six, six])] == ["cannot be tested"] * 2, (
        "Holm makes it 0.0625"
    )


def test_a_family_with_one_rich_arm_still_tests_that_one() -> None:
    rich, poor = family([alone([0.1] * 8), alone([0.1] * 3)])
    assert (rich.adjusted, rich.verdict("auroc")) == (2 * 2 / 2**8, "better")
    assert (poor.reachable, poor.verdict("auroc")) == (0.25, "cannot be tested")


def test_an_arm_without_a_p_costs_the_others_nothing() -> None:
    tested, _ = family([alone([0.1] * 6), alone([0.1])])
    assert tested.adjusted == tested.p == 0.03125


def test_the_sentence() -> None:
    found = Contrast(
        -0.0041,
        -0.0112,
        0.0030,
        p=0.31,
        smallest=0.001,
        clusters=12,
        series=20,
        left_out=0,
        adjusted=0.62,
        reachable=0.002,
    )
    assert contrast_text(
        "model.attention=false", found, "average_precision", found.verdict("average_precision")
    ) == (
        "model.attention=false: −0.41 points AP, 95 % interval −1.12 to +0.30 (p = 0.31, Holm "
        "0.62): no evidence of a difference."
    )


def test_few_clusters_keep_their_interval() -> None:
    found = family([alone([0.0, 0.01])])[0]
    assert contrast_text("x", found, "mcc", found.verdict("mcc")) == (
        "x: +0.005 MCC, 95 % interval 0.000 to +0.010 (p = 1.00, Holm 1.00): cannot be tested, 2 "
        "clusters."
    )


def test_the_notice_that_nothing_can_pass() -> None:
    five = family([alone([0.1, 0.2, -0.3, 0.1, 0.5])] * 3)
    assert notice(five, "arm") == (
        "No arm can pass 0.05, whatever the runs had found: 5 series in 5 clusters allow no p "
        "below 0.0625, which Holm over 3 arms makes "
        "0.188. Intervals are shown, but nothing here is evidence. More worlds, or more "
        "recordings that share no incident, could change "
        "that; more seeds cannot."
    )
    assert notice(family([alone([0.1])]), "arm").startswith(
        "No arm can be tested: the test series form 1 cluster. More worlds"
    )
    assert notice(family([alone([0.0] * 6)]), "arm") == "", "it could have passed, and did not"
    assert notice((), "arm") == ""


def test_the_base_of_the_tests() -> None:
    assert (
        base(family([alone([0.1] * 6)]), "arm") == "6 series in 6 clusters allow no p below 0.0312."
    )
    assert (
        base(family([alone([0.1] * 30)]), "arm")
        == "30 series in 30 clusters allow no p below 0.00005."
    )


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.31, "0.31"),
        (1.0, "1.00"),
        (0.0625, "0.0625"),
        (0.04996, "< 0.05"),
        (0.05, "0.05"),
        (0.0496, "0.0496"),
        (0.00005, "< 0.0001"),
        (NAN, "–"),
    ],
)
def test_p_as_text(p: float, text: str) -> None:
    assert p_text(p) == text


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [
        (0.0123, "auroc", "+1.23"),
        (-0.0123, "auroc", "−1.23"),
        (-0.00001, "auroc", "0.00"),
        (-0.0123, "mcc", "−0.012"),
        (-7.5, "false_positives", "−7.50"),
        (NAN, "auroc", "–"),
    ],
)
def test_differences_have_a_sign(value: float, metric: str, text: str) -> None:
    assert signed(value, metric) == text
