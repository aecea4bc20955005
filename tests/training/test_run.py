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

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from anomalynet.data.importing import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.errors import DataError, RunError, UsageError
from anomalynet.metrics.threshold import best_f1
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.schema import SCORES_COLUMNS
from anomalynet.training.finished import evaluate_on, open_run
from anomalynet.training.run import Outcome, planned_folder, train
from tests.tiny import TINY
from tests.training.small import SHORT, identical, imported, short, table, weights


def trained(experiment: str, runs: Path, *overrides: str) -> Outcome:
    outcome = train(short(experiment, *overrides), runs)
    assert outcome is not None
    return outcome


def test_the_same_run_twice_gives_the_same_bytes_whatever_ran_before(tmp_path: Path) -> None:
    first = trained("hybrid", tmp_path / "a")
    trained("lstm", tmp_path / "b", "seed=5")
    torch.rand(7), np.random.rand(7)
    assert identical(first.folder, trained("hybrid", tmp_path / "c").folder)


def test_another_seed_gives_other_weights_and_zero_is_a_seed(tmp_path: Path) -> None:
    torch.manual_seed(99)
    zero = trained("cnn", tmp_path, "seed=0", "data.split.assignment=0", "training.epochs=1")
    one = trained("cnn", tmp_path, "seed=1", "data.split.assignment=0", "training.epochs=1")
    torch.manual_seed(98)
    again = trained(
        "cnn", tmp_path / "again", "seed=0", "data.split.assignment=0", "training.epochs=1"
    )
    assert identical(zero.folder, again.folder)
    a, b = weights(zero.folder.best), weights(one.folder.best)
    drawn = [name for name in a if name.endswith("weight")]
    assert drawn
    assert not any(torch.equal(a[name], b[name]) for name in drawn)


def test_the_result_follows_from_the_stored_scores(tmp_path: Path) -> None:
    outcome = trained("random_forest", tmp_path, "model.trees=20")
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


def test_every_labelled_step_is_scored_or_counted_as_missed(tmp_path: Path) -> None:
    outcome = trained("logistic", tmp_path)
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


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    first = trained("logistic", tmp_path)
    before = (first.folder.path / "result.json").stat().st_mtime_ns
    again = trained("logistic", tmp_path)
    assert (first.was_done, again.was_done) == (False, True)
    assert (first.folder.path / "result.json").stat().st_mtime_ns == before
    assert again.result == first.result


def command(runs: Path, *extra: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "anomalynet",
        "train",
        "hybrid",
        *SHORT,
        "training.epochs=6",
        "--runs",
        str(runs),
        *extra,
    ]


@pytest.mark.parametrize(
    ("how", "code"),
    [pytest.param(signal.SIGKILL, -9, marks=pytest.mark.slow), (signal.SIGINT, 130)],
)
def test_a_run_cut_in_the_middle_continues_to_the_same_bits(
    tmp_path: Path, how: signal.Signals, code: int
) -> None:
    whole = trained("hybrid", tmp_path / "whole", "training.epochs=6")
    folder = planned_folder(short("hybrid", "training.epochs=6"), tmp_path / "cut")
    process = subprocess.Popen(
        command(tmp_path / "cut"), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while len(folder.read_progress()) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, how)
    assert process.wait(60) == code
    assert not folder.finished
    reached = len(folder.read_progress())
    assert 2 <= reached < 6
    done = subprocess.run(command(tmp_path / "cut"), capture_output=True, text=True, check=True)
    assert f"epoch {reached}/6" not in done.stderr
    assert "epoch 6/6" in done.stderr
    assert identical(whole.folder, folder)
    assert whole.folder.progress.read_bytes() == folder.progress.read_bytes()


