"""`anomalynet check`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli import check_report
from anomalynet.cli.arguments import add_json, add_overrides
from anomalynet.errors import AnomalynetError, RunError, StoppedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anomalynet.gate.asked import Asked
    from anomalynet.gate.baseline import Baseline
    from anomalynet.gate.finding import Part
    from anomalynet.gate.verdict import Measured
    from anomalynet.sweep.jobs import Job

SUMMARY = (
    "train afresh and compare with the committed baseline: exit code 3 where something became worse"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_overrides(parser)
    default = Path("reports/baseline.json")
    parser.add_argument(
        "--against",
        type=Path,
        default=default,
        metavar="FILE",
        help=f"the baseline (default: {default})",
    )
    parser.add_argument(
        "--update",
        metavar="REASON",
        help="put what is measured now into the baseline, with this reason, and compare nothing",
    )
    parser.add_argument(
        "--history",
        action="store_true",
        help="only show how the metrics went from update to update; nothing is trained",
    )
    parser.add_argument("--only", choices=("golden", "statistical"), help="one part of the check")
    parser.add_argument("--experiments", metavar="a,b", help="only these experiments")
    parser.add_argument(
        "--golden", default="golden", metavar="SWEEP", help="sweep of the goldens (default: golden)"
    )
    parser.add_argument(
        "--sweep",
        default="smoke",
        metavar="SWEEP",
        help="sweep of the statistical part (default: smoke)",
    )
    parser.add_argument(
        "--slots",
        type=int,
        metavar="N",
        help="runs at a time on the CPU (default: one or two by the cores)",
    )
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        help="keep the runs in this folder, which must be empty (default: none is kept)",
    )
    told = "folder for check.md and check.json; with --history the figure's file, .svg or .png"
    parser.add_argument("--out", type=Path, metavar="PATH", help=told)
    add_json(parser)
    parser.set_defaults(on="local")
    parser.epilog = (
        "Goldens: 20 optimiser steps of each network, classical models whole; losses, metrics "
        "and 64 scores a part are compared.\n"
        "Statistical: the smoke sweep, each run with its like of the baseline.\n"
        "Every run is trained anew, whatever was trained before. key=value may only say how: "
        "hardware.threads=2.\n"
        "exit codes: 0 no regression, 3 regression, 4 nothing to compare, 1 a run failed, 2 usage"
    )


def run(args: argparse.Namespace) -> int:
    """Check, update or show."""
    wanted = (
        [name.strip() for name in args.experiments.split(",") if name.strip()]
        if args.experiments is not None
        else None
    )
    _refuse_misuse(args, wanted)
    if args.history:
        return check_report.history(args, wanted)
    try:
        baseline, parts = _prepared(args, wanted)
        measured = _trained(args, parts, baseline)
    except AnomalynetError as error:
        if not isinstance(error, StoppedError):
            check_report.tell_github_of(error, os.environ)
        raise
    if args.update is not None:
        return check_report.update(args, parts, baseline, measured, whole=wanted is None)
    assert baseline is not None
    return check_report.answer(args, baseline, measured)


def _prepared(
    args: argparse.Namespace, wanted: Sequence[str] | None
) -> tuple[Baseline | None, list[Asked]]:
    """The baseline, of an update None where there is none yet, and what is to be trained; what
    cannot be compared is refused here."""
    from anomalynet.gate.asked import asked, refuse_gaps, refuse_unknown
    from anomalynet.gate.baseline import read_baseline

    baseline = read_baseline(args.against) if args.update is None or args.against.exists() else None
    sweeps: dict[Part, str] = {"golden": args.golden, "statistical": args.sweep}
    parts = asked(
        {part: name for part, name in sweeps.items() if args.only in (None, part)}, wanted
    )
    if baseline is None or args.update is not None:
        refuse_unknown(parts, wanted)
    else:
        refuse_gaps(parts, baseline, wanted)
    return baseline, parts


def _refuse_misuse(args: argparse.Namespace, wanted: Sequence[str] | None) -> None:
    strange = [text for text in args.overrides if not text.startswith("hardware.")]
    if strange:
        raise UsageError(
            f"{strange[0]}: what is trained is the baseline's",
            "only hardware.… can be set; --golden and --sweep name other sweeps",
        )
    if args.update is not None and not args.update.strip():
        raise UsageError(
            "--update needs a reason", 'anomalynet check --update "why the numbers changed"'
        )
    if args.update is not None and args.history:
        raise UsageError("--update and --history exclude each other")
    if wanted == []:
        raise UsageError("--experiments names none")
    if args.history and args.out is not None and args.out.suffix not in (".svg", ".png"):
        raise UsageError(f"--out {args.out}: the figure is an .svg or a .png file")
    if args.out is not None and args.update is None:
        _refuse_place(args.out, folder=not args.history)
    if args.runs is not None and (
        args.runs.is_file() or (args.runs.is_dir() and any(args.runs.iterdir()))
    ):
        raise UsageError(
            f"--runs {args.runs}: not an empty folder, and a check takes no run that is there",
            "name another folder",
        )


def _refuse_place(out: Path, *, folder: bool) -> None:
    """Refuse what could not be written once everything is trained."""
    if out.exists() and out.is_dir() is not folder:
        problem = "is a file, and check.md and check.json go into a folder"
        raise UsageError(f"--out {out}: {problem if folder else 'is a folder'}")
    place = next(one for one in (out, *out.absolute().parents) if one.exists())
    if not (place.is_dir() or place == out) or not os.access(place, os.W_OK):
        raise UsageError(f"--out {out}: nothing can be written at {place}", "name another place")


def _trained(
    args: argparse.Namespace, parts: Sequence[Asked], baseline: Baseline | None
) -> Measured:
    """Train every run in a folder of its own, and read what the comparison needs."""
    import tempfile

    from anomalynet.cli.launching import say, work
    from anomalynet.gate.baseline import DEFAULTS
    from anomalynet.gate.measure import failures, measured
    from anomalynet.sweep.slots import cpu_slots

    with tempfile.TemporaryDirectory(prefix="anomalynet-check-") as temporary:
        runs = args.runs or Path(temporary)
        jobs: dict[Part, list[Job]] = {one.part: one.jobs(runs, args.overrides) for one in parts}
        every = [job for own in jobs.values() for job in own]
        slots = cpu_slots(args.slots)
        say(f"{len(every)} runs afresh, {min(len(slots), len(every))} at a time")
        try:
            work(args, every, slots, group="check")
        except KeyboardInterrupt:
            raise StoppedError(
                "interrupted: nothing was compared and nothing written",
                "the same command starts afresh",
            ) from None
        limits = baseline.tolerances if baseline is not None else DEFAULTS
        found = measured(jobs, limits.metrics)
        if found is None:
            raise RunError(
                "every run failed\n" + "\n".join(failure.sentence() for failure in failures(jobs))
            )
        return found
