"""A search under way: live on a terminal, elsewhere a line a finished trial. On stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from anomalynet.cli.live import LiveTable
from anomalynet.cli.sweep_progress import duration, where
from anomalynet.config.show import scalar
from anomalynet.sweep.search.loop import Search, Trial
from anomalynet.sweep.search.study import best

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from rich.table import Table


class SearchProgress(LiveTable):
    """Watches a search; use as a context manager.

    Args:
        search: to watch.
        changed: called whenever there are other trials than before.
        text: writes an objective's value for people.
    """

    def __init__(
        self, search: Search, changed: Callable[[], object], text: Callable[[str, float], str]
    ) -> None:
        super().__init__()
        self.search, self.changed, self.text = search, changed, text
        self.under_way: list[Trial] = []
        self.known = search.ledger.trials()
        self._done = 0
        self._started = time.monotonic()

    def began(self, trials: Sequence[Trial]) -> None:
        """Trials are about to be run."""
        self.under_way = list(trials)
        self.known = self.search.ledger.trials()
        self.changed()

    def look(self) -> None:
        """Half a second has passed."""
        if self.live:
            self.redraw(self._drawn())

    def ended(self, trial: Trial) -> None:
        """A trial has been told."""
        self.known = self.search.ledger.trials()
        self._done += 1
        self.changed()
        if not self.live:
            seconds = sum(job.seconds or 0.0 for job in trial.jobs)
            took = f" in {duration(seconds)}" if seconds else ""
            print(
                f"[{self._ended()}/{self.search.total}] "
                f"{self._told(trial)}{took}{self._best()}{self._left()}",
                file=sys.stderr,
                flush=True,
            )

    def _ended(self) -> int:
        return sum(trial.state.is_finished() for trial in self.known)

    def _told(self, trial: Trial) -> str:
        if trial.pruned:
            return f"trial {trial.place} pruned"
        if trial.values is None:
            return f"trial {trial.place} FAILED: {trial.reason.splitlines()[0]}"
        return f"trial {trial.place} {self._values(trial.values)}"

    def _values(self, values: Sequence[float]) -> str:
        return " / ".join(
            self.text(name, value)
            for name, value in zip(self.search.sweep.search.objectives, values, strict=True)
        )

    def _best(self) -> str:
        return best_text(self.known, self.search, self._values)

    def _left(self) -> str:
        left = self.search.total - self._ended()
        if not self._done or left <= 0:
            return ""
        return f", about {duration((time.monotonic() - self._started) / self._done * left)} left"

    def _drawn(self) -> Table:
        from rich.table import Table

        table = Table(
            title=f"{self._ended()} of {self.search.total} trials{self._best()}{self._left()}",
            title_justify="left",
        )
        for heading in ("trial", "values", "runs", "running"):
            table.add_column(heading)
        for trial in self.under_way:
            values = ", ".join(
                f"{key.rpartition('.')[2]}={scalar(value)}" for key, value in trial.params.items()
            )
            running = ", ".join(where(job) for job in trial.jobs if job.state == "running")
            done = sum(job.state == "done" for job in trial.jobs)
            table.add_row(
                str(trial.place),
                values,
                f"{done}/{len(trial.jobs)}",
                "pruned" if trial.pruned else running,
            )
        return table


def best_text(
    known: Sequence[FrozenTrial], search: Search, values: Callable[[Sequence[float]], str]
) -> str:
    """The best so far, in words that follow others."""
    places = best(known, search.sweep.search.directions)
    if not places:
        return ""
    if len(search.sweep.search.objectives) > 1:
        return f", {len(places)} on the Pareto front"
    return f", best {values(known[places[0]].values)} (trial {places[0]})"
