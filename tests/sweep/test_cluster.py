"""Runs on a Ray cluster: what each end says to the other with a stand-in for Ray, then two real
nodes of which one is killed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from anomalynet.config.load import load
from anomalynet.config.schema import HardwareConfig
from anomalynet.errors import RunError, UsageError
from anomalynet.runs.code import code_hash
from anomalynet.runs.files import write_bytes
from anomalynet.runs.folder import RunFolder
from anomalynet.sweep import cluster
from anomalynet.sweep.cluster import (
    STATE,
    RayWorker,
    carry_out,
    connect,
    download_results,
    order_of,
    ray_slots,
)
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.jobs import Job, jobs_of
from anomalynet.sweep.launch import ATTEMPTS, LOSSES, Launch
from anomalynet.sweep.plan import plan
from anomalynet.sweep.slots import THREADS, Slot
from anomalynet.training.run import train
from tests.sweep import two_nodes
from tests.training.small import SHORT, identical

OVERRIDES = [text for text in SHORT if not text.startswith("model.")]
FILES = {
    "result.json": b"{}",
    "scores.parquet": b"s",
    "checkpoints/last.ckpt": b"l",
    "checkpoints/best.ckpt": b"b",
    "timings.json": b"{}",
}
EARLY = {"checkpoints/last.ckpt": b"early", "progress.jsonl": b'{"epoch": 0}\n'}
DONE = {"reply": {"failed": None, "was_done": False}, "files": FILES}


class LostError(Exception):
    """Ray's RayError: the node is gone."""


class WrongError(LostError):
    """Ray's RayTaskError."""


class FullError(LostError):
    """Ray's OutOfMemoryError."""


