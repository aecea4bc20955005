"""Stopping: asked runs end after their epoch and keep it, insistence ends them at once, and a stale
run is made again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from anomalynet.errors import StoppedError
from anomalynet.runs.files import read_json, write_json
from anomalynet.runs.folder import RunFolder
from anomalynet.sweep.jobs import jobs_of
from anomalynet.sweep.launch import Launch
from anomalynet.training.run import planned_folder, train
from tests.sweep.test_launch import OVERRIDES, children, given, needs_proc, planned
from tests.training.small import SHORT, identical, short, weights

LONG = "training.epochs=60", "training.patience=60"


def wait_for_epochs(folder: RunFolder, epochs: int) -> None:
    deadline = time.monotonic() + 120
    while len(folder.read_progress()) < epochs:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_that_is_asked_to_stop_keeps_its_epoch_and_continues_as_if_nothing_had_been(
    tmp_path: Path,
) -> None:
    loaded = short("hybrid", "training.epochs=5")
    folder = planned_folder(loaded, tmp_path / "stopped")

    def ask() -> None:
        wait_for_epochs(folder, 2)
        folder.stop.touch()

    asked = threading.Thread(target=ask)
    asked.start()
    with pytest.raises(StoppedError, match="stopped on request after epoch"):
        train(loaded, tmp_path / "stopped")
    asked.join()
    assert 2 <= len(folder.read_progress()) < 5
    assert not folder.finished
    done, whole = train(loaded, tmp_path / "stopped"), train(loaded, tmp_path / "whole")
    assert done is not None
    assert whole is not None
    assert identical(done.folder, whole.folder)
    assert not folder.stop.exists()


def test_a_stop_that_another_command_asked_for_costs_the_run_nothing(
    worker: Launch, tmp_path: Path
) -> None:
    (job,) = jobs_of(planned("hybrid", extra=["training.epochs=6"]), tmp_path / "shared")
    touched: list[int] = []

    def other() -> None:
        if not touched and len(job.folder.read_progress()) >= 2:
            touched.append(len(job.folder.read_progress()))
            job.folder.stop.touch()

    given(worker, [job], watch=other)
    assert touched
    assert (job.state, job.stops, job.attempts) == ("done", 1, 1)
    whole = train(job.run.loaded, tmp_path / "whole")
    assert whole is not None
    assert identical(whole.folder, job.folder)


def test_a_request_in_the_last_epoch_stops_nothing(tmp_path: Path) -> None:
    loaded = short("cnn", "training.epochs=1")
    folder = planned_folder(loaded, tmp_path)

    class Asks:
        def epoch(self, line: object, epochs: int) -> None: ...

        def step(self, epoch: int, step: int, steps: int) -> None:
            folder.stop.touch()

    outcome = train(loaded, tmp_path, listener=Asks())
    assert outcome is not None
    assert outcome.folder.finished


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("insist", [False, True], ids=["asked", "insisted"])
def test_ctrl_c_in_a_sweep(tmp_path: Path, insist: bool) -> None:
    places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "report"), "--slots", "1"]
    words = ["reproduce", "--models", "hybrid", *places, *OVERRIDES, *LONG]
    command, pipe = [sys.executable, "-m", "anomalynet", *words], subprocess.PIPE
    parent = subprocess.Popen(command, stderr=pipe, stdout=pipe, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while not (progress := list((tmp_path / "runs").glob("hybrid/*/progress.jsonl"))):
        assert parent.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    folder = RunFolder(progress[0].parent)
    workers = children(parent.pid)
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does: to the whole group
    if insist:
        time.sleep(0.1)
        os.killpg(parent.pid, signal.SIGINT)
    _, error = parent.communicate(timeout=60)
    # the second may find it on its way out
    assert parent.returncode in ((130, -signal.SIGINT) if insist else (130,)), error
    assert "Ctrl-C again stops at once" in error
    assert folder.last.exists()
    assert not folder.finished
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_stale_runs_are_made_again_on_request_and_only_then(worker: Launch, tmp_path: Path) -> None:
    runs = planned("logistic", "gradient_boosting")
    old = given(worker, jobs_of(runs, tmp_path))[0].folder
    whole = (old.path / "result.json").read_bytes()
    write_json(old.environment, {**read_json(old.environment), "code": "0123456789"})
    old.checksums.unlink()  # made by earlier code, which wrote none
    (old.path / "of the old run").touch()
    known = jobs_of(runs, tmp_path)
    assert [(job.state, job.stale) for job in known] == [("done", True), ("done", False)]
    again = jobs_of(runs, tmp_path, again=["stale"])
    assert [job.state for job in again] == ["waiting", "done"]
    given(worker, again)
    ends = [(job.state, job.stale, job.was_done) for job in again]
    assert ends == [("done", False, False), ("done", False, True)]
    assert not (old.path / "of the old run").exists()
    assert (old.path / "result.json").read_bytes() == whole
    stamp = (old.path / "result.json").stat().st_mtime_ns
    stale = jobs_of(runs, tmp_path, again=["stale"])
    stale[0].state, stale[0].stale = "waiting", True  # as another command saw it before
    given(worker, stale)
    assert (old.path / "result.json").stat().st_mtime_ns == stamp


@pytest.mark.slow
def test_a_run_on_two_devices_in_a_sweep_is_the_run_on_one(worker: Launch, tmp_path: Path) -> None:
    """In processes of its own, as Lightning starts them; dropout is off, because its streams differ
    by device."""
    extra = ["model.dropout=0", "training.epochs=1", "hardware.accelerator=cpu"]
    (one,) = planned("hybrid", extra=extra)
    alone = train(one.loaded, tmp_path / "one")
    assert alone is not None
    both = planned("hybrid", extra=[*extra, "hardware.devices=2"])
    (together,) = given(worker, jobs_of(both, tmp_path / "two"))
    assert (together.state, together.reason) == ("done", "")
    assert together.folder.path.name == alone.folder.path.name
    assert read_json(together.folder.environment)["devices"] == 2
    result = together.folder.read_result()
    assert result.parts == alone.result.parts
    assert result.metrics == pytest.approx(alone.result.metrics, abs=2e-3)
    a, b = weights(alone.folder.last), weights(together.folder.last)
    torch.testing.assert_close(b, a, rtol=1e-3, atol=1e-4)
    assert jobs_of([together.run], tmp_path / "two")[0].was_done


@pytest.mark.slow
def test_what_goes_wrong_on_two_devices_is_said(worker: Launch, tmp_path: Path) -> None:
    (run,) = planned("hybrid", extra=["hardware.devices=2", "hardware.accelerator=cpu"])
    wrong = replace(run, overrides=(*run.overrides, "model.hiden=8"))
    (job,) = given(worker, jobs_of([wrong], tmp_path))
    assert job.state == "failed"
    assert "model.hiden" in job.reason


def test_a_command_with_a_life_line_ends_with_its_stdin(tmp_path: Path) -> None:
    once = [text for text in SHORT if not text.startswith("training.")]
    words = ["train", "hybrid", *once, *LONG, "--runs", str(tmp_path), "--life-line"]
    command, pipe = [sys.executable, "-m", "anomalynet", *words], subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stderr=pipe, stdout=subprocess.DEVNULL)
    assert process.stderr
    assert b"preparing" in process.stderr.readline()
    assert process.poll() is None
    assert process.stdin
    process.stdin.close()
    assert process.wait(30) == 1
    process.stderr.close()
