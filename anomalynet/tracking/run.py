"""Logs runs to W&B, during training or afterwards, and a sweep as one more run in its group.

Another process (`session.py`) talks to W&B. It reads what the run's folder holds, so that training
sends it nothing and never waits for it."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anomalynet.config.identity import flatten
from anomalynet.config.load import Loaded
from anomalynet.config.show import scalar
from anomalynet.runs.files import read_json, write_text
from anomalynet.runs.folder import RunFolder
from anomalynet.tracking.record import Record, environment, read_record

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
    """The description of a run for `wandb.init`. Its configuration has a number, text, true or
    false for every key: parallel coordinates leave out runs where a value is empty or a list."""
    config, name, values = loaded.config, folder.path.name, flatten(loaded.config)
    policy = [] if config.data.split.policy == "auto" else [config.data.split.policy]
    own = [key for key, where in loaded.origins.items() if "experiments/" not in where]
    words = [f"{key}={scalar(values[key])}" for key in own if key in values]
    return {
        "job_type": "train",
        "id": name,
        "name": f"{loaded.name} {name}",
        "group": group,
        "tags": [Path(config.model.name).stem, config.data.title, *policy],
        "config": {
            "experiment": loaded.name,
            "run_id": name,
            "command": shlex.join(["anomalynet", "train", loaded.name, *words]),
            **_plain(asdict(config)),
        },
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(own) for key, own in value.items()}
    return value if isinstance(value, bool | int | float | str) else scalar(value)


def track_export(folder: RunFolder, onnx: Path) -> None:
    """Add a run's exported ONNX file to its W&B run, if it was tracked."""
    setup, record = read_json(folder.path / "wandb" / "setup.json"), read_record(folder.path)
    if setup and record:
        with logged(folder.path, {**setup, "id": record.id, "onnx": str(onnx.resolve())}):
            pass


def track_sweep(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    report: Path | None,
    runs: Path,
    trials: Sequence[Mapping[str, Any]] = (),
) -> Path | None:
    """Log a sweep's summary, one row of plain values per run, with its report as a page and as an
    artifact; and each trial of a search as a run. Equal rows are logged only once. Problems are
    reported on stderr and have no other effect.

    Args:
        name: W&B group of the runs.
        trials: `id`, `name`, `job_type` and `config` of each for W&B, `steps` (the metrics of each
            of its runs) and `summary`.

    Returns: the folder of W&B's files, `.sweeps/NAME` below the runs, where `anomalynet sync` finds
        them. None if nothing is logged: W&B is disabled, or a W&B agent runs this command and shows
        its runs in its own sweep.
    """
    if os.environ.get("WANDB_MODE") == "disabled" or os.environ.get("WANDB_SWEEP_ID"):
        return None
    folder, text = runs / ".sweeps" / name, json.dumps(rows, sort_keys=True, default=str)
    identity = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
    record = read_record(folder)
    if record and record.id == identity and not record.warning:
        return folder
    run: dict[str, Any] = {"job_type": "sweep", "id": identity, "name": name, "group": name}
    run |= {"tags": ["sweep"], "config": {"sweep": name, "runs": len(rows)}, "rows": rows}
    run |= {"report": str(report.resolve()) if report else None, "trials": trials}
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
    if process is None:  # not in the handler: it would be the context of errors in the block
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
            process.kill()  # it was too slow, or this is Ctrl-C
            process.wait()
        listener.join(1.0)
        if warning:
            _warn(folder, run, warning, quiet)


def _listen(process: subprocess.Popen[str], quiet: bool) -> None:
    assert process.stdout
    for line in process.stdout:
        if not quiet:
            print(line.rstrip(), file=sys.stderr, flush=True)


def _warn(folder: Path, run: Mapping[str, Any], what: str, quiet: bool) -> None:
    """Print a warning and store it in `tracking.json`, after the process that writes it ended."""
    record = read_record(folder) or Record(str(run["id"]))
    record.warning = f"W&B {what}"
    if not quiet:
        print(f"warning: {record.warning}", file=sys.stderr, flush=True)
    with suppress(OSError):
        record.write(folder)
