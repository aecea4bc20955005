"""`anomalynet report`."""

from __future__ import annotations

import argparse
import difflib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import add_format, add_json, add_runs, forms_of
from anomalynet.cli.output import print_json, print_table
from anomalynet.errors import NothingToCompareError, UsageError
from anomalynet.runs.audits import read_audit, slug

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anomalynet.reporting.forms import Form
    from anomalynet.runs.collect import RunRecord
    from anomalynet.runs.sweeps import SweepRecord

SUMMARY = (
    "write the paper's tables and figures, or a sweep's comparison of its arms, from finished runs"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    told = "a sweep that was started, a data set, or with --data the name of the report's folder"
    parser.add_argument("name", nargs="?", metavar="NAME", help=told)
    add_runs(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("reports"),
        metavar="DIR",
        help="where the report's folder is put (default: reports)",
    )
    parser.add_argument(
        "--data",
        metavar="NAME",
        help="one data set, or one subset (`ton_iot/fridge`); without it each gets a report",
    )
    parser.add_argument(
        "--storage", metavar="URL", help="database of a search that was started with it"
    )
    add_format(parser)
    add_json(parser)
    parser.epilog = (
        "Reads result files only: nothing is trained. Missing folds are marked, never "
        "guessed. Runs on several data sets are compared too."
    )


def run(args: argparse.Namespace) -> int:
    """Write the reports of a sweep, or one a data set."""
    forms = forms_of(args)
    if started := _started(args):
        return _sweeps(args, started, forms)
    if args.name is not None and slug(args.name) != args.name:
        raise UsageError(
            f"{args.name!r} is no name for a folder: letters, digits, '.', '_' and '-' only",
            "--out says where it is put",
        )

    from anomalynet.runs.collect import load_results

    records = load_results(args.runs)
    if not records:
        raise NothingToCompareError(
            f"{args.runs}: no finished run",
            "`anomalynet train EXPERIMENT` makes one, --runs names another folder",
        )
    found = sorted({record.result.data for record in records})
    if args.name is not None and args.data is None:
        args.data = _data_set(args, found)
        args.name = None
    chosen = [data for data in found if args.data in (None, data, data.split("/", maxsplit=1)[0])]
    if not chosen:
        raise NothingToCompareError(
            f"{args.runs}: no finished run on {args.data!r}", f"--data is one of {', '.join(found)}"
        )
    if args.name is not None and len(chosen) > 1:
        raise UsageError(
            f"one name for reports on {', '.join(chosen)}",
            f"anomalynet report {args.name} --data {chosen[0]}",
        )
    everything = args.data is None

    from anomalynet.reporting.ablations import ablation_reports
    from anomalynet.reporting.forms import wanted
    from anomalynet.reporting.render import write_report

    rows: list[dict[str, object]] = []
    for data in chosen:
        own = [record for record in records if record.result.data == data]
        out, command = args.out / (args.name or slug(data)), _command(args, data)
        beside = ablation_reports(args.runs, out, data)
        with wanted(forms, out) as path:
            write_report(
                own, out, audit=read_audit(args.runs, data), ablations=beside, command=command
            )
        rows.append({"data": data, "runs": len(own), "report": str(path)})
    if everything:
        rows += _comparison(
            {data: [record for record in records if record.result.data == data] for data in chosen},
            args.out,
            forms,
        )
    if args.json:
        print_json(rows)
    else:
        print_table(rows)
    return 0


def _command(args: argparse.Namespace, data: str) -> str:
    """The command that writes one data set's report again; of a path that only this machine has,
    the name."""
    places = (("--runs", args.runs, Path("runs")), ("--out", args.out, Path("reports")))
    given = [
        text
        for flag, path, usual in places
        if path != usual
        for text in (flag, f"…/{path.name}" if path.is_absolute() else str(path))
    ]
    return shlex.join(["anomalynet", "report", *filter(None, [args.name]), "--data", data, *given])


def _comparison(
    records: Mapping[str, Sequence[RunRecord]], out: Path, forms: Sequence[Form]
) -> list[dict[str, object]]:
    """The row of the comparison over data sets; none where there is too little to compare, or a
    data set has its folder."""
    from anomalynet.reporting.comparison.blocks import comparable
    from anomalynet.reporting.comparison.document import COMPARISON, write_comparison

    if not comparable(records) or COMPARISON in map(slug, records):
        return []
    from anomalynet.reporting.forms import wanted

    with wanted(forms, out / COMPARISON) as path:
        write_comparison(records, out / COMPARISON)
    return [
        {
            "data": f"{len(records)} compared",
            "runs": sum(map(len, records.values())),
            "report": str(path),
        }
    ]


def _data_set(args: argparse.Namespace, found: Sequence[str]) -> str:
    """The data set, or the collection of some, that NAME means.

    Raises:
        UsageError: none; names what there is.
    """
    from anomalynet.runs.sweeps import read_sweeps

    known = {
        name: data for data in found for name in (data, slug(data), data.split("/", maxsplit=1)[0])
    }
    if args.name in known:
        return (
            args.name
            if args.name in {data.split("/", maxsplit=1)[0] for data in found}
            else known[args.name]
        )
    names = [*known, *(record.label for record in read_sweeps(args.runs))]
    near = difflib.get_close_matches(args.name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(dict.fromkeys(names))}"
    raise UsageError(
        f"no sweep {args.name!r} was started in {args.runs}, and no run there is on such data", hint
    )


def _started(args: argparse.Namespace) -> list[SweepRecord]:
    """The sweeps that NAME means: by their own name, or by that of their report."""
    from anomalynet.config import locate
    from anomalynet.runs.sweeps import read_sweeps

    records = read_sweeps(args.runs)
    found = [
        record
        for record in records
        if args.name in (record.sweep, Path(record.sweep).stem, record.label)
    ]
    if (
        not found
        and args.name
        and (args.name in locate.files("sweeps") or args.name.endswith((".yaml", ".yml")))
    ):
        raise NothingToCompareError(
            f"the sweep {args.name} was not started in {args.runs}", f"anomalynet sweep {args.name}"
        )
    return found


def _sweeps(args: argparse.Namespace, records: list[SweepRecord], forms: Sequence[Form]) -> int:
    from anomalynet.cli.sweep_report import report
    from anomalynet.sweep.file import read_sweep
    from anomalynet.sweep.jobs import jobs_of
    from anomalynet.sweep.plan import plan

    rows: list[dict[str, object]] = []
    for record in records:
        if record.trials is not None:
            from anomalynet.cli.search_report import report_again

            path = report_again(record, args.runs, args.out / record.label, args.storage, forms)
            rows.append({"sweep": record.label, "runs": len(record.runs), "report": str(path)})
            continue
        sweep = read_sweep(record.sweep, record.preset)
        jobs = jobs_of(plan(sweep, record.overrides), args.runs)
        done = sum(job.state == "done" for job in jobs)
        if not done and len(records) > 1:
            continue
        if not done:
            raise NothingToCompareError(
                f"{record.label}: no finished run", f"anomalynet sweep {record.sweep}"
            )
        path = report(
            sweep, jobs, args.runs, args.out / record.label, record.overrides, forms, audits=False
        )
        rows.append({"sweep": record.label, "runs": done, "report": str(path)})
    if args.json:
        print_json(rows)
    else:
        print_table(rows)
    return 0
