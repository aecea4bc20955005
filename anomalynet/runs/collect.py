"""Finds runs below a folder: all finished ones, or one by the start of its id."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import yaml

from anomalynet.errors import RunError, UsageError
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.schema import Result

MOVE_AWAY = "move this run's folder away and give the same command again"
"""Hint for every message about a damaged run."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A finished run: its result, its folder, how long it took, and the hash of the code that made
    it."""

    result: Result
    folder: Path
    timings: dict[str, float]
    code: str
    config: dict[str, Any]


def load_results(runs: Path) -> list[RunRecord]:
    """Finished runs below `runs`, sorted by experiment, fold and seed; unfinished ones are skipped.
    Raises RunError: a file of a run is damaged."""
    written = sorted(runs.glob("*/*/result.json"))
    damaged = [path for path in written if not read_json(path)]
    if damaged:
        raise RunError(f"{damaged[0]}: cannot be read", MOVE_AWAY)
    folders = (RunFolder(path.parent) for path in written)
    records = [load_record(folder) for folder in folders if folder.finished]
    order = attrgetter("result.experiment", "result.fold", "result.seed", "result.id")
    return sorted(records, key=order)


def load_record(folder: RunFolder) -> RunRecord:
    """One finished run. Raises RunError: its result or its configuration cannot be read."""
    result, known = folder.read_result(), read_json(folder.timings).items()
    timings = {name: value for name, value in known if isinstance(value, int | float)}
    code = str(read_json(folder.environment).get("code", ""))
    return RunRecord(result, folder.path, timings, code, _read_config(folder.config))


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise RunError(f"{path}: cannot be read: {reason}", MOVE_AWAY) from None
    if not isinstance(config, dict):
        raise RunError(f"{path}: not a configuration", MOVE_AWAY)
    return config


def find_run(run: str, runs: Path) -> RunFolder:
    """A run by its folder, or by the start of its id. Raises UsageError: none or several match."""
    if (Path(run) / "config.yaml").is_file():
        return RunFolder(Path(run))
    named = (path for path in sorted(runs.glob("*/*/")) if path.name.startswith(run))
    matches = [path for path in named if (path / "config.yaml").is_file()]
    if len(matches) == 1:
        return RunFolder(matches[0])
    if matches:
        listed = ", ".join(f"{path.parent.name}/{path.name}" for path in matches[:5])
        raise UsageError(f"{run!r} is ambiguous: it matches {listed}", "give more digits")
    hint = "`anomalynet ls runs` lists them; give another folder with --runs"
    raise UsageError(f"unknown run {run!r} in {runs}", hint)
