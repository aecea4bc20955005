"""What holds for any labels and scores: how series combine, and agreement with a run's own."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from anomalynet.metrics.events import detection_delays, event_metrics
from anomalynet.metrics.kernels import ranking_metrics
from anomalynet.metrics.ranges.affiliation import affiliation
from anomalynet.metrics.ranges.budget import delay_quantile, event_recall_at_budgets
from anomalynet.metrics.ranges.ranges import Value, adjusted, range_precision, range_recall, ranges
from anomalynet.metrics.ranges.vus import vus

Part = tuple[NDArray[np.int8], NDArray[np.bool_], NDArray[np.float64]]


@st.composite
def parts(draw: st.DrawFn, fewest: int = 1) -> list[Part]:
    """Labels, alarms and scores (with ties) of some series."""
    found = []
    step = st.tuples(st.booleans(), st.booleans(), st.integers(0, 6))
    for _ in range(draw(st.integers(fewest, 3))):
        rows = draw(st.lists(step, min_size=1, max_size=25))
        labels, raised, scores = (np.array(column) for column in zip(*rows, strict=True))
        found.append((labels.astype(np.int8), raised, scores.astype(np.float64)))
    return found


def joined(
    own: list[Part],
) -> tuple[NDArray[np.int8], NDArray[np.bool_], NDArray[np.float64], NDArray[np.int64]]:
    labels, raised, scores = (np.concatenate(arrays) for arrays in zip(*own, strict=True))
    return labels, raised, scores, np.repeat(np.arange(len(own)), [len(part[0]) for part in own])


@given(parts(fewest=2))
@settings(max_examples=25, deadline=None)
def test_ranges_and_zones_of_series_are_averaged_by_their_number(own: list[Part]) -> None:
    labels, raised, _, stretch = joined(own)
    alone = [(part[0], part[1], np.zeros(len(part[0]), dtype=np.int64)) for part in own]
    attacks = [len(ranges(label == 1, where)) for label, _, where in alone]
    alarms = [len(ranges(alarm, where)) for _, alarm, where in alone]

    def same(whole: Value, values: list[Value], weights: list[int]) -> None:
        pairs = [(one.value, weight) for one, weight in zip(values, weights, strict=True)]
        pairs = [(value, weight) for value, weight in pairs if not math.isnan(value)]
        total = sum(weight for _, weight in pairs)
        mean = sum(value * weight for value, weight in pairs) / total if total else math.nan
        assert whole.value == pytest.approx(mean, nan_ok=True)

    same(range_recall(labels, raised, stretch), [range_recall(*one) for one in alone], attacks)
    precisions = [range_precision(*one) for one in alone]
    same(range_precision(labels, raised, stretch), precisions, alarms)
    found = affiliation(labels, raised, stretch)
    same(found.recall, [affiliation(*one).recall for one in alone], attacks)
    assert 0 <= found.recall.value <= 1 or not any(attacks)
    assert 0 <= found.precision.value <= 1 or bool(found.precision.reason)


@given(parts(), st.integers(0, 9), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_the_order_of_series_does_not_matter(own: list[Part], buffer: int, random: Random) -> None:
    told: list[list[float]] = []
    for some in (own, random.sample(own, len(own))):
        labels, raised, scores, stretch = joined(some)
        volumes = vus(labels, scores, stretch, buffer)
        near = affiliation(labels, raised, stretch)
        paid = adjusted(labels, raised, stretch)
        values = (volumes.pr, volumes.roc, near.precision, near.recall, near.unjudged)
        told.append([value.value for value in (*values, paid.f1, paid.area)])
    assert told[0] == pytest.approx(told[1], nan_ok=True)


@given(parts())
@settings(max_examples=25, deadline=None)
def test_vus_without_a_buffer_is_auroc_and_average_precision_where_one_range_is_found_first(
    own: list[Part],
) -> None:
    """With one range of one step, the share of ranges met is the recall itself: nothing is left of
    ranges."""
    labels, _, scores, stretch = joined(own)
    labels[:] = 0
    labels[len(labels) // 2] = 1
    found, plain = vus(labels, scores, stretch, 0), ranking_metrics(labels, scores)
    assert found.roc.value == pytest.approx(plain["auroc"], nan_ok=True)
    assert found.pr.value == pytest.approx(plain["average_precision"], nan_ok=True)


@given(parts(), st.integers(0, 12))
@settings(max_examples=25, deadline=None)
def test_only_the_order_of_scores_counts_and_perfect_scores_are_perfect(
    own: list[Part], buffer: int
) -> None:
    labels, _, scores, stretch = joined(own)
    both = (vus(labels, some, stretch, buffer) for some in (scores, np.exp(scores) * 1e3))
    found, stretched = ([one.pr.value, one.roc.value] for one in both)
    assert found == pytest.approx(stretched, nan_ok=True)
    if len(set(labels)) == 2:
        assert vus(labels, labels.astype(np.float64), stretch, 0).pr.value == pytest.approx(1.0)


def lowest_threshold(level: NDArray[np.float64], series: NDArray[np.int64], most: float) -> float:
    """By trying: from the highest score down, as long as there are not more than `most` alarms."""
    values = sorted({score for score in level.tolist() if score > -math.inf}, reverse=True)
    lowest = float(np.nextafter(values[0], math.inf))
    for limit in values:
        alarms, before = 0, (-1, False)
        for number, score in zip(series.tolist(), level.tolist(), strict=True):
            alarms += score >= limit and before != (number, True)
            before = number, score >= limit
        if alarms > most:
            return lowest
        lowest = limit
    return -math.inf


BUDGETS = st.lists(st.floats(0, 30), min_size=1, max_size=4)


@given(parts(), BUDGETS, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_budgets_and_delays_are_those_of_a_run(
    own: list[Part], budgets: list[float], random: Random
) -> None:
    labels, _, scores, series = joined(own)
    chance = random.random
    scores[np.array([chance() < 0.2 for _ in scores])] = math.nan
    labels[np.array([chance() < 0.1 for _ in labels])] = -1
    incidents = np.array([int(chance() * 4) - 1 for _ in labels])
    times = np.arange(len(labels), dtype=np.int64) * 3_600_000_000
    known: dict[str, Any] = {"labels": labels, "scores": scores, "incidents": incidents}
    known |= {"series": series, "step_seconds": 3600.0}
    found = event_recall_at_budgets(**known, budgets=budgets)
    for budget, value in zip(budgets, found, strict=True):
        normal = ~np.isnan(scores) & (labels == 0)
        if value.reason or not normal.any():
            continue
        most = budget * int((~np.isnan(scores)).sum()) * 3600.0 / 86400.0
        lowest = lowest_threshold(np.where(normal, scores, -math.inf), series, most)
        limit = max(lowest, scores[normal].min())
        known_ones = {int(n) for n in incidents[(labels == 1) & (incidents >= 0)]}
        hit = {int(n) for n in incidents[(labels == 1) & (incidents >= 0) & (scores >= lowest)]}
        assert value.value == len(hit) / len(known_ones)
        run = event_metrics(**known, threshold=limit, times=times)
        assert run["false_alarms_per_device_day"] <= budget * (1 + 1e-9)
    limit = 3.0
    run = event_metrics(**known, threshold=limit, times=times)
    delays = detection_delays(labels, scores >= limit, incidents, times)
    assert delay_quantile(delays, 0.5).value == pytest.approx(run["detection_delay"], nan_ok=True)
    if len(delays):
        assert np.isfinite(delays).mean() == run["event_recall"]
