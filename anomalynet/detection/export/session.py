"""Runs an exported graph of whole windows, with ONNX Runtime as a detector would: one thread, on
the CPU."""

from __future__ import annotations

import time
from typing import cast

import numpy as np

from anomalynet.data.prepared import Float32, Float64
from anomalynet.data.statistics import statistics
from anomalynet.data.windows import Windows
from anomalynet.detection.model import open_session
from anomalynet.errors import RunError

BATCH = 1024
"""Windows scored at once."""

REPEATS = 200
"""Windows whose scoring is timed one by one."""


class Session:
    """A graph of the form `window` or `statistics`; `StepSession` is that of the form `step`.

    Args:
        content: the file's bytes.

    Raises: RunError if ONNX Runtime refuses the graph.

    Attributes:
        names: of all outputs.
        outputs: without those of the state.
        shapes: of one device in each input.
        statistics: whether it reads statistics of a window.
    """

    def __init__(self, content: bytes) -> None:
        try:
            self._session = open_session(content)
        except ValueError as error:
            raise RunError(f"ONNX Runtime cannot load the exported graph: {error}") from None
        inputs = self._session.get_inputs()
        self.names = tuple(output.name for output in self._session.get_outputs())
        self.outputs = tuple(name for name in self.names if not name.endswith("_next"))
        self.shapes = {given.name: tuple(given.shape[1:]) for given in inputs}
        self.statistics = inputs[0].name == "features"

    def infer(self, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every output by name."""
        return dict(zip(self.names, self._session.run(list(self.names), feed), strict=True))

    def run(
        self, readings: Float32, offset: Float64 | None = None, scale: Float64 | None = None
    ) -> dict[str, np.ndarray]:
        """Outputs by name of windows (batch, window, channels); of calibrated ones without `offset`
        and `scale` (batch, channels)."""
        feed = self.inputs(readings)
        if offset is not None and scale is not None:
            feed |= {"offset": offset, "scale": scale}
        return self.infer(feed)

    def inputs(self, readings: Float32) -> dict[str, np.ndarray]:
        """What the graph is given for calibrated windows."""
        if self.statistics:
            return {"features": statistics(readings)}
        count, _, channels = readings.shape
        return {
            "readings": readings,
            "offset": np.zeros((count, channels)),
            "scale": np.ones((count, channels)),
        }

    def scores(self, windows: Windows) -> Float64:
        """Scores (window,) of every window."""
        size = 4 * windows.shape.steps * windows.shape.channels * BATCH
        found = [self.run(windows.gather(chunk))["score"] for chunk in windows.chunks(size)]
        return cast(Float64, np.concatenate([np.empty(0), *found]).astype(np.float64))

    def microseconds(self, windows: Windows) -> float:
        """Median time to score one window by itself, what is fed to the graph made beforehand."""
        feeds = [
            self.inputs(windows.gather(np.array([number % len(windows)])))
            for number in range(REPEATS)
        ]
        durations = []
        for feed in feeds:
            started = time.perf_counter()
            self.infer(feed)
            durations.append(time.perf_counter() - started)
        return 1e6 * float(np.median(durations[REPEATS // 10 :]))
