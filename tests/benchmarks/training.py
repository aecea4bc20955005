"""Rows of training: an epoch and a step beside a bare loop, a whole command, many runs, and the
classical models."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch import nn

from anomalynet.config.load import load
from anomalynet.config.schema import Config
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.data.statistics import statistics
from anomalynet.models import Classical, Detector, build
from anomalynet.models.base import Output
from anomalynet.models.classical import Logistic
from anomalynet.runs.folder import RunFolder
from anomalynet.training.fit import TrainerOptions, build_model, fit_network
from anomalynet.training.reproducibility import no_denormals, prepare_process
from tests.benchmarks import plain
from tests.benchmarks.measure import Measured, Report, command, compared, take_turns, timed, value
from tests.tiny import TINY

WINDOWS = 12_800  # of an epoch: 400 steps
LONG = TINY.replace("duration=18h", "duration=72h")
DATA = ("data.worlds=null", f"data.scenario={LONG}", "data.split.folds=3", "data.stride=1")
REPRODUCED = (("cnn", 0), ("hybrid", 0))
"""Experiment and fold of the runs of `reproduce` that are compared: a cheap and a dear one."""


class Linear(Detector):
    """One matrix product: what remains of a step is overhead."""

    def __init__(self, shape: Any, config: Any = None, **options: Any) -> None:
        super().__init__(shape, config, **options)
        self.layer = nn.Linear(self.shape.steps * self.shape.channels, 2)

    def forward(self, x: torch.Tensor) -> Output:
        """Logits."""
        return Output(logits=self.layer(self.normalise(x).flatten(1)))


class Epochs:
    """A listener, as a sweep's workers have one, that keeps when each epoch ended, in CPU seconds:
    all is one thread, and what else runs on the machine does not count."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def epoch(self, line: dict[str, Any], epochs: int) -> None:
        """An epoch with its checkpoints is done."""
        self.ends.append(time.process_time())

    def step(self, epoch: int, step: int, steps: int) -> None:
        """A step is done."""


