"""What a W&B server is sent: at once, and by `anomalynet sync`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anomalynet.cli.main import main
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.tracking.record import FILE, notes, pending
from anomalynet.tracking.run import logged
from anomalynet.training.run import train
from tests.tracking.reader import parts, plain_epochs
from tests.tracking.server import Server, wandb_server
from tests.training.small import short

RUN: dict[str, Any] = {"job_type": "train", "id": "abc1234567", "name": "n", "group": "a-sweep"}
RUN |= {"tags": [], "config": {}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server, and a key for it."""
    with wandb_server() as found:
        monkeypatch.setenv("WANDB_BASE_URL", found.url)
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        yield found


def epochs(server: Server, run: str) -> list[dict[str, Any]]:
    """The epochs that a server has of a run."""
    return plain_epochs(row for _, row in sorted(server.history[run].items()))


def progress(folder: Path, count: int) -> RunFolder:
    """A run's folder with so many epochs."""
    run = RunFolder(folder / "runs" / "hybrid" / "abc1234567")
    run.path.mkdir(parents=True, exist_ok=True)
    run.config.touch()
    for epoch in range(len(run.read_progress()), count):
        run.append_progress({"epoch": epoch, "validation/loss": 1.0 / (epoch + 1)})
    return run


def test_a_run_is_sent_while_it_is_trained(
    tmp_path: Path, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    outcome = train(short("cnn", "tracking=wandb"), tmp_path)
    assert outcome
    name = outcome.folder.path.name
    assert epochs(server, name) == outcome.folder.read_progress()
    assert server.exit_codes == {name: 0}
    assert {"smart_city", f"model-{name}"} <= set(server.artifacts)
    assert server.used == 1
    first = server.upserts[0]
    said = [first[key] for key in ("name", "project", "jobType", "tags")]
    assert said == [name, "anomalynet", "train", ["cnn", "smart_city"]]
    assert json.loads(first["config"])["training"]["value"]["epochs"] == 2
    record = read_json(outcome.folder.path / FILE)
    assert record and not record["warning"]
    assert record["offline"] == ""
    assert not pending(outcome.folder.path)
    assert f"W&B: {server.url}/us/anomalynet/runs/{name}\n" in capfd.readouterr().err


@pytest.mark.slow
def test_offline_parts_of_a_run_become_one_run(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    for count in (2, 4):
        with logged(tmp_path / "runs" / "hybrid" / RUN["id"], RUN, quiet=True):
            run = progress(tmp_path, count)
    monkeypatch.delenv("WANDB_MODE")
    assert server.asked == []
    assert len(pending(run.path)) == 2
    assert main(["sync", "--runs", str(tmp_path / "runs"), "--timeout", "60"]) == 0
    assert epochs(server, "abc1234567") == run.read_progress()
    assert len(run.read_progress()) == 4
    assert {upsert["groupName"] for upsert in server.upserts} - {None} == {"a-sweep"}
    assert not pending(run.path)


@pytest.mark.slow
def test_a_run_whose_network_is_gone_at_its_end_is_uploaded_later(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = progress(tmp_path, 1)
    with logged(run.path, RUN, quiet=True, patience=2.0):
        until = time.monotonic() + 30
        while not epochs(server, RUN["id"]) and time.monotonic() < until:
            time.sleep(0.05)
        server.awake.clear()
        progress(tmp_path, 3)
    record = read_json(run.path / FILE)
    assert record and "did not finish within 2 s after the run" in record["warning"]
    assert pending(run.path) == parts(run.path)
    server.awake.set()
    assert main(["sync", "--runs", str(tmp_path / "runs"), "--timeout", "60"]) == 0
    sent = {line["epoch"]: line for line in epochs(server, "abc1234567")}
    assert list(sent.values()) == run.read_progress()
    assert not pending(run.path)
    assert not notes([run.path])
