"""Where the leakage audit of a data set is kept beside its runs, for every report to read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomalynet.runs.files import read_json, write_json


def slug(data: str) -> str:
    """The name of a data set as a folder or file name: `ton_iot/fridge` is `ton_iot-fridge`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", data).strip(".-") or "data"


def read_audit(runs: Path, data: str) -> dict[str, Any] | None:
    """The last audit of a data set, as `AuditResult.to_dict` gave it; None where there is none."""
    return read_json(_path(runs, data)) or None


def write_audit(runs: Path, audit: Mapping[str, Any]) -> None:
    """Keep an audit in place of the last one of its data set."""
    write_json(_path(runs, str(audit["data"])), audit)


def _path(runs: Path, data: str) -> Path:
    return runs / "audit" / f"{slug(data)}.json"
