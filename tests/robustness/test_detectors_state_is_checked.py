"""A detector's state with files that are not its own, or damaged, or on a full disk, costs one
message at most: nothing loops, nothing half-written stays, and the same command goes on."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomalynet.cli.main import main
from anomalynet.detection.engine.engine import Engine
from anomalynet.detection.model import Model
from anomalynet.detection.records import Message
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.service.snapshots import OWN, SUFFIX, State
from anomalynet.detection.sources.follow import Followed
from anomalynet.metrics.events import AlarmRule
from tests.detection import graphs
from tests.detection.conftest import echo
from tests.robustness.test_journal_keeps_the_rest import frame


@pytest.fixture
def detect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Feeds readings of 0, 20, 0, 20 … to `detect --state`; exit code, and stderr."""
    (tmp_path / "model.onnx").write_bytes(graphs.content(echo()))
    command = ["detect", "--model", str(tmp_path / "model.onnx"), "--follow", "-"]
    command += ["--state", str(tmp_path / "state"), "--alarms", str(tmp_path / "alarms.jsonl")]

    def run(first: int, last: int, *more: str) -> tuple[int, str]:
        reading, writing = os.pipe()
        for at in range(first, last):
            line = {"device": "d", "time": 60 * at, "values": [20.0 * (at % 2)]}
            os.write(writing, json.dumps(line).encode() + b"\n")
        os.close(writing)
        before = os.dup(0)
        os.dup2(reading, 0)
        try:
            code = main([*command, *more])
        finally:
            os.dup2(before, 0)
            os.close(before)
            os.close(reading)
        error = capsys.readouterr().err
        assert "unexpected" not in error and "Traceback" not in error
        return code, error

    return run


def alarms(folder: Path) -> int:
    return (folder / "alarms.jsonl").read_text().count('"alarm"')


Detect = Callable[..., tuple[int, str]]


@pytest.mark.parametrize(
    "name",
    [
        *("snapshot-99999999999999999999.npz", "journal-99999999999999999999.log"),
        *("journal-999999999999.log", "journal-000000001.log", "snapshot-x.npz"),
    ],
)
def test_a_file_that_is_not_of_a_state_is_named_and_nothing_loops(
    tmp_path: Path, detect: Detect, name: str
) -> None:
    assert detect(0, 4)[0] == 0
    (tmp_path / "state" / name).write_bytes(b"")
    code, error = detect(4, 8)
    assert code == 1 and f"{name}: not a file of a state folder" in error
    (tmp_path / "state" / name).unlink()
    assert detect(4, 8)[0] == 0 and alarms(tmp_path) == 4


def test_a_stray_snapshot_with_a_possible_number_is_passed_over(
    tmp_path: Path, detect: Detect
) -> None:
    assert detect(0, 4)[0] == 0
    (tmp_path / "state" / "snapshot-99999998.npz").write_bytes(b"hello")
    code, error = detect(4, 8)
    assert code == 0 and "snapshot damaged" in error and alarms(tmp_path) == 4
    assert (tmp_path / "state" / "snapshot-99999998.damaged").read_bytes() == b"hello"
    names = sorted(path.name for path in (tmp_path / "state").glob("snapshot-*.npz"))
    assert len(names) == 2 and names[-1] < "snapshot-00000010"


@pytest.mark.parametrize("number", ["99999998", "99999999", "100000000", "99999999999"])
def test_a_stray_journal_with_a_possible_number_locks_nothing_out(
    tmp_path: Path, detect: Detect, number: str
) -> None:
    assert detect(0, 4)[0] == 0
    (tmp_path / "state" / f"journal-{number}.log").write_bytes(b"")
    for first in range(4, 16, 4):
        assert detect(first, first + 4)[0] == 0
        assert alarms(tmp_path) == first // 2 + 2
    names = [path.stem.split("-")[1] for path in (tmp_path / "state").glob("snapshot-*.npz")]
    assert min(map(int, names)) > int(number)


def test_killed_before_its_first_snapshot_nothing_is_missing(
    tmp_path: Path, detect: Detect
) -> None:
    assert detect(0, 0)[0] == 0
    for path in (tmp_path / "state").glob("snapshot-*"):
        path.unlink()
    for path in (tmp_path / "state").glob("journal-*"):
        path.write_bytes(b"")
    code, error = detect(0, 4)
    assert code == 0 and "missing" not in error and alarms(tmp_path) == 2


def test_a_torn_end_that_a_kill_left_is_not_damage_when_a_snapshot_is_damaged_later(
    tmp_path: Path, detect: Detect
) -> None:
    assert detect(0, 4)[0] == 0
    journal = sorted((tmp_path / "state").glob("journal-*"))[-1]
    journal.write_bytes((whole := journal.read_bytes()) + frame(b"m torn", len(whole))[:-1])
    assert "damaged" not in detect(4, 6)[1]
    for path in sorted((tmp_path / "state").glob("snapshot-*.npz"))[-1:]:
        path.write_bytes(b"hello")
    error = detect(6, 8)[1]
    assert "snapshot damaged" in error and "journal" not in error and alarms(tmp_path) == 4


