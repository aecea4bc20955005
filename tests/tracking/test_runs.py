"""W&B's own files hold what the run's files hold."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import wandb
from lightning.pytorch.loggers import WandbLogger

from anomalynet.config.identity import flatten, flatten_tree, run_id
from anomalynet.config.load import Loaded, load
from anomalynet.config.show import scalar
from anomalynet.data import sources
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.scores import read_incidents
from anomalynet.sweep.jobs import jobs_of
from anomalynet.sweep.launch import Launch
from anomalynet.sweep.plan import Arm, PlannedRun
from anomalynet.sweep.slots import Slot
from anomalynet.tracking.record import FILE, notes, pending
from anomalynet.tracking.run import track_export
from anomalynet.training.run import train
from tests.regression.training import in_process
from tests.tracking.reader import parts, read
from tests.training.small import SHORT, short

TINY_RUNS = [text for text in SHORT if not text.startswith("model.")]


def test_tracking_is_no_part_of_a_run_s_identity() -> None:
    plain, tracked = load("hybrid").config, load("hybrid", ["tracking=wandb"]).config
    assert run_id(plain, "data") == run_id(tracked, "data")


def config_is_complete(config: dict[str, Any], loaded: Loaded, folder: RunFolder) -> None:
    """Every key with a plain value, and what the run was made of and with."""
    logged = flatten_tree(config)
    for key, value in flatten(sources.completed(loaded.config)).items():
        plain = isinstance(value, bool | int | float | str)
        assert logged[key] == (value if plain else scalar(value))
    environment = read_json(folder.environment)
    own = [config[key] for key in ("git_commit", "code_hash", "data_fingerprint")]
    assert own == [environment["commit"], environment["code"], folder.read_result().fingerprint]
    _, verb, named_in, *words = shlex.split(config["command"])
    assert verb == "train"
    assert load(named_in, words).config == sources.completed(loaded.config)


def test_runs_of_one_worker_stay_apart_and_say_what_their_files_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_process(monkeypatch)
    overrides = [*TINY_RUNS, "tracking=wandb"]
    named = [("hybrid", 0), ("cnn", 1), ("logistic", 0)]
    runs = []
    for name, seed in named:
        axis: dict[str, object] = {"seed": seed}
        loaded = load(name, overrides, axis)
        runs.append(PlannedRun(Arm(name, name, {}, {}), axis, loaded, tuple(overrides)))
    jobs = jobs_of(runs, tmp_path)
    with Launch([Slot()], group="a-sweep") as launch:
        launch.run(jobs, lambda: None, interval=0.05)
    assert [job.state for job in jobs] == ["done"] * 3
    for (name, seed), run, job in zip(named, runs, jobs, strict=True):
        result = job.folder.read_result()
        (part,) = parts(job.folder.path)
        found = read(part)
        assert found.run["run_id"] == job.folder.path.name
        own = [found.run[key] for key in ("project", "run_group", "job_type")]
        assert own == ["anomalynet", "a-sweep", "train"]
        assert found.run["display_name"] == f"{name} {job.folder.path.name}"
        assert {name, "smart_city"} <= set(found.run["tags"])
        assert found.summary["split"] == result.split
        assert (found.config["experiment"], found.config["seed"]) == (name, seed)
        config_is_complete(found.config, run.loaded, job.folder)
        assert found.epochs == job.folder.read_progress()
        rate = run.loaded.config.training.learning_rate
        epochs = 0 if name == "logistic" else 2
        assert [line["train/learning_rate"] for line in found.epochs] == [rate] * epochs
        assert {key: found.summary[key] for key in result.metrics} == result.metrics
        assert found.summary["threshold"] == result.threshold
        data, model = found.artifacts["smart_city"], found.artifacts[f"model-{result.id}"]
        assert (data["type"], model["type"]) == ("dataset", "model")
        assert data["use_after_commit"]
        assert {result.fingerprint[:10]} <= set(data["aliases"])
        assert {*model["aliases"]} == {"best", "latest"}
        (manifest,) = data["manifest"]["contents"]
        said = json.loads(Path(manifest["local_path"]).read_text())
        assert (said["name"], said["fingerprint"]) == ("smart_city", result.fingerprint)
        assert said["channels"] == list(result.channels)
        (checkpoint,) = model["manifest"]["contents"]
        kept = job.folder.classical if name == "logistic" else job.folder.best
        assert Path(checkpoint["local_path"]) == kept
        assert found.exit_code == 0
        record = read_json(job.folder.path / FILE)
        assert record and record["id"] == job.folder.path.name
        assert pending(job.folder.path) == [part]
    assert notes(job.folder.path for job in jobs) == [
        "W&B: 3 runs: offline (No API key configured. Use `wandb login` to log in)"
    ]


def test_charts_count_the_test_part(tmp_path: Path) -> None:
    outcome = train(short("logistic", "tracking=wandb"), tmp_path, group="quiet")
    assert outcome
    tables = parts(outcome.folder.path)[0] / "files" / "media" / "table"
    (confusion,) = (tables / "test").glob("confusion_matrix*.json")
    cells = {(one, other): n for one, other, n in json.loads(confusion.read_text())["data"]}
    part = outcome.result.parts["test"]
    assert cells["attack", "attack"] == outcome.result.metrics["test/true_positives"]
    assert cells["normal", "attack"] == outcome.result.metrics["test/false_positives"]
    assert sum(cells.values()) == part.labelled - part.missed
    (curve,) = (tables / "test").glob("precision_recall*.json")
    points = json.loads(curve.read_text())["data"]
    assert 2 <= len(points) <= 1000
    assert points[-1] == [1.0, pytest.approx(outcome.result.metrics["test/prevalence"], abs=1e-9)]


def test_incidents_are_a_table_and_some_are_pictures(tmp_path: Path) -> None:
    outcome = train(short("logistic", "tracking=wandb"), tmp_path, group="quiet")
    assert outcome
    media = parts(outcome.folder.path)[0] / "files" / "media"
    (file,) = (media / "table" / "test").glob("incidents*.json")
    table = json.loads(file.read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    steps = pl.read_parquet(outcome.folder.scores).filter(split="test").drop_nulls("score")
    assert {row["incident"] for row in rows} == {*steps["incident"].drop_nulls()}
    known = read_incidents(outcome.folder.incidents)
    for row in rows:
        own = steps.filter(incident=row["incident"])
        assert row["score"] == own["score"].max()
        assert (row["steps"], row["alarmed"]) == (len(own), own["alarm"].sum())
        assert row["series"] in {*own["series"].cast(str)}
        assert (row["type"], row["severity"]) == (
            known[row["incident"]].type,
            known[row["incident"]].severity,
        )
        if row["alarmed"]:
            first = min(own.filter("alarm")["time"].to_list()) - min(own["time"].to_list())
            assert row["seconds_to_alarm"] == first.total_seconds()
    assert len([*(media / "images" / "test").glob("examples*.png")]) == 4


def test_a_finished_run_that_was_never_tracked_is_told_afterwards(tmp_path: Path) -> None:
    first = train(short("cnn"), tmp_path)
    assert first and not parts(first.folder.path)
    again = train(short("cnn", "tracking=wandb"), tmp_path, group="quiet")
    assert again and again.was_done
    (part,) = parts(first.folder.path)
    assert read(part).epochs == first.folder.read_progress()
    assert read(part).summary["test/auroc"] == first.result.metrics["test/auroc"]
    train(short("cnn", "tracking=wandb"), tmp_path, group="quiet")
    assert parts(first.folder.path) == [part]


def test_disabled_imports_nothing_and_starts_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That no module of training imports it is asserted in `tests.training.two_processes`."""
    started: list[object] = []
    popen: Any = subprocess.Popen.__init__

    def noted(self: Any, command: object, *rest: Any, **options: Any) -> None:
        started.append(command)
        popen(self, command, *rest, **options)

    monkeypatch.setitem(sys.modules, "wandb", None)  # importing it is an error
    monkeypatch.setattr(subprocess.Popen, "__init__", noted)
    outcome = train(short("logistic"), tmp_path)
    assert outcome and outcome.folder.finished
    assert [one for one in started if "tracking" in str(one)] == []
    assert not list(tmp_path.glob("*/*/wandb"))


