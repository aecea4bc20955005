"""Ranges against sets of rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anomalynet.data.ranges import Ranges, runs_of

pairs = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)


@given(pairs, pairs)
def test_without_and_merged_equal_sets_of_rows(
    mine: list[tuple[int, int]], theirs: list[tuple[int, int]]
) -> None:
    kept, dropped = Ranges.of(mine).merged(), Ranges.of(theirs)
    rows = {row for start, stop in mine for row in range(start, stop)}
    gone = {row for start, stop in theirs for row in range(start, stop)}
    assert kept.rows().tolist() == sorted(rows)
    assert kept.without(dropped).rows().tolist() == sorted(rows - gone)
    assert all(kept.starts[1:] > kept.stops[:-1])


@given(st.sets(st.integers(0, 60)))
def test_runs_of_gives_the_numbers_back(numbers: set[int]) -> None:
    runs = runs_of(np.array(sorted(numbers), np.int64))
    assert runs.rows().tolist() == sorted(numbers)
    assert all(runs.starts[1:] > runs.stops[:-1])


def test_ranges_that_touch_stay_apart_where_rows_are_dropped() -> None:
    left = Ranges.of([(0, 5), (5, 9)]).without(Ranges.of([(2, 3)]))
    assert list(zip(left.starts.tolist(), left.stops.tolist(), strict=True)) == [
        (0, 2),
        (3, 5),
        (5, 9),
    ]
