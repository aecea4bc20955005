"""What a search would do: its trials so far as a table, and how long the rest takes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from anomalynet.cli.output import print_json, print_table
from anomalynet.cli.sweep_progress import duration
from anomalynet.sweep.file import Sweep
from anomalynet.sweep.jobs import Job
from anomalynet.sweep.search import study
from anomalynet.sweep.search.loop import Search
from anomalynet.sweep.slots import Slot

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def at_once(sweep: Sweep, base: Sequence[Job], slots: Sequence[Slot]) -> int:
    """How many runs go on at a time: those of one batch at most."""
    return min(len(slots), len(base) * sweep.search.batch)


def show(
    args: argparse.Namespace,
    search: Search | None,
    sweep: Sweep,
    base: Sequence[Job],
    slots: Sequence[Slot],
) -> None:
    """Every trial with its state, value and params; then how many are left, and how long they take
    as far as runs were measured."""
    from anomalynet.sweep import estimate

    known = search.ledger.trials() if search else []
    total = args.trials or sweep.search.trials
    left = max(total - sum(trial.state.is_finished() for trial in known), 0)
    wanted = [replace(job, state="waiting") for job in base]
    together = at_once(sweep, base, slots)
    costs = estimate.measured(args.runs, wanted)
    seconds = (
        None
        if estimate.unmeasured(wanted, costs)
        else left * estimate.at_most(wanted, costs, together)
    )
    rows = [row(place, trial, sweep) for place, trial in enumerate(known)]
    chosen = study.best(known, sweep.search.directions)
    if args.json:
        print_json(
            {"trials": rows, "wanted": total, "left": left, "best": chosen, "seconds_left": seconds}
        )
        return
    print_table(rows)
    told = (
        f"{total} trials of {len(base)} run{'s' if len(base) > 1 else ''}, {total - left} "
        f"done, {left} left"
    )
    if chosen:
        told += f", best: trial {', '.join(map(str, chosen))}"
    if left and seconds is None:
        told += f"; time left unknown: no run of {base[0].run.loaded.name} has been measured"
    elif left and seconds is not None:
        told += f"; at most {duration(seconds)} with {together} at a time"
    print(told)


def row(place: int, trial: FrozenTrial, sweep: Sweep) -> dict[str, Any]:
    """A trial in a table: its place, state, values and params."""
    values = trial.values or [None] * len(sweep.search.objectives)
    return {
        "trial": place,
        "state": trial.state.name.lower(),
        **dict(zip(sweep.search.objectives, values, strict=True)),
        **trial.params,
    }
