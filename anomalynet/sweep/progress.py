"""Shows a sweep's progress on stderr: a live table on a terminal, else a line per finished run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from anomalynet.errors import printable, say, terminal

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from rich.table import Table

    from anomalynet.sweep.jobs import Job
    from anomalynet.sweep.search.loop import Search, Trial


def say_nothing(text: str) -> None:
    """Print nothing; use it instead of `say` if no progress is wanted."""


def duration(seconds: float) -> str:
    """Seconds as a person says them: `89 s`, `5 min`, `1.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Display:
    """A context manager that draws with Rich on a terminal (`live`) and prints lines otherwise; it
    does neither unless it is `enabled`."""

    def __init__(self, enabled: bool = True) -> None:
        self.live = enabled and sys.stderr.isatty()
        self.say = say if enabled else say_nothing
        self.began_at = self.last_due_at = time.monotonic()
        self.shown: Any = None  # Rich's display, which is started and stopped

    def __enter__(self) -> Self:
        if self.live:
            from rich.console import Console

            self.shown = self.make_live(Console(file=terminal(sys.stderr)))
            self.shown.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown:
            self.shown.stop()

    def make_live(self, console: Any) -> Any:
        """The display of Rich that `__enter__` starts."""
        from rich.live import Live

        return Live(console=console, refresh_per_second=4)

    def is_due(self, seconds: float) -> bool:
        """True at most once every `seconds`; a True answer restarts the clock."""
        now = time.monotonic()
        if now - self.last_due_at <= seconds:
            return False
        self.last_due_at = now
        return True


class SweepProgress(Display):
    """Watches the jobs of a sweep; call it to refresh."""

    def __init__(self, jobs: Sequence[Job], enabled: bool = True) -> None:
        super().__init__(enabled)
        self.jobs = list(jobs)
        self._reported: set[int] = set()

    def __call__(self) -> None:
        """Redraw the table, or print a line per newly finished run."""
        made = sum(job.state == "done" and not job.was_done for job in self.jobs)
        unfinished = sum(job.state in ("waiting", "running") for job in self.jobs)
        time_left = _time_left(self.began_at, made, unfinished)
        if self.live:
            self.shown.update(self._table(time_left))
            return
        for number, job in enumerate(self.jobs):
            if job.state not in ("done", "failed") or number in self._reported:
                continue
            self._reported.add(number)
            result = f"done in {job.seconds or 0:.0f} s{time_left}"
            if job.state == "failed":
                result = f"FAILED: {job.reason.splitlines()[0]}"
            if not job.was_done:
                head = f"[{len(self._reported)}/{len(self.jobs)}] {job.run.arm.name}"
                self.say(f"{head} {job.run.repetition} {result}")

    def _table(self, time_left: str) -> Table:
        finished = sum(job.state in ("done", "failed") for job in self.jobs)
        title = f"{finished} of {len(self.jobs)} runs{time_left}"
        rows = []
        for name in dict.fromkeys(job.run.arm.name for job in self.jobs):
            mine = [job for job in self.jobs if job.run.arm.name == name]
            done = sum(job.state == "done" for job in mine)
            failed = sum(job.state == "failed" for job in mine)
            rows.append((name, f"{done}/{len(mine)}", str(failed or ""), _running(mine)))
        return _make_table(title, ("arm", "done", "failed", "running"), rows)


class SearchProgress(Display):
    """Watches a search; `changed` is called whenever a trial was proposed or has ended."""

    def __init__(self, search: Search, changed: Callable[[], object], enabled: bool = True) -> None:
        super().__init__(enabled)
        self.search, self.changed = search, changed
        self.under_way: Sequence[Trial] = ()
        self.stored: Sequence[FrozenTrial] = ()
        self._ended_here = 0

    def began(self, trials: Sequence[Trial]) -> None:
        """Called before trials run."""
        self.under_way, self.stored = trials, self.search.store.trials()
        self.changed()

    def look(self) -> None:
        """Called about twice a second."""
        if not self.live:
            return
        from anomalynet.config.show import scalar

        rows = []
        for trial in self.under_way:
            given = trial.params.items()
            values = ", ".join(f"{key.rpartition('.')[2]}={scalar(value)}" for key, value in given)
            done = f"{sum(job.state == 'done' for job in trial.jobs)}/{len(trial.jobs)}"
            running = "pruned" if trial.pruned else _running(trial.jobs)
            rows.append((str(trial.index), values, done, running))
        ended, outlook = self._outlook()
        title = f"{ended} of {self.search.total} trials{outlook}"
        self.shown.update(_make_table(title, ("trial", "values", "runs", "running"), rows))

    def ended(self, trial: Trial) -> None:
        """Called when a trial's result is stored."""
        self._ended_here += 1
        self.stored = self.search.store.trials()
        self.changed()
        if self.live:
            return
        if trial.pruned:
            result = "pruned"
        elif trial.values is None:
            result = f"FAILED: {trial.reason.splitlines()[0]}"
        else:
            result = self._values(trial.values)
        seconds = sum(job.seconds or 0.0 for job in trial.jobs)
        took = f", run time {duration(seconds)}" if seconds else ""
        ended, outlook = self._outlook()
        self.say(f"[{ended}/{self.search.total}] trial {trial.index} {result}{took}{outlook}")

    def _values(self, values: Sequence[float]) -> str:
        from anomalynet.reporting.search import objective_text

        named = zip(self.search.sweep.search.objectives, values, strict=True)
        return " / ".join(objective_text(name, value) for name, value in named)

    def _outlook(self) -> tuple[int, str]:
        """The number of ended trials; and as text the best one and the time left."""
        ended = sum(trial.state.is_finished() for trial in self.stored)
        time_left = _time_left(self.began_at, self._ended_here, self.search.total - ended)
        best = self.search.best(self.stored)
        if not best:
            return ended, time_left
        if len(self.search.sweep.search.objectives) > 1:
            return ended, f", {len(best)} on the Pareto front{time_left}"
        value = self._values(self.stored[best[0]].values)
        return ended, f", best {value} (trial {best[0]}){time_left}"


def _make_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, no_wrap=heading == headings[0])  # names of arms stay whole
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def _time_left(began: float, done: int, unfinished: int) -> str:
    if not done or unfinished <= 0:
        return ""
    return f", about {duration((time.monotonic() - began) / done * unfinished)} left"


def _running(jobs: Sequence[Job]) -> str:
    """Seed, fold and world of the running runs, and their epoch so far."""
    found = []
    for job in jobs:
        if job.state == "running":
            epochs, wanted = len(job.folder.read_progress()), job.run.loaded.config.training.epochs
            found.append(job.run.repetition + (f" epoch {epochs}/{wanted}" if epochs else ""))
    return ", ".join(found)


def audit_progress(title: str) -> Callable[[str], None]:
    """A function that shows the progress of a leakage audit: on a terminal one line that is
    rewritten, and removed by an empty text; otherwise one line per fold."""
    folds: set[str] = set()

    def report(line: str) -> None:
        fold = line.split(":", maxsplit=1)[0]
        if sys.stderr.isatty():
            text = printable(f"audit {title}: {line}") if line else ""
            print(f"\r\x1b[K{text}", end="", file=terminal(sys.stderr), flush=True)
        elif line and fold not in folds:
            say(f"audit {title}: {fold}")
        folds.add(fold)

    return report
