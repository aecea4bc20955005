"""Runs an exported file with ONNX Runtime and its contract alone, as someone would who has nothing
else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime

from anomalynet.data.prepared import Prepared
from anomalynet.data.statistics import statistics
from anomalynet.detection.contract import Contract, read


class Alone:
    """A file and its contract."""

    def __init__(self, file: Path) -> None:
        self.session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        self.metadata: dict[str, str] = self.session.get_modelmeta().custom_metadata_map
        self.contract: Contract = read(self.metadata, str(file))

    def scores(self, prepared: Prepared, rows: np.ndarray, batch: int) -> np.ndarray:
        """Scores of some rows, `batch` at a time; where the file carries its state, so many copies
        of a segment side by side."""
        if self.contract.form == "step":
            return self._carried(prepared, rows, batch)
        return np.concatenate(
            [
                self._scores(prepared, rows[first : first + batch])
                for first in range(0, len(rows), batch)
            ]
        )

    def _scores(self, prepared: Prepared, rows: np.ndarray) -> np.ndarray:
        windows = prepared.values[rows[:, None] + np.arange(1 - self.contract.window, 1)]
        if self.contract.form == "statistics":
            return np.asarray(self.session.run(["score"], {"features": statistics(windows)})[0])
        return np.asarray(self.session.run(["score"], {"readings": windows})[0])

    def _carried(self, prepared: Prepared, rows: np.ndarray, batch: int) -> np.ndarray:
        """Reads the rows' segments from their starts."""
        found = {}
        for segment in prepared.segments:
            mine = rows[(rows >= segment.start) & (rows < segment.stop)]
            for step, scores in enumerate(
                self._stream(
                    prepared, segment.start, int(mine.max(initial=0)) + 1 - segment.start, batch
                )
            ):
                assert np.ptp(scores) < 1e-6
                found[segment.start + step] = scores[-1]
        return np.array([found[row] for row in rows.tolist()])

    def _stream(
        self, prepared: Prepared, start: int, steps: int, count: int
    ) -> Iterator[np.ndarray]:
        told = self.contract
        state = {
            name: np.zeros((count, *shape), np.float32) for name, shape in told.carried.items()
        }
        states = np.zeros((count, told.window, told.width), np.float32)
        for step in range(steps):
            slot = np.zeros((count, told.window), np.float32)
            slot[:, step % told.window] = 1
            names = ["score", *(f"{name}_next" for name in state)]
            feed = {
                "reading": np.repeat(prepared.values[[start + step]], count, axis=0),
                **state,
                "states": states,
                "slot": slot,
            }
            scores, *after = self.session.run(names, feed)
            state = dict(zip(state, after, strict=True))
            states[:, step % told.window] = state["hidden"]
            yield scores
