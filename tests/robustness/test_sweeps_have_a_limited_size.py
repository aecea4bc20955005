"""A sweep that is too large is refused with a message, before any memory or time is spent."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from anomalynet.config.schema import HardwareConfig
from anomalynet.errors import AnomalynetError, UsageError
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.plan import plan
from anomalynet.sweep.runner import numbers, run_sweep
from anomalynet.sweep.search import space
from anomalynet.sweep.slots import choose_slots


@contextmanager
def cheap() -> Iterator[None]:
    """What happens within takes less than 20 MB and three seconds."""
    tracemalloc.start()
    since = time.monotonic()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20e6
    assert time.monotonic() - since < 3


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(f"experiment: cnn\nfolds: [0]\n{text}\n")
    return path


TEN = list(range(1, 11))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("axes: {data.window: {low: 1, high: 1000000000, step: 1}}", "data.window: more than"),
        ("axes: {data.window: {low: 1, high: 1000000000, count: 1000000000}}", "more than"),
        ("axes: {model.dropout: {low: 0.0, high: 0.5, step: 1e-12}}", "model.dropout: more than"),
        ("axes: {model.dropout: {low: 0.0, high: 0.5, step: 5e-324}}", "model.dropout: more than"),
        ("axes: {model.dropout: {low: 0, high: .inf, step: 1}}", "model.dropout: expected numbers"),
        ("axes: {model.dropout: {low: .nan, high: 1, step: 1}}", "model.dropout: expected numbers"),
        (f"axes: {{model.dropout: {{low: 0, high: 1{'0' * 400}, step: 1}}}}", "number"),
        (
            "axes: {"
            + ", ".join(f"model.{key}: {TEN}" for key in ("channels", "kernel", "pool", "head"))
            + f", data.window: {TEN}, data.stride: {TEN}}}",
            "1,000,000 arms",
        ),
        (
            f"seeds: {list(range(400))}\naxes: {{data.stride: {list(range(1, 801))}}}",
            "320,000 runs, of which",
        ),
        ("design: search\naxes: {data.window: [8, 16]}\nsearch: {trials: 10000000000}", "trials"),
        (
            "design: search\naxes: {data.stride: {low: 1, high: 1000000000}}\n"
            "search: {sampler: grid}",
            "a grid of",
        ),
    ],
)
def test_too_many_levels_arms_runs_or_trials(tmp_path: Path, text: str, named: str) -> None:
    path = written(tmp_path, text)
    with cheap(), pytest.raises(AnomalynetError, match=named):
        run_sweep(path, plan_only=True)


def test_a_search_may_have_a_large_space(tmp_path: Path) -> None:
    text = "design: search\nsearch: {sampler: random}\naxes:\n"
    text += "  data.stride: {low: 1, high: 1000000000}\n"
    text += "  model.head: {low: 8, high: 800000001, step: 8}\n"
    sweep = read_sweep(str(written(tmp_path, text)), "quick")
    with cheap():
        known = space.distributions(sweep.axes)
        assert (known["model.head"].high, known["data.stride"].high) == (800000000, 1000000000)  # type: ignore[attr-defined]
        assert space.propose(sweep, [], 0) is not None


@pytest.mark.parametrize(
    "only",
    ["1-10000000000", "1-" + "9" * 5000, "7" * 5000, "0", "3-1", "²", "٣", "1-", "-1", "1,,2"],
)
def test_numbers_of_runs_are_compared_before_they_are_listed(only: str) -> None:
    with cheap(), pytest.raises(UsageError, match="only"):
        numbers(only, 60)


def test_leading_zeros_and_spaces_are_numbers_of_runs() -> None:
    assert numbers(" 007, 1 - 3,2", 60) == [1, 2, 3, 7]


@pytest.mark.parametrize(
    "options", [{"count": 10**10}, {"gpus": "0,1", "runs_per_gpu": 10**9}], ids=["slots", "per gpu"]
)
def test_too_many_runs_at_a_time(options: dict[str, object]) -> None:
    with cheap(), pytest.raises(UsageError, match="at most 1000"):
        choose_slots(HardwareConfig(), **options)  # type: ignore[arg-type]


def test_the_largest_sweep_is_counted_at_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = read_sweep(
        str(written(tmp_path, "axes: {model.pool: [1, 2], data.window: [8, 16]}")), ""
    )
    monkeypatch.setattr("anomalynet.sweep.plan.MAX_ARMS", 4)
    assert len(plan(sweep)) == 4
    monkeypatch.setattr("anomalynet.sweep.plan.MAX_ARMS", 3)
    with pytest.raises(AnomalynetError, match="4 arms, of which a sweep has at most 3"):
        plan(sweep)
