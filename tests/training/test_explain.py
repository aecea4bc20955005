"""Explanations are the network's own outputs at the steps around incidents."""

from __future__ import annotations

import numpy as np
import polars as pl
import torch

from anomalynet.models.base import Detector
from anomalynet.training.explain import AROUND, EXAMPLES
from anomalynet.training.finished import open_run
from tests.training.small import shared


def test_explanations_are_what_the_network_says_at_these_steps() -> None:
    run = open_run(shared("hybrid").folder.path)
    found = pl.read_parquet(run.folder.explanations)
    assert isinstance(run.detector, Detector)
    data, windows = run.data.prepared, run.data.windows("test")
    ends = windows.ends()
    times = data.times[ends].astype("datetime64[us]")
    names = np.array(data.series)[data.series_of(ends)]
    for row in found.sample(20, seed=1).iter_rows(named=True):
        (number,) = np.flatnonzero(
            (times == np.datetime64(row["time"], "us")) & (names == row["series"])
        )
        x = torch.from_numpy(windows.gather(np.array([number])))
        with torch.no_grad():
            output = run.detector(x)
        assert output.error is not None and output.attention is not None
        np.testing.assert_allclose(row["error"], output.error[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(row["attention"], output.attention[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(
            row["reading"], run.detector.normalise(x)[0, -1], rtol=1e-5, atol=1e-6
        )
        assert np.isclose(sum(row["attention"]), 1.0, atol=1e-5)


def test_each_timeline_holds_an_incident_and_the_steps_around_it() -> None:
    outcome = shared("autoencoder")
    found = pl.read_parquet(outcome.folder.explanations)
    test = pl.read_parquet(outcome.folder.scores).filter(pl.col("split") == "test")
    assert found["attention"].is_null().all() and not found["error"].has_nulls()
    assert 0 < found["incident"].n_unique() <= EXAMPLES
    kinds = test.filter((pl.col("label") == 1) & pl.col("score").is_not_null())["kind"].unique()
    assert found["incident"].n_unique() == min(EXAMPLES, len(kinds))
    for (incident,), part in found.group_by("incident"):
        (series,) = part["series"].unique()
        own = test.filter((pl.col("series") == series) & pl.col("score").is_not_null())
        inside = own.filter(pl.col("incident") == incident)["time"]
        before = own.filter(pl.col("time") < inside.min())["time"].tail(AROUND)
        assert part["time"].is_sorted()
        assert set(part["time"]) <= set(own["time"])
        assert part["time"].min() >= before.min()  # type: ignore[operator]
        assert inside.head(1)[0] in part["time"]


def test_models_without_such_parts_explain_nothing() -> None:
    for experiment, graph in (("logistic", False), ("cnn", True)):
        outcome = shared(experiment)
        assert not outcome.folder.explanations.exists()
        assert outcome.folder.architecture.exists() is graph
