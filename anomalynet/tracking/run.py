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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anomalynet.config.identity import flatten
from anomalynet.config.load import Loaded
from anomalynet.config.show import argument, scalar
from anomalynet.errors import say
from anomalynet.runs.files import read_json, write_text
from anomalynet.runs.folder import RunFolder
from anomalynet.tracking.record import FILE, environment, update

COMMAND = (sys.executable, "-m", "anomalynet.tracking.session")


def tracked(loaded: Loaded, folder: RunFolder, group: str | None) -> AbstractContextManager[None]:
    """Log the run that is trained in this block to W&B, if the configuration asks for it. Call it
    only in rank 0. Problems are reported on stderr; in a sweep (`group`) only in `tracking.json`,
    because hundreds of runs would report the same."""
    if loaded.config.tracking != "wandb" or os.environ.get("WANDB_MODE") == "disabled":
        return nullcontext()
    return logged(folder.path, describe(loaded, folder, group), quiet=group is not None)


def catch_up(loaded: Loaded, folder: RunFolder, group: str | None) -> None:
    """Log a run that was finished before: if it is not in W&B yet, or if a W&B agent started it
    under the agent's own id."""
    if not read_json(folder.path / FILE) or os.environ.get("WANDB_SWEEP_ID"):
        with tracked(loaded, folder, group):
            pass


def describe(loaded: Loaded, folder: RunFolder, group: str | None) -> dict[str, Any]:
    """The description of a run for `wandb.init`. Its configuration has a number, text, true or
    false for every key: parallel coordinates leave out runs where a value is empty or a list."""
    config, name, values = loaded.config, folder.path.name, flatten(loaded.config)
    own = [key for key, where in loaded.origins.items() if "experiments/" not in where]
    words = [argument(key, values[key]) for key in own if key in values]
    return {
        "job_type": "train",
        "id": name,
        "name": f"{loaded.name} {name}",
        "group": group,
        "tags": [Path(config.model.name).stem, config.data.title],
        "config": {
            "experiment": loaded.name,
            "run_id": name,
            "command": " ".join(["anomalynet train", shlex.quote(loaded.name), *words]),
            **_plain(asdict(config)),
        },
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(own) for key, own in value.items()}
    return value if isinstance(value, bool | int | float | str) else scalar(value)


def track_export(folder: RunFolder, onnx: Path) -> None:
    """Add a run's exported ONNX file to its W&B run, if it was tracked."""
    setup, record = read_json(folder.path / "wandb" / "setup.json"), read_json(folder.path / FILE)
    if setup and record and os.environ.get("WANDB_MODE") != "disabled":
        with logged(folder.path, setup | {"id": record["id"], "onnx": str(onnx.resolve())}):
            pass


def track_sweep(
    name: str, page: str, runs: Path, trials: Sequence[Mapping[str, Any]] = ()
) -> Path | None:
    """Log a sweep's report, an HTML page, as a run in its group, unless it is logged already, and
    each trial of a search: `id`, `name`, `job_type` and `config` for W&B, `steps` (the metrics of
    each of its runs) and `summary`. Problems are reported on stderr and have no other effect.

    Returns the folder of W&B's files, where `anomalynet sync` finds them. None if nothing is
    logged: W&B is disabled, or a W&B agent runs this command and shows its runs in its own sweep.
    """
    if os.environ.get("WANDB_MODE") == "disabled" or os.environ.get("WANDB_SWEEP_ID"):
        return None
    folder, record = runs / ".sweeps" / name, read_json(runs / ".sweeps" / name / FILE)
    identity = f"{name}-{hashlib.sha256(page.encode()).hexdigest()[:10]}"
    if record.get("id") != identity or record.get("warning"):
        run: dict[str, Any] = {"job_type": "sweep", "id": identity, "name": name, "group": name}
        run |= {"tags": ["sweep"], "config": {"sweep": name}, "trials": trials}
        with suppress(OSError):  # as of a full disk
            write_text(folder / "report.html", page)
        with logged(folder, run, patience=60.0 + 2.0 * len(trials)):
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
                stdout=subprocess.DEVNULL if quiet else subprocess.PIPE,
                stderr=file,
                text=True,
                env=environment(folder),
                start_new_session=True,
            )
        listener = threading.Thread(target=_listen, args=[process.stdout or ()], daemon=True)
        listener.start()
    except OSError as error:
        warning = f"W&B cannot be started: {error}"
    try:
        yield
    finally:
        if process and process.stdin:
            process.stdin.close()
            try:
                if status := process.wait(patience):
                    warning = f"W&B ended with status {status}, see {log}; the run is not affected"
            except subprocess.TimeoutExpired:
                warning = f"W&B did not finish within {patience:.0f} s after the run; "
                warning += "`anomalynet sync` uploads what is missing"
            finally:
                process.kill()  # it was too slow, or this is Ctrl-C
                process.wait()
            listener.join(1.0)
        if warning and not quiet:
            say(f"warning: {warning}")
        if warning:
            with suppress(OSError):
                update(folder, **{"id": run["id"], **read_json(folder / FILE), "warning": warning})


def _listen(messages: Iterable[str]) -> None:
    for line in messages:
        say(line.rstrip())
