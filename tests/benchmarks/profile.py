"""Where time goes: in an epoch of the hybrid, and in a whole `reproduce` of one fold."""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from lightning.pytorch.profilers import PassThroughProfiler

from tests.benchmarks import plain
from tests.benchmarks.measure import Measured, Report, command, value

MODEL = ("forward and loss", "backward", "gradients to zero", "Adam")
"""The parts of an epoch that the bare loop has as well."""

HOOKS = {
    "training_step": MODEL[0],
    "backward": MODEL[1],
    "optimizer_zero_grad": MODEL[2],
    "train_dataloader_next": "data",
    "batch_to_device": "data",
    "validation_step": "validation",
    "on_validation_epoch_end": "metrics",
}
"""Lightning's names of what it calls → part of the epoch; its callbacks are a part too."""

STAGES = {
    "simulation": "anomalynet.simulation.world.simulate_worlds",
    "preparation": "anomalynet.data.prepare.prepare",
    "runs": "anomalynet.sweep.runner.carry_out",
    "audit": "anomalynet.data.audit.audit",
    "report": "anomalynet.sweep.report.write_sweep_report",
}
"""Stage of `reproduce` → the function that does it, in the process that the user started."""

SWEEP = "# profile — where does the time of reproduce go?\nextends: paper_models\nfolds: [0]\n"


class Stopwatch:
    """Adds up the seconds of a part, without those of parts that begin and end inside it."""

    open: ClassVar[list[float]] = []  # seconds of inner parts, of each part that is running

    def __init__(self, seconds: dict[str, float], part: str) -> None:
        self.seconds, self.part, self.since = seconds, part, 0.0

    def __enter__(self) -> None:
        self.open.append(0.0)
        self.since = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        lasted = time.perf_counter() - self.since
        self.seconds[self.part] += lasted - self.open.pop()
        if self.open:
            self.open[-1] += lasted


def watched(path: str, seconds: dict[str, float], part: str) -> None:
    """Time every call of a function, given as `module.function`."""
    module, name = path.rsplit(".", 1)
    home = importlib.import_module(module)
    function: Callable[..., Any] = getattr(home, name)

    def timed(*arguments: Any, **keywords: Any) -> Any:
        with Stopwatch(seconds, part):
            return function(*arguments, **keywords)

    setattr(home, name, timed)


class Hooks(PassThroughProfiler):
    """Lightning asks it for a context around each hook; `seconds` of the parts are its own."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = defaultdict(float)
        self._watches: dict[str, Any] = {}

    def profile(self, action_name: str) -> Any:
        """The context of a hook."""
        if action_name not in self._watches:
            part = HOOKS.get(action_name.rpartition(".")[2], "Lightning")
            part = "callbacks" if action_name.startswith("[Callback]") else part
            self._watches[action_name] = Stopwatch(self.seconds, part)
        return self._watches[action_name]


class Epochs:
    """A listener that keeps when each epoch ended, and the seconds of its parts until then."""

    def __init__(self, hooks: Hooks) -> None:
        self.hooks, self.ends = hooks, list[tuple[float, Mapping[str, float]]]()

    def epoch(self, line: dict[str, Any], epochs: int) -> None:
        """An epoch with its checkpoints is done."""
        self.ends.append((time.perf_counter(), dict(self.hooks.seconds)))

    def step(self, epoch: int, step: int, steps: int) -> None:
        """A step is done."""


def epoch_parts() -> tuple[dict[str, float], int]:
    """Seconds of each part of the hybrid's second epoch, and its steps."""
    from anomalynet.runs.folder import RunFolder
    from anomalynet.training.fit import TrainerOptions, fit_network
    from tests.benchmarks.training import Loops

    loops, hooks = Loops("hybrid"), Hooks()
    listener = Epochs(hooks)
    _watch_adam(hooks.seconds)
    with tempfile.TemporaryDirectory() as scratch:
        options = TrainerOptions(arguments={"profiler": hooks})
        folder = RunFolder(Path(scratch))
        fit_network(loops.config, loops.module, loops.network(), folder, listener, options)
    (began, before), (ended, after) = listener.ends
    parts = {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}
    parts["Lightning"] += ended - began - sum(parts.values())
    return parts, loops.steps


def _watch_adam(seconds: dict[str, float]) -> None:
    """Its step is the model's, but for what Lightning does in the closure that it calls."""
    own, adam, rest = (
        torch.optim.Adam.step,
        Stopwatch(seconds, "Adam"),
        Stopwatch(seconds, "Lightning"),
    )

    def step(self: torch.optim.Adam, closure: Callable[[], Any]) -> Any:
        def inside() -> Any:
            with rest:
                return closure()

        with adam:
            return own(self, inside)

    torch.optim.Adam.step = step  # type: ignore[assignment, method-assign]


