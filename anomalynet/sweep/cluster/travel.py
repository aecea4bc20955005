"""A run on its way to a machine that shares no disk, and home again: text there, bytes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

from anomalynet.config.load import Loaded
from anomalynet.config.show import as_yaml
from anomalynet.data import sources
from anomalynet.errors import UsageError
from anomalynet.runs.code import code_hash
from anomalynet.runs.files import write_bytes
from anomalynet.runs.folder import RunFolder

STATE = ("checkpoints/last.ckpt", "checkpoints/best.ckpt", "timings.json", "progress.jsonl")
"""What another node needs to continue a run. Read in this order, best is never older than last:
last can always be continued."""
_SAME = ("config", "data", "layers", "metrics", "models", "runs", "simulation", "sweep", "training")


class Order(TypedDict):
    """A run as it travels to a node."""

    experiment: str
    id: str
    """The run's id as it was planned; the node must come to the same."""
    fingerprint: str
    """The data's, as planned."""
    files: dict[str, str]
    """Text files for the node's working folder: `<experiment>.yaml`, fully resolved, and the user's
    own files that it names."""
    state: dict[str, bytes]
    """Files that the run continues from; empty for a fresh start."""
    devices: int
    group: str | None


def program() -> str:
    """Ten hex digits over the code that a node must have in common with whoever sends it runs."""
    return code_hash(_SAME)


def order_of(job: Mapping[str, Any], loaded: Loaded, folder: RunFolder) -> Order:
    """A run as a node needs it: nothing in it is a path of this machine, but `data.root`.

    Raises:
        UsageError: a file of the user's own that has no place beneath a working folder.
    """
    config = loaded.config
    own = [
        name for name in (config.model.name, config.data.name) if name.endswith((".py", ".yaml"))
    ]
    for name in own:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise UsageError(
                f"{name}: --on ray sends files that lie beneath the working folder",
                "name it relative to that folder",
            )
    root = config.data.root and str(Path(config.data.root).absolute())
    sent = replace(
        loaded, config=replace(config, data=replace(config.data, root=root), tracking="disabled")
    )  # it is tracked from home
    return Order(
        experiment=loaded.name,
        id=folder.path.name,
        fingerprint=sources.fingerprint(config.data),
        files={
            f"{loaded.name}.yaml": as_yaml(sent),
            **{name: Path(name).read_text(encoding="utf-8") for name in own},
        },
        state=read_files(folder, STATE) if folder.last.exists() else {},
        devices=job["devices"],
        group=job["group"],
    )


def bring_home(folder: RunFolder, files: Mapping[str, bytes]) -> None:
    """Write a run's files: best before last, so that last can always be continued, and the result
    when everything else is there."""
    for name in sorted(files, key=lambda name: (name == "result.json", name)):
        write_bytes(folder.path / name, files[name])


def read_files(folder: RunFolder, names: Iterable[str]) -> dict[str, bytes]:
    """Those of some files that are there."""
    found = {}
    for name in names:
        try:
            found[name] = (folder.path / name).read_bytes()
        except FileNotFoundError:
            continue
    return found
