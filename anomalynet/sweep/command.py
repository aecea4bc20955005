"""A run as a command line: for schedulers, and for runs on several devices, which Lightning starts
by repeating the command."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anomalynet.config.show import scalar
from anomalynet.errors import StoppedError
from anomalynet.runs.folder import RunFolder
from anomalynet.sweep.jobs import Job


def arguments(axis: Mapping[str, object], overrides: Sequence[str]) -> list[str]:
    """A sweep's values and the command line's as `key=value`, the later winning."""
    return [*(f"{key}={scalar(value)}" for key, value in axis.items()), *overrides]


def shell_command(job: Job, runs: Path, group: str) -> str:
    """One run for a shell, to be started anywhere that sees the folder of the runs."""
    words = [
        "anomalynet",
        "train",
        job.run.arm.experiment,
        *arguments(job.run.axis, job.run.overrides),
        "--runs",
        str(runs),
    ]
    return shlex.join([*words, "--group", group])


def in_processes_of_its_own(job: Mapping[str, Any]) -> dict[str, Any]:
    """Train by `anomalynet train`, which starts a process a device; they end when this one does,
    because its pipe is their stdin.

    Returns: what a worker replies.
    """
    folder = RunFolder(Path(job["folder"]))
    was_done = folder.finished
    command = [
        sys.executable,
        "-m",
        "anomalynet",
        "train",
        job["experiment"],
        *arguments(job["axis"], job["overrides"]),
        "--runs",
        job["runs"],
        "--no-wait",
        "--life-line",
        *(["--group", job["group"]] if job["group"] else []),
    ]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    words = deque((line.rstrip() for line in process.stderr if line.strip()), maxlen=3)
    code = process.wait()
    if code == StoppedError.exit_code:
        return {"failed": None, "stopped": True}
    if code < 0:
        return {"failed": None, "died": f"killed by {signal.Signals(-code).name}"}
    if code:
        return {"failed": "\n".join(words) or f"exit status {code}", "busy": folder.running}
    return {"failed": None, "was_done": was_done}


def end_with_stdin() -> None:
    """End this process at once when its stdin closes: whoever started it is gone."""

    def watch() -> None:
        while os.read(0, 1):  # sys.stdin would be locked when the interpreter ends, which aborts
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
