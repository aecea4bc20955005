"""Reads JSON, and replaces files atomically: a reader sees the old or the new content."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from anomalynet.documents import read_json_value


def write_text(path: Path, text: str) -> None:
    """Replace a text file atomically."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_json(path: Path, value: object) -> None:
    """Replace a JSON file atomically. Raises ValueError: NaN, which JSON does not have."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if the file is missing or unreadable."""
    try:
        value = read_json_value(path)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