class Loops:
    """Our epoch and a bare one, of the same network, windows and fused Adam."""

    def __init__(self, experiment: str, kind: type[Detector] | None = None) -> None:
        keys = [*DATA, "training.epochs=2", f"training.windows_per_epoch={WINDOWS}"]
        self.config: Config = load(experiment, [*keys, "training.validation_windows=64"]).config
        prepare_process(self.config)
        self.module = TelemetryDataModule(self.config, train_target="labelled")
        self.module.setup()
        windows = self.module.windows("train")
        ids = self.module.training_sample(WINDOWS)
        self.steps = -(-len(ids) // self.config.training.batch_size)
        self.x = torch.from_numpy(windows.gather(ids))
        self.target = torch.from_numpy(windows.targets(ids).astype(np.int64))
        self.kind = kind

    def network(self) -> Detector:
        """An untrained one."""
        if self.kind is not None:
            return self.kind(self.module.shape, self.config)
        model = build_model(self.config, self.module)
        assert isinstance(model, Detector)
        return model

    def ours(self) -> float:
        """Seconds of the second epoch: batches, steps, validation of 64 windows, checkpoints,
        progress."""
        listener = Epochs()
        with tempfile.TemporaryDirectory() as scratch:
            folder = RunFolder(Path(scratch))
            options = TrainerOptions()
            fit_network(self.config, self.module, self.network(), folder, listener, options)
        return listener.ends[1] - listener.ends[0]

    def bare(self) -> float:
        """Seconds of the second epoch of a loop as short as it can be."""
        network = self.network().train()
        network.fit_normalisation(*self.module.normalisation())
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
        size, seconds = self.config.training.batch_size, 0.0
        with no_denormals():
            for _ in range(2):
                started = time.process_time()
                order = torch.randperm(len(self.x))
                x, target = self.x[order], self.target[order]
                for first in range(0, len(x), size):
                    some = slice(first, first + size)
                    loss = network.losses(network(x[some]), target[some]).mean()
                    optimiser.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimiser.step()
                seconds = time.process_time() - started
        return seconds


def epoch(folder: Path, rounds: int, report: Report) -> list[Measured]:
    """An epoch of the hybrid and of the CNN."""
    rows = []
    for name, goal in (("hybrid", 1.06), ("cnn", 1.15)):
        loops = Loops(name)
        found = take_turns({"ours": loops.ours, "bare": loops.bare}, rounds)
        against = "a bare loop, same Adam and windows"
        title = f"epoch of {name}, batch 32, {loops.steps} steps"
        row = compared(title, found, against, "slower", goal)
        share, other = 100 * (1 - 1 / row.ratio), 1e3 * (row.other or 0) / loops.steps
        step = 1e3 * row.ours / loops.steps - other
        note = f"{share:.1f} % of the epoch is outside the bare loop: Lightning's loop, data, "
        note += f"validation and checkpoints add {step:.2f} ms to each bare step of {other:.2f} ms"
        rows.append(compared(title, found, against, "slower", goal, note=note))
    return rows


def step(folder: Path, rounds: int, report: Report) -> list[Measured]:
    """What a step costs beside the model."""
    loops = Loops("cnn", Linear)
    found = take_turns({"ours": loops.ours, "bare": loops.bare}, rounds)
    over = [1e3 * (a - b) / loops.steps for a, b in zip(*found.values(), strict=True)]
    bare = 1e3 * float(np.median(found["bare"])) / loops.steps
    note = f"a bare step takes {bare:.2f} ms; Lightning's automatic optimisation, whose hooks the "
    note += "row `profile` adds up, is nearly all of the rest"
    return [value("overhead per step, linear model", over, "ms", 0.25, note)]


def train_command(folder: Path, rounds: int, report: Report) -> list[Measured]:
    """A whole `train`, data prepared."""
    keys = [*DATA, "training.epochs=1", "training.windows_per_epoch=2000"]
    words = [sys.executable, "-m", "anomalynet", "train", "cnn", *keys, "--runs"]

    def ours() -> float:
        with tempfile.TemporaryDirectory() as runs:
            return command(*words, runs)

    ours()  # prepares the data
    imports = [sys.executable, "-c", "import torch, lightning"]
    found = take_turns({"ours": ours, "imports": lambda: command(*imports)}, rounds)
    title = "`train` of one epoch on 2,000 windows"
    against = "`import torch, lightning`"
    rest = float(np.median(found["ours"]) - np.median(found["imports"]))
    note = f"{rest:.1f} s remain for our own imports, the data, the epoch, the scores and the files"
    return [compared(title, found, against, "slower", 1.25, note=note)]


def reproduce(folder: Path, rounds: int, report: Report) -> list[Measured]:
    """Runs of `reproduce --preset quick` on worlds of one day: a sweep with two slots, against a
    process per run with Lightning's defaults, two threads each."""
    names = [name for name, _ in REPRODUCED]
    numbers = [3 * names.index(name) + fold + 1 for name, fold in REPRODUCED]  # three folds each
    text = f"run_sweep('paper_models', experiments={names}, only='{_listed(numbers)}', slots=2, "
    text += f"overrides={[f'{key}={one}' for key, one in plain.SHORTER.items()]}, "
    known: list[float] = []

    def ours() -> float:
        with tempfile.TemporaryDirectory() as runs:
            code = f"from anomalynet.sweep.runner import run_sweep; {text}runs={runs!r})"
            seconds = command(sys.executable, "-c", code)
            timings = [json.loads(path.read_text()) for path in Path(runs).glob("*/*/timings.json")]
        busy = sum(one["train_seconds"] + one["score_seconds"] for one in timings)
        known.append(100 * busy / (2 * seconds))
        return seconds

    def plainly() -> float:
        words = [sys.executable, "-m", "tests.benchmarks.plain"]
        runs = ([*words, name, str(fold)] for name, fold in REPRODUCED)
        return sum(command(*one, OMP_NUM_THREADS="2") for one in runs)

    command(sys.executable, "-m", "tests.benchmarks.plain", "--prepare")
    found = take_turns({"ours": ours, "plain": plainly}, rounds)
    per_hour = [[3600 * len(REPRODUCED) / one for one in each] for each in found.values()]
    ratios = tuple(a / b for a, b in zip(*per_hour, strict=True))
    ours_per_hour, other = (float(np.median(one)) for one in per_hour)
    title = "runs per hour of `reproduce` (quick), two slots"
    against = "a process per run, Lightning's defaults"
    note = f"our two slots trained and scored in {np.median(known):.0f} % of their time; "
    note += "a run longer than the other, starting processes and writing are the rest"
    return [Measured(title, ours_per_hour, "/h", "faster", ratios, against, other, 5.0, note)]


def _listed(numbers: list[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


def classical(folder: Path, rounds: int, report: Report) -> list[Measured]:
    """Fit and score, on features that both are given; and what the features cost."""
    rows, costs = [], []
    for name in ("random_forest", "gradient_boosting", "logistic"):
        trees = ["model.trees=50"] if name == "random_forest" else []
        config = load(name, [*DATA, *trees]).config
        prepare_process(config)
        module = TelemetryDataModule(config, train_target="labelled")
        module.setup()
        windows = module.windows("train")
        ids = module.training_sample(WINDOWS)
        x = windows.gather(ids)
        started = time.perf_counter()
        features, target = statistics(x), windows.targets(ids)
        costs.append(1e6 * (time.perf_counter() - started) / len(ids))
        model = build(config, module.shape)
        assert isinstance(model, Classical)

        def ours(model: Classical = model, x: Any = features, y: Any = target) -> float:
            def both() -> None:
                model.fit(x, y, 0)
                model.scores(x)

            return timed(both)

        def theirs(model: Classical = model, x: Any = features, y: Any = target) -> float:
            estimator = clone(model.fitted)
            if isinstance(model, Logistic):  # which is fitted in double precision
                x = x.astype(np.float64)
            return timed(lambda: estimator.fit(x, y).predict_proba(x))

        found = take_turns({"ours": ours, "scikit-learn": theirs}, rounds)
        title = f"fit and score {name}, {len(ids):,} windows"
        more = float(np.median(found["ours"]) - np.median(found["scikit-learn"]))
        note = f"{more:+.2f} s per fit and scoring: checks, conversions and the settings of a run"
        rows.append(compared(title, found, "scikit-learn alone", "slower", 1.1, note=note))
    return [*rows, value("statistics of a window", costs, "µs")]
