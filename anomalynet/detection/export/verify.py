"""Compares a graph with the run's model on windows of the run, and measures size, time and loss of
its file. Nothing is exported without this comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from anomalynet.data.prepared import Float32, Float64
from anomalynet.data.steps import metrics, scores_table
from anomalynet.data.windows import Windows
from anomalynet.detection.export.network import OUTPUTS
from anomalynet.detection.export.session import Session
from anomalynet.errors import RunError
from anomalynet.training.finished import FinishedRun

TOLERANCE = 1e-5  # largest allowed difference; relative for outputs above 1
SAMPLE = 128  # number of compared windows per part, evenly spaced

BATCHES = (1, 7)  # two sizes, so that a graph whose batch size became constant is noticed
PARTS: tuple[Literal["validation", "test"], ...] = ("validation", "test")
MEASURED = ("average_precision", "f1_attack")


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
    windows = np.concatenate([_sample(run.data.windows(part)) for part in PARTS])
    if not len(windows):
        what = "validation and test part have no windows to compare the exported model on"
        raise RunError(f"{run.folder.path}: {what}")
    expected = _expected(run, windows)
    found = {size: _batched(session, windows, size) for size in BATCHES}
    model, test, carried = run.detector, run.data.windows("test"), None
    if model.carries_state:
        carried = difference(session.scores(test), model.score_windows(test))
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


def _sample(windows: Windows) -> Float32:
    count = min(SAMPLE, len(windows))
    return windows.gather(np.linspace(0, len(windows) - 1, count).astype(np.int64))


def _expected(run: FinishedRun, windows: Float32) -> dict[str, np.ndarray]:
    """Outputs of the run's model, in one batch."""
    model = run.detector
    found = model.output_arrays(windows)
    if model.graph_form == "step":  # a graph that reads one step knows the error of that step alone
        found["error"] = found["last_error"]
    return {name: found[name] for name in OUTPUTS if name in found}


def _batched(session: Session, windows: Float32, size: int) -> dict[str, np.ndarray]:
    parts = [session.run(windows[start : start + size]) for start in range(0, len(windows), size)]
    return {name: np.concatenate([part[name] for part in parts]) for name in session.outputs}


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
    numbered = scores_table([run.data.steps(part, numbers)], np.inf)["score"]
    stored = run.scores.filter(pl.col("split") == part)["score"]
    pairs = pl.DataFrame({"window": numbered, "score": stored}).drop_nulls("window")
    return pairs.sort("window")["score"].fill_null(np.nan).to_numpy()
