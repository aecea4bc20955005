"""The fingerprint of a data set: a hash of the contents of its files, known before they are
parsed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from anomalynet.data.folder import data_folder
from anomalynet.errors import DataError
from anomalynet.runs.files import read_json, sha256

CACHE = ".fingerprints.json"


def manifest(name: str) -> dict[str, str]:
    """File → SHA-256 of the published files of a built-in source; empty if it has no list."""
    path = Path(__file__).with_name(f"{name}.sha256")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {file: digest for digest, file in (line.split("  ", 1) for line in lines)}


def of_files(
    root: Path, paths: Sequence[Path], expected: Mapping[str, str], reread: bool = False
) -> str:
    """The SHA-256 of a manifest of `paths`: their names below `root` and their SHA-256.

    Hashes are cached in the data folder by path, size and modification time, so that large files
    are read only once; `reread`: read them all the same.

    Raises DataError: a file cannot be read, or differs from its `expected` hash; where none is
    known, any content is right.
    """
    cache_file = data_folder() / CACHE
    written = read_json(cache_file)
    cache = written.get("files", {})
    if written.get("checksum") != of_text(json.dumps(cache, sort_keys=True)):
        cache = {}  # damaged, or of an earlier version
    lines, known = [], dict(cache)
    for path in paths:
        try:
            state = path.stat()
            key = f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}"
            if reread or key not in known:
                known[key] = sha256(path)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        name = path.relative_to(root).as_posix()
        if expected.get(name, known[key]) != known[key]:
            raise DataError(
                f"{path}: damaged or edited: SHA-256 is not that of its import or publication",
                "import the table again with --replace; move a published file away and fetch it "
                "again, or use it as it is with data.root=FOLDER",
            )
        lines.append(f"{known[key]}  {name}")
    if known != cache:
        with suppress(OSError):  # without it, or if it is written in part, files are hashed again
            checksum = of_text(json.dumps(known, sort_keys=True))
            cache_file.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"checksum": checksum, "files": known}, indent=0)
            cache_file.write_text(text, encoding="utf-8")
    return of_text("\n".join(sorted(lines)))


def of_text(text: str) -> str:
    """The SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
