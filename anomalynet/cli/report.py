"""`anomalynet report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from anomalynet.cli.arguments import add_json, add_runs
from anomalynet.cli.output import print_json, print_table
from anomalynet.errors import NothingToCompareError, UsageError
from anomalynet.runs.audits import read_audit, slug

SUMMARY = "write the paper's tables and figures from finished runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="folder of the report (default: the name of the data set)")
    add_runs(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("reports"), metavar="DIR", help="where the report's folder is put (default: reports)"
    )
    parser.add_argument("--data", metavar="NAME", help="one data set, or one subset (`ton_iot/fridge`); without it each gets a report")
    add_json(parser)
    parser.epilog = "Reads result files only: nothing is trained. Missing folds are marked, never guessed."


def run(args: argparse.Namespace) -> int:
    """Write one report a data set."""
    if args.name is not None and slug(args.name) != args.name:
        raise UsageError(f"{args.name!r} is no name for a folder: letters, digits, '.', '_' and '-' only", "--out says where it is put")

    from anomalynet.runs.collect import load_results

    records = load_results(args.runs)
    if not records:
        raise NothingToCompareError(f"{args.runs}: no finished run", "`anomalynet train EXPERIMENT` makes one, --runs names another folder")
    found = sorted({record.result.data for record in records})
    chosen = [data for data in found if args.data in (None, data, data.split("/", maxsplit=1)[0])]
    if not chosen:
        raise NothingToCompareError(f"{args.runs}: no finished run on {args.data!r}", f"--data is one of {', '.join(found)}")
    if args.name is not None and len(chosen) > 1:
        raise UsageError(f"one name for reports on {', '.join(chosen)}", f"anomalynet report {args.name} --data {chosen[0]}")

    from anomalynet.reporting.render import write_report

    rows: list[dict[str, object]] = []
    for data in chosen:
        own = [record for record in records if record.result.data == data]
        path = write_report(own, args.out / (args.name or slug(data)), audit=read_audit(args.runs, data))
        rows.append({"data": data, "runs": len(own), "report": str(path)})
    if args.json:
        print_json(rows)
    else:
        print_table(rows)
    return 0
