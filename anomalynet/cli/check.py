"""`anomalynet check`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet import errors
from anomalynet.cli.arguments import add_json, add_overrides, flag, names, option
from anomalynet.cli.output import print_json, print_table
from anomalynet.runs.files import refuse_unwritable, write_bytes, write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anomalynet.regression.baseline import Baseline
    from anomalynet.regression.finding import Part
    from anomalynet.regression.verdict import Measured

SUMMARY = "train anew, and compare with the baseline: exit code 3 if something became worse"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_overrides(parser)
    default = Path("reports/baseline.json")
    option(parser, "--against", "FILE", f"the baseline (default: {default})", Path, default)
    text = "write the new measurements into the baseline, with this reason, and compare nothing"
    option(parser, "--update", "REASON", text)
    text = "only show how the metrics changed from update to update; nothing is trained"
    flag(parser, "--history", text)
    parser.add_argument("--only", choices=("golden", "statistical"), help="one part of the check")
    option(parser, "--experiments", "a,b", "only these experiments")
    text = "sweep of the goldens (default: golden)"
    option(parser, "--golden", "SWEEP", text, default="golden")
    text = "sweep of the statistical part (default: smoke)"
    option(parser, "--sweep", "SWEEP", text, default="smoke")
    text = "runs at a time on the CPU (default: one or two, depending on the cores)"
    option(parser, "--slots", "N", text, int)
    text = "keep the runs in this empty folder (default: runs are not kept)"
    option(parser, "--runs", "DIR", text, Path)
    text = "folder for check.md and check.json; with --history the figure's file (.svg or .png)"
    option(parser, "--out", "PATH", text, Path)
    add_json(parser)
    parser.epilog = (
        "Golden part: networks are trained for 20 optimiser steps, classical models completely; "
        "losses, metrics and 64 scores per part of the split are compared.\n"
        "Statistical part: each run of the smoke sweep is compared with the baseline's run of the "
        "same arm, seed, fold and world.\n"
        "Every run is trained anew, also if it exists. key=value may only set hardware, such as "
        "hardware.threads=2.\n"
        "exit codes: 0 no regression, 3 regression, 4 nothing to compare, 1 a run failed, 2 usage"
    )


def run(args: argparse.Namespace) -> int:
    """Compare with the baseline, update it, or show its history."""
    wanted = None if args.experiments is None else list(names(args.experiments))
    _refuse_misuse(args, wanted)
    if args.history:
        return _history(args, wanted)

    from anomalynet.regression import history
    from anomalynet.regression.baseline import DEFAULTS
    from anomalynet.regression.measure import prepare, train
    from anomalynet.regression.verdict import update_baseline

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
    except errors.AnomalynetError as error:
        if not isinstance(error, errors.StoppedError):
            from anomalynet.regression.render import command

            line = command("error", "anomalynet check", error.message)
            summary = f"## anomalynet check\n\n❌ {error.message}\n\n"
            _annotate_github([line], summary, to_stderr=True)
        raise
    if args.update is not None:
        complete = {one.part: one.names for one in parts} if wanted is None else {}
        number = update_baseline(args.against, baseline, measured, args.update.strip(), complete)
        if args.json:
            facts = {"environment": measured.environment, "commit": measured.commit}
            print_json({"baseline": str(args.against), "update": number, **facts})
        else:
            commit = history.short(measured.commit) or "unknown"
            errors.say(f"update {number}: {measured.environment}, commit {commit}")
            print(args.against)
        return 0
    assert baseline is not None
    return _print_answer(args, baseline, measured)


def _refuse_misuse(args: argparse.Namespace, wanted: Sequence[str] | None) -> None:
    if refused := [text for text in args.overrides if not text.startswith("hardware.")]:
        hint = "--golden and --sweep name other sweeps"
        raise errors.UsageError(f"{refused[0]}: only hardware.* can be overridden", hint)
    if args.update is not None and not args.update.strip():
        hint = 'anomalynet check --update "why the numbers changed"'
        raise errors.UsageError("--update needs a reason", hint)
    if args.update is not None and args.history:
        raise errors.UsageError("--update and --history exclude each other")
    if wanted == []:
        raise errors.UsageError("--experiments is empty")
    if args.history and args.out is not None and args.out.suffix not in (".svg", ".png"):
        raise errors.UsageError(f"--out {args.out}: expected a figure's file, .svg or .png")
    if args.out is not None and args.update is None:
        folder = not args.history
        if args.out.exists() and args.out.is_dir() is not folder:
            expected = "a folder for check.md and check.json" if folder else "a file for the figure"
            raise errors.UsageError(f"--out {args.out}: expected {expected}")
        refuse_unwritable(args.out if folder else args.out.parent, "--out")
    runs: Path | None = args.runs
    if runs is not None and (runs.is_file() or (runs.is_dir() and any(runs.iterdir()))):
        raise errors.UsageError(
            f"--runs {runs}: must be empty: check trains every run", "name another folder"
        )


def _print_answer(args: argparse.Namespace, baseline: Baseline, measured: Measured) -> int:
    """Print the findings, annotate them on GitHub and write them to --out. Raises the error whose
    exit code the findings have."""
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
    _annotate_github(render.github_lines(found), f"{text}\n", to_stderr=args.json)
    if args.out is not None:
        write_text(args.out / "check.md", text)
        write_json(args.out / "check.json", render.as_json(answer))
    bad_findings = (finding for finding in render.shown(found) if finding.verdict in render.BAD)
    bad = "\n".join(finding.sentence() for finding in bad_findings)
    hint = 'if the change is intended: anomalynet check --update "reason"'
    for kind in (errors.RegressionError, errors.RunError, errors.NothingToCompareError):
        if code == kind.exit_code:
            raise kind(bad or answer.verdict(), None if kind is errors.RunError else hint)
    return 0


def _annotate_github(lines: Iterable[str], summary: str, *, to_stderr: bool) -> None:
    """Annotate the pull request, and write the job's summary; only within GitHub Actions."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in lines:
            print(line, file=sys.stderr if to_stderr else sys.stdout)
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(summary)


def _history(args: argparse.Namespace, wanted: Sequence[str] | None) -> int:
    """Show or draw how the metrics of all or some experiments changed."""
    from anomalynet.regression import history
    from anomalynet.regression.baseline import read_baseline

    entries = read_baseline(args.against).history
    present = sorted({name for name, _ in history.series(entries)})
    for name in wanted or ():
        if name not in present:
            raise errors.NothingToCompareError(
                f"{args.against}: its history has no {name!r}", f"it has {', '.join(present)}"
            )
    if args.out is not None:
        drawn = history.draw_history(entries, wanted)
        write_bytes(args.out, drawn[args.out.suffix.removeprefix(".")])
    if args.json:
        print_json([history.entry_json(entry, wanted) for entry in entries])
    else:
        print_table(history.updates(entries), title="updates")
        print_table(history.rows(entries, wanted), title="metrics")
    return 0
