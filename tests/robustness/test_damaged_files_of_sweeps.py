"""A damaged file of a sweep is repaired or refused with one message, and never believed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anomalynet.cli.main import main
from anomalynet.errors import RunError, UsageError
from anomalynet.runs.files import read_json, write_text
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.sweeps import read_sweeps, seconds_of
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.jobs import jobs_of
from anomalynet.sweep.plan import plan
from anomalynet.sweep.search.pruning import run_value
from anomalynet.sweep.search.runner import report_search_again
from anomalynet.sweep.search.trial_store import open_storage
from anomalynet.sweep.slots import Slot
from anomalynet.tracking.record import notes, pending
from tests.sweep.search.fake import carried_out, finish, search_of, story, sweep_of

SETTINGS = "{trials: 4, sampler: random}"


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The record of a sweep that was planned and never trained."""
    monkeypatch.chdir(tmp_path)
    search = search_of(tmp_path, sweep_of(tmp_path, SETTINGS))
    replace(search.planned, slots=[Slot()]).write_record()
    (path,) = (tmp_path / "runs" / ".sweeps").glob("*.json")
    return path


Damage = Callable[[dict[str, Any]], object]
DAMAGES: dict[str, Damage] = {
    "list": lambda record: [],
    "no runs": lambda record: {key: value for key, value in record.items() if key != "runs"},
    "no slots": lambda record: {**record, "slots": 0},
    "slots of text": lambda record: {**record, "slots": "two"},
    "no epochs": lambda record: {**record, "runs": [{**record["runs"][0], "epochs": 0}]},
    "runs of text": lambda record: {**record, "runs": "none"},
    "another label": lambda record: {**record, "label": "../elsewhere"},
}


