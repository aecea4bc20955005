"""What a file holds, as a tree of plain values."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

EXISTENCE = ("html", "svg", "png", "pdf", "ckpt", "skops", "npy", "py", "log", "journal")
"""Suffixes of files of which only the existence is compared."""

_VALUE = re.compile(r"[^\s,;()\[\]|“”\"'`]*[0-9/_=][^\s,;()\[\]|“”\"'`]*")
_NAMED = re.compile(r"[\w./<>-]+\.\w+:\d+|\b[a-z_]+(?:\.[a-z_]+)+\b|'[^'\n]*'|\d+(?:\.\d+)?")


def read(path: Path) -> tuple[str, Any]:
    """The kind of a file and its content; of a spoilt file its bytes."""
    try:
        return _read(path, path.suffix[1:])
    except (ValueError, yaml.YAMLError, pl.exceptions.PolarsError, csv.Error):
        return "spoilt", path.read_bytes().hex()


def _read(path: Path, kind: str) -> tuple[str, Any]:
    if kind in EXISTENCE or kind == "" or path.name == "cost.tex":  # durations
        return "existence", None
    if kind == "parquet":
        return kind, pl.read_parquet(path, hive_partitioning=False)
    if kind == "npz":
        with np.load(path) as arrays:
            kept = set(arrays.files) - {"about", "service"}  # digests, clocks
            return kind, {name: arrays[name].tolist() for name in sorted(kept)}
    if kind == "onnx":
        return kind, metadata(path)
    text = path.read_text(encoding="utf-8", errors="replace")
    if kind == "tex":
        return kind, [values(line) for line in text.splitlines() if "&" in line]
    if kind in ("csv", "tsv"):
        separator = "\t" if kind == "tsv" else ","
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator)) or [[]]
        return kind, columns(rows)
    if kind == "json":
        return kind, parsed(text)
    if kind == "jsonl":
        return kind, [parsed(line) for line in text.splitlines()]
    if kind in ("yaml", "yml"):
        return "yaml", yaml.safe_load(text)
    if kind == "md":
        prose = [line for line in text.splitlines() if not line.startswith("|")]
        return kind, {"tables": markdown_tables(text), "prose": [values(line) for line in prose]}
    return "text", values(text)


def columns(rows: list[list[str]]) -> Any:
    """Columns by their heading; rows where they are ragged."""
    head, *body = rows
    if len(set(head)) < len(head) or any(len(row) != len(head) for row in body):
        return rows
    return {name: [row[at] for row in body] for at, name in enumerate(head)}


def parsed(text: str) -> Any:
    """JSON, or the text where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def printed(text: str) -> tuple[str, Any]:
    """What a command printed: JSON, JSON lines, or tables and values."""
    if not text.strip():
        return "text", []
    try:
        found = json.loads(text)  # lists were printed without an object around them once
        listed = isinstance(found, dict) and found.keys() == {"schema", "rows"}
        return "json", found["rows"] if listed else found
    except ValueError:
        pass
    try:
        return "jsonl", [json.loads(line) for line in text.splitlines()]
    except ValueError:
        pass
    lines = text.splitlines()
    return "text", [line.split("\t") if "\t" in line else values(line) for line in lines]


def values(text: str) -> list[str]:
    """Numbers, paths, and words with a sign of meaning in a text."""
    return [word.rstrip(".:?!") for word in _VALUE.findall(text)]


def named(text: str) -> list[str]:
    """What an error message names: file and line, keys, quoted values, numbers."""
    return list(dict.fromkeys(_NAMED.findall(text)))


def markdown_tables(text: str) -> list[list[list[str]]]:
    """Every table as rows of cells, the heading first."""
    tables: list[list[list[str]]] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            tables.append([])
        elif set(line) - set("|:- "):
            tables[-1:] = [[*(tables[-1] if tables else []), _cells(line)]]
    return [table for table in tables if table]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def metadata(path: Path) -> dict[str, Any]:
    """What an ONNX file says of itself."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    shapes = {value.name: str(value.type) for value in (*model.graph.input, *model.graph.output)}
    return {
        "metadata": {entry.key: parsed(entry.value) for entry in model.metadata_props},
        "shapes": shapes,
    }
