"""How fast it is, beside what else does the same: each row in one run, arm after arm.

    python -m tests.benchmarks [ROW …] [--rounds N] [--out reports/performance.md] [--json FILE]
    [--history FILE]

Nothing else should run meanwhile. Without rows all are measured, in half an hour on two cores.
`--history` appends the measurement to a file of JSON lines, and exits with 3 where a ratio is worse
than in the last ones by more than its own noise. Rows whose other arm is not installed (`pip
install pandas river`) are left out, and the report says so.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before the libraries below start their threads

from tests.benchmarks import data, engine, fleet_load, growth, profile, training, worlds
from tests.benchmarks.measure import (
    LeftOutError,
    Measured,
    Report,
    machine,
    to_json,
    to_markdown,
    worsened,
)

Row = Callable[[Path, int, Report], list[Measured]]

ROWS: dict[str, tuple[Row, int]] = {
    "epoch": (training.epoch, 7),
    "step": (training.step, 7),
    "train": (training.train_command, 7),
    "profile": (profile.profile, 3),
    "reproduce": (training.reproduce, 1),
    "classical": (training.classical, 3),
    "audit": (data.audit_seconds, 3),
    "prepare": (data.prepared_windows, 5),
    "report": (data.report, 3),
    "simulation": (worlds.simulation, 3),
    "engine": (engine.engine_rows, 10),
    "broker": (fleet_load.broker, 1),
    "growth": (growth.growth, 1),
    "memory": (growth.beyond_memory, 1),
}
"""Name → what measures it, and the usual number of rounds."""


def main() -> int:
    """Measure, print, write, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--rounds", type=int, help="in place of each row's own")
    parser.add_argument("--out", type=Path, help="writes the page")
    parser.add_argument("--json", type=Path, help="writes one JSON document")
    parser.add_argument("--history", type=Path, help="appends to it, and compares with it")
    parser.add_argument("--folder", type=Path, help="keeps models and worlds between calls")
    args = parser.parse_args()
    if unknown := [name for name in args.rows if name not in ROWS]:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    where, report = machine(), Report()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["ANOMALYNET_DATA"] = str(folder / "data")
        for name in args.rows or ROWS:
            _write(args, report, where)  # what is known so far, should this one not come back
            row, rounds = ROWS[name]
            print(f"{name} …", file=sys.stderr, flush=True)
            try:
                found = row(folder, args.rounds or rounds, report)
            except LeftOutError as reason:
                report.left_out[name] = str(reason)
                continue
            except Exception as error:  # the other rows are worth their time
                traceback.print_exc()
                report.left_out[name] = f"FAILED: {type(error).__name__}: {error}"
                continue
            report.rows += found
            for one in found:
                print(f"  {one.name}: {one.ratio:.3g} {one.kind}", file=sys.stderr, flush=True)
    page, line = _write(args, report, where)
    print(page)
    failed = any(why.startswith("FAILED") for why in report.left_out.values())
    return (_compare(args.history, report, line) if args.history else 0) or int(failed)


def _write(args: argparse.Namespace, report: Report, where: dict[str, Any]) -> tuple[str, str]:
    """The page and the line of JSON, in their files."""
    words = " ".join(["python -m tests.benchmarks", *args.rows])
    page, line = to_markdown(report, where, words), to_json(report, where)
    if args.out:
        args.out.write_text(page, encoding="utf-8")
    if args.json:
        args.json.write_text(line + "\n", encoding="utf-8")
    return page, line


def _compare(history: Path, report: Report, line: str) -> int:
    """Exit code 3 where something is worse than before."""
    old = history.read_text(encoding="utf-8").splitlines() if history.exists() else []
    worse = worsened(report.rows, [json.loads(one) for one in old])
    with history.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    print(*worse, sep="\n", file=sys.stderr)
    return 3 if worse else 0


if __name__ == "__main__":
    raise SystemExit(main())
