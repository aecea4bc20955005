"""An exported file scores what its run scored, whatever the model and the batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from anomalynet.metrics.kernels import ranking_metrics
from anomalynet.training.finished import FinishedRun
from tests.detection.export.alone import Alone
from tests.detection.export.conftest import EXPERIMENTS, Made

CLASSICAL = ("logistic", "random_forest", "gradient_boosting", "isolation_forest")


def stored(run: FinishedRun, every: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the prepared data and stored scores of some scored steps of the test part."""
    table = run.scores.filter(
        pl.col("split") == "test", pl.col("score").is_not_null()
    ).gather_every(every)
    prepared = run.data.prepared
    place = {
        key: row
        for row, key in enumerate(
            zip(prepared.series_of(np.arange(len(prepared.times))), prepared.times, strict=True)
        )
    }
    numbers = {name: number for number, name in enumerate(prepared.series)}
    times = table["time"].cast(pl.Int64).to_list()
    rows = [
        place[numbers[series], time] for series, time in zip(table["series"], times, strict=True)
    ]
    return np.array(rows), table["score"].to_numpy()


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_file_alone_gives_the_scores_that_the_run_stored(
    experiment: str, made: Callable[[str], Made]
) -> None:
    run, file = made(experiment).run, made(experiment).file
    alone = Alone(file)
    rows, expected = stored(run, every=5)
    assert len(rows) > 20
    one, seven = (alone.scores(run.data.prepared, rows, batch) for batch in (1, 7))
    limit = 1e-6 if experiment in CLASSICAL else 1e-5
    for found in (one, seven):
        assert found.dtype in (np.float32, np.float64) and found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=limit, rtol=limit)
    np.testing.assert_allclose(one, seven, atol=1e-6, rtol=1e-6)
    assert (
        (one.astype(np.float64) >= alone.contract.threshold) == (expected >= run.result.threshold)
    ).all()


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_what_was_measured_is_what_the_file_does(
    experiment: str, made: Callable[[str], Made]
) -> None:
    exported = made(experiment).exported
    loss, parity = exported.losses["float32"], exported.parity
    assert parity.windows > 100 and parity.worst < 1e-5 and parity.between < 1e-5
    assert (parity.carried is None) == (experiment != "hybrid_causal")
    assert loss.difference < 1e-5 and loss.alarms == 0
    assert loss.bytes == made(experiment).file.stat().st_size
    run = made(experiment).run
    scores = run.scores.drop_nulls(["label", "score"])
    for name, value in loss.metrics.items():
        part, _, metric = name.partition("/")
        own = scores.filter(pl.col("split") == part)
        label, score = own["label"].to_numpy(), own["score"].to_numpy()
        # scores that are nearly equal change their order, as a logistic regression's near 1 do
        near = 2 * loss.difference * np.maximum(1, np.abs(score)) * label
        low, high = (ranking_metrics(label, score + sign * near).get(metric) for sign in (-1, 1))
        if low is None or high is None:  # at the threshold
            assert value == pytest.approx(run.result.metrics[name], abs=1e-6)
        else:
            assert value is not None and low - 1e-6 <= value <= high + 1e-6


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_file_says_nothing_of_the_machine(experiment: str, made: Callable[[str], Made]) -> None:
    for file in made(experiment).exported.files.values():
        content = file.read_bytes()
        root = Path(__file__).parents[3]
        for trace in (
            str(root),
            str(file.parent),
            str(Path.home()),
            "site-packages",
            "stack_trace",
        ):
            assert trace.encode() not in content, f"{trace} in {file.name}"
