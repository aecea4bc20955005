"""Runs the check's training in this process: torch is imported already, and faults apply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anomalynet.data.importing.request import ImportRequest
from anomalynet.sweep.launch import LocalWorker
from anomalynet.sweep.worker import work


def in_process(patch: pytest.MonkeyPatch) -> None:
    """Workers that carry out their jobs here instead of in a process of their own."""

    def ask(self: LocalWorker, job: dict[str, Any]) -> dict[str, Any]:
        return work(job)

    patch.setattr(LocalWorker, "ask", ask)


def rows_request(file: Path, name: str) -> ImportRequest:
    """The import of a table like `tests.training.small.table`, its rows in any order."""
    return ImportRequest(
        file=file,
        name=name,
        time="time",
        series="device",
        label="attack",
        split="part",
        unsorted="sort",
        replace=True,
    )
