"""The contract of a run, and the card beside it, say what training did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from anomalynet.data.windows import Windows
from anomalynet.detection.contract import MASK
from anomalynet.detection.export.card import card
from anomalynet.runs.code import code_hash
from anomalynet.training.finished import FinishedRun
from tests.detection.export.alone import Alone
from tests.detection.export.conftest import Made


def test_the_contract_of_a_simulated_run(made: Callable[[str], Made]) -> None:
    run, told = made("hybrid").run, Alone(made("hybrid").file).contract
    assert told == made("hybrid").exported.contract
    expected = (run.result.id, "hybrid", "window", code_hash())
    assert (told.run, told.model, told.form, told.code) == expected
    assert told.channels == run.result.channels and told.channels[-1] == MASK and told.mask
    one, limits = told.sensors[0], (-40.0, 85.0)
    assert (one.name, one.unit, one.minimum, one.maximum) == ("temperature", "°C", *limits)
    assert (told.period, told.max_gap, told.breaks, told.hold) == (60.0, 10, False, 10)
    assert (told.calibration_rows, told.calibration, told.clip) == (50, "offset", None)
    assert told.outputs == ("score", "error", "attention") and told.attention_axis == "time"
    assert told.metrics == run.result.metrics
    assert any("simulated network" in warning for warning in told.warnings)


def test_what_other_runs_leave_out(made: Callable[[str], Made]) -> None:
    bound, bare, statistics = (
        Alone(made(name).file).contract for name in ("cnn", "logistic", "gradient_boosting")
    )
    assert bound.clip == 3.0 and bound.calibration == "deviation"
    assert not bare.mask and MASK not in bare.channels
    told = (statistics.form, statistics.calibration_rows, statistics.clip)
    assert told == ("statistics", 0, None)


@pytest.mark.slow
def test_a_carried_state_is_told_by_name_and_shape(made: Callable[[str], Made]) -> None:
    told = Alone(made("hybrid_causal").file).contract
    assert told.form == "step"
    assert told.carried == {"tail": (2, 27), "hidden": (64,), "cell": (64,)} and told.width == 64


@pytest.mark.parametrize("experiment", ["hybrid", "logistic"])
def test_the_threshold_is_no_validation_score_and_none_changes_sides(
    experiment: str, made: Callable[[str], Made]
) -> None:
    run, told = made(experiment).run, Alone(made(experiment).file).contract.threshold
    limit, validation = run.result.threshold, run.scores.filter(pl.col("split") == "validation")
    scores = validation["score"].drop_nulls().to_numpy()
    assert 0 <= limit - told < 1.01e-6 and np.abs(scores - told).min() > 1e-7 * told
    assert ((scores >= limit) == (scores >= told)).all()


def test_quantiles_are_those_of_validation_scores_and_training_readings(
    made: Callable[[str], Made],
) -> None:
    run, reference = made("hybrid").run, Alone(made("hybrid").file).contract.reference
    validation = run.scores.filter(pl.col("split") == "validation")
    scores, shares = validation["score"].drop_nulls().to_numpy(), np.linspace(0, 1, 101)
    assert reference.scores == pytest.approx(np.quantile(scores, shares))
    found = run.data.windows("train")
    windows = Windows(found.prepared, found.ranges, found.window)
    rows = np.unique(windows.starts()[:, None] + np.arange(windows.window))
    readings = run.data.prepared.values[rows]
    assert reference.channels.keys() == set(run.result.channels)
    for position, channel in enumerate(run.result.channels):
        expected = np.quantile(readings[:, position], shares)
        assert reference.channels[channel] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_the_card_repeats_what_was_measured(made: Callable[[str], Made]) -> None:
    run, exported = made("hybrid").run, made("hybrid").exported
    card, metrics = exported.card.read_text(), run.result.metrics
    assert (
        f"| Average precision |  | {metrics['validation/average_precision']:.4f} | "
        f"{metrics['test/average_precision']:.4f} |" in card
    )
    share = metrics["test/prevalence"]
    assert share is not None and f" normal is right in {100 * (1 - share):.2f} % of the" in card
    assert run.result.fingerprint in card and "Apache-2.0" in card
    assert "| temperature | °C | -40 … 85 |" in card
    for name, loss in exported.losses.items():
        assert f"| `{exported.files[name].name}` | {name} | {loss.bytes} |" in card


def test_the_card_of_data_without_labels_has_no_metrics_of_labels(
    made: Callable[[str], Made],
) -> None:
    run, exported = made("hybrid").run, made("hybrid").exported
    parts = {name: replace(one, labelled=0, attack=0) for name, one in run.result.parts.items()}
    unlabelled = FinishedRun(run.folder, run.config, replace(run.result, parts=parts))
    loss = exported.losses["float32"]
    losses = {"model.onnx": replace(loss, metrics=dict.fromkeys(loss.metrics))}
    text = card(unlabelled, exported.contract, exported.parity, losses, {})
    assert "The data has no labels" in text
    for title in ("True negatives", "F1 (attack)", "Average precision"):
        assert title in exported.card.read_text() and title not in text
