"""Two processes train as one does."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from anomalynet.training.run import planned_folder, train
from tests.training.small import SHORT, short, weights


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def test_the_gradient_of_two_processes_is_that_of_one(tmp_path: Path) -> None:
    def start(out: str, rank: int, world: int, port: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "tests.training.ddp", str(tmp_path / out), str(rank), str(world), port])

    port = free_port()
    processes = [start("two", 0, 2, port), start("two", 1, 2, port)]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert start("one", 0, 1, port).wait(120) == 0
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert {name.split()[0] for name in one} == {"32", "33", "1"}
    for name, gradient in one.items():
        torch.testing.assert_close(two[name], gradient, rtol=1e-4, atol=1e-6)


def test_a_run_on_two_devices_is_the_run_on_one(tmp_path: Path) -> None:
    options = ["model.dropout=0", "training.epochs=1", "hardware.accelerator=cpu"]
    alone = train(short("hybrid", *options), tmp_path / "one")
    assert alone is not None
    command = [sys.executable, "-m", "anomalynet", "train", "hybrid", *SHORT, *options, "--devices", "2", "--runs", str(tmp_path / "two")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    together = planned_folder(short("hybrid", *options), tmp_path / "two")
    assert together.path.name == alone.folder.path.name
    result = together.read_result()
    assert result.parts == alone.result.parts
    for name, value in alone.result.metrics.items():
        assert result.metrics[name] == pytest.approx(value, abs=2e-3), name
    a, b = weights(alone.folder.last), weights(together.last)
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-3, atol=1e-4)
