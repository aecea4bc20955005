"""A run that W&B is told of while it is trained, or afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalynet.config.load import Loaded
from anomalynet.runs.folder import RunFolder
from anomalynet.tracking.client import Tracker
from anomalynet.tracking.record import read_record

if TYPE_CHECKING:
    from anomalynet.training.callbacks import Listener


@contextmanager
def tracked(
    loaded: Loaded, folder: RunFolder, listener: Listener | None, group: str | None
) -> Iterator[Listener | None]:
    """Tell W&B of the run that is trained inside, where the configuration asks for it; yields who
    listens to the training.

    Only for the process of rank 0. What goes wrong is said on stderr; in a sweep (`group`) only in
    `tracking.json`: hundreds of runs would say the same.
    """
    if loaded.config.tracking != "wandb" or os.environ.get("WANDB_MODE") == "disabled":
        yield listener
        return
    tracker = Tracker(folder.path, described(loaded, folder, group), quiet=group is not None)
    try:
        yield Both(listener, tracker)
    except BaseException:
        tracker.finish(exit_code=1)
        raise
    tracker.finish(exit_code=0)


def catch_up(loaded: Loaded, folder: RunFolder, group: str | None) -> None:
    """Tell W&B of a run that was finished before: one that it never heard of, or one that a W&B
    agent asks for under an id of its own."""
    unknown = read_record(folder.path) is None or bool(os.environ.get("WANDB_SWEEP_ID"))
    if unknown and loaded.config.tracking == "wandb":
        with tracked(loaded, folder, None, group) as listener:
            for line in folder.read_progress() if listener else ():
                assert listener
                listener.epoch(line, 0)


def described(loaded: Loaded, folder: RunFolder, group: str | None) -> dict[str, Any]:
    """What W&B should know of a run before its first epoch."""
    config, name = loaded.config, folder.path.name
    policy = config.data.split.policy
    resolved = {key: value for key, value in asdict(config).items() if key != "tracking"}
    return {
        "job_type": "train",
        "id": name,
        "name": f"{loaded.name} {name}",
        "group": group,
        "tags": [
            Path(config.model.name).stem,
            config.data.title,
            *([policy] if policy != "auto" else []),
        ],
        "config": {"experiment": loaded.name, "run_id": name, **resolved},
    }


class Both:
    """Tells W&B and another listener."""

    def __init__(self, first: Listener | None, tracker: Tracker) -> None:
        self.first, self.tracker = first, tracker

    def epoch(self, line: dict[str, Any], epochs: int) -> None:
        """Tell both."""
        self.tracker.send({"epoch": line})
        if self.first:
            self.first.epoch(line, epochs)

    def step(self, epoch: int, step: int, steps: int) -> None:
        """W&B is not told of steps."""
        if self.first:
            self.first.step(epoch, step, steps)
