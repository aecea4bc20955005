"""The workflows' own commands, run as GitHub runs them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from anomalynet import __version__

ROOT = Path(__file__).parents[2]
WORKFLOWS: dict[str, dict[Any, Any]] = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
SMALL = {
    "bash .ci/run": {"PYTEST_ADDOPTS": "tests/layers"},
    "bash .ci/run slow": {"PYTEST_ADDOPTS": "tests/tracking -k killed"},
    "python -m anomalynet check --runs": {
        "ANOMALYNET_CHECK_ARGS": "--only golden --experiments logistic"
    },
    "ls dist": {"GITHUB_REF_NAME": f"v{__version__}"},
    "python -m tests.benchmarks": {"ANOMALYNET_BENCHMARKS": "audit --rounds 1"},
}
"""Start of a command → variables that make it a matter of minutes, or that GitHub sets."""


def carried_out(
    command: str, folder: Path, binaries: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """A step's command in a clone, with stderr in stdout."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    given.pop("PYTHONPATH", None)
    given["PATH"] = os.pathsep.join([str(binaries), os.environ["PATH"]])
    given["ANOMALYNET_NO_APT"] = "1"
    given["GITHUB_STEP_SUMMARY"] = str(folder.parent / "summary")
    return subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env={**given, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=1800,
    )


def test_ci_runs_the_readmes_test_command_and_nothing_else_of_it() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    program = re.search(r"awk '(.*?)' README\.md", script, re.DOTALL)
    assert program is not None
    read = subprocess.run(
        ["awk", program[1], ROOT / "README.md"], capture_output=True, text=True, check=True
    )
    assert len(read.stdout.splitlines()) == 1
    assert read.stdout.rstrip().endswith(".venv/bin/pytest -n 2")


@pytest.mark.slow
def test_every_step_works_in_a_fresh_clone_and_a_fresh_environment(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "python"], check=True)
    done = []
    for workflow in WORKFLOWS.values():
        for name, job in workflow["jobs"].items():
            if name == "vulnerabilities":  # asks a service, which a test must not need
                continue
            for command in [step["run"] for step in job["steps"] if "run" in step]:
                small = [value for start, value in SMALL.items() if command.startswith(start)]
                variables = small[-1] if small else {}
                result = carried_out(command, clone, tmp_path / "python" / "bin", **variables)
                assert result.returncode == 0, f"{command}\n{result.stdout[-4000:]}"
                assert ".ci/run" not in command or re.search(r"[1-9]\d* passed", result.stdout)
                done.append(command)
    assert len(done) == 17
    assert (clone / "check" / "history.svg").is_file()
    assert "logistic" in (clone / "check" / "check.md").read_text()


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
        kept = not name.startswith("reports/") or name == "reports/baseline.json"
        if kept and (ROOT / name).is_file():
            (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / "clone" / name)
    return tmp_path / "clone"


@pytest.mark.slow
def test_a_commit_that_changes_one_model_is_stopped_with_annotation_summary_and_history(
    clone: Path,
) -> None:
    experiment = clone / "experiments" / "lstm.yaml"
    text = experiment.read_text()
    assert "hidden: 64" in text
    experiment.write_text(text.replace("hidden: 64", "hidden: 63"))
    variables = {
        "GITHUB_ACTIONS": "true",
        "ANOMALYNET_CHECK_ARGS": "--only golden --experiments lstm,autoencoder --slots 1",
        "ATEN_CPU_CAPABILITY": "default",  # another environment is no alarm
    }
    done: list[subprocess.CompletedProcess[str]] = []
    for step in WORKFLOWS["metrics.yml"]["jobs"]["check"]["steps"]:
        failed = any(one.returncode for one in done)
        command = step.get("run", "pip install")
        if "pip install" not in command and (not failed or step.get("if") == "always()"):
            done.append(carried_out(command, clone, Path(sys.executable).parent, **variables))
    log = done[0].stdout
    assert [one.returncode for one in done] == [3, 0, 0], log
    report = (clone / "check/golden/smart_city/report.html").read_text()
    assert "<h1" in report and "Autoencoder" in report
    (line,) = [
        line for line in log.splitlines() if line.startswith("::error") and "train/loss" in line
    ]
    assert line.startswith("::error title=golden regression lstm::lstm: train/loss by epoch ")
    assert "its configuration or data also changed" in line
    assert "title=golden regression autoencoder" not in log
    summary = (clone.parent / "summary").read_text()
    assert "❌" in summary
    assert "| golden | lstm | train/loss by epoch |" in summary
    assert "| golden | autoencoder | all " in summary
    check = json.loads((clone / "check/check.json").read_text())
    assert check["exit_code"] == 3
    assert check["environment"].endswith(", DEFAULT")
    (same,) = [one for one in check["findings"] if one["experiment"] == "autoencoder"]
    assert (same["verdict"], "against torch" in same["note"]) == ("same", True)
    assert (clone / "check/history.svg").read_bytes().startswith(b"<?xml")


def test_every_action_is_a_commit_with_its_version_in_a_comment() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        uses = re.findall(r"uses: *(.*)", path.read_text(encoding="utf-8"))
        assert uses
        for text in uses:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", text), text


def test_a_release_takes_packages_from_one_index_alone() -> None:
    assert "INDEX" not in (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")


def test_workflows_only_read_know_no_secret_and_run_on_requests_and_at_night() -> None:
    for name, workflow in WORKFLOWS.items():
        assert workflow["permissions"] == {"contents": "read"}
        assert "secrets" not in json.dumps(workflow)
        triggers = workflow[True]  # YAML 1.1 reads `on` as true
        if name == "release.yml":
            assert triggers == {"push": {"tags": ["v*"]}}
        else:
            assert {"pull_request", "schedule"} <= set(triggers)
        for job in workflow["jobs"].values():
            assert job.get("permissions") in (None, {"id-token": "write"})