class FakeRay:
    """The module `ray`, whose tasks yield what a test says: each item of `plays` is one task."""

    exceptions = SimpleNamespace(
        RayError=LostError, RayTaskError=WrongError, OutOfMemoryError=FullError
    )

    def __init__(self, *plays: Sequence[Any], cpus: Sequence[int] = (1,), gpus: int = 0) -> None:
        self.plays, self.cpus, self.gpus = list(plays), cpus, gpus
        self.needs: list[dict[str, Any]] = []
        self.orders: list[dict[str, Any]] = []
        self.cancelled = 0

    def nodes(self) -> list[dict[str, Any]]:
        sizes = [{"CPU": float(cpus), "GPU": float(self.gpus)} for cpus in self.cpus]
        return [{"Alive": True, "Resources": size} for size in sizes]

    def remote(self, **needs: Any) -> Any:
        self.needs.append(needs)
        return lambda task: SimpleNamespace(remote=self._start)

    def _start(self, order: dict[str, Any]) -> Iterator[Any]:
        self.orders.append(order)
        return iter(self.plays.pop(0) if len(self.plays) > 1 else self.plays[0])

    def wait(self, waiting: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        return (waiting, []) if self.cpus else ([], waiting)

    def get(self, told: Any) -> Any:
        if isinstance(told, Exception):
            raise told
        return told() if callable(told) else told

    def cancel(self, task: Any, *, force: bool) -> None:
        self.cancelled += force


def jobs_in(folder: Path, *extra: str, folds: int = 1) -> list[Job]:
    folder.mkdir(exist_ok=True)
    sweep = folder / "mine.yaml"
    sweep.write_text(f"experiments: [hybrid]\nseeds: [0]\nfolds: {list(range(folds))}\n")
    return jobs_of(plan(read_sweep(str(sweep), "quick"), [*OVERRIDES, *extra]), folder / "runs")


def launched(ray: FakeRay, jobs: list[Job]) -> list[str]:
    said: list[str] = []
    with Launch([Slot()], worker_factory=lambda slot: RayWorker(slot, ray, said.append)) as launch:
        launch.run(jobs, lambda: None, interval=0.02)
    return said


HELLO = {"host": "node1"}


def test_a_run_comes_home_with_its_result_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    held: list[bool] = []

    def noted(path: Path, content: bytes) -> None:
        written.append(path.name)
        held.append(job.folder.running)
        write_bytes(path, content)

    monkeypatch.setattr(cluster, "write_bytes", noted)
    monkeypatch.setattr("anomalynet.runs.folder.write_bytes", noted)
    (job,) = jobs_in(tmp_path)
    ray = FakeRay([HELLO, {"files": EARLY}, DONE])
    assert launched(ray, [job]) == []
    assert (job.state, job.was_done, job.attempts) == ("done", False, 1)
    assert written[-1] == "result.json" and all(held[:-1]) and not job.folder.running
    last = ["best.ckpt", "last.ckpt", "scores.parquet", "timings.json", "result.json"]
    assert written == ["last.ckpt", "progress.jsonl", *last]
    assert {name: (job.folder.path / name).read_bytes() for name in FILES} == FILES
    assert "# the sweep" in job.folder.config.read_text()
    needs = {"num_cpus": 1, "num_gpus": 0.0, "max_retries": 0, "num_returns": "streaming"}
    assert ray.needs == [needs]


def test_a_run_that_another_command_works_on_is_left_to_it(tmp_path: Path) -> None:
    (job,) = jobs_in(tmp_path)
    ray = FakeRay([HELLO, DONE])
    worker = RayWorker(Slot(), ray, print)
    with job.folder.locked(wait=False):
        assert worker.ask(job.message(None)) == {"failed": None, "busy": True}
    assert ray.orders == []


@pytest.mark.parametrize(
    ("play", "message"),
    [
        ([HELLO, {"unfit": "no files of skab"}], "node1 cannot run this sweep: no files of skab"),
        ([HELLO, {"unfit": "it has other code"}], "install the same anomalynet on every node"),
        ([HELLO, WrongError("no space left")], "node1: WrongError: no space left"),
        (
            [WrongError("the remote function failed to import")],
            "failed to import\n  → install the same",
        ),
    ],
)
def test_a_node_that_cannot_work_ends_the_sweep_and_fails_no_run(
    tmp_path: Path, play: list[Any], message: str
) -> None:
    jobs = jobs_in(tmp_path, folds=2)
    with pytest.raises(RunError, match=message):
        launched(FakeRay(play), jobs)
    assert [job.state for job in jobs] == ["waiting"] * 2
    assert not any(job.folder.failed.exists() for job in jobs)


def test_a_request_to_stop_waits_for_the_epoch_under_way(tmp_path: Path) -> None:
    (job,) = jobs_in(tmp_path)

    def epoch_after_request() -> dict[str, Any]:
        job.ask_to_stop()
        return {"files": {"checkpoints/last.ckpt": b"late"}}

    ray = FakeRay([HELLO, {"files": EARLY}, epoch_after_request, DONE])
    launched(ray, [job])
    assert (job.state, job.folder.last.read_bytes()) == ("stopped", b"late")
    assert job.folder.read_progress() == [{"epoch": 0}]
    assert ray.cancelled


def test_a_lost_node_is_not_the_runs_fault_and_always_lost_ones_are(tmp_path: Path) -> None:
    (job,) = jobs_in(tmp_path)
    lost = [HELLO, LostError("gone")]
    said = launched(FakeRay(lost, [LostError("its node is dead")], lost, [HELLO, DONE]), [job])
    assert (job.state, job.attempts, job.losses) == ("done", 1, 3)
    told = f"was lost; its run {job.folder.path.name} goes back to the queue"
    assert said == [f"{host} {told}" for host in ("node1", "a node of the Ray cluster", "node1")]
    (job,) = jobs_in(tmp_path / "again")
    launched(FakeRay(lost), [job])
    assert job.state == "failed"
    assert job.reason == f"its machine was lost {LOSSES + 1} times, last: node1, LostError"


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (FullError("too much"), "node1 ran out of memory"),
        ({"reply": {"failed": None, "died": "killed by SIGKILL"}}, "killed by SIGKILL"),
    ],
)
def test_a_run_that_kills_its_worker_uses_up_its_attempts(
    tmp_path: Path, end: Any, reason: str
) -> None:
    (job,) = jobs_in(tmp_path)
    launched(FakeRay([HELLO, end]), [job])
    assert job.state == "failed"
    assert job.reason == f"the worker died {ATTEMPTS} times, last: {reason}"


