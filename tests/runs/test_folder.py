"""Run folders: results that survive a kill, and one process at a time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anomalynet.errors import RunError, UsageError
from anomalynet.runs.collect import find_run, load_results
from anomalynet.runs.files import read_json, write_json
from anomalynet.runs.folder import BusyError, RunFolder
from anomalynet.runs.schema import PartSummary, Result

PART = PartSummary(
    series=("a", "b"), windows=3, steps=9, labelled=9, attack=2, missed=1, missed_attack=0
)


def result(**changes: object) -> Result:
    values: dict[str, object] = {
        "id": "0123456789",
        "experiment": "cnn",
        "model": "cnn",
        "data": "smart_city",
        "fingerprint": "f",
        "channels": ("x",),
        "seed": 0,
        "split": "group",
        "folds": 5,
        "fold": 0,
        "assignment": 0,
        "parts": {"test": PART},
        "epochs": 2,
        "best_epoch": 1,
        "parameters": 10,
        "threshold": 0.5,
        "threshold_rule": "f1",
        "probability": True,
        "metrics": {"test/auroc": 0.75, "test/mcc": None},
        "warnings": ("w",),
    }
    return Result(**{**values, **changes})  # type: ignore[arg-type]


def finished(runs: Path, name: str, **changes: object) -> RunFolder:
    folder = RunFolder(runs / "cnn" / name)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.config.write_text("seed: 0\n")
    folder.write_result(result(id=name, **changes))
    return folder


def test_a_result_comes_back_as_it_was_written_unless_another_version_wrote_it(
    tmp_path: Path,
) -> None:
    folder = finished(tmp_path, "0123456789")
    assert folder.finished
    assert folder.read_result() == result()
    assert not finished(tmp_path, "0123456789", version=0).finished
    assert load_results(tmp_path) == []
    with pytest.raises(RunError, match="not a finished run"):
        RunFolder(tmp_path).read_result()


def test_nan_is_no_json(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert read_json(tmp_path / "a.json") == {"x": 1}


def test_progress_leaves_out_the_line_that_a_kill_cut(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.append_progress({"epoch": 0})
    with folder.progress.open("a") as file:
        file.write('{"epoch": 1, "train/lo')
    assert folder.read_progress() == [{"epoch": 0}]


HOLD = """
import sys, time
from pathlib import Path
from anomalynet.runs.folder import RunFolder
with RunFolder(Path(sys.argv[1])).locked(wait=True):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_processes_never_work_in_one_folder_and_a_kill_frees_it(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        folder = RunFolder(tmp_path)
        with pytest.raises(BusyError, match=f"process {holder.pid} on"), folder.locked(wait=False):
            pass
    finally:
        holder.kill()
        holder.wait()
    deadline = time.monotonic() + 10
    while True:
        try:
            with folder.locked(wait=False):
                break
        except BusyError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_run_is_found_by_the_start_of_its_id(tmp_path: Path) -> None:
    finished(tmp_path, "abc1230000")
    finished(tmp_path, "abd0000000")
    assert find_run("abc", tmp_path).path.name == "abc1230000"
    assert find_run(str(tmp_path / "cnn" / "abd0000000"), tmp_path).path.name == "abd0000000"
    with pytest.raises(UsageError, match="is ambiguous: it matches"):
        find_run("ab", tmp_path)
    with pytest.raises(UsageError, match="unknown run"):
        find_run("zz", tmp_path)


def test_collected_results_have_config_and_timings(tmp_path: Path) -> None:
    folder = finished(tmp_path, "0123456789", seed=3)
    write_json(folder.timings, {"train_seconds": 1.5})
    write_json(folder.environment, {"code": "c0de"})
    (record,) = load_results(tmp_path)
    assert (record.result.seed, record.timings) == (3, {"train_seconds": 1.5})
    assert (record.code, record.config) == ("c0de", {"seed": 0})
    assert json.loads((folder.path / "result.json").read_text())["version"] == 1


@pytest.mark.parametrize("content", [None, "a: [", "- 1", b"\xff"])
def test_a_run_whose_configuration_cannot_be_read_is_named(
    tmp_path: Path, content: str | bytes | None
) -> None:
    folder = RunFolder(tmp_path / "cnn" / "0123456789")
    folder.write_result(result())
    if content is not None:
        folder.config.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RunError) as caught:
        load_results(tmp_path)
    assert str(caught.value).startswith(f"{folder.config}: ")
    assert "\n" not in caught.value.message
    assert caught.value.next_step
