"""What the benchmark says of its measurements: ratios, what was missed, what became worse."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.benchmarks.growth import Stage, exponent, memory
from tests.benchmarks.measure import (
    Measured,
    Report,
    compared,
    machine,
    take_turns,
    to_json,
    to_markdown,
    value,
    worsened,
)


def test_arms_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def arm(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = take_turns({"a": lambda: arm("a"), "b": lambda: arm("b")}, 2)
    assert order == ["a", "b"] * 3
    assert found == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_a_ratio_is_the_median_over_rounds_with_its_quartiles() -> None:
    row = compared("x", {"a": [2.0, 3.0, 8.0], "b": [2.0, 2.0, 2.0]}, "bare", "slower", 1.2)
    assert (row.ours, row.other, row.ratio, row.spread) == (3.0, 2.0, 1.5, (1.25, 2.75))
    assert row.missed_by == pytest.approx(0.25)
    faster = compared("x", {"a": [1.0], "b": [4.0]}, "other", "faster", 5.0)
    assert (faster.ratio, faster.missed_by) == (4.0, 0.25)
    assert compared("x", {"a": [1.0], "b": [6.0]}, "other", "faster", 5.0).missed_by == 0


def earlier(*ratios: float, name: str = "x") -> list[dict[str, Any]]:
    return [{"rows": [{"name": name, "ratio": one}]} for one in ratios]


def test_worse_is_what_moved_by_more_than_its_own_noise() -> None:
    def slower(*ratios: float) -> list[Measured]:
        return [compared("x", {"a": ratios, "b": [1.0] * len(ratios)}, "bare", "slower")]

    steady = earlier(1.00, 1.01, 0.99, 1.0)
    assert worsened(slower(1.04), steady) == []
    (found,) = worsened(slower(1.2), steady)
    assert "x: 1.2, 1 before" in found
    assert worsened(slower(0.9, 1.2, 1.5), steady) == []  # its own rounds differ by as much
    assert worsened(slower(1.09), earlier(0.8, 1.0, 1.2, 1.0)) == []
    assert worsened(slower(1.2), steady[:2]) == []  # too few to know the noise
    assert worsened(slower(1.2), earlier(1, 1, 1, name="other")) == []
    better = [compared("x", {"a": [1.0], "b": [0.8]}, "bare", "faster")]
    assert len(worsened(better, steady)) == 1


def test_the_page_and_the_document_have_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "C")
    report = Report([value("memory", [3.0], "MB", 2.0, "a note")], {"river": "not installed"})
    page = to_markdown(report, machine(), "a command")
    assert "| memory | 3 MB | – | – | 3 [3–3] | – | ≤ 2 | misses by 50 % |" in page
    assert "- river: not installed" in page
    assert "- memory: a note" in page
    (row,) = json.loads(to_json(report, machine()))["rows"]
    assert (row["name"], row["ratio"], row["missed_by"]) == ("memory", 3.0, 0.5)


def test_growth_is_an_exponent_and_memory_a_straight_line() -> None:
    found = {
        rows: {"import": Stage(1e-6 * rows**1.5, 100 + rows * 8 * 4 / 2**20)}
        for rows in (10_000, 100_000, 1_000_000)
    }
    assert exponent(found, "import") == pytest.approx(1.5)
    assert memory(found, "import") == pytest.approx((100, 4))
