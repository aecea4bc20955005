"""Output formats of a report: Markdown is the original; HTML, LaTeX and Parquet are made from
it."""

from anomalynet.reporting.formats.files import (
    FILE_OF_FORM,
    Form,
    current,
    present,
    wanted,
    write_files,
)

__all__ = ["FILE_OF_FORM", "Form", "current", "present", "wanted", "write_files"]
