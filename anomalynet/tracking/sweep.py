"""A sweep in W&B: one more run in the group of its runs, with their table and the report."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anomalynet.tracking.client import Tracker
from anomalynet.tracking.record import read_record

PATIENCE = 60.0
"""Seconds that the end of a sweep waits for W&B."""


def track_sweep(
    name: str, rows: Sequence[Mapping[str, Any]], report_folder: Path | None, runs: Path
) -> Path | None:
    """Log a sweep's summary; the same rows are logged once. Whatever goes wrong is said on stderr
    and costs nothing else.

    Args:
        name: of the sweep, which is the W&B group of its runs.
        rows: one a run; plain values (text, numbers, None).
        report_folder: uploaded as an artifact; None where there is no report.
        runs: folder of the runs; W&B's files lie in `.sweeps/NAME` there, where `anomalynet sync`
        finds them.

    Returns:
        the folder of its files; None where nothing is logged: W&B is disabled, or one of its agents
        runs this command, which shows its runs in a sweep of its own.
    """
    if os.environ.get("WANDB_MODE") == "disabled" or os.environ.get("WANDB_SWEEP_ID"):
        return None
    folder = runs / ".sweeps" / name
    plain = json.loads(json.dumps(list(rows), default=str))
    identity = (
        f"{name}-{hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:10]}"
    )
    known = read_record(folder)
    if known and known.id == identity and known.parts and known.parts[-1].finished:
        return folder
    run = {
        "job_type": "sweep",
        "id": identity,
        "name": name,
        "group": name,
        "tags": ["sweep"],
        "config": {"sweep": name, "runs": len(plain)},
    }
    tracker = Tracker(folder, run, patience=PATIENCE)
    tracker.send({"rows": plain, "report": str(report_folder.resolve()) if report_folder else None})
    tracker.finish(exit_code=0)
    return folder
