"""How training is shown: a live bar on a terminal, one line an epoch elsewhere. On stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

SHOWN = ("train/loss", "validation/loss", "validation/average_precision")


def described(line: dict[str, Any]) -> str:
    """One epoch's numbers as text."""
    numbers = " ".join(f"{name} {line[name]:.4f}" for name in SHOWN if name in line)
    return f"{numbers}{' *' if line.get('best') else ''}"


class TrainingProgress:
    """A listener for one run's training; use as a context manager."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.live = sys.stderr.isatty()
        self._drawn = 0.0

    def __enter__(self) -> TrainingProgress:
        if self.live:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
            )

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[text]}"),
            )
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._bar.start()
            self._epochs = self._bar.add_task(self.title, total=None, text="preparing")
            self._steps = self._bar.add_task("epoch", total=None, text="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self._bar.stop()

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Redraw at most ten times a second."""
        now = time.monotonic()
        if self.live and now - self._drawn > 0.1:
            self._drawn = now
            self._bar.update(self._steps, completed=step, total=steps, description=f"epoch {epoch}")

    def epoch(self, line: dict[str, Any], epochs: int) -> None:
        """An epoch is done."""
        if self.live:
            self._bar.update(
                self._epochs, completed=line["epoch"] + 1, total=epochs, text=described(line)
            )
        else:
            print(
                f"{self.title} epoch {line['epoch'] + 1}/{epochs} {described(line)}",
                file=sys.stderr,
                flush=True,
            )
