"""Slots: which worker sees which device."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from anomalynet.cli.main import main
from anomalynet.config.schema import HardwareConfig
from anomalynet.errors import UsageError
from anomalynet.runs.files import read_json
from anomalynet.sweep.jobs import jobs_of
from anomalynet.sweep.launch import Launch, LocalWorker
from anomalynet.sweep.slots import Slot, choose_slots, cpu_slots, gpu_slots, gpus_here
from tests.sweep.test_launch import planned


def test_gpus_are_dealt_out_one_a_slot_several_times_or_in_groups() -> None:
    assert gpu_slots(["0", "1"]) == [Slot(("0",)), Slot(("1",))]
    assert gpu_slots(["0", "1"], runs_per_gpu=2) == [Slot(("0",)), Slot(("1",))] * 2
    assert gpu_slots(["0", "1", "2", "3", "4"], devices=2) == [Slot(("0", "1")), Slot(("2", "3"))]


@pytest.mark.parametrize(
    ("gpus", "options", "what"),
    [
        (["0", "0"], {}, "named twice"),
        (["0"], {"devices": 2}, "needs 2 devices"),
        ([], {}, "needs 1 devices"),
    ],
)
def test_what_cannot_be_dealt_out_is_refused(
    gpus: list[str], options: dict[str, int], what: str
) -> None:
    with pytest.raises(UsageError, match=what):
        gpu_slots(gpus, **options)


def test_slots_on_the_cpu_leave_devices_alone() -> None:
    assert cpu_slots(3) == [Slot()] * 3
    assert "CUDA_VISIBLE_DEVICES" not in Slot().environment
    with pytest.raises(UsageError, match="at least 1"):
        cpu_slots(0)
    with pytest.raises(UsageError, match="--runs-per-gpu must be at least 1, not 0"):
        choose_slots(HardwareConfig(), gpus="0", runs_per_gpu=0)
    with pytest.raises(UsageError, match="cannot share GPUs"):
        choose_slots(HardwareConfig(devices=2), gpus="0,1", runs_per_gpu=2)


def test_the_gpus_of_this_machine_are_those_that_the_user_lets_us_see(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5f")
    assert gpus_here() == ["3", "GPU-5f"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert gpus_here() == []


def test_a_worker_sees_its_own_devices_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """With devices that are not there: what a worker may see is decided before it starts."""
    looks = "import os; from anomalynet.sweep import worker as w; "
    looks += "w.work = lambda job: {'sees': os.environ['CUDA_VISIBLE_DEVICES']}; w.main()"
    monkeypatch.setattr("anomalynet.sweep.launch.COMMAND", (sys.executable, "-c", looks))
    for slot, seen in zip(gpu_slots(["5", "7"]), ("5", "7"), strict=True):
        worker = LocalWorker(slot)
        reply = worker.ask({})
        worker.end()
        assert reply and reply["sees"] == seen


@pytest.mark.slow
def test_runs_at_a_time_have_a_device_each(tmp_path: Path) -> None:
    jobs = jobs_of(planned("logistic", folds=(0, 1)), tmp_path)
    with Launch(gpu_slots(["5", "7"])) as launch:
        launch.run(jobs, lambda: None, interval=0.05)
    seen = [read_json(job.folder.environment)["visible_devices"] for job in jobs]
    assert [job.state for job in jobs] == ["done"] * 2
    assert set(seen) == {"5", "7"}


def test_a_worker_whose_memory_has_grown_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    grows = "from anomalynet.sweep import worker as w; w.GROWTH = -(1 << 40); "
    grows += "w.work = lambda job: {'pid': __import__('os').getpid()}; w.main()"
    monkeypatch.setattr("anomalynet.sweep.launch.COMMAND", (sys.executable, "-c", grows))
    worker = LocalWorker(Slot())
    replies = [worker.ask({}) for _ in range(2)]
    worker.end()
    assert all(reply and reply["last"] for reply in replies)
    assert len({reply["pid"] for reply in replies if reply}) == 2


def test_a_machine_without_gpus_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert main(["sweep", "components", "--gpus", "all", "--plan"]) == 2
    assert "no GPU was found" in capsys.readouterr().err
    assert main(["sweep", "components", "--gpus", "0", "--plan"]) == 0
    assert "runs are trained on the CPU" in capsys.readouterr().err
