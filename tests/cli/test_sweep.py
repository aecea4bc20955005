"""`anomalynet sweep` as a user runs it: plan, continue, repair; and the same report whatever
happened on the way."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anomalynet.cli.main import main
from anomalynet.errors import UsageError
from anomalynet.runs.files import read_json, write_json
from anomalynet.runs.folder import RunFolder
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.jobs import PlannedSweep
from anomalynet.sweep.launch import LocalWorker
from anomalynet.sweep.runner import numbers
from anomalynet.sweep.worker import work
from tests.own_model import own_model
from tests.regression.training import in_process
from tests.sweep.test_launch import children, needs_proc
from tests.training.small import SHORT

SWEEP = """\
# small — does attention help?
experiment: hybrid
design: one_at_a_time
folds: [0, 1]
axes: {model.attention: [true, false], model.pool: [1, 2]}
presets: {quick: {training.epochs: 1}}
"""

FAILS = """\
import os, signal
from pathlib import Path
if Path("broken").exists() and self.config.model.width == 5:
    raise RuntimeError("the wheel came off")
if Path("broken").exists() and self.config.model.width == 6:
    os.kill(os.getpid(), signal.SIGKILL)
return Output(logits=self.layer(self.normalise(x).flatten(1)))
"""
"""Breaks in two ways, as long as the file `broken` is there."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a small sweep."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SWEEP)
    return tmp_path


def command(*arguments: str, sweep: str = "small.yaml") -> list[str]:
    """The small sweep on the tiny world."""
    keys = [text for text in SHORT if not text.startswith(("training.epochs", "model."))]
    return ["sweep", sweep, *keys, "--slots", "1", "--out", "report", *arguments]


def report() -> dict[str, bytes]:
    """The report's files, those of durations apart."""
    files = {
        path.relative_to("report").as_posix(): path.read_bytes()
        for path in Path("report").rglob("*")
        if path.is_file()
    }
    return {name: content for name, content in files.items() if "cost" not in name}


def check_pages(first: dict[str, bytes], capsys: pytest.CaptureFixture[str]) -> None:
    """A finished sweep's report gets its pages when they are asked for, once, and nothing else
    changes."""
    assert main(command("--format", "html")) == 0
    assert capsys.readouterr().out == "report/report.html\n"
    assert 'href="cost.html"' in Path("report/report.html").read_text()
    assert 'href="report.html"' in Path("report/cost.html").read_text()
    assert {name: content for name, content in report().items() if name in first} == first
    written = Path("report/report.html").stat().st_mtime_ns
    assert main(command("--format", "html,md")) == 0
    assert Path("report/report.html").stat().st_mtime_ns == written, "it was there"
    for name in ("report", "cost", "findings"):
        Path(f"report/{name}.html").unlink()


def results() -> list[Path]:
    return sorted(Path("runs").glob("*/*/result.json"))


def test_numbers_of_runs() -> None:
    assert numbers(None, 3) == [1, 2, 3]
    assert numbers("3, 1-2,2", 3) == [1, 2, 3]
    for text in ("0", "4", "2-5", "a", "1-", "-1", "3-2"):
        with pytest.raises(UsageError, match=r"^only .*\n.*plan_only"):
            numbers(text, 3)


def planned(name: str, preset: str, overrides: list[str]) -> PlannedSweep:
    nowhere, sweep = Path("nowhere"), read_sweep(name, preset)
    own: dict[str, Any] = {"source": name, "overrides": tuple(overrides), "label": name}
    return PlannedSweep(sweep=sweep, runs=nowhere, out=nowhere, jobs=[], **own)


def test_the_command_names_preset_and_settings_and_no_path_of_this_machine() -> None:
    scenario = "data.scenario=incidents.blunt=4 radio.kind=lora"
    overrides = ["data.name=skab", "data.root=/home/me/SKAB", scenario]
    told = f"anomalynet reproduce --preset full data.name=skab 'data.root=…/SKAB' '{scenario}'"
    assert planned("paper_models", "full", overrides).command == told
    assert planned("seeds", "quick", []).command == "anomalynet sweep seeds --preset quick"
    given = replace(planned("seeds", "quick", []), source="mine/heads.yaml")
    assert given.command == "anomalynet sweep mine/heads.yaml --preset quick"
    given = replace(given, source="/home/me/heads.yaml")
    assert given.command == "anomalynet sweep '…/heads.yaml' --preset quick"


