"""From steps to scores: what each form of network remembers of a device's segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from anomalynet.data.statistics import statistics
from anomalynet.detection.engine.devices import Array, Table
from anomalynet.detection.model import Model

TINY = 1e-12  # smallest score that a share is taken of
CHUNK = 256  # devices that one call of the network scores: larger calls cost no less a reading


class Scored(NamedTuple):
    """Of some steps."""

    ready: Array | None  # bool (n,), where the window is full; None: everywhere
    outputs: dict[str, Array]  # score, error and attention by name, (number of ready steps, …)
    # bool (n,), whose state was no number after the step and is empty again; None: none of them
    lost: Array | None = None


class WindowScorer:
    """Keeps the last readings of each device in a ring, calibrated."""

    def __init__(self, model: Model, table: Table) -> None:
        self._model, self._table = model, table
        self._window = model.contract.window
        self._ages = np.arange(self._window)
        table.add("ring", np.float32, (self._window, len(model.contract.channels)))

    def start(self, rows: Array) -> None:
        """The next step of these devices is the first of a segment."""
        self._table["steps"][rows] = 0

    def push(self, rows: Array, values: Array) -> Scored:
        """Take the next step of distinct devices, ascending, float32 (n, channels); score it."""
        steps, ring = self._table["steps"], self._table["ring"]
        before = steps[rows]
        ring[rows, before % self._window] = values
        count = before + 1
        steps[rows] = count
        ready = count >= self._window
        if np.count_nonzero(ready) < len(ready):
            rows, count = rows[ready], count[ready]
        outputs = in_chunks(self._run, rows, count)
        return Scored(None if len(ready) == len(rows) else ready, outputs)

    def window(self, row: int) -> Array:
        """The last steps of a device, float32 (time, channel), the oldest first."""
        (found,) = self._windows(np.array([row]), self._table["steps"][[row]])
        return np.asarray(found)

    def _run(self, rows: Array, count: Array) -> dict[str, Array]:
        return run_windows(self._model, self._windows(rows, count))

    def _windows(self, rows: Array, count: Array) -> Array:
        oldest_first = (count[:, None] + self._ages) % self._window
        windows: Array = self._table["ring"][rows[:, None], oldest_first]
        return windows


class StepScorer:
    """Keeps each device's state of the network: the tensors it carries, and a ring of states."""

    def __init__(self, model: Model, table: Table) -> None:
        contract = model.contract
        self._model, self._table = model, table
        self._window, self._carried = contract.window, tuple(contract.carried)
        self._outputs = contract.outputs
        state = (*(f"{name}_next" for name in self._carried), "hidden_next")
        self._wanted = tuple(dict.fromkeys((*contract.outputs, *state)))
        self._columns = ("states", *map(_column, self._carried))
        self._slots = np.eye(contract.window, dtype=np.float32)
        for name, shape in contract.carried.items():
            table.add(_column(name), np.float32, shape)
        table.add("states", np.float32, (contract.window, contract.width))

    def start(self, rows: Array) -> None:
        for name in ("steps", *self._columns):
            self._table[name][rows] = 0

    def push(self, rows: Array, values: Array) -> Scored:
        before = self._table["steps"][rows]
        outputs = in_chunks(self._run, rows, before, values)
        self._table["steps"][rows] = before + 1
        lost = self._lost(rows, outputs["score"])
        ready = before >= self._window - 1
        if np.count_nonzero(ready) == len(ready):
            return Scored(None, outputs, lost)
        return Scored(ready, {name: value[ready] for name, value in outputs.items()}, lost)

    def _lost(self, rows: Array, scores: Array) -> Array | None:
        """Empty the states that are no numbers: they would stay so for ever. They give no score,
        which is quicker to see."""
        if np.count_nonzero(np.isfinite(scores)) == len(scores):
            return None
        lost = np.zeros(len(rows), np.bool_)
        for name in self._columns:
            lost |= ~np.isfinite(self._table[name][rows]).reshape(len(rows), -1).all(axis=1)
        self.start(rows[lost])
        return lost

    def _run(self, rows: Array, before: Array, reading: Array) -> dict[str, Array]:
        table, place = self._table, before % self._window
        # Rows ascend: without gaps they are a slice, and no state is copied into the call.
        first, stop = int(rows[0]), int(rows[-1]) + 1
        some = slice(first, stop) if stop - first == len(rows) else rows
        feed = {"reading": reading, "states": table["states"][some], "slot": self._slots[place]}
        feed |= {name: table[_column(name)][some] for name in self._carried}
        found = self._model.run(feed, self._wanted)
        for name in self._carried:
            table[_column(name)][some] = found[f"{name}_next"]
        table["states"][rows, place] = found["hidden_next"]
        return {name: found[name] for name in self._outputs}


def scorer(model: Model, table: Table) -> WindowScorer | StepScorer:
    """What suits the model. Declares its columns; `steps` counts the steps of the segment."""
    table.add("steps", np.int64)
    return StepScorer(model, table) if model.contract.form == "step" else WindowScorer(model, table)


def _column(name: str) -> str:
    return f"carried {name}"


def in_chunks(run: Callable[..., dict[str, Array]], *inputs: Array) -> dict[str, Array]:
    """Outputs of all rows of the inputs, a chunk at a time; empty without any."""
    if 0 < len(inputs[0]) <= CHUNK:
        return run(*inputs)
    starts = range(0, len(inputs[0]), CHUNK)
    parts = [run(*(array[first : first + CHUNK] for array in inputs)) for first in starts]
    names = parts[0] if parts else ()
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def run_windows(model: Model, windows: Array) -> dict[str, Array]:
    """Outputs for windows (n, time, channel) of a model that reads windows."""
    if model.contract.form == "statistics":
        return model.run({"features": statistics(windows)}, model.contract.outputs)
    return model.run({"readings": windows}, model.contract.outputs)


def channel_parts(model: Model, window: Array) -> Array:
    """What each channel has in the score of a window (time, channel), float64 (channel,), 0 or
    more: its error, where the model reconstructs. Else how far the score falls, in the mean, when
    that channel alone reads as in the reference's ordinary windows, relative to the score and to 4
    digits; if none alone makes it fall, how far it rises where that channel alone stands in these
    windows. Zeros without any."""
    contract = model.contract
    if "error" in contract.outputs:
        return np.asarray(run_windows(model, window[None])["error"][0], np.float64)
    found = np.zeros(window.shape[1])
    if not contract.reference.windows:
        return found
    score = float(run_windows(model, window[None])["score"][0])
    ordinary = model.ordinary
    for channel in range(len(found)):
        changed = np.repeat(window[None], len(ordinary), axis=0)
        changed[:, :, channel] = ordinary[:, :, channel]
        lower = float(run_windows(model, changed)["score"].mean(dtype=np.float64))
        found[channel] = max(round((score - lower) / max(abs(score), TINY), 4), 0)
    if not found.any():  # several channels, each of which is enough
        usual = float(run_windows(model, ordinary)["score"].mean(dtype=np.float64))
        for channel in range(len(found)):
            changed = ordinary.copy()
            changed[:, :, channel] = window[:, channel]
            higher = float(run_windows(model, changed)["score"].mean(dtype=np.float64))
            found[channel] = max(round((higher - usual) / max(abs(score), TINY), 4), 0)
    if contract.mask and not window[:, -1].any():
        found[-1] = 0  # nothing was missing
    return found
