"""Workers: nothing is lost when one dies, nothing leaks from one run into the next, nothing
outlives the parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from anomalynet.errors import DataError
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.jobs import Job, jobs_of
from anomalynet.sweep.launch import ATTEMPTS, Launch
from anomalynet.sweep.plan import PlannedRun, plan
from anomalynet.sweep.slots import Slot
from anomalynet.training.run import train
from tests.training.small import SHORT, identical

OVERRIDES = [text for text in SHORT if not text.startswith("model.")]


def planned(
    *experiments: str, extra: list[str] | None = None, folds: tuple[int, ...] = (0,)
) -> list[PlannedRun]:
    wanted = {"experiments": list(experiments), "seeds": [0], "folds": list(folds)}
    sweep = replace(read_sweep("paper_models", "quick"), **wanted)  # type: ignore[arg-type]
    return plan(sweep, [*OVERRIDES, *(extra or [])])


def launch(jobs: list[Job], watch: Callable[[], None] = lambda: None) -> list[Job]:
    with Launch([Slot()]) as launch:
        launch.run(jobs, watch, interval=0.02)
    return jobs


def given(worker: Launch, jobs: list[Job], watch: Callable[[], None] = lambda: None) -> list[Job]:
    """Have jobs done by the session's worker."""
    worker.run(jobs, watch, interval=0.02)
    return jobs


@pytest.mark.slow
def test_a_run_after_another_in_a_worker_is_the_run_alone(worker: Launch, tmp_path: Path) -> None:
    runs = planned("cnn", "hybrid", "logistic")
    jobs = given(worker, jobs_of(runs, tmp_path / "worker"))
    assert [(job.state, job.was_done) for job in jobs] == [("done", False)] * 3
    alone = train(runs[1].loaded, tmp_path / "alone")
    assert alone is not None
    assert alone.folder.path.name == jobs[1].folder.path.name
    assert identical(alone.folder, jobs[1].folder)
    times = [(job.folder.path / "result.json").stat().st_mtime_ns for job in jobs]
    again = given(worker, jobs_of(runs, tmp_path / "worker"))
    assert all(job.was_done for job in again)
    assert times == [(job.folder.path / "result.json").stat().st_mtime_ns for job in again]


def test_a_run_that_fails_says_why_and_costs_no_other(worker: Launch, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent"):
        jobs_of(planned("cnn", extra=["data.name=absent"]), tmp_path)
    diverging = ["training.learning_rate=1e38", "training.loss=cross_entropy"]
    runs = [*planned("cnn", extra=diverging), *planned("logistic")]
    jobs = given(worker, jobs_of(runs, tmp_path))
    assert [job.state for job in jobs] == ["failed", "done"]
    assert "training loss is" in jobs[0].reason
    again = jobs_of(runs, tmp_path)
    assert [(job.state, job.reason) for job in again] == [("failed", jobs[0].reason), ("done", "")]
    again = jobs_of(runs, tmp_path, again=["failed"])
    assert [job.state for job in again] == ["waiting", "done"]


def children(pid: int) -> list[int]:
    """The worker processes that any thread of a process has started."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    listed = " ".join(path.read_text() for path in threads).split()
    lines = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in listed}
    return [child for child, line in lines.items() if b"anomalynet.sweep.worker" in line]


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="needs Linux's /proc to find the worker"
)


@needs_proc
@pytest.mark.slow
def test_a_killed_worker_costs_its_run_a_retry(tmp_path: Path) -> None:
    extra = ["training.epochs=8"]
    runs = planned("hybrid", extra=extra)
    jobs = jobs_of(runs, tmp_path)
    killed: list[int] = []

    def kill_once() -> None:
        if not killed and len(jobs[0].folder.read_progress()) >= 2:
            killed.extend(children(os.getpid()))
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    launch(jobs, watch=kill_once)
    assert len(killed) == 1
    assert (jobs[0].state, jobs[0].attempts) == ("done", 2)
    whole = train(runs[0].loaded, tmp_path / "whole")
    assert whole is not None
    assert identical(whole.folder, jobs[0].folder)


@needs_proc
@pytest.mark.slow
def test_a_run_whose_workers_always_die_fails(tmp_path: Path) -> None:
    jobs = jobs_of(planned("hybrid", extra=["training.epochs=50"]), tmp_path)

    def kill_always() -> None:
        if (jobs[0].folder.path / "config.yaml").exists():
            for pid in children(os.getpid()):
                os.kill(pid, signal.SIGKILL)

    launch(jobs, watch=kill_always)
    assert (jobs[0].state, jobs[0].attempts) == ("failed", ATTEMPTS)
    assert jobs[0].reason == "the worker died 2 times, last: killed by SIGKILL"


@pytest.mark.slow
@needs_proc
def test_no_worker_outlives_its_parent_and_the_same_command_continues(tmp_path: Path) -> None:
    places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "report"), "--slots", "2"]
    words = ["reproduce", "--models", "hybrid", *places, *OVERRIDES, "training.epochs=3"]
    command, pipe = [sys.executable, "-m", "anomalynet", *words], subprocess.PIPE
    parent = subprocess.Popen(command, stderr=pipe, stdout=pipe, text=True)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "runs").glob("hybrid/*/result.json")):
        assert parent.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    workers = children(parent.pid)
    assert len(workers) == 2
    parent.kill()
    _, error = parent.communicate(timeout=60)
    assert parent.returncode == -9, error

    def alive(pid: int) -> bool:
        stat = Path(f"/proc/{pid}/stat")
        return stat.exists() and "Z" not in stat.read_text().split()[2]

    while any(map(alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stderr.split(" runs on smart_city, ")[1].split(" done")[0]) >= 1
    assert (tmp_path / "report" / "report.md").is_file()
