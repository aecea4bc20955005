"""What W&B's own files say of a run is what the run's files say."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from anomalynet.config.identity import run_id
from anomalynet.config.load import load
from anomalynet.runs.folder import RunFolder
from anomalynet.sweep.jobs import jobs_of
from anomalynet.sweep.launch import Launch
from anomalynet.sweep.plan import Arm, PlannedRun
from anomalynet.sweep.slots import Slot
from anomalynet.tracking.record import notes, pending, read_record
from anomalynet.training.run import train
from tests.regression.training import in_process
from tests.tracking.reader import parts, read
from tests.training.small import SHORT, short

TINY_RUNS = [text for text in SHORT if not text.startswith("model.")]


def test_tracking_is_no_part_of_a_run_s_identity() -> None:
    plain, tracked = load("hybrid").config, load("hybrid", ["tracking=wandb"]).config
    assert run_id(plain, "data") == run_id(tracked, "data")


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
        wandb = read(part)
        assert wandb.run["run_id"] == job.folder.path.name
        own = [wandb.run[key] for key in ("project", "run_group", "job_type")]
        assert own == ["anomalynet", "a-sweep", "train"]
        assert wandb.run["display_name"] == f"{name} {job.folder.path.name}"
        assert {name, "smart_city", result.split} <= set(wandb.run["tags"])
        assert (wandb.config["experiment"], wandb.config["seed"]) == (name, seed)
        resolved = json.loads(json.dumps(asdict(run.loaded.config)))
        for key in ("data", "model", "training", "evaluation"):
            assert wandb.config[key] == resolved[key]
        assert wandb.epochs == job.folder.read_progress()
        assert len(wandb.epochs) == (0 if name == "logistic" else 2)
        assert {key: wandb.summary[key] for key in result.metrics} == result.metrics
        assert wandb.summary["threshold"] == result.threshold
        data = wandb.artifacts[f"data-{result.fingerprint[:10]}"]
        model = wandb.artifacts[f"model-{result.id}"]
        assert (data["type"], model["type"]) == ("dataset", "model")
        (manifest,) = data["manifest"]["contents"]
        said = json.loads(Path(manifest["local_path"]).read_text())
        assert (said["name"], said["fingerprint"]) == ("smart_city", result.fingerprint)
        assert said["channels"] == list(result.channels)
        (checkpoint,) = model["manifest"]["contents"]
        kept = job.folder.classical if name == "logistic" else job.folder.best
        assert Path(checkpoint["local_path"]) == kept
        assert wandb.exit_code == 0
        record = read_record(job.folder.path)
        assert record and record.id == job.folder.path.name
        assert [(one.mode, one.finished) for one in record.parts] == [("offline", True)]
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
    (metrics,) = tables.glob("metrics*.json")
    rows = {name: values for name, *values in json.loads(metrics.read_text())["data"]}
    parts_of = ("validation", "test")
    assert rows["auroc"] == [outcome.result.metrics[f"{part}/auroc"] for part in parts_of]


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
    record = read_record(outcome.folder.path)
    assert record and record.parts[0].reason == "WANDB_MODE=offline"


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
