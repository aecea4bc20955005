"""What W&B has of a run: `tracking.json` in its folder, W&B's own files, and their upload."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from anomalynet.errors import counted
from anomalynet.runs.files import read_json, write_json
from anomalynet.runs.folder import BusyError, RunFolder

FILE = "tracking.json"
"""Its keys: `id`, W&B's of the run; `next_epoch`, the first that no ended session logged; `open`,
W&B's folder of a session that did not end; `offline`, why the last one was so; `warning`."""

WANDB = (sys.executable, "-m", "wandb")


def update(folder: Path, **values: object) -> None:
    """Change values of `tracking.json`."""
    write_json(folder / FILE, read_json(folder / FILE) | values)


def synced(file: Path) -> Path:
    """The mark of a `.wandb` file that the server has: of `wandb sync`, or of an online session."""
    return file.with_name(f"{file.name}.synced")


def pending(folder: Path) -> list[Path]:
    """W&B's folders of a run that are not on its server, oldest first; a run that was interrupted
    and continued has several."""
    files = folder.glob("wandb/*run-*/*.wandb")
    missing = [file.parent for file in files if not synced(file).exists()]
    return sorted(missing, key=lambda part: part.name.removeprefix("offline-"))


def notes(folders: Iterable[Path]) -> list[str]:
    """Messages about the tracking of many runs: each problem once, with its number of runs."""
    problems: Counter[str] = Counter()
    for folder in folders:
        record = read_json(folder / FILE)
        if (why := record.get("offline")) and pending(folder):
            problems[f"offline ({why})"] += 1
        if warning := record.get("warning"):
            problems[warning] += 1
    return [f"W&B: {counted(n, 'run')}: {what}" for what, n in problems.items()]


def has_key() -> bool:
    """Whether W&B finds a key: in the environment, its settings or netrc. Asks no server."""
    import wandb

    settings = wandb.setup().settings
    if settings.api_key or settings.identity_token_file:
        return True
    path = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    with suppress(OSError, NetrcParseError):
        return not {"api.wandb.ai", urlsplit(settings.base_url).netloc}.isdisjoint(
            netrc(path).hosts
        )
    return False


def upload(folder: Path, timeout: float) -> str:
    """Send W&B the missing parts of a run, of which `wandb sync` makes one run, in their order. It
    retries forever, so it is stopped after `timeout` seconds, and its exit code is 0 for a broken
    file, so its marks count. Returns `synced`, `failed`, `running` (still in training) or `nothing
    to do`."""
    try:
        with RunFolder(folder).locked(wait=False):
            if not (parts := pending(folder)):
                return "nothing to do"
            command = [*WANDB, "sync", "--include-online", *map(str, parts)]
            own: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": 2, "timeout": timeout}
            own["env"] = environment(folder) | {"WANDB_SILENT": "false"}
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(command, check=False, **own)
            if pending(folder):
                return "failed"
            update(folder, warning="")
            return "synced"
    except BusyError:
        return "running"


def environment(folder: Path) -> dict[str, str]:
    """The environment of W&B's processes: files in the run's folder, no service of ours."""
    wandb = folder.resolve() / "wandb"
    own = {"WANDB_DIR": str(wandb.parent), "WANDB_DATA_DIR": str(wandb / "staging")}
    own |= {"WANDB_CACHE_DIR": str(wandb / "cache"), "MPLBACKEND": "agg"}
    inherited = {key: value for key, value in os.environ.items() if key != "WANDB_SERVICE"}
    return inherited | own | {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
