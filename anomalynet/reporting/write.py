"""Writing the files of a report in every form that is wanted, each replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from anomalynet.errors import UsageError
from anomalynet.reporting.forms import current
from anomalynet.reporting.forms.translate import translate
from anomalynet.runs.files import write_bytes


def write_files(out: Path, files: Mapping[str, bytes]) -> Path:
    """Replace `files` (path below `out` → content) and their translations; everything is made
    before the first is replaced, others stay.

    Returns:
        the path of the last of `files`, the document.

    Raises:
        UsageError: the folder cannot be written to.
    """
    made = translate(files, current())
    try:
        for name, content in made.items():
            write_bytes(out / name, content)
    except OSError as error:
        raise UsageError(
            f"{out}: cannot be written to: {error.strerror}", "--out names another folder"
        ) from None
    return out / list(files)[-1]
