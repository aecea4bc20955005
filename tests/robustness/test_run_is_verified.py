"""A finished run is believed only while every file that it left is as it was written: `train`
repairs a damaged one, and everything that reads runs names the file and reads nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anomalynet.cli.main import main
from anomalynet.errors import RunError
from anomalynet.runs.collect import list_runs
from anomalynet.runs.files import read_json, sha256, write_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.schema import RESULT_VERSION
from anomalynet.runs.sweeps import SweepRecord, SweepRun, sweep_status
from anomalynet.sweep.cluster import RayWorker
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.jobs import jobs_of
from anomalynet.sweep.launch import Launch
from anomalynet.sweep.plan import plan
from anomalynet.sweep.slots import Slot
from anomalynet.sweep.worker import work
from anomalynet.training.finished import open_run
from anomalynet.training.run import TrainingOutcome, train
from tests.sweep.test_cluster import DONE, FILES, FakeRay, jobs_in, launched
from tests.training.small import SHORT, identical, shared, short


def flip(path: Path) -> None:
    """One bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    """The second half of a file is lost."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


HARMS: list[Callable[[Path], None]] = [flip, cut, Path.unlink]


def copy(outcome: TrainingOutcome, runs: Path) -> RunFolder:
    """A copy of a run, which may be damaged."""
    own = outcome.folder.path
    return RunFolder(shutil.copytree(own, runs / own.parent.name / own.name))


def vouched(folder: RunFolder) -> list[str]:
    """The files of a run, without its lock."""
    files = (path for path in sorted(folder.path.rglob("*")) if path.is_file())
    names = [path.relative_to(folder.path).as_posix() for path in files]
    return [name for name in names if not name.startswith(".")]


def test_every_file_of_a_run_is_vouched_for(tmp_path: Path) -> None:
    for name in ("hybrid", "logistic"):
        folder = copy(shared(name), tmp_path)
        known = json.loads(folder.checksums.read_text())
        assert sorted(known) == vouched(folder)
        assert "scores.parquet" in known and len(known) >= 7
        assert folder.finished and folder.damage() == {}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_file_is_named_and_nothing_is_read(
    harm: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = copy(shared("hybrid"), tmp_path)
    for name in vouched(folder):
        if harm is Path.unlink and name == "result.json":
            continue  # an unfinished run
        if harm is Path.unlink and name == "checkpoints/last.ckpt":
            continue  # the result does not need it
        whole = (folder.path / name).read_bytes()
        harm(folder.path / name)
        with pytest.raises(RunError, match=name) as caught:
            list_runs(tmp_path)
        assert caught.value.next_step
        if folder.config.exists():
            with pytest.raises(RunError):
                open_run(folder.path)
        (folder.path / name).write_bytes(whole)
    assert open_run(folder.path).result == shared("hybrid").result


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        *(("scores.parquet", harm) for harm in HARMS),
        *(("result.json", flip), ("result.json", cut), ("incidents.json", cut)),
        *(("config.yaml", Path.unlink), ("timings.json", flip)),
    ],
)
def test_train_repairs_what_the_checkpoint_gives_again(
    name: str, harm: Callable[[Path], None], tmp_path: Path
) -> None:
    whole = shared("logistic")
    folder = copy(whole, tmp_path)
    progress = folder.classical.stat().st_mtime_ns
    harm(folder.path / name)
    outcome = train(short("logistic"), tmp_path)
    assert outcome is not None and not outcome.was_done
    assert [*outcome.repaired] == [name]
    assert folder.damage() == {} and folder.read_result() == whole.result
    assert folder.scores.read_bytes() == whole.folder.scores.read_bytes()
    assert folder.classical.stat().st_mtime_ns >= progress
    again = train(short("logistic"), tmp_path)
    assert again is not None and again.was_done


def test_a_network_with_a_damaged_checkpoint_is_trained_again_and_nothing_is_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, name = shared("hybrid"), "checkpoints/best.ckpt"
    folder = copy(whole, tmp_path)
    flip(folder.path / name)
    files = {name: (folder.path / name).read_bytes() for name in vouched(folder)}
    command = ["train", "hybrid", *SHORT, "--runs", str(tmp_path)]
    assert main(command) == 0
    printed = capsys.readouterr().err
    assert "epoch 2/2" in printed
    assert f"{folder.path} was damaged and is repaired: {name} has another content" in printed
    assert identical(folder, whole.folder)
    (aside,) = (tmp_path / "hybrid" / "damaged").iterdir()
    assert {name: (aside / name).read_bytes() for name in vouched(RunFolder(aside))} == files
    assert list_runs(tmp_path)["id"].to_list() == [folder.path.name]  # the other is no run


def test_a_finished_run_does_not_need_its_last_checkpoint(tmp_path: Path) -> None:
    folder = copy(shared("hybrid"), tmp_path)
    intact = {name: (folder.path / name).read_bytes() for name in vouched(folder)}
    del intact["checkpoints/last.ckpt"]
    flip(folder.last)
    outcome = train(short("hybrid"), tmp_path)
    assert outcome is not None and outcome.was_done
    assert [*outcome.repaired] == ["checkpoints/last.ckpt"]
    again = train(short("hybrid"), tmp_path)
    assert again is not None and again.was_done and not again.repaired
    assert {name: (folder.path / name).read_bytes() for name in vouched(folder)} == intact
    assert open_run(folder.path).result == shared("hybrid").result


@pytest.mark.parametrize("place", ["name", "digest"])
def test_damaged_checksums_alone_are_refused(place: str, tmp_path: Path) -> None:
    folder = copy(shared("logistic"), tmp_path)
    known = json.loads(folder.checksums.read_text())
    digest = known["scores.parquet"][1]
    text = {"name": '"scores.parquet', "digest": f'"{digest}'}[place]
    flipped = text[0] + chr(ord(text[1]) ^ 1) + text[2:]
    folder.checksums.write_text(folder.checksums.read_text().replace(text, flipped))
    files = {name: (folder.path / name).read_bytes() for name in vouched(folder)}
    with pytest.raises(RunError, match=r"checksums\.json"):
        train(short("logistic"), tmp_path)
    assert {name: (folder.path / name).read_bytes() for name in vouched(folder)} == files


def test_a_sweep_notifies_of_a_repaired_run(tmp_path: Path) -> None:
    folder = copy(shared("logistic"), tmp_path / "runs")
    (tmp_path / "mine.yaml").write_text("experiments: [logistic]\nseeds: [0]\nfolds: [0]\n")
    own = [text for text in SHORT if not text.startswith("model.")]
    sweep = read_sweep(str(tmp_path / "mine.yaml"), "quick")
    flip(folder.classical)
    (job,) = jobs_of(plan(sweep, own), tmp_path / "runs")
    assert job.folder.path == folder.path
    said: list[str] = []
    with Launch([Slot()], worker_factory=lambda slot: HereWorker(), notify=said.append) as launch:
        launch.run([job], lambda: None, interval=0.02)
    assert job.state == "done" and folder.damage() == {}
    assert len(said) == 1 and "best.skops" in said[0] and str(folder.path) in said[0]


class HereWorker:
    """Works in this process."""

    def ask(self, job: dict[str, Any]) -> dict[str, Any] | None:
        return work(job)

    def exit_reason(self) -> str:
        return ""

    def end(self) -> None:
        pass


def test_a_node_of_a_cluster_repairs_a_run(tmp_path: Path) -> None:
    result = json.dumps({"version": RESULT_VERSION}).encode()
    done = {**DONE, "files": {**FILES, "result.json": result}}
    (job,) = jobs_in(tmp_path)
    assert launched(FakeRay([done]), [job]) == [] and job.state == "done"
    flip(job.folder.scores)
    (again,), ray = jobs_in(tmp_path), FakeRay([done])
    reply = RayWorker(Slot(), ray, print).ask(again.message(None))
    assert reply and not reply["was_done"] and [*reply["repaired"]] == ["scores.parquet"]
    assert len(ray.orders) == 1 and job.folder.damage() == {}


def test_the_files_of_a_finished_run_are_hashed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, hashed = copy(shared("logistic"), tmp_path), list[str]()

    def counted(path: Path) -> str:
        hashed.append(path.relative_to(folder.path).as_posix())
        return sha256(path)

    monkeypatch.setattr("anomalynet.runs.checksums.sha256", counted)
    outcome = train(short("logistic"), tmp_path)
    assert outcome is not None and outcome.was_done
    assert sorted([*hashed, "checksums.json"]) == vouched(folder)


def test_status_counts_no_damaged_run_as_done(tmp_path: Path) -> None:
    folder = copy(shared("logistic"), tmp_path)
    run = SweepRun(1, folder.path.parent.name, folder.path.name, "logistic", "seed 0", 1)
    record = SweepRecord("mine", "mine", "", (), 1, "2026-01-01T00:00:00", "reports", (run,))
    assert sweep_status(record, tmp_path).runs[0].state == "done"
    flip(folder.scores)
    assert sweep_status(record, tmp_path).runs[0].state == "waiting"


def test_a_damaged_table_of_a_network_costs_no_training(tmp_path: Path) -> None:
    whole = shared("hybrid")
    folder = copy(whole, tmp_path)
    cut(folder.scores)
    flip(folder.progress)
    assert not folder.finished
    trained: list[int] = []

    class Counting:
        def step(self, epoch: int, step: int, steps: int) -> None:
            trained.append(step)

        def epoch(self, line: dict[str, Any], epochs: int) -> None:
            trained.append(-1)

    outcome = train(short("hybrid"), tmp_path, listener=Counting())
    assert outcome is not None and {*outcome.repaired} == {"scores.parquet", "progress.jsonl"}
    assert trained == []
    assert folder.read_progress() == whole.folder.read_progress()
    assert identical(folder, whole.folder)


def test_a_run_of_an_earlier_version_has_no_checksums_and_is_read(tmp_path: Path) -> None:
    folder = copy(shared("logistic"), tmp_path)
    folder.checksums.unlink()
    write_json(folder.environment, {**read_json(folder.environment), "code": "0123456789"})
    assert folder.finished
    assert open_run(folder.path).scores.height
    assert list_runs(tmp_path)["status"].to_list() == ["stale"]
    folder.scores.unlink()
    assert not folder.finished
    with pytest.raises(RunError, match=r"scores\.parquet: is missing"):
        list_runs(tmp_path)


def test_without_checksums_a_run_of_this_version_is_not_done(tmp_path: Path) -> None:
    folder = copy(shared("logistic"), tmp_path)
    cut(folder.scores)
    folder.checksums.unlink()
    assert not folder.finished
    files = {name: (folder.path / name).read_bytes() for name in vouched(folder)}
    with pytest.raises(RunError, match=r"checksums\.json: is missing") as caught:
        train(short("logistic"), tmp_path)
    assert "unchecked" not in str(caught.value.next_step)
    assert {name: (folder.path / name).read_bytes() for name in vouched(folder)} == files
