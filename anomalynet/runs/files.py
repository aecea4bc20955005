"""Reads JSON, and replaces files atomically and durably: a reader sees the old or the new content,
and after a power cut too."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

from anomalynet.documents import read_json_value
from anomalynet.errors import UsageError


def write_text(path: Path, text: str) -> None:
    """Replace a text file; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Replace a file atomically, and sync it and its folder. Nothing is left of a failed write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Replace a file atomically and durably: yields the path of a temporary file beside it, to be
    written inside. It is removed after an error; so are those of processes that were killed."""
    temporary = path.with_name(f"{_swept(path.parent, path.name)}.tmp")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    sync(path.parent)


def is_special(path: Path) -> bool:
    """Whether a path is there and no regular file: a folder, a pipe, a device."""
    try:
        return not S_ISREG(path.stat().st_mode)
    except OSError:
        return False


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for temporary files, removed at the end; so are those of processes that were
    killed."""
    base = Path(tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix=f"{_swept(base, 'anomalynet')}-") as folder:
        yield Path(folder)


def _swept(folder: Path, name: str) -> str:
    """The begin of the names of this process' temporary files in a folder; removes those that
    killed processes left."""
    # Of this host alone: elsewhere, a process may be writing the same file on a shared disk.
    stem = f".{name}.{zlib.crc32(socket.gethostname().encode()):08x}-"
    for left in folder.glob(f"{glob.escape(stem)}*"):
        pid = re.match("[0-9]+", left.name[len(stem) :])
        if pid and not is_alive(int(pid[0])):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(True)
    return f"{stem}{os.getpid()}"


def refuse_unwritable(folder: Path, option: str) -> None:
    """Raise UsageError: a folder, or the nearest one above it, is not writable. Nothing is made."""
    nearest = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        what = f"{folder}: {nearest} is no folder, or is not writable"
        raise UsageError(what, f"choose another {option}")


# A folder cannot be synced, or not be opened for it
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES)


def sync(*paths: Path) -> None:
    """Wait until files, or the names in folders, are on the disk; a system that cannot sync folders
    is left alone, a disk that fails is not."""
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            if not path.is_dir() or error.errno not in _NO_SYNC:
                error.filename = str(path)
                raise


def write_json(path: Path, value: object) -> None:
    """Replace a JSON file; see `write_bytes`. Raises ValueError: NaN, which JSON does not have."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: object) -> bytes:
    """The content of a JSON file. Raises ValueError: NaN, which JSON does not have."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_parquet(path: Path, table: pl.DataFrame | pl.LazyFrame, **options: Any) -> None:
    """Replace a Parquet file; see `write_bytes`. `options`: of Polars' `sink_parquet`."""
    content = BytesIO()
    table.lazy().sink_parquet(content, **options)
    write_bytes(path, content.getbuffer())


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if the file is missing or unreadable."""
    try:
        value = read_json_value(path)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def sha256(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists on this host."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid > 0
