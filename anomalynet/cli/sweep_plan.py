"""What a sweep would do: the plan as a table, the numbers of its runs, and its runs as shell
commands."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.output import print_json, print_table
from anomalynet.cli.sweep_progress import duration
from anomalynet.errors import UsageError

if TYPE_CHECKING:
    from anomalynet.sweep.jobs import Job
    from anomalynet.sweep.slots import Slot


def numbers(text: str | None, count: int) -> list[int]:
    """`3,7-9` as numbers of runs, all without it.

    Raises:
        UsageError: not such a text, or a run that there is not.
    """
    if text is None:
        return list(range(1, count + 1))
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not (first.strip().isdigit() and (last.strip().isdigit() if dash else True)):
            raise UsageError(
                f"--only {text}: expected numbers of runs, such as 3 or 3,7-9", "--plan shows them"
            )
        found += range(int(first), int(last if dash else first) + 1)
    strange = [number for number in found if not 1 <= number <= count]
    if strange or not found:
        raise UsageError(f"--only {text}: the sweep has runs 1 to {count}", "--plan shows them")
    return sorted(set(found))


def show(args: argparse.Namespace, jobs: Mapping[int, Job], slots: Sequence[Slot]) -> None:
    """Every run with its arm, id and state; then how many are left, and how long they take as far
    as runs were measured."""
    from anomalynet.sweep import estimate

    every = list(jobs.values())
    left = estimate.left(every)
    costs = estimate.measured(args.runs, every)
    unknown = estimate.unmeasured(every, costs)
    seconds = estimate.at_most(every, costs, len(slots))
    rows = [
        {
            "run": number,
            "arm": job.run.arm.name,
            "seed": job.run.expected[1],
            "fold": job.run.expected[2],
            "world": job.run.expected[3],
            "id": job.folder.path.name,
            "state": "stale" if job.state == "done" and job.stale else job.state,
        }
        for number, job in jobs.items()
    ]
    arms = len({job.run.arm.name for job in every})
    if args.json:
        print_json(
            {
                "arms": arms,
                "runs": rows,
                "left": len(left),
                "seconds_left": None if unknown else seconds,
                "unmeasured": unknown,
            }
        )
        return
    print_table(rows)
    told = (
        f"{len(every)} runs of {arms} arms, {sum(job.state == 'done' for job in every)} "
        f"done, {len(left)} left"
    )
    if left and unknown:
        told += f"; time left unknown: no run of {', '.join(unknown)} has been measured"
    elif left:
        told += f"; at most {duration(seconds)} with {len(slots)} at a time"
    print(told)


def print_commands(jobs: Sequence[Job], runs: Path, group: str) -> None:
    """One shell command a run that is not done."""
    from anomalynet.sweep.command import shell_command

    for job in jobs:
        if job.state != "done":
            print(shell_command(job, runs, group))
