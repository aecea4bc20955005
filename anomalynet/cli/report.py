"""`anomalynet report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from anomalynet.cli.arguments import add_report, add_runs, flag, forms_of, option
from anomalynet.cli.output import print_rows

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
    from anomalynet.reporting.formats.files import refuse_other_report
    from anomalynet.reporting.formats.overview import write_overview
    from anomalynet.sweep.report import report_again, started_sweeps

    forms = forms_of(args)
    if started := started_sweeps(args.name, args.runs):
        for record in started if not args.replace else ():
            done = [run for run in record.runs if run.folder(args.runs).finished]
            made_of = [f"{run.experiment}/{run.id}" for run in done]
            made_of += [run.arm for run in record.runs]  # of a search: `trial N`
            refuse_other_report(args.out / record.label, made_of, sweep=True)
        rows = report_again(started, args.runs, args.out, forms, args.storage)
    else:
        from anomalynet.reporting.render import write_reports

        chosen = {name: getattr(args, name) for name in ("name", "data", "replace")}
        rows = write_reports(args.runs, args.out, formats=forms, **chosen)
    if args.out.resolve() != Path.cwd():  # whose README.md is a project's
        write_overview(args.out)
    print_rows(rows, as_json=args.json)
    return 0
