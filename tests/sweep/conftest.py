"""One worker process for all tests of a session that do not end it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from anomalynet.sweep.launch import Launch
from anomalynet.sweep.slots import Slot


@pytest.fixture(scope="session")
def worker(data_home: Path) -> Iterator[Launch]:
    """A launch with one slot: its worker imports torch once and takes the jobs of every test."""
    with Launch([Slot()]) as launch:
        yield launch
