"""Workers on the nodes of a Ray cluster. A worker is an actor; the run's folder, its lock and its state stay here."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anomalynet.config.load import Loaded, load
from anomalynet.config.schema import HardwareConfig
from anomalynet.config.show import as_yaml
from anomalynet.data import sources
from anomalynet.data.folder import data_folder
from anomalynet.errors import RunError, UsageError
from anomalynet.runs.files import write_bytes, write_text
from anomalynet.runs.folder import BusyError, RunFolder
from anomalynet.sweep.node import STATE, Node, Order, program, read_files
from anomalynet.sweep.slots import THREADS, Slot

POLL = 2.0
"""Seconds between two looks at a run under way."""
PLACING = 5.0
"""Seconds that a run waits for its worker to be placed before it goes back to the queue, where another slot may take it."""
NO_ROOM = 60.0
"""Seconds without any worker on a cluster that has no node large enough, after which that is an error."""


@dataclass(frozen=True, slots=True)
class RaySlot(Slot):
    """Room for one run at a time, somewhere on the cluster.

    Attributes:
        cpus: CPUs that Ray keeps for it.
        gpu_share: GPUs, or a part of one.
    """

    cpus: int = 1
    gpu_share: float = 0.0

    def __str__(self) -> str:
        return f"{self.cpus} CPU" + (f" and {self.gpu_share:g} GPU" if self.gpu_share else "")


def connect() -> Any:
    """The module `ray`, connected as Ray does it: to RAY_ADDRESS, else to the cluster of this machine, else to one started now.

    Raises:
        UsageError: Ray is not installed, or there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise UsageError("--on ray: Ray is not installed", "pip install 'anomalynet[ray]'") from None
    if not ray.is_initialized():
        try:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = os.environ.get("RAY_ADDRESS", "this machine's address")
            raise UsageError(f"--on ray: no cluster at {where}: {_first_line(error)}", "RAY_ADDRESS=HOST:PORT names another") from None
    return ray


@contextlib.contextmanager
def session() -> Iterator[Any]:
    """`connect`, and let go of the cluster afterwards. Ray prints notices to stdout, where results belong: closed meanwhile."""
    ray = connect()
    try:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
            yield ray
    finally:
        ray.shutdown()


def ray_slots(ray: Any, count: int | None, hardware: HardwareConfig, runs_per_gpu: int = 1) -> list[Slot]:
    """`count` slots on a cluster, by default as many as its nodes have room for: on GPUs if there are any, else on CPUs.

    Raises:
        UsageError: no node has room for one run, or several runs are to share each of several GPUs.
    """
    if count is not None and count < 1:
        raise UsageError(f"--slots must be at least 1, not {count}")
    if runs_per_gpu < 1 or (hardware.devices > 1 and runs_per_gpu > 1):
        raise UsageError(f"--runs-per-gpu {runs_per_gpu}: at least 1, and a run on several devices has them alone")
    has_gpus = any(resources.get("GPU", 0) for resources in _living(ray))
    if hardware.accelerator == "cuda" or (hardware.accelerator == "auto" and has_gpus):
        slot = RaySlot(gpu_share=hardware.devices / runs_per_gpu)
    else:
        slot = RaySlot(cpus=hardware.devices)
    found = room(ray, slot)
    if not found and count is None:
        raise UsageError(f"no node of the Ray cluster has {slot} for a run", "`ray status` says what it has")
    return [slot] * (found if count is None else count)