def test_wandb_mode_disabled_is_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    outcome = train(short("logistic", "tracking=wandb"), tmp_path)
    assert outcome and outcome.folder.finished
    assert not (outcome.folder.path / "wandb").exists()


def test_wandb_s_own_variables_are_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.setenv("WANDB_ENTITY", "us")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    outcome = train(short("logistic", "tracking=wandb"), tmp_path, group="quiet")
    assert outcome
    (part,) = parts(outcome.folder.path)
    assert (read(part).run["project"], read(part).run["entity"]) == ("mine", "us")
    record = read_json(outcome.folder.path / FILE)
    assert record and record["offline"] == "WANDB_MODE=offline"


@pytest.mark.slow
def test_an_agent_s_run_keeps_wandb_s_id_and_names_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = train(short("cnn", "tracking=wandb"), tmp_path, group="quiet")
    assert plain
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep123")
    monkeypatch.setenv("WANDB_RUN_ID", "agent123")
    again = train(short("cnn", "tracking=wandb"), tmp_path, group="quiet")
    assert again and again.was_done
    ours, theirs = (read(part) for part in parts(plain.folder.path))
    assert (ours.run["run_id"], theirs.run["run_id"]) == (plain.folder.path.name, "agent123")
    assert theirs.run["sweep_id"] == "sweep123"
    assert theirs.config["run_id"] == plain.folder.path.name
    assert theirs.epochs == ours.epochs == plain.folder.read_progress()


