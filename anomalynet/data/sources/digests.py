"""The fingerprint of a data set: a hash of the contents of its files, known before they are
parsed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from anomalynet.data.folder import data_folder
from anomalynet.documents import read_json_value
from anomalynet.errors import DataError
from anomalynet.runs.files import write_text

CACHE = ".fingerprints.json"


def of_files(root: Path, paths: Sequence[Path]) -> str:
    """The SHA-256 of a manifest of `paths`: their names below `root` and their SHA-256.

    Hashes are cached in the data folder by path, size and modification time, so that large files
    are read only once.

    Raises DataError: a file cannot be read.
    """
    cache_file = data_folder() / CACHE
    cache = _read_cache(cache_file)
    lines, known = [], dict(cache)
    for path in paths:
        try:
            state = path.stat()
            key = f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}"
            if key not in known:
                known[key] = of_file(path)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        lines.append(f"{known[key]}  {path.relative_to(root).as_posix()}")
    if known != cache:
        _write_cache(cache_file, known)
    return of_text("\n".join(sorted(lines)))


def of_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def of_text(text: str) -> str:
    """The SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _read_cache(path: Path) -> dict[str, str]:
    try:
        cache = read_json_value(path)
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in cache.items()} if isinstance(cache, dict) else {}


def _write_cache(path: Path, cache: dict[str, str]) -> None:
    """Store the cache if possible; without it, files are hashed again."""
    with suppress(OSError):
        write_text(path, json.dumps(cache, indent=0, sort_keys=True))
