"""Work under way, on stderr: drawn again and again on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from anomalynet.cli.output import duration, say

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from rich.table import Table

    from anomalynet.sweep.jobs import Job
    from anomalynet.sweep.search.loop import Search, Trial

INTERVAL = 10.0  # seconds between two lines of a simulation where stderr is no terminal


class _Display:
    """A context manager; `live` says whether there is a terminal to draw on."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self._began = self._drawn = time.monotonic()
        self._shown: Any = None  # Rich's display, which is started and stopped

    def __enter__(self) -> Self:
        if self.live:
            from rich.console import Console

            self._shown = self._display(Console(stderr=True))
            self._shown.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._shown.stop()

    def _display(self, console: Any) -> Any:
        from rich.live import Live

        return Live(console=console, refresh_per_second=4)

    def _due(self, seconds: float) -> bool:
        """Whether so much time has passed since this was last true."""
        now = time.monotonic()
        if now - self._drawn <= seconds:
            return False
        self._drawn = now
        return True


def _bar(console: Any, *columns: Any) -> Any:
    from rich.progress import BarColumn, Progress, TextColumn

    text = TextColumn("{task.fields[text]}")
    return Progress(TextColumn("{task.description}"), BarColumn(), *columns, text, console=console)


class TrainingProgress(_Display):
    """Listens to the training of one run: bars on a terminal, a line an epoch elsewhere."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = title

    def _display(self, console: Any) -> Any:
        from rich.progress import MofNCompleteColumn, TimeRemainingColumn

        bar = _bar(console, MofNCompleteColumn(), TimeRemainingColumn())
        self._epochs = bar.add_task(self.title, total=None, text="preparing")
        self._steps = bar.add_task("epoch", total=None, text="")
        return bar

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Redraw at most ten times a second."""
        if self.live and self._due(0.1):
            name = f"epoch {epoch}"
            self._shown.update(self._steps, completed=step, total=steps, description=name)

    def epoch(self, line: dict[str, Any], epochs: int) -> None:
        """An epoch is done."""
        shown = ("train/loss", "validation/loss", "validation/average_precision")
        text = " ".join(f"{name} {line[name]:.4f}" for name in shown if name in line)
        text, done = f"{text}{' *' if line.get('best') else ''}", line["epoch"] + 1
        if self.live:
            self._shown.update(self._epochs, completed=done, total=epochs, text=text)
        else:
            say(f"{self.title} epoch {done}/{epochs} {text}")


class SimulationProgress(_Display):
    """Is called with the simulated seconds, summed over the cells; `length` is those of each."""

    def __init__(self, title: str, cells: int, length: float) -> None:
        super().__init__()
        self.title = f"{title}, {cells} cell{'s' if cells > 1 else ''}"
        self.total = cells * length
        self._first: float | None = None

    def _display(self, console: Any) -> Any:
        from rich.progress import TaskProgressColumn, TimeRemainingColumn

        bar = _bar(console, TaskProgressColumn(), TimeRemainingColumn())
        self._task = bar.add_task(self.title, total=self.total, text="")
        return bar

    def __call__(self, reached: float) -> None:
        """Redraw at most ten times a second; elsewhere, a line every `INTERVAL`."""
        if self._first is None:
            self._first = reached  # cells that were finished before say nothing of the speed
        hours = f"{self.total / 3600:.1f} h simulated"
        if self.live and (self._due(0.1) or reached >= self.total):
            text = f"{reached / 3600:.1f} of {hours}"
            self._shown.update(self._task, completed=reached, text=text)
        elif not self.live and self._due(INTERVAL):
            speed = (self._drawn - self._began) / max(reached - self._first, 1e-9)
            left = f"about {duration(speed * (self.total - reached))} left"
            say(f"{self.title}: {100 * reached / self.total:.0f} % of {hours}, {left}")


