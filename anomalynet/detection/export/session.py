"""Runs an exported graph with ONNX Runtime as a detector does: on the CPU with one thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, cast

import numpy as np

from anomalynet.data.prepared import Float32, Float64
from anomalynet.data.statistics import statistics
from anomalynet.data.windows import Windows
from anomalynet.detection import model
from anomalynet.errors import RunError
from anomalynet.models.part_scores import touched

BATCH = 1024  # windows scored at once
REPEATS = 200  # number of windows that are timed one by one


class Session:
    """A graph of the form `window` or `statistics`, from a file's bytes; see `StepSession` for the
    form `step`. Raises RunError: ONNX Runtime refuses the graph."""

    def __init__(self, content: bytes) -> None:
        try:
            self._session = model.open_session(content)
        except ValueError as error:
            raise RunError(f"ONNX Runtime cannot load the exported graph: {error}") from None
        inputs = self._session.get_inputs()
        self.names = tuple(output.name for output in self._session.get_outputs())
        self.outputs = tuple(name for name in self.names if not name.endswith("_next"))  # no state
        self.shapes = {given.name: tuple(given.shape[1:]) for given in inputs}  # of one device
        self.statistics = inputs[0].name == "features"  # whether the form is `statistics`

    def infer(self, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every output by name."""
        return dict(zip(self.names, self._session.run(list(self.names), feed), strict=True))

    def run(self, readings: Float32) -> dict[str, np.ndarray]:
        """Outputs by name of calibrated windows (batch, window, channels)."""
        return self.infer(self._inputs(readings))

    def _inputs(self, readings: Float32) -> dict[str, np.ndarray]:
        return {"features": statistics(readings)} if self.statistics else {"readings": readings}

    def scores(self, windows: Windows) -> Float64:
        """Scores (window,) of all windows."""
        size = 4 * windows.shape.steps * windows.shape.channels * BATCH
        found = [self.run(windows.gather(chunk))["score"] for chunk in windows.chunks(size)]
        return cast(Float64, np.concatenate([np.empty(0), *found]).astype(np.float64))

    def microseconds(self, windows: Windows) -> float:
        """Median time to score a single window; the inputs are prepared before."""
        numbers = [np.array([number % len(windows)]) for number in range(REPEATS)]
        feeds = [self._inputs(windows.gather(number)) for number in numbers]
        return self._time(lambda number: feeds[number])

    def _time(
        self,
        feed_of: Callable[[int], dict[str, np.ndarray]],
        take: Callable[[dict[str, np.ndarray]], None] = lambda found: None,
    ) -> float:
        """Median µs to infer `REPEATS` inputs, without the first tenth; `take` gets the outputs."""
        durations = []
        for number in range(REPEATS):
            feed = feed_of(number)
            started = time.perf_counter()
            found = self.infer(feed)
            durations.append(time.perf_counter() - started)
            take(found)
        return 1e6 * float(np.median(durations[REPEATS // 10 :]))


SIDE_BY_SIDE = 64  # number of segments that are read in parallel


class StepSession(Session):
    """A graph of the form `step`."""

    def run(self, readings: Float32) -> dict[str, np.ndarray]:
        """Outputs at the last step of windows (batch, window, channels), from an empty state."""
        stream = Stream(self, len(readings))
        for step in range(readings.shape[1]):
            found = stream.advance(readings[:, step])
        return {name: found[name] for name in self.outputs}

    def scores(self, windows: Windows) -> Float64:
        """Scores (window,) of all windows, with the state carried from the start of a segment."""
        segments = touched(windows)
        found = np.empty((len(segments.starts), segments.longest))
        for first in range(0, len(found), SIDE_BY_SIDE):
            some = slice(first, first + SIDE_BY_SIDE)
            stream = Stream(self, len(found[some]))
            for step in range(int(segments.lengths[some].max())):
                rows = segments.rows(np.array([step]), some)[:, 0]
                found[some, step] = stream.advance(windows.prepared.values[rows])["score"]
        return found[segments.of, segments.at]

    def microseconds(self, windows: Windows) -> float:
        """Median time of one step of one segment."""
        stream = Stream(self, 1)
        rows = windows.prepared.values[windows.ends()[:REPEATS]]
        return self._time(lambda number: stream.feed(rows[number % len(rows)][None]), stream.take)


class Stream:
    """The state of segments that are read in parallel, as a detector keeps it for each device."""

    def __init__(self, session: StepSession, count: int) -> None:
        self._session, self._steps = session, 0
        zeros = {
            name: np.zeros((count, *shape), np.float32) for name, shape in session.shapes.items()
        }
        self._states = zeros["states"]
        self._state = {name: zeros[name] for name in zeros if f"{name}_next" in session.names}

    def advance(self, reading: Float32) -> dict[str, np.ndarray]:
        """All outputs of the next step; `reading`: (count, channels)."""
        found = self._session.infer(self.feed(reading))
        self.take(found)
        return found

    def feed(self, reading: Float32) -> dict[str, np.ndarray]:
        """The inputs of the graph for the next step."""
        slot = np.zeros(self._states.shape[:2], np.float32)
        slot[:, self._steps % slot.shape[1]] = 1
        return {"reading": reading, **self._state, "states": self._states, "slot": slot}

    def take(self, found: dict[str, np.ndarray]) -> None:
        """Store the state after a step."""
        self._states[:, self._steps % self._states.shape[1]] = found["hidden_next"]
        self._state = {name: found[f"{name}_next"] for name in self._state}
        self._steps += 1


def open_session(content: bytes, form: Literal["window", "step", "statistics"]) -> Session:
    """The session for the form of a file."""
    return StepSession(content) if form == "step" else Session(content)
