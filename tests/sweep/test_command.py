"""The life line of a run that has processes of its own."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = (
    "import time; from anomalynet.sweep.worker import end_with_stdin; end_with_stdin(); "
    "time.sleep({seconds})"
)


def started(seconds: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(seconds=seconds)], stdin=subprocess.PIPE
    )


def test_a_process_with_a_life_line_ends_well_by_itself() -> None:
    process = started(0.3)
    assert process.wait(timeout=60) == 0


def test_a_process_ends_when_its_life_line_is_cut() -> None:
    process = started(60)
    assert process.stdin
    process.stdin.close()
    assert process.wait(timeout=30) == 1