def test_a_damaged_snapshot_is_none_of_the_two_that_are_kept(tmp_path: Path) -> None:
    def opened() -> tuple[State, list[int]]:
        state, restored = State(tmp_path, "m", ProblemLog(lambda line: None)), list[int]()
        state.load(lambda arrays, own: restored.append(int(arrays["a"])))
        return state, restored

    state, _ = opened()
    for number in (1, 2):
        state.snapshot({"a": np.array(number)}, {}, wait=True)
    state.close()
    for number in (2, 3):
        (tmp_path / f"snapshot-{number:08}.npz").write_bytes(b"hello")
        state, restored = opened()
        assert restored == [1]
        if number == 2:
            state.snapshot({"a": np.array(3)}, {}, wait=True)
        state.close()


FAILURES = [MemoryError(), OSError(errno.EMFILE, "too many"), OSError(errno.EIO, "I/O")]


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
def test_a_snapshot_that_cannot_be_read_now_is_not_damaged(
    tmp_path: Path, detect: Detect, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    assert detect(0, 4)[0] == 0
    before = {path: path.read_bytes() for path in (tmp_path / "state").iterdir()}

    def fail(*_: Any, **__: Any) -> None:
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr("numpy.load", fail)
        code, error = detect(4, 8)
    assert code == 2 and "damaged" not in error
    assert isinstance(failure, MemoryError) or "snapshot-" in error
    assert {path: path.read_bytes() for path in (tmp_path / "state").iterdir()} == before
    assert detect(4, 8)[0] == 0 and alarms(tmp_path) == 4


@pytest.mark.parametrize("content", ["{", '{"model": 7}', '{"model": "r2 f"}'])
def test_a_model_of_another_state_is_not_a_damaged_one(
    tmp_path: Path, detect: Detect, content: str
) -> None:
    assert detect(0, 4)[0] == 0
    (tmp_path / "state" / "model.json").write_text(content)
    code, error = detect(4, 8)
    assert code == 2 and ("another model: run r2" in error) == ("r2" in content)
    assert ("model.json is damaged" in error) == ("r2" not in content)


def test_a_state_of_any_number_of_sources_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(Model(Path("m.onnx"), graphs.content(echo())), AlarmRule())
    engine.process([Message(f"s{number}", (), 0) for number in range(9)])
    own = {"behind": {f"s{number}": 0.0 for number in range(9)}}

    def opened() -> tuple[State, list[Any]]:
        state, found = State(tmp_path, "m", ProblemLog(lambda line: None)), list[Any]()

        def restore(arrays: Any, own: Any) -> None:
            engine.restore(arrays)
            found.append(own)

        state.load(restore)
        return state, found

    state, _ = opened()
    state.snapshot(engine.snapshot(), own, wait=True)
    state.close()
    # Limits for the files of strangers
    monkeypatch.setattr("anomalynet.documents.MAX_VALUES", 3)
    monkeypatch.setattr("anomalynet.documents.MAX_COMMAS", 3)
    state, found = opened()
    assert found == [own]
    state.close()


OWNS: list[Any] = [
    {},
    [],
    None,
    {"place": 1},
    {"place": "7", "seen": "", "behind": {}, "pending": {}, "scores": None},
    {"place": "{", "seen": "", "behind": {}, "pending": {}, "scores": None},
    {"place": "[]", "seen": "", "behind": {}, "pending": {}, "scores": None},
    {"place": "", "seen": "", "behind": {"g": 1e300}, "pending": {}, "scores": None},
    {"place": "", "seen": "zz", "behind": {}, "pending": {}, "scores": None},
    {"place": "", "seen": "", "behind": {"g": "late"}, "pending": {}, "scores": None},
    {"place": "", "seen": "", "behind": {"g": float("nan")}, "pending": {}, "scores": None},
    {"place": "", "seen": "", "behind": {}, "pending": {"-": ["{}"]}, "scores": None},
    {"place": "", "seen": "", "behind": {}, "pending": {}, "scores": ["x"]},
    {"place": "", "seen": "", "behind": {}, "pending": {}, "scores": ["x", "long"]},
    {"place": "", "seen": "", "behind": {}, "pending": {}, "scores": None, "settings": 7},
]


@pytest.mark.parametrize("own", OWNS, ids=lambda own: json.dumps(own)[:60])
def test_a_snapshot_whose_service_part_cannot_be_is_damaged_and_the_one_before_is_used(
    tmp_path: Path, detect: Detect, own: Any
) -> None:
    assert detect(0, 4)[0] == 0
    path = sorted((tmp_path / "state").glob("snapshot-*"))[-1]
    with np.load(path) as archive:
        arrays = dict(archive) | {OWN: np.frombuffer(json.dumps(own).encode(), np.uint8)}
    np.savez(path, **arrays)
    code, error = detect(4, 8)
    assert code == 0 and "snapshot damaged, using the previous one" in error
    assert alarms(tmp_path) == 4


@pytest.mark.parametrize("killed", [False, True])
def test_no_flipped_bit_of_the_state_is_believed(
    tmp_path: Path, detect: Detect, killed: bool
) -> None:
    rule = ("--hits", "3/7")  # the alarm at 5 is of the readings 1, 3 and 5
    state, written = tmp_path / "state", tmp_path / "alarms.jsonl"
    for first in (0, 2):
        assert detect(first, first + 2, *rule)[0] == 0
    newest = max(state.glob("snapshot-*.npz"))
    if killed:  # before its last snapshot: the journal says what came since
        newest.unlink()
        max(state.glob("journal-*.log")).unlink()
    whole = {path: path.read_bytes() for path in state.iterdir()}
    before = written.read_bytes()

    def continued(damaged: Path | None = None, at: int = 0) -> tuple[list[str], str]:
        for path in (*state.iterdir(), written):
            path.unlink()
        written.write_bytes(before)
        for path, content in whole.items():
            path.write_bytes(content)
        if damaged is not None:
            changed = bytearray(whole[damaged])
            changed[at] ^= 1
            damaged.write_bytes(changed)
        code, error = detect(4, 6, *rule)  # without one of the three there is no alarm
        assert code == 0 or "all snapshots are damaged" in error
        return written.read_text().splitlines(), error

    expected, _ = continued()
    assert [json.loads(line)["time"] for line in expected] == ["1970-01-01T00:05:00Z"]
    for path in sorted(whole):
        if path.suffix in SUFFIX.values():
            for at in range(0, len(whole[path]), len(whole[path]) // 8 + 1):
                found, error = continued(path, at)
                assert found == expected or (killed and not found and "damaged" in error)


@pytest.mark.parametrize("call", ["pwrite", "fsync", "open", "replace"])
def test_on_a_full_disk_it_is_one_message_and_the_same_command_goes_on(
    tmp_path: Path, detect: Detect, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert detect(0, 4)[0] == 0
    real = getattr(os, call)

    def full(*args: Any, **named: Any) -> Any:
        text = str(args[0])
        if isinstance(args[0], int):
            text = str(Path(f"/proc/self/fd/{args[0]}").readlink())
        if "state" in text and not text.endswith("lock") and "model" not in text:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(f"os.{call}", full)
        code, error = detect(4, 8)
    assert code in (0, 1) and "No space left on device" in error
    assert error.count("No space left") <= 2
    assert not list((tmp_path / "state").glob(".*"))
    assert detect(4, 8)[0] == 0 and alarms(tmp_path) == 4
    assert detect(8, 10)[0] == 0 and alarms(tmp_path) == 5


@pytest.mark.parametrize("code_", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("call", ["fsync", "pwrite"])
def test_a_new_state_on_a_disk_that_takes_nothing_is_one_message(
    tmp_path: Path, detect: Detect, monkeypatch: pytest.MonkeyPatch, code_: int, call: str
) -> None:
    def full(*args: Any) -> None:
        raise OSError(code_, os.strerror(code_))

    with monkeypatch.context() as patch:
        patch.setattr(f"os.{call}", full)
        code, error = detect(0, 4)
    assert code == 1 and os.strerror(code_) in error and error.count("  → ") == 1
    assert ("free disk space" in error) == (code_ == errno.ENOSPC)
    assert detect(0, 4)[0] == 0 and alarms(tmp_path) == 2
    assert not list((tmp_path / "state").glob(".*"))


def test_a_state_that_another_rule_made_goes_on_and_the_change_is_logged(
    tmp_path: Path, detect: Detect
) -> None:
    assert "the saved state was made with" not in detect(0, 4)[1]
    assert "the saved state was made with" not in detect(4, 6)[1]
    code, error = detect(6, 8, "--threshold", "30", "--hits", "2/3")
    assert code == 0
    for text in ("--threshold 10.0, from now on 30.0", "--hits 1/1, from now on 2/3"):
        assert f"the saved state was made with {text}" in error
    assert (
        "the saved state was made with" not in detect(8, 9, "--threshold", "30", "--hits", "2/3")[1]
    )


@pytest.mark.parametrize(
    "position", ['{"inode": 1}', '{"inode": 1, "offset": "x"}', '{"offset": -1}']
)
def test_a_position_that_cannot_be_is_the_beginning_of_the_file_and_logged(
    tmp_path: Path, position: str
) -> None:
    logged: list[str] = []
    (tmp_path / "s.jsonl").write_bytes(b"one\n")
    source = Followed(tmp_path / "s.jsonl", 100, ProblemLog(logged.append))
    source.start(position.encode())
    assert [raw.payload for raw in source.collect(9, 0.0)] == [b"one"]
    assert len(logged) == 1 and logged[0].startswith("file replaced")
