"""`anomalynet report`."""

from __future__ import annotations

import argparse
import difflib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import add_format, add_json, add_runs, forms_of, option
from anomalynet.cli.output import print_rows
from anomalynet.errors import NothingToCompareError, UsageError
from anomalynet.runs.audits import read_audit, slug

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anomalynet.reporting.formats import Form
    from anomalynet.runs.collect import RunRecord
    from anomalynet.runs.sweeps import SweepRecord

SUMMARY = (
    "write the paper's tables and figures, or a sweep's comparison of its arms, from finished runs"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    text = "a sweep that was started, a data set, or with --data the name of the report's folder"
    parser.add_argument("name", nargs="?", metavar="NAME", help=text)
    add_runs(parser)
    text = "where the report's folder is put (default: reports)"
    option(parser, "--out", "DIR", text, Path, Path("reports"))
    text = "one data set, or one subset (`ton_iot/fridge`); without it each gets a report"
    option(parser, "--data", "NAME", text)
    option(parser, "--storage", "URL", "database of a search that was started with it")
    add_format(parser)
    add_json(parser)
    parser.epilog = (
        "Reads result files only: nothing is trained. Missing folds are marked, never "
        "guessed. Runs on several data sets are compared too."
    )


def run(args: argparse.Namespace) -> int:
    """Write the reports of a sweep, or one a data set."""
    forms = forms_of(args)
    started = _started(args)
    rows = _sweeps(args, started, forms) if started else _data_sets(args, forms)
    print_rows(rows, as_json=args.json)
    return 0


def _data_sets(args: argparse.Namespace, forms: Sequence[Form]) -> list[dict[str, object]]:
    if args.name is not None and slug(args.name) != args.name:
        what = f"{args.name!r} is no name for a folder: letters, digits, '.', '_' and '-' only"
        raise UsageError(what, "--out says where it is put")

    from anomalynet.runs.collect import load_results

    records: dict[str, list[RunRecord]] = {}
    for record in load_results(args.runs):
        records.setdefault(record.result.data, []).append(record)
    if not records:
        hint = "`anomalynet train EXPERIMENT` makes one, --runs names another folder"
        raise NothingToCompareError(f"{args.runs}: no finished run", hint)
    found = sorted(records)
    if args.name is not None and args.data is None:
        args.data = _data_set(args, found)
        args.name = None
    chosen = [data for data in found if args.data in (None, data, _collection(data))]
    if not chosen:
        what, hint = f"no finished run on {args.data!r}", f"--data is one of {', '.join(found)}"
        raise NothingToCompareError(f"{args.runs}: {what}", hint)
    if args.name is not None and len(chosen) > 1:
        hint = f"anomalynet report {args.name} --data {chosen[0]}"
        raise UsageError(f"one name for reports on {', '.join(chosen)}", hint)

    from anomalynet.reporting.formats import wanted
    from anomalynet.reporting.render import write_report
    from anomalynet.reporting.sections.ablations import ablation_reports

    rows: list[dict[str, object]] = []
    for data in chosen:
        own, out = records[data], args.out / (args.name or slug(data))
        audit, beside = read_audit(args.runs, data), ablation_reports(args.runs, out, data)
        with wanted(forms, out) as path:
            write_report(own, out, audit=audit, ablations=beside, command=_command(args, data))
        rows.append({"data": data, "runs": len(own), "report": str(path)})
    return rows if args.data is not None else rows + _comparison(records, args.out, forms)


def _collection(data: str) -> str:
    return data.split("/", maxsplit=1)[0]


def _command(args: argparse.Namespace, data: str) -> str:
    """The command that writes one report again; of a path that only this machine has, the name."""
    given = []
    places = (("--runs", args.runs, Path("runs")), ("--out", args.out, Path("reports")))
    for flag, path, usual in places:
        if path != usual:
            given += [flag, f"…/{path.name}" if path.is_absolute() else str(path)]
    return shlex.join(["anomalynet", "report", *filter(None, [args.name]), "--data", data, *given])


def _comparison(
    records: Mapping[str, Sequence[RunRecord]], out: Path, forms: Sequence[Form]
) -> list[dict[str, object]]:
    """The row of the comparison; none where too little is comparable or a data set is so named."""
    from anomalynet.reporting.comparison.blocks import comparable
    from anomalynet.reporting.comparison.document import COMPARISON, write_comparison
    from anomalynet.reporting.formats import wanted

    records = {data: records[data] for data in sorted(records)}
    if not comparable(records) or COMPARISON in map(slug, records):
        return []
    with wanted(forms, out / COMPARISON) as path:
        write_comparison(records, out / COMPARISON)
    count = sum(map(len, records.values()))
    return [{"data": f"{len(records)} compared", "runs": count, "report": str(path)}]


def _data_set(args: argparse.Namespace, found: Sequence[str]) -> str:
    """The data set, or the collection of some, that NAME means; refuses what is none."""
    from anomalynet.runs.sweeps import read_sweeps

    known = {name: data for data in found for name in (data, slug(data), _collection(data))}
    if args.name in map(_collection, found):
        return str(args.name)
    if args.name in known:
        return known[args.name]
    names = [*known, *(record.label for record in read_sweeps(args.runs))]
    near = difflib.get_close_matches(args.name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(dict.fromkeys(names))}"
    what = f"no sweep {args.name!r} was started in {args.runs}, and no run there is on such data"
    raise UsageError(what, hint)


def _started(args: argparse.Namespace) -> list[SweepRecord]:
    """The sweeps that NAME means: by their own name, or by that of their report."""
    from anomalynet.config import locate
    from anomalynet.runs.sweeps import read_sweeps

    name, records = args.name, read_sweeps(args.runs)
    found = [one for one in records if name in (one.sweep, Path(one.sweep).stem, one.label)]
    if name and not found and (name in locate.files("sweeps") or name.endswith((".yaml", ".yml"))):
        what = f"the sweep {name} was not started in {args.runs}"
        raise NothingToCompareError(what, f"anomalynet sweep {name}")
    return found


def _sweeps(
    args: argparse.Namespace, records: Sequence[SweepRecord], forms: Sequence[Form]
) -> list[dict[str, object]]:
    from anomalynet.cli.sweep_report import report
    from anomalynet.sweep.file import read_sweep
    from anomalynet.sweep.jobs import jobs_of
    from anomalynet.sweep.plan import plan

    rows: list[dict[str, object]] = []
    for record in records:
        out, given = args.out / record.label, record.overrides
        if record.trials is not None:
            from anomalynet.cli.sweep_search import report_again

            path = report_again(record, args.runs, out, args.storage, forms)
            rows.append({"sweep": record.label, "runs": len(record.runs), "report": str(path)})
            continue
        sweep = read_sweep(record.sweep, record.preset)
        jobs = jobs_of(plan(sweep, given), args.runs)
        done = sum(job.state == "done" for job in jobs)
        if done:
            path = report(sweep, jobs, args.runs, out, given, forms, audits=False)
            rows.append({"sweep": record.label, "runs": done, "report": str(path)})
        elif len(records) == 1:
            hint = f"anomalynet sweep {record.sweep}"
            raise NothingToCompareError(f"{record.label}: no finished run", hint)
    return rows
