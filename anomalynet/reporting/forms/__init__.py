"""The forms of a report: Markdown is the document, the others are translations of it."""

from typing import Literal

Form = Literal["html", "md", "latex", "csv"]
FORMS: tuple[Form, ...] = ("html", "md", "latex", "csv")
MARKDOWN: tuple[Form, ...] = ("md",)
"""What is written where nothing is asked for."""
