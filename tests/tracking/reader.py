"""Reads W&B's own files back, with W&B's own reader."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SPEC = find_spec("wandb")
assert SPEC and SPEC.origin
CORE = Path(SPEC.origin).parent / "bin" / "wandb-core"
"""What `wandb leet inspect` calls, a second faster."""


@dataclass(frozen=True)
class Read:
    """What one part of a run, one `.wandb` file, holds."""

    records: list[dict[str, Any]]

    def _all(self, kind: str) -> list[dict[str, Any]]:
        return [record[kind] for record in self.records if record["type"] == kind]

    @property
    def run(self) -> dict[str, Any]:
        """The run as it was described last: id, group, tags, config."""
        run: dict[str, Any] = self._all("run")[-1]
        return run

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration."""
        config: dict[str, Any] = {}
        for record in (*(run["config"] for run in self._all("run")), *self._all("config")):
            config |= record.get("update", {})
        return config

    @property
    def history(self) -> list[dict[str, Any]]:
        """One dict a step."""
        return [row["item"] for row in self._all("history")]

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """The history's epochs, as progress.jsonl has them."""
        return plain_epochs(self.history)

    @property
    def summary(self) -> dict[str, Any]:
        """The summary, nested keys dotted."""
        found: dict[str, Any] = {}
        for summary in self._all("summary"):
            found |= summary["update"]
        return found

    @property
    def artifacts(self) -> dict[str, dict[str, Any]]:
        """Artifacts by name."""
        return {artifact["name"]: artifact for artifact in self._all("artifact")}

    @property
    def exit_code(self) -> int:
        """How it ended."""
        code: int = self._all("exit")[-1].get("exit_code", 0)
        return code


def plain_epochs(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The epochs among a history's rows, without W&B's own keys."""
    found = [row for row in rows if "epoch" in row]
    return [{key: row[key] for key in row if not key.startswith("_")} for row in found]


def parts(folder: Path) -> list[Path]:
    """W&B's folders of a run, oldest first."""
    return sorted(path.parent for path in (folder / "wandb").glob("*run-*/*.wandb"))


def read(part: Path) -> Read:
    """Read one of W&B's folders."""
    (file,) = part.glob("*.wandb")
    command = [str(CORE), "leet", "inspect", "--no-observability", "--json"]
    command += ["--run-file", str(file), str(part.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Read([json.loads(line) for line in done.stdout.splitlines()])
