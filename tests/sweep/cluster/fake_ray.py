"""As much of Ray as a sweep uses, in threads of this process: actors are objects, nodes are a
number of places."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    """Ray's family."""


class RayTaskError(RayError):
    """An exception of the actor's own."""


class ActorDiedError(RayError):
    """The actor is gone."""


class OutOfMemoryError(RayError):
    """Ray ended the actor."""


class _Method:
    def __init__(self, actor: Actor, name: str) -> None:
        self.actor, self.name = actor, name

    def options(self, **_: Any) -> _Method:
        return self

    def remote(self, *arguments: Any) -> Future[Any]:
        return self.actor.pool.submit(self.actor.call, self.name, *arguments)


class Actor:
    """Waits for a place, then answers calls."""

    def __init__(self, kind: Callable[[], Any], places: threading.Semaphore) -> None:
        self.inner, self.places = kind(), places
        self.pool = ThreadPoolExecutor(4)
        self.placed, self.killed = False, threading.Event()

    def call(self, name: str, *arguments: Any) -> Any:
        while not self.placed and not self.killed.is_set():
            self.placed = self.places.acquire(timeout=0.02)
        if self.killed.is_set():
            raise ActorDiedError("killed")
        return getattr(self.inner, name)(*arguments)

    def __getattr__(self, name: str) -> _Method:
        return _Method(self, name)


class FakeRay:
    """The module `ray`.

    Args:
        cpus: of each living node.
        places: how many actors can be placed; by default as many as there are CPUs.
    """

    exceptions = SimpleNamespace(
        RayError=RayError,
        RayTaskError=RayTaskError,
        ActorDiedError=ActorDiedError,
        OutOfMemoryError=OutOfMemoryError,
    )

    def __init__(self, *cpus: int, gpus: int = 0, places: int | None = None) -> None:
        self.cpus, self.gpus = cpus, gpus
        self.places = threading.Semaphore(sum(cpus) if places is None else places)
        self.actors: list[Actor] = []
        self.asked: list[dict[str, Any]] = []

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"Alive": True, "Resources": {"CPU": float(cpus), "GPU": float(self.gpus)}}
            for cpus in self.cpus
        ]

    def remote(self, **options: Any) -> Callable[[Callable[[], Any]], Any]:
        self.asked.append(options)

        def make(kind: Callable[[], Any]) -> Any:
            def start() -> Actor:
                self.actors.append(Actor(kind, self.places))
                return self.actors[-1]

            return SimpleNamespace(remote=start)

        return make

    def wait(
        self, futures: Sequence[Future[Any]], timeout: float
    ) -> tuple[list[Future[Any]], list[Future[Any]]]:
        done = wait_for(futures, timeout)
        return list(done.done), list(done.not_done)

    def get(self, future: Future[Any], timeout: float | None = None) -> Any:
        return future.result(timeout)

    def kill(self, actor: Actor) -> None:
        if not actor.killed.is_set() and actor.placed:
            self.places.release()
        actor.killed.set()
