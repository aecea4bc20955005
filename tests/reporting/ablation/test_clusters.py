"""Clusters by hand, and as a partition."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from anomalynet.reporting.ablation.contrasts import SeriesKey, clusters

SERIES = st.tuples(st.sampled_from([None, 0, 1]), st.sampled_from("abcdef"))
TOUCHED = st.lists(st.tuples(SERIES, st.integers(0, 6)), max_size=20)


def test_series_are_connected_through_incidents() -> None:
    series: list[SeriesKey] = [(0, "a"), (0, "b"), (0, "c"), (0, "d"), (0, "e")]
    touched: list[tuple[SeriesKey, int]] = [
        ((0, "d"), 1),
        ((0, "b"), 1),
        ((0, "b"), 2),
        ((0, "c"), 2),
        ((0, "e"), 9),
    ]
    found = clusters(series, touched)
    assert found == {
        (0, "a"): (0, "a"),
        (0, "b"): (0, "b"),
        (0, "c"): (0, "b"),
        (0, "d"): (0, "b"),
        (0, "e"): (0, "e"),
    }


def test_a_number_means_another_incident_in_another_world() -> None:
    touched: list[tuple[SeriesKey, int]] = [((0, "a"), 1), ((1, "a"), 1), ((1, "b"), 1)]
    assert clusters([], touched) == {(0, "a"): (0, "a"), (1, "a"): (1, "a"), (1, "b"): (1, "a")}


def test_a_number_of_other_data_is_another_incident() -> None:
    a, b = (None, "world-0100/n1"), (None, "world-0101/n1")
    assert clusters([], [(a, ("x", 7)), (b, ("y", 7))]) == {a: a, b: b}
    assert clusters([], [(a, ("x", 7)), (b, ("x", 7))]) == {a: a, b: a}


@given(st.sets(SERIES), TOUCHED, st.randoms())
def test_clusters_are_the_finest_partition_that_joins_incidents(
    series: set[SeriesKey], touched: list[tuple[SeriesKey, int]], random: Random
) -> None:
    found = clusters(series, touched)
    assert set(found) == series | {one for one, _ in touched}
    assert all(found[found[one]] == found[one] for one in found), (
        "each cluster is known by one of its own"
    )
    assert all(
        found[one] == found[other]
        for one, a in touched
        for other, b in touched
        if (one[0], a) == (other[0], b)
    )
    assert _by_waves(found.keys(), touched) == {
        frozenset(one for one in found if found[one] == name) for name in set(found.values())
    }
    random.shuffle(touched)
    assert clusters(series, touched) == found


def _by_waves(
    series: Iterable[SeriesKey], touched: list[tuple[SeriesKey, int]]
) -> set[frozenset[SeriesKey]]:
    """The same by merging overlapping groups until none overlap."""
    groups = [{one} for one in series]
    groups += [
        {one for one, number in touched if (one[0], number) == key}
        for key in {(one[0], number) for one, number in touched}
    ]
    merged: list[set[SeriesKey]] = []
    for group in groups:
        apart = [other for other in merged if not other & group]
        merged = [*apart, group.union(*(other for other in merged if other & group))]
    return {frozenset(group) for group in merged}
