"""`checksums.json` of a folder: the size and the checksum of each file that a result or a table is
made of. A finished run, an imported set and the prepared cache have one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from anomalynet.documents import read_json_value
from anomalynet.runs.files import sha256, sync, write_json

FILE = "checksums.json"
Facts = Mapping[str, Any]  # name in the folder → [bytes, checksum]
Checksum = Callable[[Path], object]


def write(
    folder: Path, names: Iterable[str], more: Facts | None = None, checksum: Checksum | None = None
) -> None:
    """Write the file when all files in `names` are on the disk. `more`: facts of others, that are
    written later. `checksum`: of a file, by default its SHA-256."""
    facts = {}
    for name in names:
        sync(folder / name)
        facts[name] = [(folder / name).stat().st_size, (checksum or sha256)(folder / name)]
    facts |= more or {}
    write_json(folder / FILE, {**facts, FILE: _digest(facts)})


def read(folder: Path, needed: Collection[str] = ()) -> dict[str, Any] | None:
    """Name → [bytes, checksum]; None: an earlier version, which wrote none, made the folder. Raises
    ValueError: it is damaged, or leaves a `needed` name out. Raises OSError."""
    try:
        known = read_json_value(folder / FILE)
    except FileNotFoundError:
        return None
    if not isinstance(known, dict):
        raise ValueError("not an object")
    own = known.pop(FILE, None)  # runs of an earlier version have no checksum of their own
    pairs = all(isinstance(facts, list) and len(facts) == 2 for facts in known.values())
    if not pairs or own not in (None, _digest(known)) or not {*needed} <= known.keys():
        raise ValueError("damaged")
    return known


def _digest(facts: Facts) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def verify(
    folder: Path,
    needed: Collection[str] = (),
    *,
    contents: bool = True,
    checksum: Checksum | None = None,
) -> dict[str, str]:
    """What happened to the files of a folder: name → what is wrong. Empty for an intact folder, and
    for one without the file. Arguments as in `read`, `write` and `compare`."""
    try:
        return compare(folder, read(folder, needed) or {}, contents=contents, checksum=checksum)
    except (OSError, ValueError):
        return {FILE: "is damaged"}


def compare(
    folder: Path, known: Facts, *, contents: bool = True, checksum: Checksum | None = None
) -> dict[str, str]:
    """As `verify`, of files that are `known` otherwise. `contents`: compare the checksums too, not
    only the sizes."""
    found: dict[str, str] = {}
    for name, (size, digest) in known.items():
        try:
            if (folder / name).stat().st_size != size:
                found[name] = "has another size than when it was written"
            elif contents and (checksum or sha256)(folder / name) != digest:
                found[name] = "has another content than when it was written"
        except OSError as error:
            found[name] = f"cannot be read: {error.strerror}"
    return found