class SweepProgress(_Display):
    """Watches the jobs of a sweep; call it to refresh."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__()
        self.jobs = list(jobs)
        self._said: set[int] = set()

    def __call__(self) -> None:
        """Show how it stands: one table, or a line a finished run."""
        if self.live:
            self._shown.update(self._table())
            return
        for number, job in enumerate(self.jobs):
            if job.state in ("done", "failed") and number not in self._said:
                self._said.add(number)
                if not job.was_done:
                    say(self._line(job))

    def _line(self, job: Job) -> str:
        what = f"[{len(self._said)}/{len(self.jobs)}] {job.run.arm.name} {job.run.place}"
        if job.state == "failed":
            return f"{what} FAILED: {job.reason.splitlines()[0]}"
        return f"{what} done in {job.seconds or 0:.0f} s{self._left()}"

    def _left(self) -> str:
        done = sum(job.state == "done" and not job.was_done for job in self.jobs)
        left = sum(job.state in ("waiting", "running") for job in self.jobs)
        return _time_left(self._began, done, left)

    def _table(self) -> Table:
        finished = sum(job.state in ("done", "failed") for job in self.jobs)
        title = f"{finished} of {len(self.jobs)} runs{self._left()}"
        rows = []
        for name in dict.fromkeys(job.run.arm.name for job in self.jobs):
            mine = [job for job in self.jobs if job.run.arm.name == name]
            done = sum(job.state == "done" for job in mine)
            failed = sum(job.state == "failed" for job in mine)
            rows.append((name, f"{done}/{len(mine)}", str(failed or ""), _running(mine)))
        return _titled(title, ("arm", "done", "failed", "running"), rows)


class SearchProgress(_Display):
    """Watches a search; `changed` is called whenever there are other trials than before."""

    def __init__(self, search: Search, changed: Callable[[], object]) -> None:
        super().__init__()
        self.search, self.changed = search, changed
        self.under_way: list[Trial] = []
        self.known: list[FrozenTrial] = search.store.trials()
        self._done = 0

    def began(self, trials: Sequence[Trial]) -> None:
        """Trials are about to be run."""
        self.under_way = list(trials)
        self.known = self.search.store.trials()
        self.changed()

    def look(self) -> None:
        """Half a second has passed."""
        if self.live:
            self._shown.update(self._table())

    def ended(self, trial: Trial) -> None:
        """A trial has been told."""
        self.known = self.search.store.trials()
        self._done += 1
        self.changed()
        if not self.live:
            seconds = sum(job.seconds or 0.0 for job in trial.jobs)
            took = f" in {duration(seconds)}" if seconds else ""
            count = f"{self._ended()}/{self.search.total}"
            say(f"[{count}] trial {trial.index} {self._told(trial)}{took}{self._rest()}")

    def _ended(self) -> int:
        return sum(trial.state.is_finished() for trial in self.known)

    def _told(self, trial: Trial) -> str:
        if trial.pruned:
            return "pruned"
        if trial.values is None:
            return f"FAILED: {trial.reason.splitlines()[0]}"
        return self._values(trial.values)

    def _values(self, values: Sequence[float]) -> str:
        from anomalynet.reporting.search import objective_text

        named = zip(self.search.sweep.search.objectives, values, strict=True)
        return " / ".join(objective_text(name, value) for name, value in named)

    def _rest(self) -> str:
        """The best so far, and the time left."""
        from anomalynet.sweep.search.study import best

        left = _time_left(self._began, self._done, self.search.total - self._ended())
        places = best(self.known, self.search.sweep.search.directions)
        if not places:
            return left
        if len(self.search.sweep.search.objectives) > 1:
            return f", {len(places)} on the Pareto front{left}"
        value = self._values(self.known[places[0]].values)
        return f", best {value} (trial {places[0]}){left}"

    def _table(self) -> Table:
        from anomalynet.config.show import scalar

        title = f"{self._ended()} of {self.search.total} trials{self._rest()}"
        rows = []
        for trial in self.under_way:
            given = trial.params.items()
            values = ", ".join(f"{key.rpartition('.')[2]}={scalar(value)}" for key, value in given)
            done = f"{sum(job.state == 'done' for job in trial.jobs)}/{len(trial.jobs)}"
            running = "pruned" if trial.pruned else _running(trial.jobs)
            rows.append((str(trial.index), values, done, running))
        return _titled(title, ("trial", "values", "runs", "running"), rows)


def _titled(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich.table import Table

    table = Table(*headings, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    return table


def _time_left(began: float, done: int, left: int) -> str:
    if not done or left <= 0:
        return ""
    return f", about {duration((time.monotonic() - began) / done * left)} left"


def _running(jobs: Sequence[Job]) -> str:
    """Seed, fold and world of the runs under way, and how many epochs they have come."""
    found = []
    for job in jobs:
        if job.state == "running":
            epochs, wanted = len(job.folder.read_progress()), job.run.loaded.config.training.epochs
            found.append(job.run.place + (f" epoch {epochs}/{wanted}" if epochs else ""))
    return ", ".join(found)
