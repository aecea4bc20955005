"""Workers on a cluster, with a stand-in for Ray: what each end says to the other, and what happens
when one is gone."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from anomalynet.config.load import load
from anomalynet.config.schema import HardwareConfig
from anomalynet.errors import RunError, UsageError
from anomalynet.runs.files import write_bytes
from anomalynet.runs.folder import RunFolder
from anomalynet.sweep.cluster import node, session, worker
from anomalynet.sweep.cluster.session import RaySlot, ray_slots
from anomalynet.sweep.cluster.travel import STATE, Order, bring_home, order_of, program
from anomalynet.sweep.cluster.worker import RayCluster
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.jobs import Job, jobs_of
from anomalynet.sweep.launch import ATTEMPTS, LOSSES, Launch
from anomalynet.sweep.plan import plan
from anomalynet.sweep.slots import THREADS
from anomalynet.training.run import train
from tests.sweep.cluster.fake_ray import ActorDiedError, FakeRay, OutOfMemoryError, RayTaskError
from tests.training.small import SHORT, identical

OVERRIDES = [text for text in SHORT if not text.startswith("model.")]
FILES = {
    "result.json": b"{}",
    "scores.parquet": b"s",
    "checkpoints/last.ckpt": b"l",
    "checkpoints/best.ckpt": b"b",
    "timings.json": b"{}",
}


class Scripted:
    """A node that does what a test says."""

    code = program()
    errors: ClassVar[list[Exception]] = []
    """Raised by the next runs, one each."""
    starts: ClassVar[list[Exception]] = []
    """Raised by the next workers instead of a greeting, one each."""
    reply: ClassVar[dict[str, Any]] = {}
    stop_asked = threading.Event()
    seen: ClassVar[list[bool]] = []
    """Of each run, whether its folder's lock was held here meanwhile."""
    runs: ClassVar[Path]

    def hello(self, environment: dict[str, str], data: str) -> dict[str, str]:
        if self.starts:
            raise self.starts.pop(0)
        return {"host": "node1", "code": self.code}

    def work(self, order: Order) -> dict[str, Any]:
        type(self).seen.append(RunFolder(self.runs / order["experiment"] / order["id"]).running)
        if self.errors:
            raise self.errors.pop(0)
        if self.reply.get("stopped"):
            assert self.stop_asked.wait(20)
        return {"failed": None, "was_done": False, "files": FILES, **self.reply}

    def news(self, seen: int, stop: bool) -> tuple[int, dict[str, bytes]]:
        if stop:
            self.stop_asked.set()
        return 7, (
            {"checkpoints/last.ckpt": b"early", "progress.jsonl": b'{"epoch": 0}\n'}
            if seen != 7
            else {}
        )


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Scripted]:
    kind = type(
        "Again",
        (Scripted,),
        {
            "errors": [],
            "starts": [],
            "reply": {},
            "seen": [],
            "stop_asked": threading.Event(),
            "runs": tmp_path,
        },
    )
    monkeypatch.setattr(worker, "Node", kind)
    monkeypatch.setattr(worker, "POLL", 0.05)
    monkeypatch.setattr(worker, "PLACING", 0.3)
    return kind


def jobs_in(folder: Path, folds: int = 1) -> list[Job]:
    folder.mkdir(exist_ok=True)
    sweep = folder / "mine.yaml"
    sweep.write_text(f"experiments: [hybrid]\nseeds: [0]\nfolds: {list(range(folds))}\n")
    return jobs_of(plan(read_sweep(str(sweep), "quick"), OVERRIDES), folder)


def launched(ray: FakeRay, jobs: list[Job], slots: int = 1, watch: Any = lambda: None) -> list[str]:
    said: list[str] = []
    with Launch(
        [RaySlot()] * slots, hire=RayCluster(ray, said.append).hire, say=said.append
    ) as launch:
        launch.run(jobs, watch, interval=0.02)
    return said


