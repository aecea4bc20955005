"""Searches of fake runs, which take no time, do not wait for more."""

from __future__ import annotations

import queue
from typing import Any

import pytest


class Eager(queue.Queue[Any]):
    """Gives up after 10 ms: a launch ends so much sooner after its last run."""

    def get(self, block: bool = True, timeout: float | None = 0.01) -> Any:
        return super().get(block, min(timeout or 0.01, 0.01))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomalynet.sweep.launch.queue.Queue", Eager)