def test_the_record_of_a_sweep(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, known = record.read_bytes(), read_json(record)
    contents = [json.dumps(damage(known)).encode() for damage in DAMAGES.values()]
    for content in (*contents, whole[:-9], b"", b"\xff\x00"):
        record.write_bytes(content)
        for verb in (["status"], ["status", "--json"], ["report"]):
            assert main(verb) == RunError.exit_code, content
            found = capsys.readouterr()
            assert str(record.relative_to(Path.cwd())) in found.err and "→" in found.err
            assert "unexpected" not in found.err
            if "--json" in verb:
                assert json.loads(found.out)["error"]["exit_code"] == RunError.exit_code
            else:
                assert found.out == ""
    search = search_of(Path.cwd(), sweep_of(Path.cwd(), SETTINGS))
    replace(search.planned, slots=[Slot()]).write_record()  # its command writes it again
    (again,) = read_sweeps(Path("runs"))
    assert again.runs and again.label == "mine"


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search with two of its four trials, to be copied."""
    folder = tmp_path_factory.mktemp("half")
    carried_out(search_of(folder, sweep_of(folder, SETTINGS), total=2))
    return folder


def copied(folder: Path, to: Path) -> Path:
    """The journal of a copy of a search."""
    shutil.copytree(folder, to, dirs_exist_ok=True)
    return to / "runs" / ".search" / "mine.journal"


def test_a_journal_with_a_cut_last_line_goes_on(half: Path, tmp_path: Path) -> None:
    copied(half, tmp_path / "whole")
    whole = search_of(tmp_path / "whole", sweep_of(tmp_path / "whole", SETTINGS))
    journal = copied(half, tmp_path / "cut")
    journal.write_bytes(journal.read_bytes()[:-40])
    for total in (3, 4):  # the second one reads what the first one has added
        sweep = sweep_of(tmp_path / "cut", SETTINGS)
        continued = carried_out(search_of(tmp_path / "cut", sweep, total=total))
    assert story(continued) == story(carried_out(whole))


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: [*lines[:-1], lines[-1].replace(b'"trial_id":1', b'"trial_id":0')],
        lambda lines: [lines[0], b"[]\n", *lines[1:]],
        lambda lines: [lines[0], b"null\n", *lines[1:]],
        lambda lines: [lines[0], b"{}\n", *lines[1:]],
        lambda lines: [*lines[:2], lines[2][:-5] + b"\n", *lines[3:]],
        lambda lines: [*lines, b'{"op_code": 4, \n'],
        lambda lines: [*lines, b"\xff\xfe\n"],
    ],
)
def test_a_journal_with_a_changed_line_is_refused(
    half: Path, tmp_path: Path, damage: Callable[[list[bytes]], list[bytes]]
) -> None:
    journal = copied(half, tmp_path)
    lines = journal.read_bytes().splitlines(keepends=True)
    changed = damage(lines)
    assert changed != lines
    journal.write_bytes(b"".join(changed))
    with pytest.raises(UsageError, match=r"mine\.journal: not a valid journal") as caught:
        open_storage(None, journal)
    assert caught.value.next_step
    assert journal.read_bytes() == b"".join(changed)


def values(journal: bytes | bytearray) -> list[object]:
    return [json.loads(line) for line in journal.splitlines()]


def test_each_digit_of_a_journal_is_checked(half: Path, tmp_path: Path) -> None:
    journal = copied(half, tmp_path)
    whole = journal.read_bytes()
    digits = [n for n, byte in enumerate(whole) if chr(byte).isdigit()]
    for position in digits[:: max(1, len(digits) // 40)]:
        changed = bytearray(whole)
        changed[position] ^= 1
        journal.write_bytes(changed)
        try:
            open_storage(None, journal)
        except UsageError as error:
            assert "not a valid journal" in str(error)
        else:  # the last digit of a number that has more of them than it needs
            assert values(changed) == values(whole)


def test_a_journal_of_an_earlier_version_is_read(half: Path, tmp_path: Path) -> None:
    journal = copied(half, tmp_path)
    known = story(search_of(tmp_path, sweep_of(tmp_path, SETTINGS)))
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert all(line.pop("crc") for line in lines)
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert story(search_of(tmp_path, sweep_of(tmp_path, SETTINGS))) == known


@pytest.mark.parametrize("value", ['"x"', "{}", "[1]", "true"])
def test_wrong_types_in_the_files_of_a_run(tmp_path: Path, value: str) -> None:
    (tmp_path / "mine.yaml").write_text("experiment: cnn\nfolds: [0]\n")
    planned = plan(read_sweep(str(tmp_path / "mine.yaml"), ""))
    (job,) = jobs_of(planned, tmp_path)
    write_text(job.folder.failed, f'{{"reason": {value}, "attempts": {value}}}')
    (again,) = jobs_of(planned, tmp_path)
    assert again.state == "failed" and isinstance(again.reason, str)
    finish(job.folder, {"seed": 0, "data.split.fold": 0})
    names = ("train_seconds", "microseconds_per_window")
    write_text(job.folder.timings, "{" + ", ".join(f'"{name}": {value}' for name in names) + "}")
    if value != "true":
        assert seconds_of(job.folder) is None
        with pytest.raises(RunError, match="latency is undefined"):
            run_value(RunFolder(job.folder.path), "latency")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"id": "a", "parts": 5}',
        '{"id": "a", "parts": [{"folder": 5, "mode": "offline"}]}',
        '{"id": "a", "next_epoch": "x", "parts": []}',
    ],
)
def test_a_damaged_record_of_tracking_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "tracking.json").write_text(text)
    assert notes([tmp_path]) == []
    assert pending(tmp_path) == []


def test_a_damaged_run_of_a_search_gives_no_test_metrics_and_stops_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = carried_out(search_of(tmp_path, sweep_of(tmp_path, SETTINGS)))
    for trial in search.store.trials():
        for folder in search.folders(trial):
            content = bytearray(folder.timings.read_bytes())
            content[-2] ^= 1
            folder.timings.write_bytes(content)
            assert folder.finished and not folder.intact
    planned = replace(search.planned, slots=[Slot()])
    assert report_search_again(planned, 4, ["md"]).is_file()
    (best,) = search.best(search.store.trials())
    assert f"trial {best}" in capsys.readouterr().err
