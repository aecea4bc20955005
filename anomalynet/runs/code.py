"""Which program made a run: a hash of the code that decides results."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_DECIDES = ("simulation", "data", "layers", "models", "metrics", "training")


@cache
def code_hash() -> str:
    """Ten hex digits over the sources of the packages that decide results."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for folder in _DECIDES:
        for path in sorted((package / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(package).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:10]
