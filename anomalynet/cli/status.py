"""`anomalynet status`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anomalynet.cli.arguments import add_json, add_runs, amount, flag, option
from anomalynet.cli.output import print_json, print_table
from anomalynet.errors import NothingToCompareError, UsageError, say, terminal
from anomalynet.sweep.progress import duration

if TYPE_CHECKING:
    from anomalynet.runs.sweeps import RunStatus, SweepStatus

SUMMARY = "show the progress of sweeps from any terminal: runs by state, failures, the time left"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    text = "sweeps, or how the names of their reports begin (default: every sweep)"
    parser.add_argument("names", nargs="*", metavar="NAME", help=text)
    flag(parser, "--watch", "repeat it until interrupted, or until no process works on the sweeps")
    text = "seconds between two updates with --watch (default: 2)"
    option(parser, "--every", "S", text, amount, 2.0)
    add_runs(parser)
    add_json(parser)
    parser.epilog = "Only reads files: it does not disturb running sweeps."


def run(args: argparse.Namespace) -> int:
    """Show the status of the sweeps; with --watch until no process works on one of them."""
    if args.watch and args.json:
        raise UsageError("--watch and --json: JSON is printed once", "leave out one")
    while True:
        found = _read_status(args)
        if args.json:
            print_json([_plain(sweep) for sweep in found])
        elif args.watch and not sys.stdout.isatty():
            for sweep in found:
                print(_headline(sweep), flush=True)
        else:
            if args.watch:
                print("\x1b[2J\x1b[H", end="", file=terminal(sys.stdout))  # an empty terminal
            _show(found)
        active = any(
            sweep.unfinished
            and (sweep.record.active or any(one.state == "running" for one in sweep.runs))
            for sweep in found
        )
        if args.json or not args.watch or not active:
            return 0
        time.sleep(args.every)


def _show(found: Sequence[SweepStatus]) -> None:
    for sweep in found:
        print_table(_rows(sweep), _headline(sweep), drop=("stale", "failed", "pruned"))
        for one in (one for one in sweep.runs if one.reason):
            run = f"{one.run.arm} {one.run.place} {one.run.experiment}/{one.run.id}"
            print(f"failed: {run}: {one.reason}")
        if any(one.state == "stale" for one in sweep.runs):
            again = "repeat the sweep's command with --rerun stale to make them again"
            print(f"stale runs are of another version of the code: {again}")


def _read_status(args: argparse.Namespace) -> list[SweepStatus]:
    from anomalynet.runs.sweeps import read_sweeps, sweep_status

    records = read_sweeps(args.runs, say)
    if not records:
        hint = "`anomalynet sweep NAME` starts one, --runs names another folder"
        raise NothingToCompareError(f"{args.runs}: no sweep was started here", hint)
    if "" in args.names:
        raise UsageError("'' is not the name of a sweep", "leave it out to see every sweep")
    chosen = []
    for record in records:
        named = (name == record.sweep or record.label.startswith(name) for name in args.names)
        chosen += [record] if not args.names or any(named) else []
    if not chosen:
        hint = f"there are {', '.join(record.label for record in records)}"
        raise UsageError(f"no sweep {args.names[0]!r} was started in {args.runs}", hint)
    return [sweep_status(record, args.runs) for record in chosen]


def _rows(sweep: SweepStatus) -> list[dict[str, object]]:
    """One row per arm."""
    rows: list[dict[str, object]] = []
    for arm in dict.fromkeys(one.run.arm for one in sweep.runs):
        own = [one for one in sweep.runs if one.run.arm == arm]
        states: list[str] = [one.state for one in own]
        shown = ("done", "stale", "failed", "pruned", "waiting")
        counts = {state: states.count(state) or None for state in shown}
        running = "; ".join(_position(one) for one in own if one.state == "running")
        rows.append({"arm": arm, "runs": len(own), **counts, "running": running})
    return rows


def _position(one: RunStatus) -> str:
    best = "" if one.best is None else f" best {one.best:.4f}"
    return f"{one.run.place} epoch {one.epoch}/{one.run.epochs}{best}"


def _headline(sweep: SweepStatus) -> str:
    states: list[str] = [one.state for one in sweep.runs]
    shown = ("done", "stale", "failed", "pruned", "running", "waiting")
    counts = ", ".join(f"{states.count(state)} {state}" for state in shown if state in states)
    left = "" if sweep.seconds_left is None else f", about {duration(sweep.seconds_left)} left"
    wanted = f", {sweep.record.trials} trials wanted" if sweep.record.trials else ""
    return f"{sweep.record.label}: {len(sweep.runs)} runs{wanted}: {counts or 'none yet'}{left}"


def _plain(sweep: SweepStatus) -> dict[str, Any]:
    """The status of a sweep as values that JSON can hold."""
    runs = []
    for one in sweep.runs:
        row = {key: getattr(one.run, key) for key in ("number", "arm", "experiment", "id")}
        row |= {"repetition": one.run.place, "state": one.state}
        row |= {"epoch": one.epoch, "epochs": one.run.epochs}
        runs.append({**row, "best": one.best, "reason": one.reason or None})
    keys = ("label", "sweep", "preset", "overrides", "report", "trials")
    facts = {key: getattr(sweep.record, key) for key in keys}
    return {**facts, "seconds_left": sweep.seconds_left, "runs": runs}
