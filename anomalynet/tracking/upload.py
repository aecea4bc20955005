"""Uploads the offline parts of runs to W&B with `wandb sync`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from anomalynet.errors import UsageError
from anomalynet.runs.folder import BusyError, RunFolder
from anomalynet.tracking.record import FILE, pending, read_record
from anomalynet.tracking.run import environment

WANDB = (sys.executable, "-m", "wandb")


@dataclass(frozen=True, slots=True)
class Upload:
    """The outcome of one run's upload."""

    run: str
    state: Literal["synced", "failed", "nothing to do", "running"]
    parts: int = 0
    reason: str = ""


def tracked_folders(runs: Path) -> list[Path]:
    """Folders of all runs and sweeps below a folder that were logged to W&B."""
    return sorted(path.parent for path in runs.glob(f"*/*/{FILE}"))


def upload(folder: Path, timeout: float) -> Upload:
    """Upload the missing parts of a run. `wandb sync` retries forever, so it is stopped after
    `timeout` seconds. All parts go into one command, which joins the parts of one W&B run in the
    order of their start. Raises UsageError: there is no API key."""
    name = f"{folder.parent.name.removeprefix('.')}/{folder.name}"
    if not pending(folder):
        return Upload(name, "nothing to do")
    try:
        with RunFolder(folder).locked(wait=False):
            parts = pending(folder)
            output = _sync(folder, parts, timeout)
            missing = pending(folder)
            if not missing and (record := read_record(folder)):
                record.warning = ""
                record.write(folder)
    except BusyError:
        return Upload(name, "running", reason="it is still being trained")
    if not missing:
        return Upload(name, "synced", len(parts))
    if "No API key" in output:
        hint = "`wandb login` stores one, or set WANDB_API_KEY"
        raise UsageError("there is no W&B API key", hint)
    lines = [line.removeprefix("wandb:").strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR").strip() for line in lines if line.startswith("ERROR")]
    reason = (errors or lines or ["`wandb sync` printed no reason"])[-1]
    return Upload(name, "failed", len(missing), reason)


def _sync(folder: Path, parts: list[Path], timeout: float) -> str:
    """The output of `wandb sync`. It is written to a file, because W&B's own process can keep a
    pipe open after the command has ended."""
    command = [*WANDB, "sync", "--include-online", *map(str, parts)]
    env = {**environment(folder), "WANDB_SILENT": "false"}
    late = ""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        files: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
        try:
            subprocess.run(command, env=env, timeout=timeout, check=False, **files)
        except subprocess.TimeoutExpired:
            late = f"\nwandb: ERROR not finished after {timeout:.0f} s"
        output.seek(0)
        return output.read() + late