def states(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Of the only sweep's runs."""
    capsys.readouterr()
    assert main(["status", "--json"]) == 0
    (sweep,) = json.loads(capsys.readouterr().out)["rows"]
    return [run["state"] for run in sweep["runs"]]


@pytest.mark.usefixtures("here")
def test_a_plan_names_what_its_preset_sets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command("--plan", "data.worlds=3")) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith("preset quick: training.epochs=1 data.worlds=3 run arm ")
    assert "without start-up" in shown


@pytest.mark.usefixtures("no_figures")
def test_from_the_plan_to_the_report_and_then_nothing_to_do(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_process(monkeypatch)
    assert main(command("--plan", "--json")) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["arms"], plan["left"], plan["unmeasured"]) == (3, 6, ["hybrid"])
    assert not Path("runs").exists()
    assert [(run["run"], run["arm"], run["fold"]) for run in plan["runs"][:3]] == [
        (1, "reference", 0),
        (2, "reference", 1),
        (3, "model.attention=false", 0),
    ]
    ids = [run["id"] for run in plan["runs"]]
    assert main(command("--print", "--only", "3")) == 0
    assert main(shlex.split(capsys.readouterr().out.strip())[1:]) == 0
    assert [path.parent.name for path in results()] == [ids[2]]
    assert main(command("--only", "1,3")) == 0
    assert [path.parent.name for path in results()] == sorted([ids[0], ids[2]])
    assert not Path("report").exists()
    assert main(command()) == 0
    assert len(results()) == 6
    text = Path("report/report.md").read_text()
    assert "*Does attention help?*" in text
    assert "model.attention=false" in text
    first, files = report(), [*results(), Path("report/report.md")]
    stamps = [path.stat().st_mtime_ns for path in files]
    capsys.readouterr()
    assert main(command("--json")) == 0
    done = {"schema": 1, "report": "report/report.md", "runs": 6, "done": 6, "failed": 0}
    assert json.loads(capsys.readouterr().out) == done
    assert [path.stat().st_mtime_ns for path in files] == stamps
    check_pages(first, capsys)
    Path("small.yaml").write_text(SWEEP + "report: {metric: test/auroc}\n")
    assert main(command()) == 0
    assert "(AUROC, mean over" in Path("report/report.md").read_text()
    Path("small.yaml").write_text(SWEEP)
    assert main(command()) == 0
    assert report() == first
    removed = results()[0].parent
    shutil.rmtree(removed)
    assert main(["report", "small.yaml", "--out", "fewer"]) == 0
    (fewer,) = (path for path in Path("fewer").iterdir() if path.is_dir())
    for name in ("report.md", "tables/runs.csv"):  # as `report` into the same folder does
        shutil.copy(fewer / name, Path("report", name))
    capsys.readouterr()
    assert main(command("--plan", "--json")) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [run["id"] for run in plan["runs"] if run["state"] != "done"] == [removed.name]
    assert plan["seconds_left"] > 0
    assert main(command()) == 0
    kept = [path.stat().st_mtime_ns for path in results()]
    assert [new == old for new, old in zip(kept, stamps, strict=False)] == [False, *[True] * 5]
    assert report() == first
    assert main(["report", "small.yaml", "--out", "again"]) == 0
    (again,) = (path for path in Path("again").iterdir() if path.is_dir())
    assert (again / "report.md").read_bytes() == first["report.md"]


