"""Writing the files of a report in every form that is wanted, each replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from anomalynet.reporting.forms import current
from anomalynet.reporting.forms.translate import translate
from anomalynet.runs.files import write_bytes


def write_files(out: Path, files: Mapping[str, bytes]) -> Path:
    """Replace `files` (path below `out` → content) and their translations; everything is made before the first is replaced, others stay.

    Returns:
        the path of the last of `files`, the document.
    """
    for name, content in translate(files, current()).items():
        write_bytes(out / name, content)
    return out / list(files)[-1]
