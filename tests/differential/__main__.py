"""Prove that a change of the code changed no result.

python -m tests.differential -j 2                       this checkout beside the baseline commit
python -m tests.differential --new DIR                  another source tree
python -m tests.differential --only 'train-*,import-*'  some cases; --list shows them
python -m tests.differential --only sweep --keep        compare again without running new again
options: --cache DIR (old's outcomes), --baseline PYTHON (from tests.differential.baseline)
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from fnmatch import fnmatchcase
from pathlib import Path

from tests.differential.baseline import ROOT
from tests.differential.cases import CASES
from tests.differential.net import Net, Report, runnable

CACHE = os.environ.get("ANOMALYNET_NET_CACHE", str(Path(tempfile.gettempdir()) / "anomalynet-net"))


def main() -> int:
    """Command line; 1 where something differs that is not expected."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="GLOB,GLOB", help="cases by name")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(CACHE),
        help="old's outcomes (default: ANOMALYNET_NET_CACHE)",
    )
    parser.add_argument("--work", type=Path, help="new's outcomes (default: a temporary folder)")
    parser.add_argument(
        "--keep", action="store_true", help="with --work: use new's outcomes that are there"
    )
    parser.add_argument("--new", type=Path, default=ROOT, help="source tree (default: this one)")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the new side")
    parser.add_argument(
        "--baseline", metavar="PYTHON", help="interpreter that has the baseline installed"
    )
    parser.add_argument("--prefix", default="", help="words before every command, such as `nice`")
    parser.add_argument("-j", type=int, default=2, metavar="N", help="cases at a time")
    parser.add_argument("--old-only", action="store_true", help="fill the cache")
    parser.add_argument("--list", action="store_true", help="names of the cases")
    args = parser.parse_args()
    globs = (args.only or "*").split(",")
    wanted = [
        case for case in CASES.values() if any(fnmatchcase(case.name, glob) for glob in globs)
    ]
    if args.list:
        print("\n".join(case.name for case in wanted))
        return 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="net-") as folder:
        work = args.work or Path(folder) / "new"
        net = Net(
            args.cache,
            work,
            args.new,
            args.python,
            args.baseline,
            tuple(shlex.split(args.prefix)),
            keep=args.keep,
        )
        skipped = [case.name for case in wanted if not runnable(case)]
        report = net.run(
            (case for case in wanted if runnable(case)), args.j, _say, old_only=args.old_only
        )
    if args.old_only:
        return 0
    _show(report, skipped, time.monotonic() - began, complete=args.only is None)
    return int(bool(report.unexpected()) or (args.only is None and bool(report.unused())))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _show(report: Report, skipped: list[str], seconds: float, *, complete: bool) -> None:
    unexpected = report.unexpected()
    for one in unexpected:
        print(one)
    for entry in report.unused() if complete else ():
        print(f"expected, but not found: {entry.case}: {entry.file}: {entry.key} ({entry.reason})")
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(report.counts.items()))
    times = ", ".join(f"{name} {spent:.0f} s" for name, spent in report.seconds.items())
    print(f"{len(report.cases)} cases, {report.commands} commands a side; compared: {kinds}")
    print(f"ids that changed: {report.renamed}; skipped: {', '.join(skipped) or 'none'}")
    print(f"commands took: {times}; {seconds:.0f} s in all")
    print(f"{len(report.differences)} differences, {len(unexpected)} of them not expected")


if __name__ == "__main__":
    sys.exit(main())
