"""The workflow's own commands, run as GitHub runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW: dict[Any, Any] = yaml.safe_load(
    (ROOT / ".github/workflows/metrics.yml").read_text(encoding="utf-8")
)
STEPS: list[dict[str, Any]] = WORKFLOW["jobs"]["check"]["steps"]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files of the checkout that git knows, in a folder of their own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (
            (ROOT / name).is_file() and not name.startswith("reports/")
        ) or name == "reports/baseline.json":
            (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / "clone" / name)
    return tmp_path / "clone"


def carried_out(clone: Path, **variables: str) -> list[int]:
    """Exit codes of the steps with `run`, but for the installation; after a failure only those that
    run always."""
    given = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(clone / "output"),
        "GITHUB_STEP_SUMMARY": str(clone / "summary"),
    }
    codes: list[int] = []
    for step in STEPS:
        command = step.get("run", "pip install")
        if "pip install" in command or (any(codes) and step.get("if") != "always()"):
            continue
        environment = {**os.environ, **given, **step.get("env", {}), **variables}
        with (clone / f"log{len(codes)}").open("w") as log:
            done = subprocess.run(
                ["bash", "-e", "-c", command],
                cwd=clone,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        codes.append(done.returncode)
    return codes


def test_it_may_read_and_nothing_else_and_knows_no_secret() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "secrets" not in json.dumps(WORKFLOW)
    assert {"pull_request", "schedule"} <= set(WORKFLOW[True])  # YAML 1.1 reads `on` as true


@pytest.mark.slow
def test_a_commit_that_changes_one_model_is_stopped_with_annotation_summary_and_history(
    clone: Path,
) -> None:
    experiment = clone / "experiments" / "lstm.yaml"
    text = experiment.read_text()
    assert "hidden: 64" in text
    experiment.write_text(text.replace("hidden: 64", "hidden: 63"))
    arguments = "--only golden --experiments lstm,autoencoder --slots 1"
    kernels = {"ATEN_CPU_CAPABILITY": "default"}  # another environment is no alarm
    codes = carried_out(clone, ANOMALYNET_CHECK_ARGS=arguments, **kernels)
    log = (clone / "log0").read_text()
    assert codes == [3, 0, 0], log
    report = (clone / "check/golden/smart_city/report.html").read_text()
    assert "<h1" in report and "Autoencoder" in report
    (line,) = [
        line for line in log.splitlines() if line.startswith("::error") and "train/loss" in line
    ]
    assert line.startswith("::error title=golden regression lstm::lstm: train/loss by epoch ")
    assert "its configuration or data changed" in line
    assert "title=golden regression autoencoder" not in log
    summary = (clone / "summary").read_text()
    assert "❌" in summary
    assert "| golden | lstm | train/loss by epoch |" in summary
    assert "| golden | autoencoder | all " in summary
    check = json.loads((clone / "check/check.json").read_text())
    assert check["exit_code"] == 3
    assert check["environment"].endswith(", DEFAULT")
    (same,) = [one for one in check["findings"] if one["experiment"] == "autoencoder"]
    assert (same["verdict"], "against torch" in same["note"]) == ("same", True)
    assert (clone / "check/history.svg").read_bytes().startswith(b"<?xml")
