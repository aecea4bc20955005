"""Two processes train as one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.own_model import own_model
from tests.training import two_processes
from tests.training.small import SHORT


@pytest.mark.slow
def test_an_own_trainer_and_its_gradients_are_the_same_in_two_processes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.training.two_processes", str(tmp_path)]
    where: Any = {"cwd": Path(__file__).parents[2], "timeout": 300}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **where)
    assert done.returncode == 0, done.stderr
    together = json.loads((tmp_path / "values.json").read_text())
    assert together == pytest.approx(two_processes.fitted()[1], abs=1e-3)
    one, two = two_processes.gradients(), torch.load(tmp_path / "gradients", weights_only=True)
    assert len(one) == 3 and all(any(part.any() for part in parts) for parts in one)
    for found, expected in zip(chain(*two), chain(*one), strict=True):
        rounding = 1e-6 * max(1.0, float(expected.abs().max()))  # readings in lx are large
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=rounding)


NOTES = """\
def on_validation_epoch_end(self):
    import hashlib
    from pathlib import Path
    super().on_validation_epoch_end()
    weights = b"".join(value.detach().numpy().tobytes() for value in self.layer.parameters())
    with open(f"rank{self.global_rank}.txt", "a") as file:
        file.write(f"{self.current_epoch} {hashlib.sha256(weights).hexdigest()}\\n")
    if self.global_rank == 0 and self.current_epoch == 1:
        next(Path("runs").glob("mine/*")).joinpath(".stop").touch()
"""
"""Each rank notes its weights after every epoch; rank 0 is asked to stop after the second."""


def test_all_ranks_hold_the_same_weights_and_stop_in_the_same_epoch(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(own_model(more=NOTES))
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nmodel: {name: ./mine.py}\n")
    options = [text for text in SHORT if not text.startswith(("model.", "training.epochs"))]
    options += ["training.epochs=9", "hardware.accelerator=cpu", "--devices", "2"]
    command = [sys.executable, "-m", "anomalynet", "train", "mine.yaml", *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    where: Any = {"cwd": tmp_path, "env": environment, "timeout": 120}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **where)
    assert done.returncode == 130, done.stderr
    assert "stopped on request after epoch 2" in done.stderr
    ranks = [(tmp_path / f"rank{rank}.txt").read_text().splitlines() for rank in (0, 1)]
    assert ranks[0] == ranks[1]
    assert [line.split()[0] for line in ranks[0]] == ["0", "1"]
    assert len({line.split()[1] for line in ranks[0]}) == 2
