"""The fingerprint of a data set: a hash of the contents of its files, known before they are
parsed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from anomalynet.data.folder import data_folder
from anomalynet.errors import DataError
from anomalynet.runs.files import read_json, write_text

CACHE = ".fingerprints.json"


def of_files(root: Path, paths: Sequence[Path]) -> str:
    """The SHA-256 of a manifest of `paths`: their names below `root` and their SHA-256.

    Hashes are cached in the data folder by path, size and modification time, so that large files
    are read only once.

    Raises DataError: a file cannot be read.
    """
    cache_file = data_folder() / CACHE
    cache = read_json(cache_file)
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
        with suppress(OSError):  # without it, files are hashed again
            write_text(cache_file, json.dumps(known, indent=0, sort_keys=True))
    return of_text("\n".join(sorted(lines)))


def of_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def of_text(text: str) -> str:
    """The SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
