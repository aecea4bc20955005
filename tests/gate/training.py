"""Runs the check's training in this process: torch is imported already, and faults apply."""

from __future__ import annotations

from typing import Any

import pytest

from anomalynet.sweep.launch import LocalWorker
from anomalynet.sweep.worker import work


def in_process(patch: pytest.MonkeyPatch) -> None:
    """Workers that carry out their jobs here instead of in a process of their own."""

    def ask(self: LocalWorker, job: dict[str, Any]) -> dict[str, Any]:
        return {**work(job), "memory": 0}

    patch.setattr(LocalWorker, "ask", ask)
