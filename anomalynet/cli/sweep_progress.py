"""A sweep under way, as one table: live on a terminal, a line a finished run elsewhere. On
stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from anomalynet.cli.live import LiveTable
from anomalynet.sweep.jobs import Job

if TYPE_CHECKING:
    from rich.table import Table


class SweepProgress(LiveTable):
    """Watches the jobs of a sweep; use as a context manager and call it to refresh."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        super().__init__()
        self.jobs = list(jobs)
        self._said: set[int] = set()
        self._started = time.monotonic()

    def __call__(self) -> None:
        """Show how it stands."""
        if self.live:
            self.redraw(self._drawn())
            return
        for number, job in enumerate(self.jobs):
            if job.state in ("done", "failed") and number not in self._said:
                self._said.add(number)
                if not job.was_done:
                    print(self._line(job), file=sys.stderr, flush=True)

    def _line(self, job: Job) -> str:
        what = f"[{len(self._said)}/{len(self.jobs)}] {job.run.arm.name} {job.run.place}"
        if job.state == "failed":
            return f"{what} FAILED: {job.reason.splitlines()[0]}"
        return f"{what} done in {job.seconds or 0:.0f} s{self._left()}"

    def _left(self) -> str:
        done = [job for job in self.jobs if job.state == "done" and not job.was_done]
        left = sum(job.state in ("waiting", "running") for job in self.jobs)
        if not done or not left:
            return ""
        return f", about {duration((time.monotonic() - self._started) / len(done) * left)} left"

    def _drawn(self) -> Table:
        from rich.table import Table

        finished = sum(job.state in ("done", "failed") for job in self.jobs)
        table = Table(
            title=f"{finished} of {len(self.jobs)} runs{self._left()}", title_justify="left"
        )
        for heading in ("arm", "done", "failed", "running"):
            table.add_column(heading)
        for name in dict.fromkeys(job.run.arm.name for job in self.jobs):
            mine = [job for job in self.jobs if job.run.arm.name == name]
            running = ", ".join(where(job) for job in mine if job.state == "running")
            failed = sum(job.state == "failed" for job in mine)
            table.add_row(
                name,
                f"{sum(job.state == 'done' for job in mine)}/{len(mine)}",
                str(failed or ""),
                running,
            )
        return table


def where(job: Job) -> str:
    """Seed, fold and world of a run under way, and how many epochs it has come."""
    epochs = len(job.folder.read_progress())
    return job.run.place + (
        f" epoch {epochs}/{job.run.loaded.config.training.epochs}" if epochs else ""
    )


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
