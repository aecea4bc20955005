"""Every `run` step of every workflow, in a fresh clone and a fresh environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS: dict[str, dict[str, Any]] = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
SMALL = {
    "bash .ci/run": {"PYTEST_ADDOPTS": "tests/layers"},
    "bash .ci/run slow": {"PYTEST_ADDOPTS": "tests/reporting/forms -k latex"},
    "python -m anomalynet check --runs": {
        "ANOMALYNET_CHECK_ARGS": "--only golden --experiments logistic"
    },
}
"""Start of a command → variables that make it a matter of minutes."""


@pytest.mark.slow
def test_every_step_works_in_a_fresh_clone(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "python"], check=True)
    given = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    given.pop("PYTHONPATH", None)
    given["PATH"] = os.pathsep.join([str(tmp_path / "python" / "bin"), os.environ["PATH"]])
    given["GITHUB_STEP_SUMMARY"] = str(tmp_path / "summary")
    done = []
    for workflow in WORKFLOWS.values():
        for job in workflow["jobs"].values():
            for command in [step["run"] for step in job["steps"] if "run" in step]:
                small = [value for start, value in SMALL.items() if command.startswith(start)]
                result = subprocess.run(
                    ["bash", "-e", "-c", command],
                    cwd=clone,
                    env={**given, **(small[-1] if small else {})},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                )
                assert result.returncode == 0, f"{command}\n{result.stdout[-4000:]}"
                done.append(command)
    assert len(done) == 6
    assert (clone / "check" / "history.svg").is_file()
    assert "logistic" in (clone / "check" / "check.md").read_text()


def test_workflows_only_read_and_know_no_secret() -> None:
    for workflow in WORKFLOWS.values():
        assert workflow["permissions"] == {"contents": "read"}
        assert "secrets." not in str(workflow)
