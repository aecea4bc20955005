"""Runs an exported graph of the form `step` over windows and whole segments, the state in our
hands."""

from __future__ import annotations

import time
from typing import Literal

import numpy as np

from anomalynet.data.prepared import Float32, Float64
from anomalynet.data.windows import Windows
from anomalynet.detection.export.session import REPEATS, Session
from anomalynet.training.carried import touched

SIDE_BY_SIDE = 64
"""Segments that are read at a time."""


class StepSession(Session):
    """A graph of the form `step`."""

    def run(
        self, readings: Float32, offset: Float64 | None = None, scale: Float64 | None = None
    ) -> dict[str, np.ndarray]:
        """Outputs at the last step of windows (batch, window, channels), each read from an empty
        state."""
        stream = self.stream(len(readings), offset, scale)
        for step in range(readings.shape[1]):
            found = stream.advance(readings[:, step])
        return {name: found[name] for name in self.outputs}

    def stream(
        self, count: int, offset: Float64 | None = None, scale: Float64 | None = None
    ) -> Stream:
        """`count` segments at their start; of calibrated readings without `offset` and `scale`
        (count, channels)."""
        return Stream(self, count, offset, scale)

    def scores(self, windows: Windows) -> Float64:
        """Scores (window,) of every window, its state carried from the start of its segment."""
        segments = touched(windows)
        found = np.empty((len(segments.starts), segments.longest))
        for first in range(0, len(found), SIDE_BY_SIDE):
            some = slice(first, first + SIDE_BY_SIDE)
            stream = self.stream(len(found[some]))
            for step in range(int(segments.lengths[some].max())):
                rows = segments.rows(np.array([step]), some)[:, 0]
                found[some, step] = stream.advance(windows.prepared.values[rows])["score"]
        return found[segments.of, segments.at]

    def microseconds(self, windows: Windows) -> float:
        """Median time of one step of one segment, its state prepared."""
        stream = self.stream(1)
        rows = windows.prepared.values[windows.ends()[:REPEATS]]
        durations = []
        for number in range(REPEATS):
            feed = stream.feed(rows[number % len(rows)][None])
            started = time.perf_counter()
            found = self.infer(feed)
            durations.append(time.perf_counter() - started)
            stream.take(found)
        return 1e6 * float(np.median(durations[REPEATS // 10 :]))


class Stream:
    """The state of some segments that are read side by side: what the contract tells a detector to
    keep for each device."""

    def __init__(
        self, session: StepSession, count: int, offset: Float64 | None, scale: Float64 | None
    ) -> None:
        self._session = session
        shapes = session.shapes
        self._state = {
            name: np.zeros((count, *shape), np.float32)
            for name, shape in shapes.items()
            if f"{name}_next" in session.names
        }
        self._states = np.zeros((count, *shapes["states"]), np.float32)
        self._steps = 0
        channels = shapes["offset"]
        self._offset = np.zeros((count, *channels)) if offset is None else offset
        self._scale = np.ones((count, *channels)) if scale is None else scale

    def advance(self, reading: Float32) -> dict[str, np.ndarray]:
        """All outputs of the next step, reading (count, channels)."""
        found = self._session.infer(self.feed(reading))
        self.take(found)
        return found

    def feed(self, reading: Float32) -> dict[str, np.ndarray]:
        """What the graph is given for the next step."""
        slot = np.zeros(self._states.shape[:2], np.float32)
        slot[:, self._place] = 1
        calibration = {"offset": self._offset, "scale": self._scale}
        return {
            "reading": reading,
            **calibration,
            **self._state,
            "states": self._states,
            "slot": slot,
        }

    def take(self, found: dict[str, np.ndarray]) -> None:
        """Keep the state after a step."""
        self._states[:, self._place] = found["hidden_next"]
        self._state = {name: found[f"{name}_next"] for name in self._state}
        self._steps += 1

    @property
    def _place(self) -> int:
        return self._steps % len(self._states[0])


def open_session(content: bytes, form: Literal["window", "step", "statistics"]) -> Session:
    """The session that suits a file's form."""
    return StepSession(content) if form == "step" else Session(content)
