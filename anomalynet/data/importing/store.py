"""Writes an imported set: all files or none."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from anomalynet.data.folder import data_folder
from anomalynet.data.sources import built_in, simulated
from anomalynet.data.sources.table import DESCRIPTION, TELEMETRY
from anomalynet.errors import DataError

ROW_GROUP = 262_144


def target(name: str, replace: bool) -> Path:
    """The folder of a new set. Raises DataError: the name is invalid or taken, or the folder has
    other content."""
    # A name that begins with "-" could not be typed as an argument; 200 fit every file system.
    if not re.fullmatch(r"[a-z0-9_][a-z0-9_-]{,199}", name):
        what = f"invalid data set name {name!r}"
        raise DataError(what, "use lower-case letters, digits, _ and -: --name my-building")
    if name in built_in() or simulated.knows(name) or name == "prepared":
        raise DataError(f"data set name {name!r} is reserved", "choose another --name")
    folder = data_folder() / name
    if folder.exists():
        if not (folder / DESCRIPTION).is_file():
            raise DataError(f"{folder}: exists and is not an imported set", "choose another --name")
        if not replace:
            what = f"a data set {name!r} exists in {folder}"
            raise DataError(what, "add --replace to overwrite it, or choose another --name")
    return folder


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`, deleted afterwards; a new data folder that stays
    empty is also deleted."""
    parent = folder.parent
    existed = parent.exists()
    try:
        parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=parent))
    except OSError as error:
        what = f"{parent}: cannot be written: {error.strerror}"
        raise DataError(what, "choose another data folder with ANOMALYNET_DATA") from error
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if not existed and not any(parent.iterdir()):
            parent.rmdir()


def write(folder: Path, temporary: Path, frame: pl.LazyFrame, description: dict[str, Any]) -> None:
    """Write table and description below `temporary`, then replace `folder` by a rename."""
    fresh = temporary / "set"
    fresh.mkdir()
    frame.sink_parquet(fresh / TELEMETRY, row_group_size=ROW_GROUP, maintain_order=True)
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    (fresh / DESCRIPTION).write_text(text, encoding="utf-8")
    old = temporary / "old"
    if folder.exists():
        folder.replace(old)
    try:
        fresh.replace(folder)
    except OSError:
        # The new set could not be moved: restore the old one.
        if old.exists():
            old.replace(folder)
        raise
