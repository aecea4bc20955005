"""`anomalynet reproduce`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalynet.cli.arguments import add_json, add_overrides, add_runs, data_set
from anomalynet.cli.output import print_json

if TYPE_CHECKING:
    from anomalynet.config.schema import DataConfig
    from anomalynet.runs.schema import Result
    from anomalynet.sweep.estimate import Cost
    from anomalynet.sweep.launch import Job
    from anomalynet.sweep.plan import Sweep

SUMMARY = "train every model of the paper and the traditional ones, and write the report: Tables 2-5 beside ours"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_overrides(parser)
    told = "data set (`anomalynet data ls`; default: smart_city), or a folder of `anomalynet simulate`"
    parser.add_argument("--data", metavar="NAME|DIR", help=told)
    parser.add_argument("--models", metavar="a,b", help="only these experiments")
    parser.add_argument(
        "--preset", choices=("quick", "full"), default="quick", help="few epochs and 3 seeds, or up to 100 epochs, 5 seeds and 3 worlds"
    )
    add_runs(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the report (default: reports/<data>, with the split's policy where one is given, and -quick)",
    )
    parser.add_argument(
        "--slots", type=int, default=max(1, min(2, os.cpu_count() or 1)), metavar="N", help="runs at a time (default: %(default)s)"
    )
    add_json(parser)
    parser.epilog = "The same command again continues where it was. It is the sweep sweeps/paper_models.yaml and the report of its runs."


def run(args: argparse.Namespace) -> int:
    """Reproduce."""
    from dataclasses import replace

    from anomalynet.cli.sweep_progress import duration
    from anomalynet.errors import UsageError
    from anomalynet.runs.code import made_by_other_code
    from anomalynet.sweep import estimate
    from anomalynet.sweep.launch import jobs_of
    from anomalynet.sweep.plan import experiment_names, plan, read_sweep

    if args.slots < 1:
        raise UsageError("--slots must be at least 1")
    sweep = read_sweep("paper_models", args.preset)
    chosen = [text for text in args.overrides if text.startswith(("seed=", "data.split.fold="))]
    if chosen:
        raise UsageError(
            f"{chosen[0]}: seeds and folds are the sweep's", "`anomalynet train` takes one; sweeps/paper_models.yaml names them"
        )
    if args.models is not None:
        sweep = replace(sweep, experiments=experiment_names(args.models))
    overrides = list(args.overrides)
    if args.data:
        data, place = data_set(args.data)
        overrides = [f"data.name={data}", *place, *overrides]
    jobs = jobs_of(plan(sweep, overrides), args.runs)
    name = jobs[0].run.loaded.config.data.title
    done = sum(job.state == "done" for job in jobs)
    _say(f"{len(jobs)} runs on {name}, {done} done, {args.slots} at a time, one thread each, in {args.runs}")
    stale = [job.folder.path for job in jobs if job.state == "done" and made_by_other_code(job.folder.environment)]
    if stale:
        _say(f"warning: other code made {len(stale)} of them, such as {stale[0]}; delete their folders to train them by this code")
    _try_splits(jobs)
    if args.preset == "full":
        costs = estimate.measured(args.runs, name)
        if estimate.unmeasured(jobs, costs):
            _say("measuring one epoch of each model")
            costs = _measure(sweep, overrides, args.runs / ".estimate", args.slots, name) | costs
        _say(f"at most {duration(estimate.at_most(jobs, costs, args.slots))}, less where training stops early")
    _work(jobs, overrides, args.runs, args.slots, sweep.name)
    failed = [job for job in jobs if job.state != "done"]
    for job in failed:
        _say(f"failed: {job.run.loaded.name} {job.folder.path}: {job.reason}")
    if not any(job.state == "done" for job in jobs):
        return 1
    path = _report(jobs, args)
    if args.json:
        print_json({"report": str(path), "runs": len(jobs), "failed": len(failed)})
    else:
        print(path)
    return 1 if failed else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _try_splits(jobs: list[Job]) -> None:
    """Prepare the data and cut every split that the runs will need: what is refused, is refused before the first run."""
    from anomalynet.data.prepare import prepare
    from anomalynet.data.split import split
    from anomalynet.data.worlds import world_of

    told: set[int | None] = set()
    for config in dict.fromkeys(job.run.loaded.config.data for job in jobs if job.state != "done"):
        if (world := world_of(config)) not in told:
            _say(f"preparing {config.title}" + ("" if world is None else f", world {world}"))
            told.add(world)
        split(prepare(config), config)


def _work(jobs: list[Job], overrides: list[str], runs: Path, slots: int, group: str | None = None) -> None:
    from anomalynet.cli.sweep_progress import SweepProgress
    from anomalynet.sweep.launch import Launch

    with SweepProgress(jobs, slots) as progress:
        Launch(jobs, overrides, runs, slots, group).run(progress)


def _measure(sweep: Sweep, overrides: list[str], runs: Path, slots: int, name: str) -> dict[str, Cost]:
    """One epoch of each experiment on the first fold, in a folder of their own that no report reads."""
    from dataclasses import replace

    from anomalynet.sweep import estimate
    from anomalynet.sweep.launch import jobs_of
    from anomalynet.sweep.plan import plan

    short = replace(sweep, seeds=sweep.seeds[:1], worlds=sweep.worlds and sweep.worlds[:1], folds=[0])
    overrides = [*overrides, "training.epochs=1", "tracking=disabled"]
    jobs = jobs_of(plan(short, overrides), runs)
    _work(jobs, overrides, runs, slots)
    return estimate.measured(runs, name)


def _report(jobs: list[Job], args: argparse.Namespace) -> Path:
    from anomalynet.reporting.render import write_report
    from anomalynet.runs.collect import load_record

    config = jobs[0].run.loaded.config.data
    records = [load_record(job.folder) for job in jobs if job.state == "done"]
    out = args.out or Path("reports") / _report_name(config, args, records[0].result.fingerprint)
    expected = [job.run.expected for job in jobs]
    audit = _audit(config, records[0].result, args.runs)
    return write_report(records, out, expected=expected, audit=audit, title=f"Report on {_data_name(config)}")


def _data_name(config: DataConfig) -> str:
    """The data set; of a world's folder or a scenario file, what that is called."""
    if config.name == "simulated" and config.root is not None:
        return Path(config.root).resolve().name
    return Path(config.name).stem if config.name.endswith(".yaml") else config.title


