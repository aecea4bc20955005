"""The life line of a run that has processes of its own."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = "from anomalynet.sweep.worker import end_with_stdin as held; held(); import time; "


def test_a_process_with_a_life_line_ends_well_by_itself_or_when_it_is_cut() -> None:
    commands = [[sys.executable, "-c", f"{PROGRAM}time.sleep({time})"] for time in (0.3, 60)]
    alone, cut = (subprocess.Popen(command, stdin=subprocess.PIPE) for command in commands)
    assert cut.stdin
    cut.stdin.close()
    assert cut.wait(timeout=60) == 1
    assert alone.wait(timeout=60) == 0
