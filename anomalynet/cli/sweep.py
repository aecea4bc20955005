"""`anomalynet sweep`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli import arguments
from anomalynet.cli.output import print_json, print_table, print_text
from anomalynet.errors import UsageError, counted, say

if TYPE_CHECKING:
    from anomalynet.sweep.file import Sweep
    from anomalynet.sweep.runner import SweepOutcome

SUMMARY = "train every run of a sweep, compare its arms, and write the report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    text = "a sweep (`anomalynet ls sweeps`) or the path of a YAML file"
    arguments.option(parser, "name", "NAME", text, known=arguments.sweep_names)
    arguments.add_overrides(parser)
    text = "how much is trained (default: quick)"
    arguments.option(parser, "--preset", "quick|full", text, default="quick")
    arguments.add_launch(parser)
    text = "folder of the report (default: reports/<sweep>-<data>-<preset>)"
    arguments.option(parser, "--out", "DIR", text, Path)
    shown = parser.add_mutually_exclusive_group()
    text = "only show what would be run, what is done, and how long the unfinished runs take"
    arguments.flag(shown, "--plan", text)
    text = "only print one shell command per run that is not done, for schedulers"
    arguments.flag(shown, "--print", text)
    text = "only print the sweep as a sweep file of Weights & Biases"
    shown.add_argument("--as", dest="form", choices=("wandb",), help=text)
    text = "train only the runs with these numbers, as --plan counts them; no report is written"
    arguments.option(parser, "--only", "N|N-M,…", text)
    text = "run `failed` runs once more, or finished ones of another version of the code (`stale`)"
    again = ("failed", "stale")
    parser.add_argument("--rerun", choices=again, action="append", default=[], help=text)
    text = "total number of trials of a search, instead of the file's"
    arguments.option(parser, "--trials", "N", text, int)
    text = "database of a search that several machines share (default: a file in --runs)"
    arguments.option(parser, "--storage", "URL", text)
    arguments.add_report(parser)
    parser.epilog = (
        "A sweep is a list of runs: repeat the command to resume it; finished runs are not trained "
        "again.\n"
        "After Ctrl-C the current epochs have 20 s to end; a second Ctrl-C stops at once. At most "
        "one epoch is lost.\n"
        "`anomalynet status` shows the progress from any terminal."
    )


def run(args: argparse.Namespace) -> int:
    """Train the runs of a sweep, or only show or print them."""
    from anomalynet.sweep.runner import refuse_repetitions, refuse_search, run_sweep

    if args.print and "stale" in args.rerun:
        what = "--print: the printed commands would not train finished runs again"
        raise UsageError(what, "leave out --rerun stale")
    if args.json and (args.print or args.form):
        raise UsageError("--json: commands and sweep files are text", "leave out --json")
    if plan_only := args.plan or args.print:
        args.on = "local"  # a plan needs no cluster
    options = arguments.launch_options(args)
    if args.form or args.print:
        from anomalynet.sweep.file import read_sweep

        sweep = read_sweep(args.name, args.preset)
        if args.print and sweep.design == "search":
            refuse_search(sweep)
    if args.form == "wandb":
        from anomalynet.sweep.plan import as_wandb

        refuse_repetitions(options["overrides"])
        print(as_wandb(sweep, options["overrides"], args.name), end="")
        return 0
    options |= {name: getattr(args, name) for name in ("rerun", "only", "trials", "storage")}
    outcome = run_sweep(args.name, plan_only=plan_only, progress=True, **options)
    if args.plan:
        show_plan(args, args.name, outcome)
    elif args.print:
        from anomalynet.sweep.worker import shell_command

        for job in outcome.jobs:
            if job.state != "done":
                print(shell_command(job, args.runs, outcome.label))
    elif args.json:
        print_json({"report": outcome.report, **_counts(outcome)})
    elif outcome.report is not None:
        print_report(outcome.report)
    return 0 if plan_only else int(bool(outcome.failed))


def _counts(outcome: SweepOutcome) -> dict[str, object]:
    if outcome.wanted is None:
        counts = {state: outcome.count(state) for state in ("done", "failed")}
        return {"runs": len(outcome.jobs), **counts}
    counts = {state: outcome.count(state) for state in ("complete", "pruned", "fail", "running")}
    best = [outcome.trials[number] for number in outcome.best]
    return {"trials": len(outcome.trials), **counts, "best": best}


def print_report(report: Path) -> None:
    """Print a report's verdict, as plain text on stderr, and its path."""
    from anomalynet.reporting.formats.overview import verdict

    text = verdict((report.parent / "report.md").read_text(encoding="utf-8"))
    say(re.sub(r"\*\*|\[|\]\([^)]*\)", "", text))
    print(report)