def test_runs_of_other_code_are_told_and_made_again_on_request(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_process(monkeypatch)
    two = command("--only", "1,2", "training.epochs=1")
    assert main(two) == 0
    old = results()[0].parent / "environment.json"
    write_json(old, {**read_json(old), "code": "0123456789"})
    RunFolder(old.parent).seal(results()[0].read_bytes())
    assert sorted(states(capsys)) == ["done", "stale", *["waiting"] * 4]
    assert main(two) == 0
    assert "another version of the code made 1 of them" in capsys.readouterr().err
    stamps = [path.stat().st_mtime_ns for path in results()]
    assert main([*two, "--rerun", "stale"]) == 0
    kept = [path.stat().st_mtime_ns for path in results()]
    assert [new == old for new, old in zip(kept, stamps, strict=True)] == [False, True]


@pytest.mark.slow
def test_an_arm_that_raises_and_one_that_dies_cost_no_other(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.py").write_text(own_model(FAILS))
    Path("mine.yaml").write_text("extends: base.yaml\nmodel: {name: ./mine.py}\n")
    design = "experiment: mine.yaml\ndesign: one_at_a_time\nfolds: [0]\n"
    Path("breaks.yaml").write_text(f"{design}axes: {{model.width: [4, 5, 6, 7]}}\n")
    Path("broken").touch()
    breaking = [*command("training.epochs=1", sweep="breaks.yaml")]
    assert main(breaking) == 1
    error = capsys.readouterr().err
    assert "`--rerun failed` tries them again" in error
    assert main(["status", "--json"]) == 0
    (sweep,) = json.loads(capsys.readouterr().out)["rows"]
    found = {run["arm"]: (run["state"], run["reason"]) for run in sweep["runs"]}
    assert found["reference"][0] == found["model.width=7"][0] == "done"
    assert found["model.width=5"][0] == found["model.width=6"][0] == "failed"
    assert found["model.width=5"][1].endswith("RuntimeError: the wheel came off")
    assert found["model.width=6"][1] == "the worker died 2 times, last: killed by SIGKILL"
    Path("broken").unlink()
    assert main(breaking) == 1
    assert main([*breaking, "--rerun", "failed"]) == 0
    assert len(results()) == 4
    assert not list(Path("runs").glob("*/*/failed.json"))


def epochs() -> int:
    return sum(path.read_bytes().count(b"\n") for path in Path("runs").glob("*/*/progress.jsonl"))


@pytest.mark.slow
@needs_proc
def test_killed_again_and_again_it_reports_what_an_undisturbed_sweep_does(here: Path) -> None:
    assert main(command()) == 0
    first = report()
    shutil.rmtree("runs")
    shutil.rmtree("report")

    def started(until: int) -> subprocess.Popen[bytes]:
        """The sweep, as soon as it has trained `until` epochs in all."""
        program, nowhere = [sys.executable, "-m", "anomalynet", *command()], subprocess.DEVNULL
        process = subprocess.Popen(program, stderr=nowhere, stdout=nowhere)
        deadline = time.monotonic() + 120
        while epochs() < until and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return process

    parent = started(3)
    parent.kill()
    parent.wait()
    assert len(results()) < 6
    again = started(epochs() + 2)
    workers = children(again.pid)
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    assert again.wait(120) == 0
    assert len(results()) == 6
    assert report() == first


@pytest.mark.slow  # of a search, two commands at once are quick
def test_two_commands_at_once_share_the_work(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is a process, the other is called here and trains as soon as that has finished a run."""
    design = "experiment: logistic\ndesign: one_at_a_time\nfolds: [0, 1]\n"
    Path("small.yaml").write_text(f"{design}axes: {{data.window: [32, 24, 16]}}\n")
    words = command("--only", "1-6")  # so no report is written
    program, pipe = [sys.executable, "-m", "anomalynet", *words], subprocess.PIPE
    other = subprocess.Popen(program, stderr=pipe, stdout=pipe, text=True)

    def ask(self: LocalWorker, job: dict[str, Any]) -> dict[str, Any]:
        while not results():
            assert other.poll() is None
            time.sleep(0.005)
        return {**work(job), "memory": 0}

    monkeypatch.setattr(LocalWorker, "ask", ask)
    assert main(words) == 0
    told = [other.communicate(timeout=300)[1], capsys.readouterr().err]
    assert other.returncode == 0, told
    assert len(results()) == 6
    assert sum(text.count(" done in ") for text in told) == 6
