"""`anomalynet status`: every state, told from folders that were made by hand."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from anomalynet.cli.main import main
from anomalynet.runs.code import code_hash
from anomalynet.runs.files import write_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.sweeps import SweepRecord, SweepRun, read_sweeps, write_sweep

ARMS = {"done": "a", "old": "a", "fails": "b", "runs": "b", "waits": "b", "dead": "b"}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A sweep of six runs, each in another state."""
    own = tuple(
        SweepRun(number, "hybrid", run, arm, f"seed {number} fold 0", 4)
        for number, (run, arm) in enumerate(ARMS.items(), 1)
    )
    named, started = ("components-skab-quick", "components", "quick"), "2026-01-02T03:04:05+00:00"
    write_sweep(tmp_path, SweepRecord(*named, (), 2, started, "reports/x", own))
    for run, seconds in (("done", 10.0), ("old", 20.0)):
        folder = tmp_path / "hybrid" / run
        write_json(folder / "result.json", {"version": 1})
        write_json(folder / "timings.json", {"train_seconds": seconds - 1, "score_seconds": 1.0})
        code = code_hash() if run == "done" else "0123456789"
        write_json(folder / "environment.json", {"code": code})
        RunFolder(folder).seal((folder / "result.json").read_bytes())
    failure = {"reason": "it broke\n  because of this\n  → mend it", "attempts": 1}
    write_json(tmp_path / "hybrid" / "fails" / "failed.json", failure)
    for run, pid in (("runs", os.getpid()), ("dead", 2**22 + 1)):
        folder = tmp_path / "hybrid" / run
        write_json(folder / ".holder.json", {"pid": pid, "host": socket.gethostname()})
        lines = [
            {"epoch": 0, "validation/average_precision": 0.25, "best": True},
            {"epoch": 1, "validation/average_precision": 0.2},
        ]
        (folder / "progress.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def asked(runs: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["status", "--runs", str(runs), *arguments]) == 0
    return capsys.readouterr().out


def test_every_state_is_told_from_the_folders(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sweep,) = json.loads(asked(runs, capsys, "--json"))["rows"]
    found: dict[str, Any] = {run["id"]: run for run in sweep["runs"]}
    assert {name: run["state"] for name, run in found.items()} == {
        "done": "done",
        "old": "stale",
        "fails": "failed",
        "runs": "running",
        "waits": "waiting",
        "dead": "waiting",
    }
    assert found["fails"]["reason"] == "because of this"
    assert (found["runs"]["epoch"], found["runs"]["epochs"], found["runs"]["best"]) == (2, 4, 0.25)
    # arm b has no finished run: each takes the mean of 10 s and 20 s; one is half done, two have
    # not begun; two slots
    assert sweep["seconds_left"] == (0.5 * 15 + 2 * 15) / 2


def test_a_table_an_arm_then_what_failed_and_what_is_stale(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = asked(runs, capsys).splitlines()
    assert lines == [
        "# components-skab-quick: 6 runs: 1 done, 1 stale, 1 failed, 1 running, 2 waiting, about "
        "19 s left",
        "arm\truns\tdone\tstale\tfailed\tpruned\twaiting\trunning",
        "a\t2\t1\t1\t\t\t\t",
        "b\t4\t\t\t1\t\t2\tseed 4 fold 0 epoch 2/4 best 0.2500",
        "failed: b seed 3 fold 0 hybrid/fails: because of this",
        "stale runs are of another version of the code: repeat the sweep's command with "
        "--rerun stale to make them again",
    ]


def test_a_name_chooses_and_a_strange_one_is_refused(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = json.loads(asked(runs, capsys, "components", "--json"))["rows"]
    assert row["sweep"] == "components"
    assert main(["status", "windows", "--runs", str(runs)]) == 2
    assert "there are components-skab-quick" in capsys.readouterr().err
    assert main(["status", "--runs", str(runs / "empty")]) == 4
    assert "no sweep was started here" in capsys.readouterr().err


def test_a_record_that_cannot_be_read_hides_no_other(runs: Path) -> None:
    (runs / ".sweeps" / "torn.json").write_text('{"label": "torn", "ru')
    (runs / ".sweeps" / "strange.json").write_text('{"label": "strange"}')
    warnings: list[str] = []
    found = read_sweeps(runs, warnings.append)
    assert [record.label for record in found] == ["components-skab-quick"]
    assert found == read_sweeps(runs)
    (text,) = warnings
    assert "strange.json" in text and "torn.json" in text


def test_watching_ends_where_nobody_works(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "hybrid" / "runs" / ".holder.json").unlink()
    assert len(asked(runs, capsys, "--watch").splitlines()) == 1


def test_a_pruned_run_is_not_waited_for_and_trials_to_come_are(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = (
        SweepRun(1, "hybrid", "done", "trial 0", "", 4, True),
        SweepRun(2, "hybrid", "pruned", "trial 1", "", 4, True),
    )
    record = SweepRecord(
        "search", "tune", "quick", (), 2, "2026-01-02T03:04:06+00:00", "reports/y", own, trials=5
    )
    write_sweep(runs, record)
    (sweep,) = json.loads(asked(runs, capsys, "search", "--json"))["rows"]
    assert [run["state"] for run in sweep["runs"]] == ["done", "pruned"]
    assert sweep["seconds_left"] == 3 * 10.0 / 2
