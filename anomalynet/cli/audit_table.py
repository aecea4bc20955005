"""`anomalynet audit-table`: whether a published result table is arithmetically possible."""

from __future__ import annotations

import argparse
from pathlib import Path

from anomalynet.cli.arguments import add_json, flag
from anomalynet.cli.output import print_json
from anomalynet.errors import UsageError

SUMMARY = "prove which rows of a published result table no confusion matrix can have"

EPILOG = """\
The file is CSV, TSV or Markdown: a column `model` and any of
precision_normal, precision_attack, recall_normal (specificity), recall_attack
(sensitivity), f1_normal, f1_attack, accuracy, balanced_accuracy, mcc,
prevalence, tn, fp, fn, tp, n. Attack is the positive class, prevalence its
share. The decimals of a cell show how it was rounded; of an empty cell or `–`
the possible values are computed. A row must come from one confusion matrix:
means over runs or folds need not fit one. An alarm is a proof; no alarm
proves nothing.

examples:
  anomalynet audit-table table_3.csv
  anomalynet audit-table results.md --unit fraction --rounding truncate --json
  anomalynet audit-table --paper

exit codes: 0 every row is possible, 1 some row is not, 2 the file cannot be
read as a table, 130 interrupted: the rows not examined are named"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.epilog = EPILOG
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the table")
    flag(parser, "--paper", "audit the printed Tables 2–5 of the paper instead")
    text = "unit of the shares (default: percent if any exceeds 1)"
    parser.add_argument("--unit", choices=("percent", "fraction"), help=text)
    text = "the class of columns named only precision, recall or F1 (default: they are not "
    text += "audited, because they may be means over both classes)"
    parser.add_argument("--of", choices=("attack", "normal"), help=text)
    text = "how cells were rounded: half (up, even or down) or truncate (default: half)"
    parser.add_argument("--rounding", choices=("half", "truncate"), default="half", help=text)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Audit one table."""
    if (args.file is None) != args.paper:
        raise UsageError("give one table: a FILE, or --paper", "anomalynet audit-table FILE")
    if args.paper and (args.unit == "fraction" or args.rounding != "half" or args.of):
        what = "--paper: unit, rounding and classes of the paper's tables are fixed"
        raise UsageError(what, "anomalynet audit-table --paper")

    from anomalynet.cli.progress import RowProgress
    from anomalynet.reporting.paper.table_audit.read import read_table
    from anomalynet.reporting.paper.table_audit.sentences import lines, plain
    from anomalynet.reporting.paper.table_audit.table import audit_table

    if args.paper:
        from anomalynet.reporting.paper.audit_section import audit

        found = audit()
    else:
        table = read_table(args.file, args.of)
        with RowProgress(table.name, len(table.rows)) as progress:
            found = audit_table(table, args.unit, args.rounding, progress)
    if args.json:
        print_json(plain(found))
    else:
        print("\n".join(lines(found)))
    if found.left:
        return 130
    return 0 if found.possible else 1
