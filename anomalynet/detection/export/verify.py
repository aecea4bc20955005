"""Compares a graph with the run's model on windows of the run, and measures size, time and loss of
its file. Nothing is exported without this comparison."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import polars as pl

from anomalynet.data.prepared import Float32, Float64
from anomalynet.data.statistics import statistics
from anomalynet.data.steps import metrics, scores_table
from anomalynet.data.windows import Windows
from anomalynet.detection.engine.devices import Table
from anomalynet.detection.engine.scoring import StepScorer, WindowScorer, scorer
from anomalynet.detection.export.graphs import OUTPUTS
from anomalynet.detection.model import Model
from anomalynet.errors import RunError, UsageError
from anomalynet.models.part_scores import touched
from anomalynet.training.finished import FinishedRun

TOLERANCE = 1e-5  # largest allowed difference; relative for outputs above 1
SAMPLE = 128  # number of compared windows per part, evenly spaced
BATCHES = (1, 7)  # two sizes, so that a graph whose batch size became constant is noticed
PARTS: tuple[Literal["validation", "test"], ...] = ("validation", "test")
MEASURED = ("average_precision", "f1_attack")
BATCH = 1024  # windows scored at once
REPEATS = 200  # number of windows that are timed one by one
SIDE_BY_SIDE = 64  # number of segments that are read in parallel


class Session:
    """An exported file, run as a detector does: on the CPU with one thread. Raises RunError: ONNX
    Runtime refuses its graph."""

    def __init__(self, content: bytes) -> None:
        try:
            self.model = Model(Path("the exported graph"), content)
        except UsageError as error:
            raise RunError(error.message) from None
        self.outputs = tuple(name for name in self.model.outputs if not name.endswith("_next"))
        self._stepwise = self.model.contract.form == "step"

    def run(self, readings: Float32) -> dict[str, np.ndarray]:
        """Outputs by name of calibrated windows (batch, window, channels); a state begins empty."""
        if not self._stepwise:
            return self.model.run(self._feed(readings), self.outputs)
        rows, devices = np.arange(len(readings)), self._devices(len(readings))
        for step in range(readings.shape[1]):
            found = devices.push(rows, readings[:, step])
        return found.outputs

    def scores(self, windows: Windows) -> Float64:
        """Scores (window,) of all windows, with a state carried from the start of a segment."""
        if not self._stepwise:
            size = 4 * windows.shape.steps * windows.shape.channels * BATCH
            parts = [self.run(windows.gather(chunk))["score"] for chunk in windows.chunks(size)]
            return cast(Float64, np.concatenate([np.empty(0), *parts]).astype(np.float64))
        segments = touched(windows)
        found = np.full((len(segments.starts), segments.longest), np.nan)
        for first in range(0, len(found), SIDE_BY_SIDE):
            some = slice(first, first + SIDE_BY_SIDE)
            rows, devices = np.arange(len(found[some])), self._devices(len(found[some]))
            for step in range(int(segments.lengths[some].max())):
                at = segments.rows(np.array([step]), some)[:, 0]
                scored = devices.push(rows, windows.prepared.values[at])
                ready = slice(None) if scored.ready is None else scored.ready
                found[some, step][ready] = scored.outputs["score"]
        return found[segments.of, segments.at]

    def microseconds(self, windows: Windows) -> float:
        """Median time of the network to score a single window, without the first tenth."""
        numbers = [np.array([number % len(windows)]) for number in range(REPEATS)]
        durations = []
        for feed in [self._feed(windows.gather(number)) for number in numbers]:
            started = time.perf_counter()
            self.model.run(feed)
            durations.append(time.perf_counter() - started)
        return 1e6 * float(np.median(durations[REPEATS // 10 :]))

    def _devices(self, count: int) -> WindowScorer | StepScorer:
        table = Table()
        made = scorer(self.model, table)
        table.grow(count)
        return made

    def _feed(self, readings: Float32) -> dict[str, np.ndarray]:
        """The inputs for windows; for a step the last one's, with an empty state."""
        form = self.model.contract.form
        if form == "statistics":
            return {"features": statistics(readings)}
        if form == "window":
            return {"readings": readings}
        shapes = self.model.contract.inputs.items()
        zeros = {name: np.zeros((len(readings), *shape), np.float32) for name, shape in shapes}
        return zeros | {"reading": readings[:, -1].copy()}


@dataclass(frozen=True, slots=True)
class Parity:
    """Largest differences between a graph and the run's model; relative for outputs above 1."""

    windows: int  # number of compared windows
    batches: dict[int, float]  # batch size → difference over all outputs
    between: float  # difference of scores between these sizes
    carried: float | None  # of scores of the test part with carried state; form `step` only

    @property
    def worst(self) -> float:
        """The largest difference; NaN if any is NaN."""
        return float(np.max([*self.batches.values(), self.carried or 0.0]))


