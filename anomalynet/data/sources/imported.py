"""Imported sets: the folders that `anomalynet data import` writes in one step, and reads that
compare them with their checksums."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock, Timeout

from anomalynet.data.importing.cells import is_name
from anomalynet.data.importing.format import TableFormat
from anomalynet.data.prepared import PARTS
from anomalynet.data.sources._reading import SourceInfo
from anomalynet.data.telemetry import MASK, RESERVED, Channel, Incident, Telemetry
from anomalynet.documents import read_json_value
from anomalynet.errors import DataError, UsageError
from anomalynet.runs import checksums, codec
from anomalynet.runs.files import sha256, sync

DESCRIPTION = "dataset.json"
TELEMETRY = "telemetry.parquet"
VERSION = 1
RENAME_EXCHANGE = 2
COLUMNS = {"series": pl.String, "time": pl.Datetime("us"), "label": pl.Int8}
COLUMNS |= {"incident": pl.Int32, "kind": pl.String}


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
        described, path = _describe(root / DESCRIPTION), root / TELEMETRY
        try:
            check(path)
            frame = pl.scan_parquet(path, glob=False)
            if not _canonical(frame, described):
                raise _damaged(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise _damaged(path) from error
        return Telemetry(
            frame=frame,
            channels=described.channels,
            period=described.period,
            incidents={int(key): one for key, one in described.incidents.items()},
            counts=described.counts,
            warnings=described.warnings,
            imported=True,
        )

    def labelled(self, root: Path) -> bool:
        """Whether any reading has a label."""
        counts = _describe(root / DESCRIPTION).counts
        return counts.get("unlabelled rows") != counts.get("rows", 0)

    def lengths(self, root: Path) -> tuple[int, ...]:
        """The number of readings of each series."""
        file = root / TELEMETRY
        return _lengths(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _lengths(file: Path, changed: int) -> tuple[int, ...]:
    """`changed`: when the file was, in ns."""
    counts = pl.scan_parquet(file, glob=False).group_by("series").len()
    return tuple(counts.collect(engine="streaming")["len"].to_list())


@dataclass(kw_only=True, slots=True)
class _Description:
    """What is read of `dataset.json`; an import writes it."""

    version: int
    name: str
    file: str = "a table"
    period: float | None
    channels: tuple[Channel, ...]
    incidents: dict[str, Incident]  # by number
    counts: dict[str, int]
    warnings: tuple[str, ...]
    format: TableFormat | None = None


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
        if path.is_file() and (of := _describe(path)).name == name:
            title, warnings = f"imported from {of.file}", of.warnings
            info = SourceInfo(name, title, "your own", period=of.period, warnings=warnings)
            return Imported(info, of.format)
    return None


def _describe(path: Path) -> _Description:
    try:
        check(path)
        raw = read_json_value(path)
        described = codec.read(_Description, raw, str(path))
        every = [*RESERVED, MASK, *(channel.name for channel in described.channels)]
        if (
            described.version != VERSION
            or not all(one.isdecimal() and int(one) < 1 << 31 for one in described.incidents)
            or not described.channels
            or len({*every}) < len(every)
            or not all(is_name(name) for name in every)
            or (described.period is not None and described.period <= 0)
        ):
            raise ValueError("another version, or impossible values")
    except (OSError, ValueError, UsageError) as error:
        raise _damaged(path) from error
    sealed = any((path.parent / name).exists() for name in (checksums.FILE, "checksums.sha256"))
    # Earlier versions wrote the second of these; those before it wrote no `switches` either.
    if not sealed and "switches" in (raw.get("format") or {}):
        raise _damaged(path.parent / checksums.FILE)
    return described


def _canonical(frame: pl.LazyFrame, described: _Description) -> bool:
    """Whether a table has the columns of `data/telemetry.py`, and only keys that mean something."""
    types = dict(frame.collect_schema())
    known = COLUMNS | ({"split": pl.String} if "split" in types else {})
    channels = types.keys() - known.keys()
    right = all(types.get(name) == dtype for name, dtype in known.items())
    right &= all(types[name].is_float() for name in channels)
    if not right or channels != {one.name for one in described.channels}:
        return False
    allowed: dict[str, Collection[Any]] = {"label": (0, 1), "split": PARTS}
    allowed["incident"] = [int(number) for number in described.incidents]
    wrong = [pl.col(name).is_null().any() for name in ("series", "time")]
    wrong += [(~pl.col(name).is_in(allowed[name])).any() for name in allowed.keys() & types]
    return not any(frame.select(wrong).collect(engine="streaming").row(0))


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
