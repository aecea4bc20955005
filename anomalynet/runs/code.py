"""Which program made a run: a hash of the code that decides results."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from anomalynet.runs.files import read_json

_DECIDES = ("simulation", "data", "preprocessing", "layers", "models", "metrics", "training")


def made_by_other_code(environment: Path) -> bool:
    """Whether a run's `environment.json` names other code than this."""
    return read_json(environment).get("code") not in (None, code_hash())


@cache
def code_hash(folders: tuple[str, ...] = _DECIDES, suffixes: tuple[str, ...] = (".py",)) -> str:
    """Ten hex digits over the sources of some packages; by default of all that decide results."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for folder in folders:
        found = (path for path in (package / folder).rglob("*") if path.suffix in suffixes)
        for path in sorted(found):
            digest.update(f"{path.relative_to(package).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:10]
