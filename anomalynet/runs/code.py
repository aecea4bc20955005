"""Identifies the version of the code that made a run: a hash of all code that affects results."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from anomalynet.runs.files import read_json

_AFFECT_RESULTS = ("simulation", "data", "preprocessing", "layers", "models", "metrics", "training")


def made_by_other_code(environment: Path) -> bool:
    """Whether another version of the code made the run with this `environment.json`."""
    return read_json(environment).get("code") not in (None, code_hash())


@cache
def code_hash(
    folders: tuple[str, ...] = _AFFECT_RESULTS, suffixes: tuple[str, ...] = (".py",)
) -> str:
    """Ten hex digits over the source files of some packages; by default all that affect results."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for folder in folders:
        found = (path for path in (package / folder).rglob("*") if path.suffix in suffixes)
        for path in sorted(found):
            digest.update(f"{path.relative_to(package).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:10]
