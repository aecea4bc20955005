"""What an auditor must never do: raise an alarm at a true table, or give a range that the true
value is not in."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anomalynet.reporting.paper.table_audit.cone import METRICS
from tests.reporting.paper.table_audit import honest

COUNT = st.one_of(st.integers(0, 3), st.integers(0, 1000), st.integers(0, honest.MOST))
MATRIX = st.tuples(COUNT, COUNT, COUNT, COUNT).filter(any)
COLUMNS = st.lists(st.sampled_from(METRICS), min_size=1, unique=True)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    MATRIX,
    COLUMNS,
    st.sampled_from([0, 1, 2, 3]),
    st.booleans(),
    st.sampled_from(list(honest.MODES)),
    st.sampled_from(["–", "0", "1"]),
)
@example((0, 0, 0, 7), list(METRICS), 2, True, "half up", "–")
@example((0, 0, 0, 7), list(METRICS), 2, True, "half up", "1")
@example((5, 0, 0, 0), list(METRICS), 2, False, "half up", "0")
@example((5, 0, 0, 5), list(METRICS), 0, True, "half even", "0")
@example((0, 9, 3, 0), list(METRICS), 3, True, "truncate", "0")
@example((0, 9, 0, 3), list(METRICS), 2, True, "half even", "0")
@example((8, 0, 3, 0), list(METRICS), 2, True, "half even", "1")
@example((999_999, 1, 1, 1), list(METRICS), 2, True, "half even", "0")
def test_a_true_table_raises_no_alarm_and_true_values_lie_in_the_implied_ranges(
    matrix: tuple[int, int, int, int],
    columns: list[str],
    decimals: int,
    percent: bool,
    mode: str,
    undefined: str,
) -> None:
    printed = honest.cells(matrix, columns, decimals, percent, mode, undefined)
    audit = honest.audited(printed, "truncate" if mode == "truncate" else "half")
    assert audit.possible, audit.rows[0].conflicts
    true = honest.values(matrix)
    percents = sum(float(text) > 1 for name, text in printed.items() if name != "mcc")
    if not percents and percent:
        return  # shares of at most 1 % may be read as fractions, which then imply something else
    for name, (low, high) in audit.rows[0].implied.items():
        assert math.isnan(true[name]) or low - 1e-9 <= true[name] <= high + 1e-9, name


@settings(max_examples=100, deadline=None)
@given(MATRIX, COLUMNS)
def test_counts_beside_their_metrics_raise_no_alarm(
    matrix: tuple[int, int, int, int], columns: list[str]
) -> None:
    counts = dict(zip(("tn", "fp", "fn", "tp"), map(str, matrix), strict=True))
    audit = honest.audited({**honest.cells(matrix, columns, 2), **counts, "n": str(sum(matrix))})
    assert audit.possible, audit.rows[0].conflicts
    true = honest.values(matrix)
    for name, (low, high) in audit.rows[0].implied.items():
        slack = 0 if name != "mcc" else 1e-6
        assert math.isnan(true[name]) or (
            true[name]
            == pytest.approx(low, abs=1e-9 + slack)
            == pytest.approx(high, abs=1e-9 + slack)
        ), name


@pytest.mark.slow
def test_random_tables_of_all_magnitudes_raise_no_alarm() -> None:
    rng = random.Random(0)
    for _ in range(300):
        matrix = honest.matrix(rng)
        columns = [name for name in METRICS if rng.random() < 0.7]
        printed = honest.cells(
            matrix, columns, rng.choice([1, 2]), undefined=rng.choice(["–", "0", "1"])
        )
        assert honest.audited(printed).possible, (matrix, printed)


def test_most_false_cells_of_full_tables_are_proven_false() -> None:
    rng, found = random.Random(1), 0
    for _ in range(40):
        matrix = tuple(rng.randint(100, 10_000) for _ in range(4))
        printed = honest.cells(matrix, METRICS, 2)
        column = rng.choice([name for name in METRICS if name != "mcc"])
        value = float(printed[column])
        printed[column] = f"{value + (2 if value < 98 else -2):.2f}"
        found += not honest.audited(printed).possible
    assert found == 40
