"""A search whose runs cost nothing: a worker that writes what a trainer would, from the values
alone; also as a process to be killed."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomalynet.runs.files import write_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.schema import PartSummary, Result
from anomalynet.sweep.file import Sweep, read_sweep
from anomalynet.sweep.jobs import PlannedSweep
from anomalynet.sweep.launch import Launch
from anomalynet.sweep.progress import SearchProgress
from anomalynet.sweep.search.loop import Search, Trial
from anomalynet.sweep.search.runner import open_search
from anomalynet.sweep.search.study import base_jobs, check
from anomalynet.sweep.slots import Slot

SPACE = """\
experiment: hybrid
design: search
seeds: [0]
folds: [0]
axes:
  model.hidden: {low: 16, high: 128, step: 16}
  model.attention: [true, false]
  model.dropout: {low: 0.0, high: 0.5}
  training.learning_rate: {low: 0.0003, high: 0.01, log: true}
"""
EPOCHS = 6
PART = PartSummary(
    series=("a",), windows=60, steps=64, labelled=62, attack=20, missed=2, missed_attack=1
)


def worth(axis: dict[str, Any]) -> float:
    """The made-up average precision of a run: smooth in the numbers, a little different in each
    seed, fold and world."""
    rate = math.log10(float(axis.get("training.learning_rate", 0.001)))
    dropout, hidden = float(axis.get("model.dropout", 0.2)), float(axis.get("model.hidden", 64))
    value: float = 0.9 - 0.1 * (rate + 2.7) ** 2 - 0.4 * (dropout - 0.15) ** 2
    value -= 0.05 * abs(hidden - 80) / 64 + (0.03 if axis.get("model.attention") is False else 0.0)
    value -= 0.01 * int(axis["seed"]) + 0.003 * int(axis["data.split.fold"])
    return value - 0.02 * int(axis.get("data.world", 0))


class FakeWorker:
    """Finishes a run at once; stops after the epoch in which it is asked to, fails where it is told
    to."""

    def __init__(self, pause: float = 0.0, fails: tuple[str, object] | None = None) -> None:
        self.pause, self.fails = pause, fails
        self.asked: list[dict[str, Any]] = []

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(job)
        axis, folder = job["axis"], RunFolder(Path(job["folder"]))
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.stop.unlink(missing_ok=True)
        folder.failed.unlink(missing_ok=True)
        if self.fails and axis.get(self.fails[0]) == self.fails[1]:
            return {"failed": "it was told to"}
        folder.progress.unlink(missing_ok=True)
        for epoch in range(1, EPOCHS + 1):
            value = worth(axis) * (1 - 0.5**epoch)
            line = {"validation/average_precision": value, "validation/loss": 1 - value}
            folder.append_progress({"epoch": epoch, **line, "best": True})
            time.sleep(self.pause)
            if folder.stop.exists():
                return {"failed": None, "stopped": True}
        finish(folder, axis)
        return {"failed": None, "was_done": False}

    def exit_reason(self) -> str:
        return "none"

    def end(self) -> None:
        pass


def finish(folder: RunFolder, axis: dict[str, Any]) -> None:
    """What a trainer leaves behind that a search reads."""
    hidden = int(axis.get("model.hidden", 64))
    timings = {"train_seconds": 2.0, "score_seconds": 0.5}
    write_json(folder.timings, timings | {"microseconds_per_window": 10.0 + hidden / 10})
    value = worth(axis)
    folder.write_result(
        Result(
            id=folder.path.name,
            experiment=folder.path.parent.name,
            model="hybrid",
            data="smart_city",
            fingerprint="f" * 64,
            channels=("a",),
            seed=axis["seed"],
            split="group",
            folds=5,
            fold=axis["data.split.fold"],
            assignment=axis["seed"],
            parts={"train": PART, "validation": PART, "test": PART},
            epochs=EPOCHS,
            best_epoch=EPOCHS,
            parameters=1000 * hidden,
            threshold=0.5,
            threshold_rule="f1",
            probability=True,
            world=axis.get("data.world"),
            metrics={
                "validation/average_precision": value,
                "validation/auroc": None,
                "test/average_precision": value - 0.05,
            },
        )
    )


def searched(search: Search, worker: FakeWorker, heard: Quiet | None = None) -> None:
    """Run a search to its end with one worker."""
    with Launch([Slot()], worker_factory=lambda slot: worker) as launch:
        search.run(launch, heard or Quiet())


class Quiet(SearchProgress):
    """Hears how a search goes, and does nothing."""

    def __init__(self) -> None:
        pass

    def began(self, trials: Sequence[Trial]) -> None:
        pass

    def look(self) -> None:
        pass

    def ended(self, trial: Trial) -> None:
        pass


def sweep_of(folder: Path, settings: str, space: str = SPACE) -> Sweep:
    """A search read from a file; `settings` is its section `search`."""
    path = folder / "mine.yaml"
    path.write_text(f"{space}search: {settings}\n")
    return read_sweep(str(path), "quick")


def search_of(
    folder: Path, sweep: Sweep, url: str | None = None, total: int | None = None
) -> Search:
    """The search in a folder."""
    check(sweep, [])
    runs = folder / "runs"
    planned = PlannedSweep(
        source=str(folder / "mine.yaml"),
        sweep=sweep,
        overrides=(),
        runs=runs,
        out=folder / "report",
        label="mine",
        jobs=base_jobs(sweep, [], runs),
    )
    return open_search(planned, total, url)


def carried_out(search: Search, slots: int = 1, **how: Any) -> Search:
    """Run a search to its end with fake workers."""
    with Launch([Slot()] * slots, worker_factory=lambda slot: FakeWorker(**how)) as launch:
        search.run(launch, Quiet())
    return search


def story(search: Search) -> list[tuple[str, dict[str, Any], list[float] | None]]:
    """State, values and value of each trial, in order."""
    return [(trial.state.name, trial.params, trial.values) for trial in search.store.trials()]


if __name__ == "__main__":
    where, settings, pause, slots = sys.argv[1:5]
    chosen = sweep_of(Path(where), settings)
    found = search_of(Path(where), chosen, sys.argv[5] if len(sys.argv) > 5 else None)
    print("ready", flush=True)
    carried_out(found, int(slots), pause=float(pause))
