"""Shows the progress of a training or simulation on stderr: bars on a terminal, else lines."""

from __future__ import annotations

from typing import Any

from anomalynet.errors import counted, printable
from anomalynet.sweep.progress import Display, duration

INTERVAL = 10.0  # seconds between two lines of a simulation if stderr is not a terminal


def _bar(console: Any, *columns: Any) -> Any:
    from rich.progress import BarColumn, Progress, TextColumn

    # No name is markup, such as a style or a link.
    title, text = (
        TextColumn(f"{{task.{name}}}", markup=False) for name in ("description", "fields[text]")
    )
    return Progress(title, BarColumn(), *columns, text, console=console)


class TrainingProgress(Display):
    """Listens to the training of one run: bars on a terminal, otherwise one line per epoch."""

    def __init__(self, title: str, epochs: int | None = None) -> None:
        super().__init__()
        self.title, self.most = printable(title), epochs

    def make_live(self, console: Any) -> Any:
        from rich.progress import MofNCompleteColumn, TimeRemainingColumn

        bar = _bar(console, MofNCompleteColumn(), TimeRemainingColumn())
        self._epochs = bar.add_task(self.title, total=self.most, text="preparing")
        self._steps = bar.add_task("epoch", total=None, text="")
        return bar

    def __exit__(self, *error: object) -> None:
        if self.live:
            self.shown.update(self._steps, visible=False)
        super().__exit__(*error)

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Redraw at most ten times per second."""
        if self.live and self.is_due(0.1):
            name = f"epoch {epoch + 1}"
            self.shown.update(self._steps, completed=step, total=steps, description=name)

    def epoch(self, line: dict[str, Any], epochs: int) -> None:
        """Called after each epoch."""
        names = {"validation/average_precision": "val AP", "validation/loss": "val loss"}
        names |= {"train/loss": "train loss"}
        name = next((name for name in names if name in line), "train/loss")
        text = f"{names[name]} {line[name]:.3f}{', best' if line.get('best') else ''}"
        done = line["epoch"]
        if self.live:
            self.shown.update(self._epochs, completed=done, total=epochs, text=text)
        else:
            self.say(f"{self.title} epoch {done}/{epochs} {text}")


class SimulationProgress(Display):
    """Shows the progress of a simulation; call it with the simulated seconds, summed over the
    cells. `length`: seconds to simulate in each cell."""

    def __init__(self, title: str, cells: int, length: float) -> None:
        super().__init__()
        self.title = f"{printable(title)}, {counted(cells, 'cell')}"
        self.total = cells * length
        self._first: float | None = None

    def make_live(self, console: Any) -> Any:
        from rich.progress import TaskProgressColumn, TimeRemainingColumn

        bar = _bar(console, TaskProgressColumn(), TimeRemainingColumn())
        self._task = bar.add_task(self.title, total=self.total, text="")
        return bar

    def __call__(self, reached: float) -> None:
        """Redraw at most ten times per second; otherwise print a line every `INTERVAL`."""
        if self._first is None:
            self._first = reached  # cells of an earlier command must not count for the speed
        hours = f"{self.total / 3600:.1f} h simulated"
        if self.live and (self.is_due(0.1) or reached >= self.total):
            text = f"{reached / 3600:.1f} of {hours}"
            self.shown.update(self._task, completed=reached, text=text)
        elif not self.live and self.is_due(INTERVAL):
            speed = (self.last_due_at - self.began_at) / max(reached - self._first, 1e-9)
            left = f"about {duration(speed * (self.total - reached))} left"
            self.say(f"{self.title}: {100 * reached / self.total:.0f} % of {hours}, {left}")


class RowProgress(Display):
    """Shows how many rows of a long table are examined; call it with their number."""

    def __init__(self, title: str, total: int) -> None:
        super().__init__()
        self.title, self.total = title, total

    def make_live(self, console: Any) -> Any:
        from rich.progress import MofNCompleteColumn, TimeRemainingColumn

        bar = _bar(console, MofNCompleteColumn(), TimeRemainingColumn())
        bar.live.transient = True
        self._task = bar.add_task("rows", total=self.total, text="examined")
        return bar

    def __call__(self, done: int) -> None:
        """Redraw at most ten times per second; otherwise print a line every `INTERVAL`."""
        if self.live and self.is_due(0.1):
            self.shown.update(self._task, completed=done)
        elif not self.live and self.is_due(INTERVAL):
            self.say(f"{self.title}: {done} of {self.total} rows examined")