def show_plan(args: argparse.Namespace, name: str, outcome: SweepOutcome) -> None:
    """Print what a sweep would train: its settings, its runs or trials, and their time."""
    from anomalynet.sweep.file import read_sweep

    if not args.json:
        print_text(_settings(read_sweep(name, args.preset), outcome))
    (_show if outcome.wanted is None else _show_search)(args, outcome)


def _settings(sweep: Sweep, outcome: SweepOutcome) -> str:
    """The preset with the keys that it sets, worlds and epochs, as they are in the runs."""
    from anomalynet.config.bounds import value_of
    from anomalynet.config.show import argument, scalar
    from anomalynet.data.sources.simulated import generated
    from anomalynet.sweep.plan import OF_WORLDS

    configs = [job.run.loaded.config for job in outcome.jobs]
    found = []
    for key in dict.fromkeys([*sweep.settings, "data.worlds", "training.epochs"]):
        if key in OF_WORLDS and not generated(configs[0].data):
            continue
        values = [value_of(config, key) for config in configs]
        texts = dict.fromkeys(one if isinstance(one, str) else scalar(one) for one in values)
        found.append(argument(key, "/".join(texts)))
    return f"preset {sweep.preset or 'none'}: {' '.join(found)}"


def _show(args: argparse.Namespace, outcome: SweepOutcome) -> None:
    """Print every run with its arm, id and state; then the number and time of unfinished ones."""
    from anomalynet.sweep import estimate

    jobs = outcome.jobs
    left = len(estimate.unfinished_jobs(jobs))
    seconds, unmeasured = estimate.seconds_left(args.runs, jobs, outcome.slots)
    rows = [
        {
            "run": job.number,
            "arm": job.run.arm.name,
            **dict(zip(("seed", "fold", "world"), job.run.expected[1:], strict=True)),
            "id": job.folder.path.name,
            "state": "stale" if job.state == "done" and job.stale else job.state,
        }
        for job in jobs
    ]
    arms = len({job.run.arm.name for job in jobs})
    if args.json:
        time_left = {"seconds_left": seconds, "unmeasured": unmeasured}
        print_json({"arms": arms, "runs": rows, "left": left, **time_left})
        return
    empty = [key for key in rows[0] if all(row[key] is None for row in rows)]
    print_table([{key: row[key] for key in row if key not in empty} for row in rows])
    text = f"{len(jobs)} runs of {arms} arms, {outcome.count('done')} done, {left} left"
    print_text(text + estimate.time_text(seconds, unmeasured, outcome.slots) * bool(left))
    if power := estimate.power_text(jobs):
        print_text(power)


def _show_search(args: argparse.Namespace, outcome: SweepOutcome) -> None:
    """Print every trial with its state and values; then the number and time of missing trials."""
    from dataclasses import replace

    from anomalynet.sweep import estimate

    total = outcome.wanted or 0
    ended = sum(map(outcome.count, ("complete", "pruned", "fail")))
    left = max(total - ended, 0)
    runs = [replace(job, state="waiting") for job in outcome.jobs]
    of_one, unmeasured = estimate.seconds_left(args.runs, runs, outcome.slots)
    seconds = None if of_one is None else left * of_one
    if args.json:
        facts = {"trials": outcome.trials, "wanted": total, "left": left, "best": outcome.best}
        print_json({**facts, "seconds_left": seconds})
        return
    print_table(outcome.trials)
    size = counted(len(runs), "run")
    text = f"{total} trials of {size}, {total - left} done, {left} left"
    if outcome.best:
        text += f", best: trial {', '.join(map(str, outcome.best))}"
    print(text + estimate.time_text(seconds, unmeasured, outcome.slots) * bool(left))
