"""Which names of channels, series and kinds are valid, in tables and in streams; without Polars, so
that a gateway has it too."""

from __future__ import annotations

from unicodedata import category


def check_name(text: str) -> bool:
    """Whether a name is valid: not empty, and shown on one line as it is, so without control
    characters, escape sequences, line ends and marks that turn the direction of writing.

        check_name("Temp. (°C)")         # True
        check_name("a\\x1b[2J")           # False: it would clear the reader's screen
    """
    spaces = (letter for letter in text if not letter.isprintable())
    return bool(text) and all(category(letter) == "Zs" for letter in spaces)
