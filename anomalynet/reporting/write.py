"""Writing the files of a report, each replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from anomalynet.runs.files import write_bytes


def write_files(out: Path, files: Mapping[str, bytes]) -> Path:
    """Replace `files` (path below `out` → content) in their order; other files in `out` stay.

    Returns:
        the path of the last one, which a reader opens first.
    """
    for name, content in files.items():
        write_bytes(out / name, content)
    return out / list(files)[-1]
