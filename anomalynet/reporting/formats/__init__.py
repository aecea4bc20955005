"""The forms of a report: Markdown is the document, the others are translations of it."""

from anomalynet.reporting.formats.files import PLACES, Form, current, present, wanted, write_files

__all__ = ["PLACES", "Form", "current", "present", "wanted", "write_files"]
