"""Logs runs to W&B, during training or afterwards, and a sweep as one more run in its group.

Another process (`session.py`) talks to W&B. It reads what the run's folder holds, so that training
sends it nothing and never waits for it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anomalynet.config.load import Loaded
from anomalynet.errors import say
from anomalynet.runs.files import write_text
from anomalynet.runs.folder import RunFolder
from anomalynet.tracking.record import Record, read_record

COMMAND = (sys.executable, "-m", "anomalynet.tracking.session")


@contextmanager
def tracked(loaded: Loaded, folder: RunFolder, group: str | None) -> Iterator[None]:
    """Log the run that is trained in this block to W&B, if the configuration asks for it. Call it
    only in rank 0. Problems are reported on stderr; in a sweep (`group`) only in `tracking.json`,
    because hundreds of runs would report the same."""
    if loaded.config.tracking != "wandb" or os.environ.get("WANDB_MODE") == "disabled":
        yield
        return
    with logged(folder.path, describe(loaded, folder, group), quiet=group is not None):
        yield


def catch_up(loaded: Loaded, folder: RunFolder, group: str | None) -> None:
    """Log a run that was finished before: if it is not in W&B yet, or if a W&B agent started it
    under the agent's own id."""
    if read_record(folder.path) is None or os.environ.get("WANDB_SWEEP_ID"):
        with tracked(loaded, folder, group):
            pass


def describe(loaded: Loaded, folder: RunFolder, group: str | None) -> dict[str, Any]:
    """The description of a run for `wandb.init`."""
    config, name = loaded.config, folder.path.name
    policy = [] if config.data.split.policy == "auto" else [config.data.split.policy]
    resolved = {key: value for key, value in asdict(config).items() if key != "tracking"}
    return {
        "job_type": "train",
        "id": name,
        "name": f"{loaded.name} {name}",
        "group": group,
        "tags": [Path(config.model.name).stem, config.data.title, *policy],
        "config": {"experiment": loaded.name, "run_id": name, **resolved},
    }


def track_sweep(
    name: str, rows: Sequence[Mapping[str, Any]], report_folder: Path | None, runs: Path
) -> Path | None:
    """Log a sweep's summary, one row of plain values per run, and its report as an artifact. Equal
    rows are logged only once. Problems are reported on stderr and have no other effect.

    Args:
        name: W&B group of the runs.

    Returns: the folder of W&B's files, `.sweeps/NAME` below the runs, where `anomalynet sync` finds
        them. None if nothing is logged: W&B is disabled, or a W&B agent runs this command and shows
        its runs in its own sweep.
    """
    if os.environ.get("WANDB_MODE") == "disabled" or os.environ.get("WANDB_SWEEP_ID"):
        return None
    folder = runs / ".sweeps" / name
    text = json.dumps(rows, sort_keys=True, default=str)
    identity = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
    record = read_record(folder)
    if record and record.id == identity and record.parts and record.parts[-1].finished:
        return folder
    run: dict[str, Any] = {"job_type": "sweep", "id": identity, "name": name, "group": name}
    run |= {"tags": ["sweep"], "config": {"sweep": name, "runs": len(rows)}, "rows": rows}
    run["report"] = str(report_folder.resolve()) if report_folder else None
    with logged(folder, run, patience=60.0):
        pass
    return folder


@contextmanager
def logged(
    folder: Path, run: Mapping[str, Any], *, quiet: bool = False, patience: float = 20.0
) -> Iterator[None]:
    """Log what is in a folder, and what is added to it in this block, from another process.

    That process runs in its own session, so that Ctrl-C does not reach it. It ends cleanly when its
    stdin closes, even if this process was killed. The end of the block waits for it at most
    `patience` seconds."""
    log, warning, process = folder / "wandb" / "tracking.log", "", None
    try:
        setup = json.dumps({**run, "pid": os.getpid()}, default=str)
        write_text(folder / "wandb" / "setup.json", setup)
        with log.open("a", encoding="utf-8") as file:
            process = subprocess.Popen(
                [*COMMAND, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env=environment(folder),
                start_new_session=True,
            )
    except OSError as error:
        _warn(folder, run, f"cannot be started: {error}", quiet)
    if process is None:
        yield
        return
    listener = threading.Thread(target=_listen, args=(process, quiet), daemon=True)
    listener.start()
    try:
        yield
    finally:
        assert process.stdin
        process.stdin.close()
        try:
            if status := process.wait(patience):
                warning = f"ended with status {status}, see {log}; the run is not affected"
        except subprocess.TimeoutExpired:
            warning = (
                f"did not finish within {patience:.0f} s after the run; "
                "`anomalynet sync` uploads what is missing"
            )
        finally:
            if process.poll() is None:  # it was too slow, or this is Ctrl-C
                os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
                process.wait()
        listener.join(1.0)
        if warning:
            _warn(folder, run, warning, quiet)


def _listen(process: subprocess.Popen[str], quiet: bool) -> None:
    assert process.stdout
    for line in process.stdout:
        if not quiet:
            say(line.rstrip())


def _warn(folder: Path, run: Mapping[str, Any], what: str, quiet: bool) -> None:
    """Print a warning and store it in `tracking.json`, after the process that writes it ended."""
    record = read_record(folder) or Record(str(run["id"]))
    record.warning = f"W&B {what}"
    if not quiet:
        say(f"warning: {record.warning}")
    with suppress(OSError):
        record.write(folder)


def environment(folder: Path) -> dict[str, str]:
    """The environment of W&B's processes: files in the run's folder, one thread."""
    wandb = folder.resolve() / "wandb"
    own = {
        "WANDB_DIR": str(wandb.parent),
        "WANDB_DATA_DIR": str(wandb / "staging"),
        "WANDB_CACHE_DIR": str(wandb / "cache"),
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "POLARS_MAX_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    inherited = {**os.environ}
    inherited.pop("WANDB_SERVICE", None)  # belongs to another process
    return inherited | own