PLAIN = ("data.name=", "data.root=", "data.subset=", "data.split.policy=", "hardware.")
"""Arguments that a report's name tells already, or that change nothing in it."""


def _report_name(config: DataConfig, args: argparse.Namespace, fingerprint: str) -> str:
    """The data, the split's policy if the command names one, the preset, and six digits of whatever else is asked or, of a world's folder,
    of its content: another setting never overwrites a report."""
    import hashlib

    from anomalynet.runs.audits import slug

    policy = [config.split.policy] if any(text.startswith("data.split.policy=") for text in args.overrides) else []
    other = [*(text for text in args.overrides if not text.startswith(PLAIN)), *([args.models] if args.models else [])]
    other += [fingerprint] if config.name == "simulated" else []
    digits = [hashlib.sha256(" ".join(sorted(other)).encode()).hexdigest()[:6]] if other else []
    return "-".join([slug(_data_name(config)), *policy, *([args.preset] if args.preset != "full" else []), *digits])


def _audit(config: DataConfig, result: Result, runs: Path) -> dict[str, Any] | None:
    """The leakage audit of the data and split that were trained on: the one beside the runs if it is of these, else made now."""
    from anomalynet.cli.audit import reporter
    from anomalynet.data.audit import audit, identity
    from anomalynet.runs.audits import read_audit, write_audit

    if result.parts["test"].labelled == 0:
        return None
    there = read_audit(runs, result.data)
    if there is None or there.get("identity") != identity(config, 0, result.fingerprint):
        there = audit(config, progress=reporter(config)).to_dict()
        write_audit(runs, there)
    return there