def test_a_run_that_fails_is_failed_in_wandb(tmp_path: Path) -> None:
    loaded = short(
        "cnn", "tracking=wandb", "training.learning_rate=1e38", "training.loss=cross_entropy"
    )
    with pytest.raises(Exception, match="training loss is"):
        train(loaded, tmp_path, group="quiet")
    (folder,) = tmp_path.glob("cnn/*")
    assert not RunFolder(folder).finished
    assert read(parts(folder)[0]).exit_code == 1


def test_a_user_s_own_wandb_logger_has_a_run_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_MODE", "offline")  # its logger would set it for the whole process
    logger = WandbLogger(save_dir=tmp_path / "own", project="mine", offline=True)
    outcome = train(short("cnn", "tracking=wandb"), tmp_path / "runs", logger=logger, group="quiet")
    logger.experiment.finish()
    wandb.teardown()
    assert outcome
    (ours,), (theirs,) = parts(outcome.folder.path), parts(tmp_path / "own")
    assert read(ours).run["run_id"] == outcome.folder.path.name != read(theirs).run["run_id"]
    assert read(theirs).run["project"] == "mine"
    assert read(ours).epochs == outcome.folder.read_progress()
    assert any("validation/loss" in row for row in read(theirs).history)
    assert (read(ours).exit_code, read(theirs).exit_code) == (0, 0)


@pytest.mark.slow
def test_an_exported_file_joins_its_run(tmp_path: Path) -> None:
    outcome = train(short("logistic", "tracking=wandb"), tmp_path, group="quiet")
    assert outcome
    file = tmp_path / "model.onnx"
    file.write_bytes(b"graph")
    track_export(outcome.folder, file)
    first, second = (read(part) for part in parts(outcome.folder.path))
    assert first.run["run_id"] == second.run["run_id"]
    artifact = second.artifacts[f"onnx-{outcome.result.id}"]
    assert (artifact["type"], {*artifact["aliases"]}) == ("model", {"best", "latest"})
    assert [entry["path"] for entry in artifact["manifest"]["contents"]] == ["model.onnx"]
    assert second.exit_code == 0
    plain = train(short("logistic", "seed=1"), tmp_path)
    assert plain
    track_export(plain.folder, file)
    assert not parts(plain.folder.path)
