"""A file of a run that holds what no run can have is one message with its key, whichever command
reads it."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from anomalynet.cli.main import main
from anomalynet.errors import RunError
from anomalynet.runs.collect import load_results
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.sweeps import SweepRecord, SweepRun, write_sweep
from tests.runs.test_folder import result

VALUES: list[tuple[str, Any]] = [
    ("threshold", None),
    ("threshold", True),
    ("seed", -1),
    ("seed", 10**30),
    ("fold", 5),
    ("folds", -3),
    ("epochs", -2),
    ("world", -1),
    ("metrics", []),
    ("metrics", {"test/auroc": "good"}),
    ("parts", []),
    ("parts", {"test": {"windows": -1}}),
    ("channels", "x"),
    ("id", None),
    ("warnings", 3),
]


def finished(runs: Path) -> RunFolder:
    """A run of an earlier version, without checksums."""
    folder = RunFolder(runs / "cnn" / "0123456789")
    folder.path.mkdir(parents=True)
    folder.config.write_text("seed: 0\n")
    folder.scores.touch()
    folder.environment.write_text('{"code": "0123456789"}')
    folder.write_result(result())
    folder.checksums.unlink()
    return folder


@pytest.mark.parametrize(("key", "value"), VALUES)
def test_a_value_is_named(
    key: str, value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = finished(tmp_path)
    known = json.loads(json.dumps(asdict(result())))
    folder.result.write_text(json.dumps({**known, key: value}))
    with pytest.raises(RunError, match=rf"result\.json: not a result: result\.{key}") as caught:
        load_results(tmp_path)
    assert caught.value.next_step
    assert main(["ls", "runs", "--runs", str(tmp_path)]) == 0
    assert "\tdamaged\t" in capsys.readouterr().out


DAMAGE = ['"x"', "[" * 100_000, '{"train_seconds": "long"}', "9" * 6000, "\udcff", "{", "3\n4"]
FILES = ("timings.json", "environment.json", "progress.jsonl", "failed.json", "checksums.json")


@pytest.mark.parametrize("name", [*FILES, ".holder.json"])
@pytest.mark.parametrize("content", DAMAGE)
@pytest.mark.parametrize("unfinished", [False, True])
def test_status_and_ls_read_a_folder_whatever_its_files_hold(
    name: str,
    content: str,
    unfinished: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = finished(tmp_path)
    if unfinished:
        folder.result.unlink()
    if name == ".holder.json":
        content = json.dumps({"host": socket.gethostname(), "pid": content})
    (folder.path / name).write_bytes(content.encode(errors="surrogateescape"))
    run = SweepRun(1, "cnn", folder.path.name, "a", "seed 0", 2)
    record = SweepRecord("s", "s", "quick", (), 1, "2026-01-01T00:00", "reports/s", (run,))
    write_sweep(tmp_path, record)
    for verb in ("status", "ls runs"):
        assert main([*verb.split(), "--runs", str(tmp_path)]) == 0
    heading, row = capsys.readouterr().out.splitlines()[-2:]
    state = row.split("\t")[heading.split("\t").index("state")]
    believed = "damaged" if name in ("environment.json", "checksums.json") else "stale"
    known = {"failed"} if name == "failed.json" and content[:2] == '{"' else {"interrupted"}
    assert state.split(" ")[0] in (known if unfinished else {believed})
