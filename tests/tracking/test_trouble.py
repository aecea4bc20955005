"""Whatever happens to W&B, its process or the network, the run is done, and the user is told."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from anomalynet.runs.files import is_alive, read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.tracking import run as tracking
from anomalynet.tracking.record import FILE, pending
from anomalynet.tracking.run import logged, track_sweep
from anomalynet.training.run import planned_folder, train
from tests.tracking.reader import parts, read
from tests.training.small import SHORT, short


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that accepts every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted = []

        def accept() -> None:
            try:
                while True:
                    accepted.append(server.accept())
            except OSError:
                pass

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        for connection, _ in accepted:
            connection.close()


@pytest.mark.slow
def test_a_killed_and_continued_run_has_two_parts_and_every_epoch_once(tmp_path: Path) -> None:
    keys = [text for text in SHORT if not text.startswith("training.epochs")]
    words = ["train", "hybrid", *keys, "training.epochs=12", "tracking=wandb"]
    command = [sys.executable, "-m", "anomalynet", *words]
    loaded = short("hybrid", "training.epochs=12", "tracking=wandb")
    folder = planned_folder(loaded, tmp_path)
    process = subprocess.Popen(
        [*command, "--runs", str(tmp_path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and len(folder.read_progress()) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 2 <= len(folder.read_progress()) < 12
    while time.monotonic() < deadline and read_json(folder.path / FILE).get("open") != "":
        time.sleep(0.05)
    first = read(parts(folder.path)[0])
    assert first.exit_code == 1
    outcome = train(loaded, tmp_path, group="quiet")
    assert outcome and not outcome.was_done
    first, second = (read(part) for part in parts(folder.path))
    assert {first.run["run_id"], second.run["run_id"]} == {folder.path.name}
    assert first.epochs and second.epochs
    assert first.epochs + second.epochs == folder.read_progress()
    assert second.exit_code == 0
    assert len(pending(folder.path)) == 2


@pytest.mark.slow
def test_a_server_that_never_answers_costs_no_run(
    tmp_path: Path,
    silent_server: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    started: dict[str, float] = {}

    class Watch:
        def epoch(self, line: dict[str, object], epochs: int) -> None:
            pass

        def step(self, epoch: int, step: int, steps: int) -> None:
            started.setdefault(loaded.config.tracking, time.monotonic() - since)

    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", silent_server)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "3")
    for mode in ("disabled", "wandb"):
        loaded, since = short("cnn", f"tracking={mode}"), time.monotonic()
        outcome = train(loaded, tmp_path / mode, listener=Watch())
        whole = time.monotonic() - since
        assert outcome and outcome.folder.finished
    assert outcome
    assert started["wandb"] < started["disabled"] + 20
    assert whole < 60
    record = read_json(outcome.folder.path / FILE)
    assert record and record["offline"] and not record["warning"]
    (part,) = parts(outcome.folder.path)
    assert part.name.startswith("offline-run-")
    assert read(part).epochs == outcome.folder.read_progress()
    said = capfd.readouterr()
    assert f"W&B is offline: {record['offline']}; `anomalynet sync`" in said.err
    assert said.out == ""


def test_a_process_that_crashes_at_once_costs_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "wandb.py").write_text("raise RuntimeError('this W&B is broken')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    outcome = train(short("cnn", "tracking=wandb"), tmp_path)
    assert outcome and outcome.folder.finished
    log = outcome.folder.path / "wandb" / "tracking.log"
    assert "this W&B is broken" in log.read_text()
    said = capfd.readouterr().err
    assert said.count("warning: W&B") == 1
    assert str(log) in said
    record = read_json(outcome.folder.path / FILE)
    assert record and "the run is not affected" in record["warning"]


def test_a_process_that_hangs_never_makes_training_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "hang.py"
    script.write_text(
        "import os, pathlib, sys, time\n"
        "pathlib.Path(sys.argv[1], 'pid').write_text(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    monkeypatch.setattr(tracking, "COMMAND", (sys.executable, str(script)))
    since = time.monotonic()
    with logged(tmp_path, {"id": "abc"}, quiet=True, patience=1.0):
        assert time.monotonic() - since < 5
    assert time.monotonic() - since < 15
    record = read_json(tmp_path / FILE)
    assert record and "did not finish within 1 s after the run" in record["warning"]
    assert not is_alive(int((tmp_path / "pid").read_text()))


@pytest.mark.slow
def test_a_sweep_has_a_run_of_its_own_with_its_report_once(tmp_path: Path) -> None:
    runs, page = tmp_path / "runs", "<h1>Results</h1>"
    folder = track_sweep("components", page, runs)
    assert folder
    (part,) = parts(folder)
    found = read(part)
    assert (found.run["job_type"], found.run["run_group"]) == ("sweep", "components")
    assert found.exit_code == 0
    (file,) = (part / "files" / "media" / "html").glob("report*.html")
    assert page in file.read_text()
    assert pending(folder) == [part]
    assert track_sweep("components", page, runs) == folder
    assert parts(folder) == [part]
    track_sweep("components", "<h1>Other results</h1>", runs)
    assert len({read(one).run["run_id"] for one in parts(folder)}) == 2


def test_rows_that_wandb_lost_because_it_was_killed_are_logged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, folder = tmp_path / "killed.py", RunFolder(tmp_path / "run")
    script.write_text(
        "import os, signal\n"
        "from anomalynet.tracking import session\n"
        "session.finish = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "session.main()\n"
    )
    run: dict[str, object] = {"job_type": "train", "id": "abc1234567", "name": "n"}
    run |= {"group": None, "tags": [], "config": {}}
    for epoch in (0, 1):
        folder.path.mkdir(exist_ok=True)
        folder.append_progress({"epoch": epoch})
        with monkeypatch.context() as patch:
            if epoch == 0:
                patch.setattr(tracking, "COMMAND", (sys.executable, str(script)))
            with logged(folder.path, run, quiet=True):
                pass
        assert read_json(folder.path / FILE)["open"] == (
            "" if epoch else parts(folder.path)[0].name
        )
    (part,) = parts(folder.path)
    assert [line["epoch"] for line in read(part).epochs] == [0, 1]


def test_a_run_goes_on_after_the_last_epoch_that_wandb_has(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    run: dict[str, object] = {"job_type": "train", "id": "abc1234567", "name": "n"}
    run |= {"group": None, "tags": [], "config": {}}
    for trained in (1, 2):
        with logged(folder.path, run, quiet=True):
            for _ in range(trained):
                epoch = len(folder.read_progress())
                folder.append_progress({"epoch": epoch, "validation/loss": 1.0 / (epoch + 1)})
    logs = [read(part) for part in parts(folder.path)]
    assert [[line["epoch"] for line in log.epochs] for log in logs] == [[0], [1, 2]]
    assert [log.exit_code for log in logs] == [1, 1]