def test_two_at_a_time_share_one_run(tmp_path: Path) -> None:
    both = [
        subprocess.Popen(
            command(tmp_path, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    results = []
    for process in both:
        out, error = process.communicate(timeout=300)
        assert process.returncode == 0, error
        results.append((json.loads(out), error))
    assert sorted(found["was_done"] for found, _ in results) == [False, True]
    waited = next(error for found, error in results if found["was_done"])
    assert "works on this run; waiting for it" in waited or "is done already" in waited
    assert len(list(tmp_path.glob("hybrid/*"))) == 1


def test_a_damaged_last_checkpoint_starts_the_run_afresh(tmp_path: Path) -> None:
    whole = trained("cnn", tmp_path / "whole")
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
    assert result.epochs is not None
    assert result.best_epoch is not None
    assert result.epochs == result.best_epoch + 2 < 40
    (outcome.folder.path / "result.json").unlink()
    again = train(loaded, tmp_path)
    assert again is not None
    assert again.result == result


def test_a_loss_that_is_not_finite_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="training loss is"):
        train(short("cnn", "training.learning_rate=1e38", "training.loss=cross_entropy"), tmp_path)


def test_data_of_one_class_is_refused_by_the_name_of_the_option_and_scored_with_it(
    tmp_path: Path,
) -> None:
    file = table(tmp_path / "calm.csv")
    pl.read_csv(file).with_columns(pl.lit(0).alias("attack")).write_csv(file)
    import_table(
        ImportRequest(
            file=file,
            name="calm",
            time="time",
            series="device",
            label="attack",
            split="part",
            replace=True,
        )
    )
    with pytest.raises(DataError, match=r"data\.one_class=allow"):
        train(short("autoencoder", "data.name=calm"), tmp_path)
    for experiment in ("cnn", "random_forest"):
        with pytest.raises(DataError, match="training windows are of one class"):
            train(short(experiment, "data.name=calm", "data.one_class=allow"), tmp_path)
    outcome = trained("autoencoder", tmp_path, "data.name=calm", "data.one_class=allow")
    assert outcome.result.metrics["test/auroc"] is None
    assert any("has one class" in warning for warning in outcome.result.warnings)


def test_data_without_labels_trains_the_autoencoder_and_gives_alarms(tmp_path: Path) -> None:
    name = imported(tmp_path, "bare", labels=False)
    outcome = trained("autoencoder", tmp_path, f"data.name={name}", "data.calibration_rows=50")
    table = outcome.folder
    scores = pl.read_parquet(table.scores)
    assert scores["label"].null_count() == scores.height
    assert scores["score"].is_not_null().any()
    assert outcome.result.metrics["test/auroc"] is None
    assert outcome.result.threshold_rule == "alarm_budget"
    with pytest.raises(DataError, match="labelled"):
        train(short("cnn", f"data.name={name}"), tmp_path)


def test_an_opened_run_scores_as_it_did(tmp_path: Path) -> None:
    for experiment in ("cnn", "gradient_boosting"):
        outcome = trained(experiment, tmp_path)
        run = open_run(outcome.result.id[:8], tmp_path)
        assert run.config == short(experiment).config
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
        evaluate_on(run, ["data.name=smart_city", f"data.scenario={TINY}"])


def test_the_best_checkpoint_holds_the_threshold(tmp_path: Path) -> None:
    outcome = trained("lstm", tmp_path)
    assert float(open_run(outcome.folder.path).detector.threshold) == outcome.result.threshold


def test_result_and_progress_hold_no_durations(tmp_path: Path) -> None:
    folder: RunFolder = trained("cnn", tmp_path).folder
    for path in (folder.path / "result.json", folder.progress):
        assert "seconds" not in path.read_text()
    kept = {"train_seconds", "score_seconds", "microseconds_per_window", "microseconds_single"}
    assert json.loads(folder.timings.read_text()).keys() == kept


def test_another_world_is_scored_whole_also_where_both_are_silent(tmp_path: Path) -> None:
    run = open_run(trained("logistic", tmp_path).folder.path)
    tested = evaluate_on(run, ["data.world=1"])
    assert tested.scores.height == 12 * (1080 - 50)
    assert not any("trained the run" in warning for warning in tested.warnings)
    assert tested.fingerprint != run.result.fingerprint
