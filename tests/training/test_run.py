"""A run is a pure function of its configuration and its data; nothing of the test part reaches the
model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from anomalynet.cli.main import main
from anomalynet.data.sources import completed
from anomalynet.errors import DataError, RunError, UsageError
from anomalynet.metrics.threshold import best_f1
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.schema import SCORES_COLUMNS
from anomalynet.training.finished import evaluate_on, open_run
from anomalynet.training.run import planned_folder, train
from tests.tiny import TINY
from tests.training.small import SHORT, identical, imported, shared, short, trained, weights


def test_the_same_run_twice_gives_the_same_bytes_whatever_ran_before(tmp_path: Path) -> None:
    first = shared("hybrid")
    trained("lstm", tmp_path / "b", "seed=5")
    torch.rand(7), np.random.rand(7)
    assert identical(first.folder, trained("hybrid", tmp_path / "c").folder)
    for path in (first.folder.path / "result.json", first.folder.progress):
        assert "seconds" not in path.read_text()
    kept = {"train_seconds", "score_seconds", "microseconds_per_window", "microseconds_single"}
    assert json.loads(first.folder.timings.read_text()).keys() == kept


def test_another_seed_gives_other_weights_and_zero_is_a_seed(tmp_path: Path) -> None:
    torch.manual_seed(99)
    keys = ("data.split.assignment=0", "training.epochs=1")
    zero = trained("cnn", tmp_path, "seed=0", *keys)
    one = trained("cnn", tmp_path, "seed=1", *keys)
    torch.manual_seed(98)
    again = trained("cnn", tmp_path / "again", "seed=0", *keys)
    assert identical(zero.folder, again.folder)
    a, b = weights(zero.folder.best), weights(one.folder.best)
    drawn = [name for name in a if name.endswith("weight")]
    assert drawn
    assert not any(torch.equal(a[name], b[name]) for name in drawn)


def test_the_result_follows_from_the_stored_scores() -> None:
    outcome = shared("random_forest", "model.trees=20")
    table = pl.read_parquet(outcome.folder.scores)
    assert tuple(table.columns) == SCORES_COLUMNS
    result = outcome.result
    for part in ("validation", "test"):
        scored = table.filter(
            pl.col("split") == part, pl.col("score").is_not_null(), pl.col("label").is_not_null()
        )
        labels, scores = scored["label"].to_numpy(), scored["score"].to_numpy()
        assert result.metrics[f"{part}/auroc"] == pytest.approx(
            roc_auc_score(labels, scores), abs=1e-6
        )
        assert result.metrics[f"{part}/average_precision"] == pytest.approx(
            average_precision_score(labels, scores), abs=1e-6
        )
        assert result.metrics[f"{part}/f1_attack"] == pytest.approx(
            f1_score(labels, scores >= result.threshold), abs=1e-6
        )
        if part == "validation":
            assert result.threshold == best_f1(labels, scores)


def test_every_labelled_step_is_scored_or_counted_as_missed() -> None:
    outcome = shared("logistic")
    table = pl.read_parquet(outcome.folder.scores)
    for part in ("validation", "test"):
        rows, summary = table.filter(pl.col("split") == part), outcome.result.parts[part]
        assert rows.height == summary.steps
        assert rows["label"].is_not_null().sum() == summary.labelled
        assert (
            rows.filter(pl.col("score").is_null(), pl.col("label").is_not_null()).height
            == summary.missed
        )
        assert rows.select("series", "time").is_unique().all()
        assert rows["score"].is_not_null().sum() == summary.windows


@pytest.mark.parametrize("experiment", ["hybrid", "autoencoder", "random_forest"])
def test_no_test_row_influences_the_model_its_normalisation_or_its_threshold(
    tmp_path: Path, experiment: str
) -> None:
    extra = ("data.calibration_rows=0", "data.stride=4")
    runs = [
        trained(
            experiment,
            tmp_path,
            f"data.name={imported(tmp_path, f'{experiment}{i}', test_factor=f)}",
            *extra,
        )
        for i, f in ((1, 1.0), (2, 50.0))
    ]
    assert runs[0].folder.path != runs[1].folder.path
    assert runs[0].result.threshold == runs[1].result.threshold
    assert runs[0].result.metrics["validation/auroc"] == runs[1].result.metrics["validation/auroc"]
    assert runs[0].result.metrics["test/auroc"] != runs[1].result.metrics["test/auroc"]
    tables = [
        pl.read_parquet(run.folder.scores).filter(pl.col("split") == "validation") for run in runs
    ]
    assert tables[0].equals(tables[1])
    if experiment != "random_forest":
        a, b = (weights(run.folder.best) for run in runs)
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_separable_attack_is_found(tmp_path: Path) -> None:
    name = imported(tmp_path, "separable")
    outcome = trained("cnn", tmp_path, f"data.name={name}", "data.stride=1", "training.epochs=6")
    assert outcome.result.split == "given"
    auroc = outcome.result.metrics["test/auroc"]
    assert auroc is not None
    assert auroc > 0.9


def test_a_finished_run_is_not_repeated() -> None:
    first = shared("logistic")
    before = (first.folder.path / "result.json").stat().st_mtime_ns
    again = trained("logistic", first.folder.path.parents[1])
    assert (first.was_done, again.was_done) == (False, True)
    assert (first.folder.path / "result.json").stat().st_mtime_ns == before
    assert again.result == first.result


def command(runs: Path, *extra: str) -> list[str]:
    return ["train", "hybrid", *SHORT, "training.epochs=6", "--runs", str(runs), *extra]


def assert_continued(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """A run cut after its second epoch or later goes on to the bits of one that was not."""
    reached = len(folder.read_progress())
    assert 2 <= reached < 6
    assert not folder.finished
    capsys.readouterr()
    assert main(command(folder.path.parents[1])) == 0
    told = capsys.readouterr().err
    assert f"epoch {reached}/6" not in told
    assert "epoch 6/6" in told
    whole = shared("hybrid", "training.epochs=6").folder
    assert identical(whole, folder)
    assert whole.progress.read_bytes() == folder.progress.read_bytes()


@pytest.mark.slow
def test_a_run_killed_in_the_middle_continues_to_the_same_bits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = planned_folder(short("hybrid", "training.epochs=6"), tmp_path)
    process = subprocess.Popen([sys.executable, "-m", "anomalynet", *command(tmp_path)])
    while len(folder.read_progress()) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    assert_continued(folder, capsys)


def test_an_interrupted_run_continues_to_the_same_bits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    append = RunFolder.append_progress
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever a test before installed

    def interrupting(folder: RunFolder, row: dict[str, Any]) -> None:
        append(folder, row)
        if len(folder.read_progress()) == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(RunFolder, "append_progress", interrupting)
    assert main(command(tmp_path)) == 130
    monkeypatch.undo()
    assert_continued(planned_folder(short("hybrid", "training.epochs=6"), tmp_path), capsys)


def test_a_second_one_waits_for_the_run_of_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ["train", "cnn", *SHORT, "--runs", str(tmp_path), "--json"]
    folder, held, told = planned_folder(short("cnn"), tmp_path), Event(), Event()

    def hold() -> None:
        with folder.locked(wait=False):
            held.set()
            told.wait(60)

    first = Thread(target=hold)
    first.start()
    assert held.wait(60)
    assert main([*keys, "--no-wait"]) != 0
    shown = capsys.readouterr().err
    assert str(os.getpid()) in shown and "cnn: at most about " in shown

    def said(text: str) -> None:
        if "waiting" in text:
            told.set()  # the first lets go

    monkeypatch.setattr("anomalynet.cli.train.say", said)
    assert main(keys) == 0
    first.join()
    assert told.is_set() and not json.loads(capsys.readouterr().out)["was_done"]
    assert main(keys) == 0
    assert json.loads(capsys.readouterr().out)["was_done"]
    assert identical(folder, shared("cnn").folder)


def test_a_damaged_last_checkpoint_starts_the_run_afresh(tmp_path: Path) -> None:
    whole = shared("cnn")
    folder = planned_folder(short("cnn"), tmp_path / "torn")
    folder.last.parent.mkdir(parents=True)
    folder.last.write_bytes(whole.folder.last.read_bytes()[:1000])
    assert identical(whole.folder, trained("cnn", tmp_path / "torn").folder)


def test_patience_stops_and_is_not_forgotten(tmp_path: Path) -> None:
    loaded = short(
        "cnn", "training.epochs=40", "training.patience=1", "training.learning_rate=0.05"
    )
    outcome = train(loaded, tmp_path)
    assert outcome is not None
    result = outcome.result
    assert result.epochs is not None and result.best_epoch is not None
    assert result.epochs == result.best_epoch + 1 < 40
    (outcome.folder.path / "result.json").unlink()
    again = train(loaded, tmp_path)
    assert again is not None
    assert again.result == result


def test_a_loss_that_is_not_finite_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="training loss is"):
        train(short("cnn", "training.learning_rate=1e38", "training.loss=cross_entropy"), tmp_path)


def test_data_of_one_class_is_refused_by_its_option_and_scored_with_it(tmp_path: Path) -> None:
    imported(tmp_path, "calm", attacks=False)
    with pytest.raises(DataError, match=r"data\.one_class=allow"):
        train(short("autoencoder", "data.name=calm"), tmp_path)
    for experiment in ("cnn", "random_forest"):
        with pytest.raises(DataError, match="training windows are of one class"):
            train(short(experiment, "data.name=calm", "data.one_class=allow"), tmp_path)
    outcome = trained("autoencoder", tmp_path, "data.name=calm", "data.one_class=allow")
    assert outcome.result.metrics["test/auroc"] is None
    assert any("only one class" in warning for warning in outcome.result.warnings)


def test_data_without_labels_trains_the_autoencoder_and_gives_alarms(tmp_path: Path) -> None:
    name = imported(tmp_path, "bare", labels=False)
    keys = (f"data.name={name}", "data.calibration_rows=50", "evaluation.alarms_per_day=2000")
    outcome = trained("autoencoder", tmp_path, *keys)
    table = outcome.folder
    scores = pl.read_parquet(table.scores)
    assert scores["label"].null_count() == scores.height
    assert scores["score"].is_not_null().any()
    assert outcome.result.metrics["test/auroc"] is None
    assert outcome.result.metrics["test/false_alarms_per_device_day"] is None
    assert outcome.result.threshold_rule == "alarm_budget" and outcome.result.folds == 1
    # One of six devices validates: what it raises in its scored steps of 10 s.
    judged = scores.filter(pl.col("split") == "validation").drop_nulls("score")
    alarm = pl.col("alarm") & ~pl.col("alarm").shift(1, fill_value=False).over("series")
    daily = judged.select(alarm.sum()).item() / (judged.height * 10 / 86_400)
    assert 0 < daily <= 2000 / 6 and int(judged["alarm"].sum()) <= 0.05 * judged.height
    told = f"{daily:.3g} alarms per device and day on validation"
    assert any(told in warning for warning in outcome.result.warnings)
    with pytest.raises(DataError, match="labelled"):
        train(short("cnn", f"data.name={name}"), tmp_path)


def test_an_opened_run_scores_as_it_did() -> None:
    for experiment in ("cnn", "gradient_boosting"):
        outcome = shared(experiment)
        run = open_run(outcome.result.id[:8], outcome.folder.path.parents[1])
        assert run.config == completed(short(experiment).config)
        assert float(run.detector.threshold) == outcome.result.threshold
        tested = evaluate_on(run, [])
        stored = run.scores.filter(pl.col("split") == "test")
        assert tested.scores.equals(stored)
        assert {f"test/{name}": value for name, value in tested.metrics.items()} == {
            name: value
            for name, value in outcome.result.metrics.items()
            if name.startswith("test/")
        }


def test_other_data_is_scored_whole_with_the_runs_own_threshold(tmp_path: Path) -> None:
    own = imported(tmp_path, "own")
    other = imported(tmp_path, "other", test_factor=2.0)
    outcome = trained("logistic", tmp_path, f"data.name={own}", "data.calibration_rows=20")
    run = open_run(outcome.folder.path)
    tested = evaluate_on(run, [f"data.name={other}"])
    assert tested.scores["threshold"].unique().to_list() == [outcome.result.threshold]
    # The first four devices are the same file's training and validation part: scoring them would
    # flatter the run.
    assert tested.scores["series"].unique().sort().to_list() == ["d4", "d5"]
    assert any("trained the run or chose its threshold" in warning for warning in tested.warnings)
    assert tested.scores["score"].null_count() == 2 * 31
    elsewhere = evaluate_on(run, [f"data.name={imported(tmp_path, 'elsewhere', shift=1.0)}"])
    assert elsewhere.scores["series"].n_unique() == 6
    with pytest.raises(UsageError, match="keeps its model, window and threshold"):
        evaluate_on(run, ["data.window=8"])
    with pytest.raises(DataError, match="the run reads the channels a, b"):
        evaluate_on(run, ["data.name=smart_city", "data.worlds=null", f"data.scenario={TINY}"])


def test_data_that_was_replaced_since_is_named_with_both_fingerprints(tmp_path: Path) -> None:
    name = imported(tmp_path, "changing")
    outcome = trained("logistic", tmp_path, f"data.name={name}", "data.calibration_rows=20")
    assert not any(
        "fingerprint" in text for text in evaluate_on(open_run(outcome.folder.path), []).warnings
    )
    imported(tmp_path, "changing", test_factor=2.0)
    tested = evaluate_on(open_run(outcome.folder.path), [])
    first, *others = tested.warnings
    before, now = outcome.result.fingerprint[:10], tested.fingerprint[:10]
    assert before != now and before in first and now in first and "other data" in first
    assert any("may have trained the run" in text for text in others)


def test_another_world_is_scored_whole_also_where_both_are_silent() -> None:
    # without calibration, because its offsets differ between worlds and would hide equal silence
    run = open_run(shared("logistic", "data.calibration_rows=0").folder.path)
    tested = evaluate_on(run, ["data.world=1"])
    assert tested.scores.height == 12 * 1080
    assert not any("trained the run" in warning for warning in tested.warnings)
    assert tested.fingerprint != run.result.fingerprint
