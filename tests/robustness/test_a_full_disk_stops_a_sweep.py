"""A full disk stops a sweep with one message: no run counts as failed, the same call resumes it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from anomalynet.config.load import Loaded
from anomalynet.errors import RunError
from anomalynet.sweep import jobs as planning
from anomalynet.sweep.runner import SweepOutcome, run_sweep
from anomalynet.training import run as training
from tests.regression.training import in_process
from tests.sweep.search.fake import finish
from tests.training.small import WORLD

OVERRIDES = [*WORLD, "data.stride=16", "data.split.folds=3"]
THREE = "experiment: logistic\nseeds: [0]\nfolds: [0, 1, 2]\n"


def full(path: object = "scores.parquet") -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def explained() -> Exception:
    try:
        raise RunError("the run cannot be written") from full()
    except RunError as error:
        return error


def trains(errors: Mapping[int, Exception]) -> Callable[..., Any]:
    """Training that takes no time; `errors` by fold."""

    def train(loaded: Loaded, runs: str, **options: object) -> SimpleNamespace:
        fold = loaded.config.data.split.fold
        if fold in errors:
            raise errors[fold]
        finish(training.planned_folder(loaded, runs), {"seed": 0, "data.split.fold": fold})
        return SimpleNamespace(was_done=False, repaired={})

    return train


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None) -> Path:
    """A working folder with a sweep of three runs."""
    monkeypatch.chdir(tmp_path)
    in_process(monkeypatch)
    (tmp_path / "mine.yaml").write_text(THREE)
    return tmp_path


def swept(**options: Any) -> SweepOutcome:
    return run_sweep("mine.yaml", overrides=OVERRIDES, **{"slots": 1, **options})


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("error", [full(), explained()], ids=["plain", "explained"])
def test_one_message_and_no_failed_run(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(training, "train", trains({1: error, 2: error}))
    with pytest.raises(RunError, match="No space left on device") as caught:
        swept(only="1-3")
    assert caught.value.next_step
    assert not list(Path("runs").rglob("failed.json"))
    assert [job.state for job in swept(plan_only=True).jobs] == ["done", "waiting", "waiting"]
    monkeypatch.setattr(training, "train", trains({}))
    outcome = swept(only="1-3")
    assert [job.was_done for job in outcome.jobs] == [True, False, False]
    assert (outcome.count("done"), outcome.failed) == (3, 0)


@pytest.mark.usefixtures("here")
def test_a_failure_that_cannot_be_noted_is_the_same_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cannot(path: Path, value: object) -> None:
        raise full(path)

    broken = ValueError("the wheel came off")
    monkeypatch.setattr(training, "train", trains(dict.fromkeys(range(3), broken)))
    monkeypatch.setattr(planning, "write_json", cannot)
    with pytest.raises(RunError, match=r"failed\.json.*No space left on device"):
        swept(slots=2)


@pytest.mark.usefixtures("here")
def test_what_this_process_cannot_write_is_the_same_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cannot(runs: Path, *rest: object) -> None:
        raise full(runs / "record")

    monkeypatch.setattr(training, "train", trains({}))
    monkeypatch.setattr(planning, "write_sweep", cannot)
    with pytest.raises(RunError, match=r"record: .*No space left on device"):
        swept(only="1")


def test_a_record_comes_after_the_report_that_it_vouches_for(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "mine.yaml").write_text(THREE.replace("[0, 1, 2]", "[0]"))
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    outcome = swept()
    assert outcome.report
    (record,) = (here / "runs" / ".sweeps").glob("*.json")
    last = max(n for n, path in enumerate(synced) if f".{record.name}." in path)
    report = here / outcome.report.parent
    files = {str(path) for path in report.rglob("*") if path.is_file()}
    assert len(files) > 5 and files | {str(report)} <= set(synced[:last])
