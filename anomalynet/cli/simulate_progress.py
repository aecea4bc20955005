"""A simulation under way: simulated time over all cells, as a bar on a terminal, a line now and
then elsewhere. On stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from anomalynet.cli.sweep_progress import duration

INTERVAL = 10.0
"""Seconds between two lines where stderr is no terminal."""


class SimulationProgress:
    """Is called with the simulated seconds, summed over the cells; use as a context manager.

    Args:
        title: of the scenario.
        cells: how many there are.
        length: simulated seconds of each.
    """

    def __init__(self, title: str, cells: int, length: float) -> None:
        self.title = f"{title}, {cells} cell{'s' if cells > 1 else ''}"
        self.total = cells * length
        self.live = sys.stderr.isatty()
        self._started = self._drawn = time.monotonic()
        self._first: float | None = None

    def __enter__(self) -> SimulationProgress:
        if self.live:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                Progress,
                TaskProgressColumn,
                TextColumn,
                TimeRemainingColumn,
            )

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[text]}"),
            )
            self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=self.total, text="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self._bar.stop()

    def __call__(self, reached: float) -> None:
        """Redraw at most ten times a second; elsewhere, a line every `INTERVAL`."""
        now = time.monotonic()
        if self._first is None:
            self._first = (
                reached  # of cells that were finished before: they say nothing of the speed
            )
        if self.live:
            if now - self._drawn > 0.1 or reached >= self.total:
                self._drawn = now
                self._bar.update(
                    self._task,
                    completed=reached,
                    text=f"{reached / 3600:.1f} of {self.total / 3600:.1f} h simulated",
                )
        elif now - self._drawn > INTERVAL:
            self._drawn = now
            left = duration(
                (now - self._started) / max(reached - self._first, 1e-9) * (self.total - reached)
            )
            share = f"{100 * reached / self.total:.0f} %"
            print(
                f"{self.title}: {share} of {self.total / 3600:.1f} h simulated, about {left} left",
                file=sys.stderr,
                flush=True,
            )