def reproduce_parts(folder: Path) -> None:
    """Print JSON: seconds of each stage of `reproduce` on new data. Called in a process of its own,
    which has imported torch and Lightning before; its workers import them within *runs*."""
    from anomalynet.sweep.runner import run_sweep

    seconds: dict[str, float] = defaultdict(float)
    for stage, path in STAGES.items():
        watched(path, seconds, stage)
    sweep = folder / "profile.yaml"
    sweep.write_text(SWEEP, encoding="utf-8")
    keys = [f"{key}={value}" for key, value in plain.SHORTER.items()]
    started = time.perf_counter()
    with Stopwatch(seconds, "plan and else"):
        outcome = run_sweep(
            sweep, overrides=keys, runs=folder / "runs", out=folder / "report", slots=2
        )
    assert not outcome.failed and outcome.report is not None
    print(json.dumps({"whole": time.perf_counter() - started, **seconds}))


def profile(folder: Path, rounds: int, report: Report) -> list[Measured]:
    """Both profiles as tables, and the share of the epoch outside the model."""
    code = "import json; from tests.benchmarks.profile import epoch_parts; "
    code += "print(json.dumps(epoch_parts()))"
    found = [json.loads(_output(code)) for _ in range(rounds)]
    names = list(dict.fromkeys(name for parts, _ in found for name in parts))
    shares = [1 - sum(parts[name] for name in MODEL) / sum(parts.values()) for parts, _ in found]
    middle = {
        name: float(np.median([parts.get(name, 0.0) for parts, _ in found])) for name in names
    }
    whole, steps = sum(middle.values()), found[0][1]
    lines = ["| part | s | ms per step | share |", "|---|---:|---:|---:|"]
    for name in sorted(names, key=lambda one: (one not in MODEL, -middle[one])):
        own = middle[name]
        cells = f"{own:.3f} | {1e3 * own / steps:.3f} | {100 * own / whole:.1f} %"
        lines.append(f"| {'model: ' if name in MODEL else ''}{name} | {cells} |")
    report.texts[f"An epoch of the hybrid, {steps} steps"] = "\n".join(lines)
    title, text = _reproduced()
    report.texts[title] = text
    percent = [100 * one for one in shares]
    lightning = 1e3 * middle["Lightning"] / steps
    note = (
        f"Lightning's loop, with its hooks and the calls around a batch, takes {lightning:.2f} of "
    )
    note += f"{1e3 * whole / steps:.2f} ms per step"
    return [value("epoch of hybrid: outside the model's kernels", percent, "%", 6.0, note)]


def _reproduced() -> tuple[str, str]:
    """A heading and a table of `reproduce`."""
    with tempfile.TemporaryDirectory() as scratch:
        code = "from pathlib import Path; from tests.benchmarks.profile import reproduce_parts; "
        code += f"reproduce_parts(Path({scratch!r}))"
        parts = json.loads(_output(code, ANOMALYNET_DATA=str(Path(scratch) / "data")))
        timings = {
            path.parts[-3]: json.loads(path.read_text())
            for path in sorted(Path(scratch).glob("runs/*/*/timings.json"))
        }
    whole = parts.pop("whole")
    lines = ["| stage | s | share |", "|---|---:|---:|"]
    for name, own in sorted(parts.items(), key=lambda one: -one[1]):
        lines.append(f"| {name} | {own:.1f} | {100 * own / whole:.0f} % |")
    lines += [f"| all | {whole:.1f} | 100 % |", "", "Inside *runs*, of two slots:", ""]
    lines += ["| run | training s | scoring s |", "|---|---:|---:|"]
    known = 0.0
    for name, own in timings.items():
        train, score = own["train_seconds"], own["score_seconds"]
        known += train + score
        lines.append(f"| {name} | {train:.1f} | {score:.1f} |")
    slots = 2 * parts["runs"]
    rest = f"Both slots together had {slots:.1f} s: {100 * known / slots:.0f} % trained and scored"
    lines += ["", f"{rest}, the rest started processes, read data, measured, wrote or waited."]
    title = f"`reproduce` (quick), one fold, {len(timings)} models, worlds of a day, nothing cached"
    return title, "\n".join(lines)


def _output(code: str, **environment: str) -> str:
    """The last line that a process prints."""
    with tempfile.NamedTemporaryFile("r") as file:
        redirected = (
            f"import sys; sys.stdout = open({file.name!r}, 'w')\n{code}\nsys.stdout.close()"
        )
        command(sys.executable, "-c", redirected, **environment)
        return file.read().splitlines()[-1]
