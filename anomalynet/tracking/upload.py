"""Uploads what W&B could not be told at once, by `wandb sync`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from anomalynet.errors import UsageError
from anomalynet.runs.folder import BusyError, RunFolder
from anomalynet.tracking.client import environment
from anomalynet.tracking.record import FILE, pending, read_record

WANDB = (sys.executable, "-m", "wandb")


@dataclass(frozen=True, slots=True)
class Upload:
    """What became of one run's upload."""

    run: str
    state: Literal["synced", "failed", "nothing to do", "running"]
    parts: int = 0
    reason: str = ""


def tracked_folders(runs: Path) -> list[Path]:
    """Every run and sweep below a folder that W&B was told of."""
    return sorted(path.parent for path in runs.glob(f"*/*/{FILE}"))


def upload(folder: Path, timeout: float) -> Upload:
    """Upload a run's missing parts; `wandb sync` retries for ever, so it is stopped after `timeout`
    seconds. All parts go into one command: it takes those of one W&B run in the order of their
    start, each as the continuation of the last. Raises UsageError: there is no API key."""
    name = f"{folder.parent.name.removeprefix('.')}/{folder.name}"
    if not pending(folder):
        return Upload(name, "nothing to do")
    try:
        with RunFolder(folder).locked(wait=False):
            return _upload(name, folder, timeout)
    except BusyError:
        return Upload(name, "running", reason="it is still being trained")


def _upload(name: str, folder: Path, timeout: float) -> Upload:
    parts = pending(folder)
    said = _sync(folder, parts, timeout)
    left = pending(folder)
    if not left:
        if record := read_record(folder):
            record.warning = ""
            record.write(folder)
        return Upload(name, "synced", len(parts))
    if "No API key" in said:
        hint = "`wandb login` stores one, or set WANDB_API_KEY"
        raise UsageError("there is no W&B API key", hint)
    return Upload(name, "failed", len(left), _reason(said))


def _sync(folder: Path, parts: list[Path], timeout: float) -> str:
    """What `wandb sync` said; through a file, for W&B's own process may hold a pipe open."""
    command = [*WANDB, "sync", "--include-online", *(str(part) for part in parts)]
    env = {**environment(folder), "WANDB_SILENT": "false"}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        try:
            nowhere, same = subprocess.DEVNULL, subprocess.STDOUT
            files: dict[str, Any] = {"stdin": nowhere, "stdout": output, "stderr": same}
            subprocess.run(command, env=env, timeout=timeout, check=False, **files)
            late = ""
        except subprocess.TimeoutExpired:
            late = f"\nwandb: ERROR not done after {timeout:.0f} s"
        output.seek(0)
        return output.read() + late


def _reason(said: str) -> str:
    lines = [line.removeprefix("wandb:").strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR").strip() for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["wandb sync said nothing"])[-1]
