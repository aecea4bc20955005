"""Output formats of a report: HTML, LaTeX and Parquet are made from the Markdown."""

from anomalynet.reporting.formats.files import (
    FILE_OF_FORM,
    Form,
    current,
    present,
    wanted,
    write_files,
)

__all__ = ["FILE_OF_FORM", "Form", "current", "present", "wanted", "write_files"]
