"""The leakage audit of a data set, stored beside its runs, where reports read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anomalynet.documents import read_json_value
from anomalynet.errors import RunError, UsageError
from anomalynet.runs import codec
from anomalynet.runs.files import write_json


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Metrics of one probe on the test steps of all folds."""

    probe: str
    sees: str
    auroc: float | None  # None if a class is missing
    accuracy: float  # share of correct decisions at 0.5
    verdict: str  # empty if nothing is wrong


@dataclass(frozen=True, slots=True)
class Day:
    """Labelled steps of one day (UTC)."""

    day: str
    normal: int
    attack: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """What an audit found."""

    data: str  # data set, with its subset: `ton_iot/fridge`
    fingerprint: str
    identity: str = ""  # hash of all that it depends on
    split: str
    folds: int
    assignment: int
    window: int
    calibration_rows: int = 0
    refused: str | None  # why a chronological split was refused; None if it was not
    days: tuple[Day, ...]  # labelled steps by day and class, if a chronological split was refused
    steps: int  # test steps scored, over all folds
    prevalence: float  # share of attack among them
    majority: float  # accuracy of always predicting the more frequent class
    rule: str
    probes: tuple[ProbeResult, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


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
        codec.read(AuditResult, audit, "audit")
    except (OSError, ValueError, UsageError) as error:
        hint = f"`anomalynet audit {data.split('/', maxsplit=1)[0]}` makes it again"
        why = error.message if isinstance(error, UsageError) else error
        raise RunError(f"{path}: not a valid audit: {why}", hint) from None
    return dict(audit)


def write_audit(runs: Path, audit: Mapping[str, Any]) -> None:
    """Store an audit; it replaces the last one of its data set."""
    write_json(audit_path(runs, str(audit["data"])), audit)


def audit_path(runs: Path, data: str) -> Path:
    """The file of the audit of a data set."""
    return runs / "audit" / f"{slug(data)}.json"
