"""Two processes train as one does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from anomalynet.training.run import planned_folder, train
from tests.training import ddp
from tests.training.small import SHORT, short, weights


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def test_the_gradient_of_two_processes_is_that_of_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.training.ddp", str(tmp_path / "two")]
    port = free_port()
    processes = [subprocess.Popen([*command, rank, "2", port]) for rank in ("0", "1")]
    ddp.main(str(tmp_path / "one"), 0, 1, port)
    assert [process.wait(120) for process in processes] == [0, 0]
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert {name.split()[0] for name in one} == {"32", "33", "1"}
    for name, gradient in one.items():
        torch.testing.assert_close(two[name], gradient, rtol=1e-4, atol=1e-6)


def test_a_run_on_two_devices_is_the_run_on_one(tmp_path: Path) -> None:
    options = ["model.dropout=0", "training.epochs=1", "hardware.accelerator=cpu"]
    alone = train(short("hybrid", *options), tmp_path / "one")
    assert alone is not None
    where = ["--devices", "2", "--runs", str(tmp_path / "two")]
    command = [sys.executable, "-m", "anomalynet", "train", "hybrid", *SHORT, *options, *where]
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


MODEL = '''
import hashlib
from dataclasses import dataclass
from pathlib import Path
from torch import nn
from anomalynet.config.model import ModelConfig
from anomalynet.models import Detector, Output

@dataclass(kw_only=True, slots=True, frozen=True)
class Config(ModelConfig):
    width: int = 4

class Linear(Detector):
    """One layer. Each rank notes its weights after every epoch; rank 0 finds a request to stop
    after the second."""
    def __init__(self, config, shape):
        super().__init__(config, shape)
        self.layer = nn.Linear(shape.steps * shape.channels, 2)
    def forward(self, x):
        return Output(logits=self.layer(self.normalise(x).flatten(1)))
    def on_validation_epoch_end(self):
        super().on_validation_epoch_end()
        weights = b"".join(value.detach().numpy().tobytes() for value in self.layer.parameters())
        with open(f"rank{self.global_rank}.txt", "a") as file:
            file.write(f"{self.current_epoch} {hashlib.sha256(weights).hexdigest()}\\n")
        if self.global_rank == 0 and self.current_epoch == 1:
            next(Path("runs").glob("mine/*")).joinpath(".stop").touch()
'''


def test_all_ranks_hold_the_same_weights_and_stop_in_the_same_epoch(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MODEL)
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nmodel: {name: ./mine.py}\n")
    options = [text for text in SHORT if not text.startswith(("model.", "training.epochs"))]
    options += ["training.epochs=9", "hardware.accelerator=cpu", "--devices", "2"]
    command = [sys.executable, "-m", "anomalynet", "train", "mine.yaml", *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 130, done.stderr
    assert "stopped on request after epoch 2" in done.stderr
    ranks = [(tmp_path / f"rank{rank}.txt").read_text().splitlines() for rank in (0, 1)]
    assert ranks[0] == ranks[1]
    assert [line.split()[0] for line in ranks[0]] == ["0", "1"]
    assert len({line.split()[1] for line in ranks[0]}) == 2