def test_a_run_comes_home_with_its_result_last(
    scripted: type[Scripted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def noted(path: Path, content: bytes) -> None:
        written.append(path.name)
        write_bytes(path, content)

    monkeypatch.setattr("anomalynet.sweep.cluster.travel.write_bytes", noted)
    (job,) = jobs_in(tmp_path)
    ray = FakeRay(1)
    launched(ray, [job])
    assert (job.state, job.was_done, job.attempts) == ("done", False, 1)
    assert scripted.seen == [True]
    assert not job.folder.running
    assert written[-5:] == [
        "best.ckpt",
        "last.ckpt",
        "scores.parquet",
        "timings.json",
        "result.json",
    ]
    assert {name: (job.folder.path / name).read_bytes() for name in FILES} == FILES
    assert "# the sweep" in job.folder.config.read_text()
    assert ray.asked[0] == {
        "num_cpus": 1,
        "num_gpus": 0.0,
        "max_restarts": 0,
        "max_task_retries": 0,
        "concurrency_groups": {"news": 1},
    }
    assert all(actor.killed.is_set() for actor in ray.actors)


def test_a_run_that_another_command_works_on_is_left_to_it(
    scripted: type[Scripted], tmp_path: Path
) -> None:
    (job,) = jobs_in(tmp_path)
    ray = FakeRay(1)
    worker = RayCluster(ray).hire(RaySlot())
    with job.folder.locked(wait=False):
        assert worker.ask(job.message(None)) == {"failed": None, "busy": True}
    assert ray.actors == []


def test_other_code_on_a_node_ends_the_sweep_and_fails_no_run(
    scripted: type[Scripted], tmp_path: Path
) -> None:
    scripted.code = "0123456789"
    jobs = jobs_in(tmp_path, folds=2)
    with pytest.raises(
        RunError, match=rf"node1 has other code \(0123456789\) than this machine \({program()}\)"
    ):
        launched(FakeRay(1), jobs)
    assert [job.state for job in jobs] == ["waiting"] * 2
    assert not any(job.folder.failed.exists() for job in jobs)


@pytest.mark.parametrize(
    ("set_up", "message"),
    [
        (
            {"reply": {"unfit": "no files of skab"}},
            "node1 cannot do the runs of this sweep: no files of skab",
        ),
        ({"errors": [RayTaskError("no space left")]}, "node1: RayTaskError: no space left"),
        (
            {
                "starts": [
                    ActorDiedError(
                        "an error raised in its creation task, \nModuleNotFoundError: No module "
                        "named 'anomalynet'"
                    )
                ]
            },
            "cannot start a worker: ModuleNotFoundError: No module named 'anomalynet'\n  → "
            "install the same anomalynet on every node",
        ),
    ],
)
def test_a_node_that_cannot_work_ends_the_sweep(
    scripted: type[Scripted], tmp_path: Path, set_up: dict[str, Any], message: str
) -> None:
    for name, value in set_up.items():
        setattr(scripted, name, value)
    with pytest.raises(RunError, match=message):
        launched(FakeRay(1), jobs_in(tmp_path))


def test_a_request_to_stop_reaches_the_node_and_the_state_comes_home(
    scripted: type[Scripted], tmp_path: Path
) -> None:
    scripted.reply = {"stopped": True, "files": {"checkpoints/last.ckpt": b"late"}}
    (job,) = jobs_in(tmp_path)

    def stop_after_an_epoch() -> None:
        if job.folder.read_progress() == [{"epoch": 0}]:
            assert job.folder.last.read_bytes() in (b"early", b"late")
            job.folder.stop.touch()

    launched(FakeRay(1), [job], watch=stop_after_an_epoch)
    assert (job.state, scripted.stop_asked.is_set()) == ("stopped", True)
    assert job.folder.last.read_bytes() == b"late"


def test_a_lost_node_is_not_the_runs_fault(scripted: type[Scripted], tmp_path: Path) -> None:
    scripted.errors = [ActorDiedError("gone")] * (ATTEMPTS + 1)
    (job,) = jobs_in(tmp_path)
    ray = FakeRay(1)
    said = launched(ray, [job])
    assert (job.state, job.attempts, job.losses, len(ray.actors)) == (
        "done",
        1,
        ATTEMPTS + 1,
        ATTEMPTS + 2,
    )
    assert said == [f"node1 was lost; its run {job.folder.path.name} goes back to the queue"] * (
        ATTEMPTS + 1
    )


def test_a_worker_placed_on_a_node_that_is_gone_costs_the_run_nothing(
    scripted: type[Scripted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.starts = [ActorDiedError("its node is dead")] * 2
    (job,) = jobs_in(tmp_path)
    ray = FakeRay(1)
    assert launched(ray, [job]) == []
    assert (job.state, job.attempts, job.losses, len(ray.actors)) == ("done", 1, 0, 3)
    monkeypatch.setattr(worker, "NO_ROOM", 0.5)
    scripted.starts = [ActorDiedError("its node is dead")] * 100
    (again,) = jobs_in(tmp_path / "again")
    with pytest.raises(RunError, match="no worker starts on the Ray cluster: its node is dead"):
        launched(ray, [again])
    assert (again.state, again.losses) == ("waiting", 0)


def test_a_run_whose_nodes_are_always_lost_fails(scripted: type[Scripted], tmp_path: Path) -> None:
    scripted.errors = [ActorDiedError("gone")] * 100
    (job,) = jobs_in(tmp_path)
    launched(FakeRay(1), [job])
    assert (job.state, job.reason) == (
        "failed",
        f"its machine was lost {LOSSES + 1} times, last: node1, ActorDiedError",
    )


@pytest.mark.parametrize(
    ("errors", "reply", "reason"),
    [
        ([OutOfMemoryError("too much")] * ATTEMPTS, {}, "node1 ran out of memory"),
        ([], {"died": "killed by SIGKILL"}, "killed by SIGKILL"),
    ],
)
def test_a_run_that_kills_its_worker_uses_up_its_attempts(
    scripted: type[Scripted],
    tmp_path: Path,
    errors: list[Exception],
    reply: dict[str, Any],
    reason: str,
) -> None:
    scripted.errors, scripted.reply = errors, {**reply, "files": {}}
    (job,) = jobs_in(tmp_path)
    launched(FakeRay(1), [job])
    assert (job.state, job.reason) == (
        "failed",
        f"the worker died {ATTEMPTS} times, last: {reason}",
    )


def test_where_one_of_two_workers_finds_no_place_the_other_does_all(
    scripted: type[Scripted], tmp_path: Path
) -> None:
    jobs = jobs_in(tmp_path, folds=3)
    launched(FakeRay(2, places=1), jobs, slots=2)
    assert [(job.state, job.attempts, job.losses) for job in jobs] == [("done", 1, 0)] * 3


def test_a_cluster_without_room_is_an_error_and_a_taken_one_is_waited_for(
    scripted: type[Scripted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "NO_ROOM", 0.5)
    jobs = jobs_in(tmp_path)
    with pytest.raises(RunError, match="no node of the Ray cluster has 1 CPU for a run"):
        launched(FakeRay(places=0), jobs)
    assert [job.state for job in jobs] == ["waiting"]
    taken = FakeRay(1, places=0)
    calls: list[int] = []

    def free_it_later() -> None:
        calls.append(1)
        if len(calls) == 60:
            taken.places.release()

    monkeypatch.setattr(worker, "SILENT", 0.2)
    said = launched(taken, jobs, watch=free_it_later)
    assert said == ["waiting for a place on the Ray cluster: 1 CPU for a run"]
    assert [job.state for job in jobs] == ["done"]


def test_slots_are_what_the_cluster_has() -> None:
    def of(
        ray: FakeRay, count: int | None, runs_per_gpu: int = 1, **hardware: Any
    ) -> list[tuple[int, float]]:
        found = ray_slots(ray, count, HardwareConfig(**hardware), runs_per_gpu)
        return [(slot.cpus, slot.gpu_share) for slot in found if isinstance(slot, RaySlot)]

    assert of(FakeRay(2, 3), None) == [(1, 0.0)] * 5
    assert of(FakeRay(2, 3), None, devices=2) == [(2, 0.0)] * 2
    assert of(FakeRay(2, 3), 9) == [(1, 0.0)] * 9
    assert of(FakeRay(8, 8, gpus=2), None) == [(1, 1.0)] * 4
    assert of(FakeRay(8, 8, gpus=2), None, 3) == [(1, 1 / 3)] * 12
    assert of(FakeRay(8, 8, gpus=2), None, devices=2) == [(1, 2.0)] * 2
    assert of(FakeRay(8, gpus=2), None, accelerator="cpu") == [(1, 0.0)] * 8
    with pytest.raises(UsageError, match="no node of the Ray cluster has 1 CPU and 1 GPU"):
        of(FakeRay(8), None, accelerator="cuda")
    with pytest.raises(UsageError, match="has them alone"):
        of(FakeRay(8, gpus=2), None, 2, devices=2)


def test_without_ray_there_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        UsageError, match=r"Ray is not installed\n  → pip install 'anomalynet\[ray\]'"
    ):
        session.connect()


def test_a_cluster_that_is_gone_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    ray = SimpleNamespace(
        is_initialized=lambda: False, init=lambda **options: told.append(options["address"])
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    session.connect()
    record = tmp_path / "ray" / "ray_current_cluster"
    record.parent.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        alive = f"127.0.0.1:{server.getsockname()[1]}"
        record.write_text(alive)
        session.connect()
        monkeypatch.setenv("RAY_ADDRESS", alive)
        session.connect()
    assert told == [None, None, alive]
    with pytest.raises(UsageError, match=f"nothing answers at RAY_ADDRESS={alive}"):
        session.connect()
    monkeypatch.delenv("RAY_ADDRESS")
    session.connect()
    assert told[3:] == ["local"]


def test_an_order_holds_no_path_of_this_machine_but_the_datas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("from anomalynet.config.model import CNN as Config\n")
    message = {"devices": 2, "group": "g"}
    folder = RunFolder(tmp_path / "hybrid" / "0123456789")
    loaded = load("hybrid", [*OVERRIDES, "data.root=here", "model.name=./mine.py"])
    order = order_of(message, loaded, folder)
    assert (order["experiment"], order["id"], order["devices"], order["group"], order["state"]) == (
        "hybrid",
        "0123456789",
        2,
        "g",
        {},
    )
    assert f"root: {tmp_path / 'here'}" in order["files"]["hybrid.yaml"]
    assert set(order["files"]) == {"hybrid.yaml", "./mine.py"}
    assert order["files"]["./mine.py"] == Path("mine.py").read_text()
    with pytest.raises(
        UsageError, match="--on ray sends files that lie beneath the working folder"
    ):
        order_of(
            message, load("hybrid", [*OVERRIDES, f"model.name={tmp_path / 'mine.py'}"]), folder
        )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder and an environment that a node may change."""
    monkeypatch.chdir(tmp_path)
    for name in ("ANOMALYNET_DATA", *THREADS):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    monkeypatch.setenv("ANOMALYNET_RAY_RUNS", str(tmp_path / "node"))
    return tmp_path


def test_a_stopped_run_continues_on_another_node_as_if_nothing_had_been(here: Path) -> None:
    (job,) = jobs_of(
        plan(
            read_sweep(_sweep(here), "quick"),
            [*OVERRIDES, "training.epochs=6", "training.patience=6"],
        ),
        here / "runs",
    )
    loaded, folder = job.run.loaded, job.folder
    first = node.Node()
    first.hello({}, os.environ["ANOMALYNET_DATA"])
    with ThreadPoolExecutor() as pool:
        working = pool.submit(first.work, order_of(job.message(None), loaded, folder))
        stamp = 0
        while not working.done():
            stamp, files = first.news(stamp, stop=stamp > 0)
            bring_home(folder, files)
            time.sleep(0.1)
    reply = working.result()
    assert reply["stopped"]
    assert list(first.runs.rglob("*.ckpt")) == []
    bring_home(folder, reply["files"])
    epochs = len(folder.read_progress())
    assert 1 <= epochs < 6
    assert first.worker
    first.worker.end()
    second = node.Node()
    order = order_of(job.message(None), loaded, folder)
    assert set(order["state"]) == set(STATE)
    last = second.work(order)
    assert second.worker
    second.worker.end()
    assert (last["failed"], last["was_done"]) == (None, False)
    bring_home(folder, last["files"])
    alone = train(loaded, here / "alone")
    assert alone is not None
    assert identical(alone.folder, folder)


def test_a_node_with_other_data_says_so(here: Path) -> None:
    (job,) = jobs_of(plan(read_sweep(_sweep(here), "quick"), OVERRIDES), here / "runs")
    order = order_of(job.message(None), job.run.loaded, job.folder)
    there = node.Node()
    other = there.work({**order, "fingerprint": "f" * 64})
    assert other["unfit"].endswith(
        f"its fingerprint is {order['fingerprint'][:10]}, not ffffffffff"
    )
    assert (
        there.work({**order, "id": "0123456789"})["unfit"]
        == f"the configuration comes to the run {order['id']} here, not 0123456789"
    )


def _sweep(folder: Path) -> str:
    path = folder / "mine.yaml"
    path.write_text("experiments: [hybrid]\nseeds: [0]\nfolds: [0]\n")
    return str(path)


def test_what_killed_processes_left_on_a_node_is_cleared_away(here: Path) -> None:
    host = socket.gethostname()
    kept, left, other = (
        here / "node" / name
        for name in (f"{host}-{os.getppid()}", f"{host}-999999999", "elsewhere-999999999")
    )
    for folder in (kept, left, other):
        folder.mkdir(parents=True)
    there = node.Node()
    assert there.hello({}, str(here))["code"] == program()
    assert (kept.exists(), left.exists(), other.exists()) == (True, False, True)
    assert Path.cwd() == there.place
