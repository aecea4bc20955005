"""Imported sets: the folders that `anomalynet data import` writes in one step, and reads that
compare them with their checksums."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock, Timeout

from anomalynet.data.importing.format import TableFormat
from anomalynet.data.sources._reading import SourceInfo
from anomalynet.data.telemetry import Channel, Incident, Telemetry
from anomalynet.documents import read_json_value
from anomalynet.errors import DataError
from anomalynet.runs import checksums, codec
from anomalynet.runs.files import sha256, sync

DESCRIPTION = "dataset.json"
TELEMETRY = "telemetry.parquet"
VERSION = 1
RENAME_EXCHANGE = 2


@dataclass(slots=True)
class Imported:
    """One imported set, as a source."""

    INFO: SourceInfo
    form: TableFormat | None = None  # None in sets that an earlier version imported

    def files(self, root: Path, subset: str | None) -> list[Path]:
        """The table and its description, if they are in `root`. Raises DataError: only one of them
        is there."""
        description, telemetry = root / DESCRIPTION, root / TELEMETRY
        if not description.is_file():
            return []
        if not telemetry.is_file():
            raise _damaged(telemetry)
        return [description, telemetry]

    def load(self, root: Path, subset: str | None) -> Telemetry:
        """Open the table lazily. Raises DataError: damaged description or table."""
        read, path = _describe(root / DESCRIPTION), root / TELEMETRY
        try:
            check(path)
            frame = pl.scan_parquet(path, glob=False)
            frame.collect_schema()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise _damaged(path) from error
        try:
            return Telemetry(
                frame=frame,
                channels=tuple(Channel(one["name"], one["unit"]) for one in read["channels"]),
                period=read["period"],
                incidents={int(key): Incident(**one) for key, one in read["incidents"].items()},
                counts=read["counts"],
                warnings=tuple(read["warnings"]),
                imported=True,
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise _damaged(root / DESCRIPTION) from error


def known_checksums(root: Path) -> dict[str, str]:
    """File → SHA-256 of a set; empty for one of an earlier version. Raises DataError: damaged."""
    try:
        known = checksums.read(root, (DESCRIPTION, TELEMETRY)) or {}
    except (OSError, ValueError) as error:
        raise _damaged(root / checksums.FILE) from error
    return {name: digest for name, (_, digest) in known.items()}


def check(path: Path) -> None:
    """Raises DataError: a file of a set that is not as its import wrote it. Raises OSError."""
    known = known_checksums(path.parent)
    if known and sha256(path) != known[path.name]:
        raise _damaged(path)


def names(folder: Path) -> list[str]:
    """The names of the imported sets in `folder`."""
    for path in folder.glob(".*.import/old"):
        repair(folder / path.parent.name[1:].removesuffix(".import"))
    return sorted(path.parent.name for path in folder.glob(f"*/{DESCRIPTION}"))


def find(name: str, folder: Path) -> Imported | None:
    """The imported set of this name in `folder`, or in a folder below it; None if not found."""
    if "/" not in name:
        repair(folder / name)
    for path in (folder / name / DESCRIPTION, folder / DESCRIPTION):
        if path.is_file() and (read := _describe(path)).get("name") == name:
            period, warnings = read.get("period"), read.get("warnings", [])
            if not isinstance(period, int | float | None) or not isinstance(warnings, list):
                raise _damaged(path)
            title = f"imported from {read.get('file', 'a table')}"
            own = tuple(map(str, warnings))
            form = read.get("format")
            return Imported(
                SourceInfo(name, title, "your own", period=period, warnings=own),
                None if form is None else codec.read(TableFormat, form, str(path)),
            )
    return None


# The description is JSON written by this program; its values are checked where they are used.
def _describe(path: Path) -> dict[str, Any]:
    try:
        check(path)
        described = read_json_value(path)
    except (OSError, ValueError) as error:
        raise _damaged(path) from error
    if not isinstance(described, dict) or described.get("version") != VERSION:
        raise _damaged(path)
    return described


def _damaged(path: Path) -> DataError:
    return DataError(
        f"{path}: missing, damaged, or written by another version",
        "import the table again with --replace",
    )


def staging_of(folder: Path) -> Path:
    """Where an import of a set works; it is empty or missing unless one runs or was killed."""
    return folder.with_name(f".{folder.name}.import")


@contextmanager
def only_import(folder: Path) -> Iterator[None]:
    """Keep other imports of a set away. Raises DataError: one runs."""
    lock = folder.with_name(f".{folder.name}.lock")
    try:
        with FileLock(lock, timeout=0):
            repair(folder)
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)  # whoever waits for it makes another
    except Timeout:
        what = f"another import of {folder.name!r} is running"
        raise DataError(what, "wait for its end, or choose another --name") from None


def put(fresh: Path, folder: Path) -> None:
    """Move a new set to its place: at every moment the old one or the new one is whole. What was
    there is where `fresh` was, or in `old` beside it."""
    if not folder.exists():
        fresh.rename(folder)
    elif not exchange(fresh, folder):
        old = fresh.with_name("old")
        try:
            folder.rename(old)
            fresh.rename(folder)
        finally:
            repair(folder)  # if this process is killed, the next command that looks for it does so
    sync(folder.parent)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False if the system cannot."""
    libc = ctypes.CDLL(None)
    paths = os.fsencode(one), os.fsencode(other)
    if hasattr(libc, "renameat2"):  # Linux
        here = -100  # AT_FDCWD
        return bool(libc.renameat2(here, paths[0], here, paths[1], RENAME_EXCHANGE) == 0)
    return hasattr(libc, "renamex_np") and bool(libc.renamex_np(*paths, RENAME_EXCHANGE) == 0)


def repair(folder: Path) -> None:
    """Put back the set that an import had moved away when it was killed."""
    old = staging_of(folder) / "old"
    if old.is_dir() and not folder.exists():
        old.rename(folder)