def _living(ray: Any) -> list[dict[str, float]]:
    """The resources of each node that is alive."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def room(ray: Any, slot: RaySlot) -> int:
    """How many workers of a kind the cluster could carry if nothing else ran on it."""
    found = 0
    for resources in _living(ray):
        shares = [resources.get("CPU", 0) / slot.cpus, *([resources.get("GPU", 0) / slot.gpu_share] if slot.gpu_share else [])]
        found += int(min(shares) + 1e-9)
    return found


class RayCluster:
    """What the workers of one launch share: where they are made, and whether any of them has a place."""

    def __init__(self, ray: Any, say: Callable[[str], None] = lambda text: None) -> None:
        self.ray, self.say = ray, say
        self._placed: set[int] = set()
        self._empty_since = time.monotonic()
        self._told = False

    def hire(self, slot: Slot) -> RayWorker:
        """A worker for a slot; Ray looks for its place when it gets its first run."""
        assert isinstance(slot, RaySlot)
        return RayWorker(self, slot)

    def actor(self, slot: RaySlot) -> Any:
        """A new actor, which Ray never starts again by itself: where it dies, its run goes back to the queue first."""
        kind = self.ray.remote(
            num_cpus=slot.cpus, num_gpus=slot.gpu_share, max_restarts=0, max_task_retries=0, concurrency_groups={"news": 1}
        )
        return kind(Node).remote()

    def placed(self, worker: RayWorker, there: bool) -> None:
        """Note that a worker has a place, or has none any more."""
        (self._placed.add if there else self._placed.discard)(id(worker))
        self._empty_since = time.monotonic()

    def check(self, slot: RaySlot) -> None:
        """Say once that the cluster is taken; the runs wait as long as it could carry them.

        Raises:
            RunError: no worker has a place, and no living node is large enough for one.
        """
        if self._placed or time.monotonic() - self._empty_since < PLACING:
            return
        if room(self.ray, slot):
            if not self._told:
                self.say(f"waiting for {slot} of the Ray cluster, which others use")
            self._told = True
        elif time.monotonic() - self._empty_since > NO_ROOM:
            raise RunError(f"no node of the Ray cluster has {slot} for a run", "`ray status` says what it has; the same command continues")


class RayWorker:
    """An actor on some node; a new one where it was lost."""

    def __init__(self, cluster: RayCluster, slot: RaySlot) -> None:
        self.cluster, self.slot, self.ray = cluster, slot, cluster.ray
        self.spent = False
        self._actor: Any = None
        self._hello: Any = None
        self._host: str | None = None
        self._words = ""
        self._asked = threading.Lock()

    def ask(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """Carry out a job on the node, in the lock of its folder here.

        A run that kills its process is told by the node (`died`), so an actor that is gone went with its node or its connection: `lost`,
        which is not the run's fault. None where Ray ended the actor because the run took the node's memory.

        Raises:
            RunError: the node has other code or data, or cannot work at all: so could every other run.
        """
        folder = RunFolder(Path(job["folder"]))
        with self._asked:
            try:
                if job["renew"]:
                    folder.renew()
                with folder.locked(wait=False):
                    if folder.finished:
                        return {"failed": None, "was_done": True}
                    return self._carry_out(job, folder)
            except BusyError:
                return {"failed": None, "busy": True}
            except self.ray.exceptions.RayTaskError as error:
                cause = getattr(error, "cause", None) or error
                raise RunError(f"{self._host or 'a node of the Ray cluster'}: {type(cause).__name__}: {_first_line(cause)}") from None
            except self.ray.exceptions.RayError as error:
                where, self.spent = self._host or "a node of the Ray cluster", True
                if isinstance(error, self.ray.exceptions.OutOfMemoryError):
                    self._words = f"{where} ran out of memory"
                    return None
                self.cluster.say(f"{where} was lost; its run {folder.path.name} goes back to the queue")
                return {"failed": None, "lost": f"{where}, {type(error).__name__}"}

    def _carry_out(self, job: dict[str, Any], folder: RunFolder) -> dict[str, Any]:
        folder.stop.unlink(missing_ok=True)
        folder.failed.unlink(missing_ok=True)
        if not self._has_place():
            self.cluster.check(self.slot)
            return {"failed": None, "busy": True}
        loaded = load(job["experiment"], job["overrides"], job["axis"])
        write_text(folder.config, as_yaml(loaded, origin=True))
        working = self._actor.work.remote(order_of(job, loaded, folder))
        seen = 0
        while not self.ray.wait([working], timeout=POLL)[0]:
            seen = self._follow(folder, seen)
        reply: dict[str, Any] = self.ray.get(working)
        if "unfit" in reply:
            raise RunError(f"{self._host} cannot do the runs of this sweep: {reply['unfit']}")
        bring_home(folder, reply.pop("files", {}))
        return reply

    def _has_place(self) -> bool:
        if self._actor is None:
            self._actor = self.cluster.actor(self.slot)
            environment = {name: os.environ.get(name, "1") for name in THREADS}
            self._hello = self._actor.hello.remote(environment, str(data_folder().absolute()))
        if self._host is None:
            if not self.ray.wait([self._hello], timeout=PLACING)[0]:
                return False
            hello = self.ray.get(self._hello)
            if hello["code"] != program():
                what = f"{hello['host']} has other code ({hello['code']}) than this machine ({program()})"
                raise RunError(what, "install the same anomalynet on every node of the cluster")
            self._host = hello["host"]
            self.cluster.placed(self, True)
        return True

    def _follow(self, folder: RunFolder, seen: int) -> int:
        """Bring home what the run has come to, and pass on a request to stop. An actor that cannot be reached is known by its `work`."""
        asking = self._actor.news.options(concurrency_group="news").remote(seen, folder.stop.exists())
        try:
            seen, files = self.ray.get(asking, timeout=10 * POLL)
        except self.ray.exceptions.RayError:
            return seen
        bring_home(folder, files)
        return int(seen)

    def last_words(self) -> str:
        """What Ray says of its end."""
        return self._words

    def end(self) -> None:
        """Kill the actor, and with it the process that trains; what has come home can be continued."""
        self.cluster.placed(self, False)
        if self._actor is not None:
            with contextlib.suppress(Exception):  # it may be gone, and the cluster too
                self.ray.kill(self._actor)
        if self._asked.acquire(timeout=10):  # `ask` returns now, and lets go of the run's folder
            self._asked.release()


def order_of(job: Mapping[str, Any], loaded: Loaded, folder: RunFolder) -> Order:
    """A run as a node needs it: nothing in it is a path of this machine, but `data.root`.

    Raises:
        UsageError: a file of the user's own that has no place beneath a working folder.
    """
    config = loaded.config
    own = [name for name in (config.model.name, config.data.name) if name.endswith((".py", ".yaml"))]
    for name in own:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise UsageError(f"{name}: --on ray sends files that lie beneath the working folder", "name it relative to that folder")
    root = config.data.root and str(Path(config.data.root).absolute())
    sent = replace(loaded, config=replace(config, data=replace(config.data, root=root)))
    return Order(
        experiment=loaded.name,
        id=folder.path.name,
        fingerprint=sources.fingerprint(config.data),
        files={f"{loaded.name}.yaml": as_yaml(sent), **{name: Path(name).read_text(encoding="utf-8") for name in own}},
        state=read_files(folder, STATE) if folder.last.exists() else {},
        devices=job["devices"],
        group=job["group"],
    )


def bring_home(folder: RunFolder, files: Mapping[str, bytes]) -> None:
    """Write a run's files: best before last, so that last can always be continued, and the result when everything else is there."""
    for name in sorted(files, key=lambda name: (name == "result.json", name)):
        write_bytes(folder.path / name, files[name])


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