def test_a_cluster_without_room_is_told_and_then_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "SILENT", 0.0)
    monkeypatch.setattr(cluster, "NO_ROOM", 0.2)
    jobs = jobs_in(tmp_path)
    said: list[str] = []
    worker = RayWorker(Slot(), FakeRay([HELLO], cpus=()), said.append)
    with pytest.raises(RunError, match="no node of the Ray cluster has 1 CPU for a run"):
        worker.ask(jobs[0].message(None))
    assert said == ["waiting for free resources on the Ray cluster: 1 CPU for a run"]


def test_slots_are_what_the_cluster_has() -> None:
    def of(
        cpus: list[int], gpus: int, count: int | None, runs_per_gpu: int = 1, **hardware: Any
    ) -> list[tuple[int, float]]:
        ray = FakeRay([], cpus=cpus, gpus=gpus)
        found = ray_slots(ray, count, HardwareConfig(**hardware), runs_per_gpu)
        return [(slot.cpus, slot.gpu_share) for slot in found]

    assert of([2, 3], 0, None) == [(1, 0.0)] * 5
    assert of([2, 3], 0, None, devices=2) == [(2, 0.0)] * 2
    assert of([2, 3], 0, 9) == [(1, 0.0)] * 9
    assert of([8, 8], 2, None) == [(1, 1.0)] * 4
    assert of([8, 8], 2, None, 3) == [(1, 1 / 3)] * 12
    assert of([8, 8], 2, None, devices=2) == [(1, 2.0)] * 2
    assert of([8], 2, None, accelerator="cpu") == [(1, 0.0)] * 8
    with pytest.raises(UsageError, match="no node of the Ray cluster has 1 CPU and 1 GPU"):
        of([8], 0, None, accelerator="cuda")


def test_without_ray_there_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install '?ray"):
        connect()


def test_a_cluster_that_is_gone_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []

    def init(**options: Any) -> None:
        told.append(options["address"])

    ray = SimpleNamespace(is_initialized=lambda: False, init=init)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    connect()
    record = tmp_path / "ray" / "ray_current_cluster"
    record.parent.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        alive = f"127.0.0.1:{server.getsockname()[1]}"
        record.write_text(alive)
        connect()
        monkeypatch.setenv("RAY_ADDRESS", alive)
        connect()
    assert told == [None, None, alive]
    with pytest.raises(UsageError, match=f"no Ray cluster at RAY_ADDRESS={alive}"):
        connect()
    monkeypatch.delenv("RAY_ADDRESS")
    connect()
    assert told[3:] == ["local"]


