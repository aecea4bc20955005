"""Logs runs to W&B, during training or afterwards, and a sweep as one more run in its group."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anomalynet.config.load import Loaded
from anomalynet.runs.folder import Listener, RunFolder
from anomalynet.tracking.client import Tracker
from anomalynet.tracking.record import read_record


@contextmanager
def tracked(
    loaded: Loaded, folder: RunFolder, listener: Listener | None, group: str | None
) -> Iterator[Listener | None]:
    """Log the run that is trained in this block to W&B, if the configuration asks for it; yields
    the listener for training. Call it only in rank 0. Problems are reported on stderr; in a sweep
    (`group`) only in `tracking.json`, because hundreds of runs would report the same."""
    if loaded.config.tracking != "wandb" or os.environ.get("WANDB_MODE") == "disabled":
        yield listener
        return
    tracker = Tracker(folder.path, describe(loaded, folder, group), quiet=group is not None)
    try:
        yield TeeListener(listener, tracker)
    except BaseException:
        tracker.finish(exit_code=1)
        raise
    tracker.finish(exit_code=0)


def catch_up(loaded: Loaded, folder: RunFolder, group: str | None) -> None:
    """Log a run that was finished before: if it is not in W&B yet, or if a W&B agent started it
    under the agent's own id."""
    not_logged = read_record(folder.path) is None or bool(os.environ.get("WANDB_SWEEP_ID"))
    if not_logged and loaded.config.tracking == "wandb":
        with tracked(loaded, folder, None, group) as listener:
            for line in folder.read_progress() if listener else ():
                assert listener
                listener.epoch(line, 0)


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


class TeeListener:
    """A listener that passes events to W&B and to another listener."""

    def __init__(self, first: Listener | None, tracker: Tracker) -> None:
        self.first, self.tracker = first, tracker

    def epoch(self, line: dict[str, Any], epochs: int) -> None:
        """Pass an epoch to both."""
        self.tracker.send({"epoch": line})
        if self.first:
            self.first.epoch(line, epochs)

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Steps are not logged to W&B."""
        if self.first:
            self.first.step(epoch, step, steps)


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
    plain = json.loads(json.dumps(list(rows), default=str))
    text = json.dumps(plain, sort_keys=True)
    identity = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
    record = read_record(folder)
    if record and record.id == identity and record.parts and record.parts[-1].finished:
        return folder
    run: dict[str, Any] = {"job_type": "sweep", "id": identity, "name": name, "group": name}
    run |= {"tags": ["sweep"], "config": {"sweep": name, "runs": len(plain)}}
    tracker = Tracker(folder, run, patience=60.0)
    tracker.send({"rows": plain, "report": str(report_folder.resolve()) if report_folder else None})
    tracker.finish(exit_code=0)
    return folder
