"""Workers on the nodes of a Ray cluster. A worker is an actor; the run's folder, its lock and its
state stay here."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anomalynet.config.load import load
from anomalynet.config.show import as_yaml
from anomalynet.data.folder import data_folder
from anomalynet.errors import RunError
from anomalynet.runs.files import write_text
from anomalynet.runs.folder import BusyError, RunFolder
from anomalynet.sweep.cluster.node import Node
from anomalynet.sweep.cluster.session import RaySlot, first_line, room
from anomalynet.sweep.cluster.travel import bring_home, order_of, program
from anomalynet.sweep.slots import THREADS, Slot
from anomalynet.tracking.run import catch_up

POLL = 2.0
"""Seconds between two looks at a run under way."""
PLACING = 5.0
"""Seconds that a run waits for its worker to be placed before it goes back to the queue, where
another slot may take it."""
SAME_CODE = "install the same anomalynet on every node of the cluster"
AGAIN = "`ray status` says what it has; the same command continues"
SILENT = 15.0
"""Seconds without any worker after which the user is told what is waited for."""
NO_ROOM = 60.0
"""Seconds without any worker after which it is an error that none has room, or that none starts."""


class RayCluster:
    """What the workers of one launch share: where they are made, and whether any of them has a
    place."""

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
        """A new actor, which Ray never starts again by itself: where it dies, its run goes back to
        the queue first."""
        kind = self.ray.remote(
            num_cpus=slot.cpus,
            num_gpus=slot.gpu_share,
            max_restarts=0,
            max_task_retries=0,
            concurrency_groups={"news": 1},
        )
        return kind(Node).remote()

    def placed(self, worker: RayWorker, there: bool) -> None:
        """Note that a worker has a place, or has none any more."""
        if there or id(worker) in self._placed:
            self._empty_since = time.monotonic()
        (self._placed.add if there else self._placed.discard)(id(worker))

    def check(self, slot: RaySlot, failure: str = "") -> None:
        """Say once that no worker has a place yet; the runs wait as long as the cluster could carry
        them.

        Args:
            slot: what is waited for.
            failure: how a worker ended before it had begun, as it does where Ray places it on a
            node that it does not know to be gone.

        Raises:
            RunError: for a while no worker has had a place, and no living node is large enough for
            one or every start fails.
        """
        seconds = 0.0 if self._placed else time.monotonic() - self._empty_since
        if seconds > NO_ROOM and failure:
            raise RunError(f"no worker starts on the Ray cluster: {failure}", AGAIN)
        if seconds > NO_ROOM and not room(self.ray, slot):
            raise RunError(f"no node of the Ray cluster has {slot} for a run", AGAIN)
        if seconds > SILENT and not self._told:
            self.say(f"waiting for a place on the Ray cluster: {slot} for a run")
            self._told = True


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

        A run that kills its process is told by the node (`died`), so an actor that is gone went
        with its node or its connection: `lost`, which is not the run's fault. None where Ray ended
        the actor because the run took the node's memory.

        Raises:
            RunError: the node has other code or data, or cannot work at all: so could every other
            run.
        """
        folder = RunFolder(Path(job["folder"]))
        with self._asked:
            try:
                folder.renew(finished=job["renew"])
                with folder.locked(wait=False):
                    if folder.finished:
                        return {"failed": None, "was_done": True}
                    return self._carry_out(job, folder)
            except BusyError:
                return {"failed": None, "busy": True}
            except self.ray.exceptions.RayTaskError as error:
                cause = getattr(error, "cause", None) or error
                raise RunError(
                    f"{self._host or 'a node of the Ray cluster'}: {type(cause).__name__}: "
                    f"{first_line(cause)}"
                ) from None
            except self.ray.exceptions.RayError as error:
                if "raised in its creation task" in str(error):  # what it imports is not there
                    told = (
                        "a node of the Ray cluster cannot start a worker: "
                        f"{str(error).strip().splitlines()[-1]}"
                    )
                    raise RunError(told, SAME_CODE) from None
                self.spent = True
                if self._host is None:
                    self.cluster.check(self.slot, failure=first_line(error))
                    return {"failed": None, "busy": True}
                if isinstance(error, self.ray.exceptions.OutOfMemoryError):
                    self._words = f"{self._host} ran out of memory"
                    return None
                self.cluster.say(
                    f"{self._host} was lost; its run {folder.path.name} goes back to the queue"
                )
                return {"failed": None, "lost": f"{self._host}, {type(error).__name__}"}

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
        if folder.finished:
            catch_up(loaded, folder, job["group"])
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
                what = (
                    f"{hello['host']} has other code ({hello['code']}) than this machine "
                    f"({program()})"
                )
                raise RunError(what, SAME_CODE)
            self._host = hello["host"]
            self.cluster.placed(self, True)
        return True

    def _follow(self, folder: RunFolder, seen: int) -> int:
        """Bring home what the run has come to, and pass on a request to stop. An actor that cannot
        be reached is known by its `work`."""
        asking = self._actor.news.options(concurrency_group="news").remote(
            seen, folder.stop.exists()
        )
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
        """Kill the actor, and with it the process that trains; what has come home can be
        continued."""
        self.cluster.placed(self, False)
        if self._actor is not None:
            with contextlib.suppress(Exception):  # it may be gone, and the cluster too
                self.ray.kill(self._actor)
        if self._asked.acquire(timeout=10):  # `ask` returns now, and lets go of the run's folder
            self._asked.release()
