"""Stores the leakage audit of a data set beside its runs, where reports read it."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomalynet.documents import read_json_value
from anomalynet.errors import RunError
from anomalynet.runs.files import write_json

Kinds = Mapping[str, type | types.UnionType]
KINDS: Kinds = {
    **dict.fromkeys(("data", "fingerprint", "split", "rule"), str),
    **dict.fromkeys(("folds", "assignment", "window", "steps"), int),
    **dict.fromkeys(("days", "probes", "warnings"), list),
    **dict.fromkeys(("prevalence", "majority"), int | float),
    "refused": str | None,
}
PROBE: Kinds = {
    **dict.fromkeys(("probe", "sees"), str),
    "auroc": int | float | None,
    "accuracy": int | float,
    "verdict": str | None,
}
DAY: Kinds = {"normal": int, "attack": int}
"""Keys that reports read, with their types: of an audit, of each of its probes and days."""


def slug(data: str) -> str:
    """The name of a data set as a file name: `ton_iot/fridge` gives `ton_iot-fridge`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", data).strip(".-") or "data"


def read_audit(runs: Path, data: str) -> dict[str, Any] | None:
    """The last audit of a data set; None without one. Raises RunError: its file is damaged."""
    path = audit_path(runs, data)
    if not path.is_file():
        return None
    try:
        audit = read_json_value(path)
    except (OSError, ValueError) as error:
        raise _damaged(path, data, str(error)) from None
    wrong = [_wrong(audit, KINDS)]
    if not wrong[0]:
        wrong += [_wrong(probe, PROBE) for probe in audit["probes"]]
        wrong += [_wrong(day, DAY) for day in audit["days"]]
    if any(wrong):
        raise _damaged(path, data, next(filter(None, wrong)))
    return dict(audit)


def _wrong(value: object, kinds: Kinds) -> str:
    """What is wrong with a value; empty if nothing."""
    if not isinstance(value, dict):
        return f"expected an object, got {value!r}"
    missing = [key for key in kinds if key not in value]
    if missing:
        return f"missing keys: {', '.join(missing)}"
    invalid = [key for key, kind in kinds.items() if not isinstance(value[key], kind)]
    return f"{invalid[0]} has the invalid value {value[invalid[0]]!r}" if invalid else ""


def _damaged(path: Path, data: str, what: str) -> RunError:
    hint = f"`anomalynet audit {data.split('/', maxsplit=1)[0]}` makes it again"
    return RunError(f"{path}: not a valid audit: {what}", hint)


def write_audit(runs: Path, audit: Mapping[str, Any]) -> None:
    """Store an audit; it replaces the last one of its data set."""
    write_json(audit_path(runs, str(audit["data"])), audit)


def audit_path(runs: Path, data: str) -> Path:
    """The file of the audit of a data set."""
    return runs / "audit" / f"{slug(data)}.json"