def test_an_order_holds_no_path_of_this_machine_but_the_datas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("from anomalynet.config.model import CNN as Config\n")
    given = [*OVERRIDES, "data.root=here", "model.name=./mine.py"]
    job = {"experiment": "hybrid", "overrides": given, "axis": {}, "devices": 2, "group": "g"}
    folder = RunFolder(tmp_path / "hybrid" / "0123456789")
    order = order_of(job, folder)
    assert (order["experiment"], order["id"], order["state"]) == ("hybrid", "0123456789", {})
    assert order["job"] == {"devices": 2, "group": "g"}
    assert f"root: {tmp_path / 'here'}" in order["files"].pop("hybrid.yaml")
    assert order["files"] == {"./mine.py": Path("mine.py").read_text()}
    job["overrides"] = [*OVERRIDES, f"model.name={tmp_path / 'mine.py'}"]
    with pytest.raises(UsageError, match="in or below the working folder"):
        order_of(job, folder)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder and an environment that a node may change."""
    monkeypatch.chdir(tmp_path)
    for name in ("ANOMALYNET_DATA", *THREADS):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    monkeypatch.setenv("ANOMALYNET_RAY_RUNS", str(tmp_path / "node"))
    yield tmp_path
    cluster.NODE_WORKER.end()


@pytest.mark.slow
def test_a_run_that_is_cut_continues_on_another_node_as_if_nothing_had_been(here: Path) -> None:
    (job,) = jobs_in(here, "training.epochs=6", "training.patience=6")
    message, folder = {**job.message(None)}, job.folder
    task = carry_out({**order_of(message, folder), "poll": 0.05})
    assert next(task) == {"host": socket.gethostname()}
    download_results(folder, next(task)["files"])
    assert 1 <= len(folder.read_progress()) < 6
    cluster.NODE_WORKER.end()
    assert next(one for one in task if "reply" in one)["reply"]["died"] == "killed by SIGKILL"
    order = order_of(message, folder)
    assert set(order["state"]) == set(STATE)
    (last,) = (one for one in carry_out(order) if "reply" in one)
    assert last["reply"]["failed"] is None and not last["reply"]["was_done"]
    assert not list((here / "node").rglob("*.ckpt"))
    download_results(folder, last["files"])
    alone = train(load(message["experiment"], message["overrides"], message["axis"]), here / "one")
    assert alone is not None
    assert identical(alone.folder, folder)


def test_a_node_with_other_code_or_data_says_so_and_clears_away_what_was_killed(here: Path) -> None:
    (job,) = jobs_in(here)
    host = socket.gethostname()
    names = (f"{host}-{os.getppid()}", f"{host}-999999999", "elsewhere-999999999")
    left = [here / "node" / name for name in names]
    for folder in left:
        folder.mkdir(parents=True)
    order = order_of(job.message(None), job.folder)
    _, other = carry_out({**order, "id": "0123456789"})
    assert other["unfit"].endswith(f"it would train the run {order['id']}, not 0123456789")
    _, other = carry_out({**order, "code": "0123456789"})
    told = f"it has other code ({code_hash()}) than the machine that sends it (0123456789)"
    assert other["unfit"] == told
    assert [folder.exists() for folder in left] == [True, False, True]


def namespace() -> list[str]:
    """The command that starts another in an empty network namespace, for Ray looks up names and
    asks for cloud metadata when it starts; nothing where that is not allowed."""
    alone = ["unshare", "-rn"]
    if not (shutil.which("unshare") and shutil.which("ip")):
        return []
    allowed = subprocess.run([*alone, "true"], capture_output=True, check=False).returncode == 0
    return [*alone, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"] if allowed else []


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install -e '.[ray]'")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the nodes' addresses are Linux's")
def test_a_node_killed_in_mid_sweep_changes_no_byte(tmp_path: Path) -> None:
    sweep = tmp_path / "mine.yaml"
    sweep.write_text(two_nodes.SWEEP)
    planned = plan(read_sweep(str(sweep), "quick"), two_nodes.OVERRIDES)
    local = jobs_of(planned, tmp_path / "local")
    with Launch([Slot()]) as launch:
        launch.run(local, lambda: None, interval=0.05)
    assert {job.state for job in local} == {"done"}
    with tempfile.TemporaryDirectory(prefix="ray") as short:  # a socket's path is short
        ray = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": short}
        program = [*namespace(), sys.executable, "-m", "tests.sweep.two_nodes", str(tmp_path)]
        done = subprocess.run(
            program, env=os.environ | ray, capture_output=True, text=True, check=False, timeout=240
        )
    assert done.returncode == 0, done.stderr[-4000:]
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert (facts["slots"], facts["nodes"]) == (2, ["node0", "node1"])
    assert (sum(facts["losses"]), facts["attempts"]) == (1, [1] * len(local))
    assert facts["seen"]["running"] and facts["seen"]["epochs"] >= 1
    for job in local:
        here, there = (
            job.folder.path,
            tmp_path / "runs" / job.folder.path.relative_to(tmp_path / "local"),
        )
        for name in ("result.json", "scores.parquet", "incidents.json"):
            assert (there / name).read_bytes() == (here / name).read_bytes(), f"{there}: {name}"
        names = [{path.relative_to(one) for path in one.rglob("*")} for one in (here, there)]
        assert names[0] == names[1]
