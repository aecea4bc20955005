"""Writing the files of a report, each replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def write_files(out: Path, files: Mapping[str, bytes]) -> Path:
    """Replace `files` (path below `out` → content) in their order; other files in `out` stay.

    Returns:
        the path of the last one, which a reader opens first.
    """
    last = out
    for name, content in files.items():
        last = out / name
        last.parent.mkdir(parents=True, exist_ok=True)
        temporary = last.with_name(f".{last.name}.{os.getpid()}.tmp")
        try:
            temporary.write_bytes(content)
            temporary.replace(last)
        finally:
            temporary.unlink(missing_ok=True)
    return last
