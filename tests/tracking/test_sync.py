"""`anomalynet sync`: which parts it uploads, in which order, for how long, and what it reports."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
import wandb

from anomalynet.cli.main import main
from anomalynet.runs.folder import RunFolder
from anomalynet.tracking import record
from anomalynet.tracking.record import has_key, notes, pending, synced, update, upload

STUB = """\
import json, sys, time
from pathlib import Path
with open({calls!r}, "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
what = {what!r}
if what == "hang":
    time.sleep(600)
for path in map(Path, sys.argv[3:]):
    if what == "half" and path != Path(sys.argv[3]):
        print("wandb: ERROR Failed to upload: 403 Forbidden")
        break
    (file,) = path.glob("*.wandb")
    file.with_suffix(".wandb.synced").touch()
print("wandb: Done.")
"""


def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str = "") -> Path:
    """Put a program in the place of `wandb`, that notes how it is called; there is a key."""
    calls, script = tmp_path / "calls.jsonl", tmp_path / "wandb_stub.py"
    script.write_text(STUB.format(calls=str(calls), what=what))
    monkeypatch.setattr(record, "WANDB", (sys.executable, str(script)))
    monkeypatch.setattr(record, "has_key", lambda: True)
    return calls


def run(runs: Path, name: str, *kinds: str) -> Path:
    """A tracked run; each part is `offline`, `online` or `broken` (online, cut short)."""
    folder = runs / "hybrid" / name
    for number, kind in enumerate(kinds):
        stem = f"{'offline-run' if kind == 'offline' else 'run'}-2026010{number}_000000-{name}"
        file = folder / "wandb" / stem / f"run-{name}.wandb"
        file.parent.mkdir(parents=True)
        file.touch()
        if kind == "online":
            synced(file).touch()
    (folder / "config.yaml").touch()
    update(folder, id=name, warning="W&B did not finish")
    return folder


def calls_of(path: Path) -> list[list[str]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_the_parts_of_a_run_go_into_one_command_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = stub(tmp_path, monkeypatch)
    two = run(tmp_path / "runs", "aaaa", "offline", "online", "broken", "offline")
    one = run(tmp_path / "runs", "bbbb", "offline")
    run(tmp_path / "runs", "cccc", "online")
    assert main(["sync", "--runs", str(tmp_path / "runs"), "--json"]) == 0
    stems = ("offline-run-20260100", "run-20260102", "offline-run-20260103")
    first = [str(two / "wandb" / f"{stem}_000000-aaaa") for stem in stems]
    second = str(one / "wandb" / "offline-run-20260100_000000-bbbb")
    command = ["sync", "--include-online"]
    assert calls_of(calls) == [[*command, *first], [*command, second]]
    assert pending(two) == pending(one) == []


def test_it_says_what_became_of_each_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = stub(tmp_path, monkeypatch, "half")
    half = run(tmp_path / "runs", "aaaa", "offline", "offline")
    run(tmp_path / "runs", "bbbb", "offline")
    run(tmp_path / "runs", "cccc", "online")
    busy = run(tmp_path / "runs", "dddd", "broken")
    with RunFolder(busy).locked(wait=False):
        assert main(["sync", "--runs", str(tmp_path / "runs"), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)["rows"]
    assert {row["run"]: row["state"] for row in said} == {
        "hybrid/aaaa": "failed",
        "hybrid/bbbb": "synced",
        "hybrid/cccc": "nothing to do",
        "hybrid/dddd": "running",
    }
    assert notes([half, tmp_path / "runs" / "hybrid" / "bbbb"]) == [
        "W&B: 1 run: W&B did not finish"
    ]
    assert len(calls_of(calls)) == 2
    stub(tmp_path, monkeypatch)
    assert main(["sync", "aa", "--runs", str(tmp_path / "runs")]) == 0
    assert "hybrid/aaaa\tsynced" in capsys.readouterr().out
    left = half / "wandb" / "offline-run-20260101_000000-aaaa"
    assert calls_of(calls)[-1][2:] == [str(left)]


def test_an_upload_that_never_ends_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(tmp_path, monkeypatch, "hang")
    folder = run(tmp_path, "aaaa", "offline")
    since = time.monotonic()
    assert upload(folder, timeout=0.5) == "failed"
    assert time.monotonic() - since < 30


def test_without_a_key_wandb_says_once_what_to_do(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wandb.teardown()  # it may remember a key of another test
    for name in ("aaaa", "bbbb", "cccc"):
        run(tmp_path, name, "online" if name == "bbbb" else "offline")
    assert main(["sync", "--runs", str(tmp_path), "--json"]) == 1
    printed = capfd.readouterr()
    assert printed.err.count("wandb login") == 1
    states = [row["state"] for row in json.loads(printed.out)["rows"]]
    assert states == ["failed", "nothing to do", "failed"]


def test_a_key_in_netrc_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb.teardown()
    monkeypatch.setenv("WANDB_BASE_URL", "http://wandb.example:8080")
    assert not has_key()
    (tmp_path / "no-netrc").write_text("machine wandb.example:8080 login user password secret\n")
    assert has_key()


def test_a_sweep_is_uploaded_too_and_nothing_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub(tmp_path, monkeypatch)
    assert main(["sync", "--runs", str(tmp_path / "none")]) == 0
    assert "tracking=wandb" in capsys.readouterr().err
    run(tmp_path / "elsewhere", "aaaa", "offline").rename(tmp_path / "components")
    (tmp_path / "runs" / ".sweeps").mkdir(parents=True)
    (tmp_path / "components").rename(tmp_path / "runs" / ".sweeps" / "components")
    assert main(["sync", "--runs", str(tmp_path / "runs"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["run"] == "sweeps/components"
