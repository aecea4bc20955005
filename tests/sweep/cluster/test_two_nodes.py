"""A sweep on Ray: the same bytes as on one machine, whatever becomes of its nodes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.jobs import jobs_of
from anomalynet.sweep.launch import Launch
from anomalynet.sweep.plan import plan
from anomalynet.sweep.slots import Slot
from tests.sweep.cluster.two_nodes import OVERRIDES, SWEEP

ALONE = ["unshare", "-rn"]
"""A network namespace of its own: Ray looks up names and asks for cloud metadata when it starts."""


def alone() -> list[str]:
    """The command that starts another in an empty network namespace; nothing where that is not
    allowed."""
    allowed = (
        shutil.which("unshare")
        and shutil.which("ip")
        and subprocess.run([*ALONE, "true"], capture_output=True, check=False)
    )
    return (
        [*ALONE, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        if allowed and allowed.returncode == 0
        else []
    )


@pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'anomalynet[ray]'")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the nodes' addresses are Linux's")
def test_a_node_killed_in_mid_sweep_changes_no_byte(tmp_path: Path) -> None:
    sweep = tmp_path / "mine.yaml"
    sweep.write_text(SWEEP)
    local = jobs_of(plan(read_sweep(str(sweep), "quick"), OVERRIDES), tmp_path / "local")
    with Launch([Slot()]) as launch:
        launch.run(local, lambda: None, interval=0.05)
    assert {job.state for job in local} == {"done"}

    with tempfile.TemporaryDirectory(
        prefix="ray"
    ) as short:  # a socket's path is at most 107 characters
        environment = {
            **os.environ,
            "RAY_TMPDIR": short,
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        command = [*alone(), sys.executable, "-m", "tests.sweep.cluster.two_nodes", str(tmp_path)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=240
        )
    assert done.returncode == 0, done.stderr[-4000:]
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert facts["slots"] == 2
    assert facts["nodes"] == ["node0", "node1"]
    assert sum(facts["losses"]) == 1
    assert facts["attempts"] == [1] * len(local)
    assert facts["seen"]["running"]
    assert facts["seen"]["epochs"] >= 1
    for job in local:
        there = tmp_path / "runs" / job.folder.path.parent.name / job.folder.path.name
        for name in ("result.json", "scores.parquet", "incidents.json"):
            assert (there / name).read_bytes() == (job.folder.path / name).read_bytes(), (
                f"{there}: {name}"
            )
        names = {
            path.relative_to(job.folder.path).as_posix() for path in job.folder.path.rglob("*")
        }
        assert {path.relative_to(there).as_posix() for path in there.rglob("*")} == names
