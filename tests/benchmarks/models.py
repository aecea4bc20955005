"""Quick exported models for benchmarks: their speed is that of good ones, their scores are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.tiny import TINY


def exported(experiment: str, folder: Path, *overrides: str, name: str = "") -> Path:
    """Train an experiment for one epoch on a tiny world, unless that was done in this folder, and
    export it; `name`: of the file, in place of the experiment's."""
    path = folder / f"{name or experiment}.onnx"
    if not path.exists():
        keys = [
            "data.worlds=null",
            f"data.scenario={TINY}",
            "data.split.folds=3",
            "training.epochs=1",
            *overrides,
        ]
        told = anomalynet("train", experiment, *keys, "--runs", str(folder / "runs"))
        run = told.strip().splitlines()[-1]
        anomalynet("export", run, "--out", str(path), "--replace")
    return path


def anomalynet(*arguments: str) -> str:
    """Run a command to its end and return its stdout; what it says on stderr is shown where it
    fails."""
    command = [sys.executable, "-m", "anomalynet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"anomalynet {' '.join(arguments)}\n{done.stderr}")
    return done.stdout