def compare(run: FinishedRun, session: Session) -> Parity:
    """Compare a graph with the run's model on windows of the validation and test parts. Raises
    RunError: they differ by more than `TOLERANCE`."""
    parts = [run.data.windows(part) for part in PARTS]
    evenly = [np.linspace(0, len(part) - 1, min(SAMPLE, len(part))) for part in parts]
    pairs = zip(parts, evenly, strict=True)
    windows = np.concatenate([part.gather(some.astype(np.int64)) for part, some in pairs])
    if not len(windows):
        what = "validation and test part have no windows to compare the exported model on"
        raise RunError(f"{run.folder.path}: {what}")
    model, test, carried = run.detector, parts[-1], None
    outputs = model.output_arrays(windows)
    if model.graph_form == "step":  # a graph that reads one step knows the error of that step alone
        outputs["error"] = outputs["last_error"]
    expected = {name: outputs[name] for name in OUTPUTS if name in outputs}
    if model.carries_state:
        carried = difference(session.scores(test), model.score_windows(test))
    found = {}
    for size in BATCHES:
        starts = range(0, len(windows), size)
        batches = [session.run(windows[start : start + size]) for start in starts]
        found[size] = {
            name: np.concatenate([one[name] for one in batches]) for name in session.outputs
        }
    parity = Parity(
        windows=len(windows),
        batches={size: _difference(outputs, expected) for size, outputs in found.items()},
        between=difference(*(outputs["score"] for outputs in found.values())),
        carried=carried,
    )
    if not parity.worst <= TOLERANCE:  # `not`, so that NaN also fails
        what = f"the exported model differs from the run's by {parity.worst:.2g}"
        how = "nothing was written; the model must be deterministic and score windows independently"
        raise RunError(f"{run.folder.path}: {what}, more than {TOLERANCE:g}", how)
    return parity


def _difference(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    if found.keys() != expected.keys():
        return float("nan")
    return float(np.max([difference(found[name], expected[name]) for name in found]))


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, relative for values above 1; NaN if shapes differ or a value is NaN."""
    if found.shape != expected.shape:
        return float("nan")
    return float(np.max(np.abs(found - expected) / np.maximum(1.0, np.abs(expected)), initial=0.0))


@dataclass(frozen=True, slots=True)
class Loss:
    """One file compared with the run."""

    variant: str  # `float32`, `float16`, `int8`
    bytes: int  # of the file
    microseconds: float  # to score a single window
    difference: float  # largest from a stored score of the run; relative for scores above 1
    alarms: int  # number of steps with an alarm in only one of file and run
    steps: int  # number of compared steps
    metrics: dict[str, float | None]  # `validation/…` and `test/…` of `MEASURED`


def latencies(run: FinishedRun, sessions: Mapping[str, Session]) -> dict[str, float]:
    """Microseconds to score a single window: the smallest median of three rounds. Files alternate
    within a round, so that other load of the machine affects all of them."""
    windows = max((run.data.windows(part) for part in PARTS), key=len)
    rounds = [[session.microseconds(windows) for session in sessions.values()] for _ in range(3)]
    return dict(zip(sessions, map(min, zip(*rounds, strict=True)), strict=True))


def measure(
    run: FinishedRun, session: Session, size: int, variant: str, limit: float, microseconds: float
) -> Loss:
    """Score all validation and test windows with a file of `size` bytes, at the threshold
    `limit`."""
    measured: dict[str, float | None] = {}
    differences, alarms, steps = [], 0, 0
    for part in PARTS:
        found = session.scores(run.data.windows(part))
        stored = stored_scores(run, part)
        differences.append(difference(found, stored))
        alarms += int(((found >= limit) != (stored >= run.result.threshold)).sum())
        steps += len(found)
        table = run.data.steps(part, found)
        known = metrics(table, limit, probability=run.result.probability)
        measured |= {f"{part}/{name}": known[name] for name in MEASURED}
    return Loss(variant, size, microseconds, float(np.max(differences)), alarms, steps, measured)


def stored_scores(run: FinishedRun, part: Literal["validation", "test"]) -> Float64:
    """The stored score of each window of a part, float64 (window,)."""
    numbers = np.arange(len(run.data.windows(part)), dtype=np.float64)
    numbered = scores_table({part: run.data.steps(part, numbers)}, np.inf).collect()["score"]
    stored = run.scores.filter(pl.col("split") == part)["score"]
    pairs = pl.DataFrame({"window": numbered, "score": stored}).drop_nulls("window")
    return pairs.sort("window")["score"].fill_null(np.nan).to_numpy()
