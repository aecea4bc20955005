"""`anomalynet check`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import add_json, add_overrides, flag, names, option
from anomalynet.cli.output import print_json, print_table
from anomalynet.errors import (
    AnomalynetError,
    NothingToCompareError,
    RegressionError,
    RunError,
    StoppedError,
    UsageError,
)
from anomalynet.sweep.progress import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anomalynet.regression.baseline import Baseline
    from anomalynet.regression.finding import Part
    from anomalynet.regression.verdict import Measured

SUMMARY = (
    "train afresh and compare with the committed baseline: exit code 3 where something became worse"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_overrides(parser)
    default = Path("reports/baseline.json")
    option(parser, "--against", "FILE", f"the baseline (default: {default})", Path, default)
    text = "put what is measured now into the baseline, with this reason, and compare nothing"
    option(parser, "--update", "REASON", text)
    text = "only show how the metrics went from update to update; nothing is trained"
    flag(parser, "--history", text)
    parser.add_argument("--only", choices=("golden", "statistical"), help="one part of the check")
    option(parser, "--experiments", "a,b", "only these experiments")
    text = "sweep of the goldens (default: golden)"
    option(parser, "--golden", "SWEEP", text, default="golden")
    text = "sweep of the statistical part (default: smoke)"
    option(parser, "--sweep", "SWEEP", text, default="smoke")
    text = "runs at a time on the CPU (default: one or two by the cores)"
    option(parser, "--slots", "N", text, int)
    text = "keep the runs in this folder, which must be empty (default: none is kept)"
    option(parser, "--runs", "DIR", text, Path)
    text = "folder for check.md and check.json; with --history the figure's file, .svg or .png"
    option(parser, "--out", "PATH", text, Path)
    add_json(parser)
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
    wanted = None if args.experiments is None else list(names(args.experiments))
    _refuse_misuse(args, wanted)
    if args.history:
        return _history(args, wanted)

    from anomalynet.regression.baseline import DEFAULTS
    from anomalynet.regression.measure import train
    from anomalynet.regression.suite import prepare
    from anomalynet.regression.update import update_baseline

    sweeps: dict[Part, str] = {"golden": args.golden, "statistical": args.sweep}
    sweeps = {part: name for part, name in sweeps.items() if args.only in (None, part)}
    try:
        baseline, parts = prepare(args.against, sweeps, wanted, update=args.update is not None)
        limits = baseline.tolerances if baseline is not None else DEFAULTS
        measured = train(
            parts,
            limits.metrics,
            overrides=args.overrides,
            slots=args.slots,
            runs=args.runs,
            progress=True,
        )
    except AnomalynetError as error:
        if not isinstance(error, StoppedError):
            from anomalynet.regression.render import command

            line = command("error", "anomalynet check", error.message)
            _tell_github([line], f"## anomalynet check\n\n❌ {error.message}\n\n", to_stderr=True)
        raise
    if args.update is not None:
        whole = parts if wanted is None else []
        number = update_baseline(args.against, baseline, measured, args.update.strip(), whole)
        return _updated(args, number, measured)
    assert baseline is not None
    return _answer(args, baseline, measured)


def _refuse_misuse(args: argparse.Namespace, wanted: Sequence[str] | None) -> None:
    if strange := [text for text in args.overrides if not text.startswith("hardware.")]:
        hint = "only hardware.… can be set; --golden and --sweep name other sweeps"
        raise UsageError(f"{strange[0]}: what is trained is the baseline's", hint)
    if args.update is not None and not args.update.strip():
        hint = 'anomalynet check --update "why the numbers changed"'
        raise UsageError("--update needs a reason", hint)
    if args.update is not None and args.history:
        raise UsageError("--update and --history exclude each other")
    if wanted == []:
        raise UsageError("--experiments names none")
    if args.history and args.out is not None and args.out.suffix not in (".svg", ".png"):
        raise UsageError(f"--out {args.out}: the figure is an .svg or a .png file")
    if args.out is not None and args.update is None:
        _refuse_place(args.out, folder=not args.history)
    runs: Path | None = args.runs
    if runs is not None and (runs.is_file() or (runs.is_dir() and any(runs.iterdir()))):
        raise UsageError(
            f"--runs {runs}: not an empty folder, and a check takes no run that is there",
            "name another folder",
        )


def _refuse_place(out: Path, *, folder: bool) -> None:
    """Refuse what could not be written once everything is trained."""
    if out.exists() and out.is_dir() is not folder:
        if folder:
            raise UsageError(
                f"--out {out}: is a file, and check.md and check.json go into a folder"
            )
        raise UsageError(f"--out {out}: is a folder")
    place = next(one for one in (out, *out.absolute().parents) if one.exists())
    if not (place.is_dir() or place == out) or not os.access(place, os.W_OK):
        raise UsageError(f"--out {out}: nothing can be written at {place}", "name another place")


def _updated(args: argparse.Namespace, number: int, measured: Measured) -> int:
    from anomalynet.regression.history import short

    if args.json:
        facts = {
            "baseline": str(args.against),
            "update": number,
            "environment": measured.environment,
            "commit": measured.commit,
        }
        print_json(facts)
    else:
        commit = short(measured.commit) or "unknown"
        say(f"update {number}: {measured.environment}, commit {commit}")
        print(args.against)
    return 0


def _answer(args: argparse.Namespace, baseline: Baseline, measured: Measured) -> int:
    """Print, annotate and write what was found; its exit code is an error's."""
    from anomalynet.regression import render
    from anomalynet.regression.verdict import exit_code, findings

    found = findings(measured, baseline)
    code = exit_code(found)
    answer = render.Answer(
        baseline=str(args.against),
        environment=measured.environment,
        findings=found,
        history=baseline.history,
        exit_code=code,
    )
    if args.json:
        print_json(render.as_json(answer))
    else:
        print_table(render.rows(answer))
        print(answer.verdict())
    text = render.markdown(answer)
    _tell_github(render.github_lines(found), f"{text}\n", to_stderr=args.json)
    if args.out is not None:
        from anomalynet.runs.files import write_json, write_text

        write_text(args.out / "check.md", text)
        write_json(args.out / "check.json", render.as_json(answer))
    wrong = (one for one in render.shown(found) if one.verdict in render.BAD)
    bad = "\n".join(one.sentence() for one in wrong)
    hint = 'if it is meant: anomalynet check --update "reason"'
    if code == RegressionError.exit_code:
        raise RegressionError(bad, hint)
    if code == RunError.exit_code:
        raise RunError(bad)
    if code == NothingToCompareError.exit_code:
        raise NothingToCompareError(bad or answer.verdict(), hint)
    return 0


def _tell_github(lines: Iterable[str], summary: str, *, to_stderr: bool) -> None:
    """Annotations on the pull request, and the job's summary; nothing outside GitHub Actions."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in lines:
            print(line, file=sys.stderr if to_stderr else sys.stdout)
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary)


def _history(args: argparse.Namespace, wanted: Sequence[str] | None) -> int:
    """Show, or draw, how the metrics went; of all experiments, or of some."""
    from anomalynet.regression import history as course
    from anomalynet.regression.baseline import read_baseline

    entries = read_baseline(args.against).history
    known = sorted({name for name, _ in course.series(entries)})
    for name in wanted or ():
        if name not in known:
            raise NothingToCompareError(
                f"{args.against}: its history has no {name!r}", f"it has {', '.join(known)}"
            )
    if args.out is not None:
        from anomalynet.regression.figure import draw_history
        from anomalynet.runs.files import write_bytes

        write_bytes(args.out, draw_history(entries, wanted)[args.out.suffix.removeprefix(".")])
    if args.json:
        print_json([course.entry_json(entry, wanted) for entry in entries])
    else:
        print_table(course.updates(entries), title="updates")
        print_table(course.rows(entries, wanted), title="metrics")
    return 0
