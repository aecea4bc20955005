"""`anomalynet report`."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import add_report, add_runs, flag, forms_of, option
from anomalynet.cli.output import print_rows

if TYPE_CHECKING:
    from anomalynet.runs.sweeps import SweepRecord

SUMMARY = "write the paper's tables and figures, or compare a sweep's arms, from finished runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    text = "a started sweep, a data set, or together with --data the name of the report's folder"
    parser.add_argument("name", nargs="?", metavar="NAME", help=text)
    add_runs(parser)
    text = "parent of the report's folder (default: reports)"
    option(parser, "--out", "DIR", text, Path, Path("reports"))
    text = "one data set, or one subset (`ton_iot/fridge`); by default each gets a report"
    option(parser, "--data", "NAME", text)
    flag(parser, "--replace", "replace a report of more or other runs")
    option(parser, "--storage", "URL", "database of a search that was started with --storage")
    add_report(parser)
    parser.epilog = (
        "Only reads result files: nothing is trained. Missing folds are marked. If there are runs "
        "on several data sets, a comparison of the data sets is written too."
    )


def run(args: argparse.Namespace) -> int:
    """Write the reports of started sweeps, or one report per data set."""
    from anomalynet.sweep.report import report_again, started_sweeps

    forms = forms_of(args)
    if started := started_sweeps(args.name, args.runs):
        if not args.replace:
            _refuse_others(started, args)
        rows = report_again(started, args.runs, args.out, forms, args.storage)
    else:
        from anomalynet.reporting.render import write_reports

        rows = write_reports(
            args.runs,
            args.out,
            name=args.name,
            data=args.data,
            formats=forms,
            replace=args.replace,
        )
    print_rows(rows, as_json=args.json)
    return 0


def _refuse_others(started: Sequence[SweepRecord], args: argparse.Namespace) -> None:
    """Raise UsageError if the folder of a sweep's report has a report of other runs or trials."""
    from anomalynet.reporting.formats.files import free_folder, refuse_other_report

    for record in started:
        done = [run for run in record.runs if run.folder(args.runs).finished]
        made_of = {name for run in done for name in (f"{run.experiment}/{run.id}", run.arm)}
        words = [*filter(None, [args.name]), "--out", str(free_folder(args.out))]
        hint = shlex.join(["anomalynet", "report", *words])
        refuse_other_report(args.out / record.label, made_of, hint, sweep=True)
