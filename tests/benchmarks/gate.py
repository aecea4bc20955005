"""What the regression gate catches, and whether it cries wolf: planted faults and honest re-runs.

    python -m tests.benchmarks.gate [--reruns N] [--no-faults] [--no-statistical] [--experiments
    a,b]

A baseline is made first, of this code on this machine. Each fault of
`tests/regression/faults.py` is then planted into the experiment that it concerns, and both parts
of the check are asked. The re-runs change nothing but threads (the workers' environment,
`hardware.threads`) and the order of rows of a table that is imported anew; some repeat the
statistical part too. Printed are exit codes, 3 for an alarm.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
from anomalynet.cli.main import main as anomalynet
from anomalynet.data.importing.import_table import import_table
from tests.regression.faults import FAULTS
from tests.regression.training import in_process, rows_request
from tests.training.small import table

ROWS = """\
experiments: [cnn, hybrid, autoencoder]
folds: [0]
presets: {quick: {data.name: rows, training.epochs: 3, data.calibration_rows: 50}}
"""


def check(*arguments: str) -> tuple[int, str]:
    """Exit code and what stderr says, in this process."""
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
        code = anomalynet(["check", "--slots", "1", *arguments])
    return code, told.getvalue()


def check_apart(environment: dict[str, str], *arguments: str) -> int:
    """Exit code of a command with workers of its own."""
    command = [sys.executable, "-m", "anomalynet", "check", "--slots", "1", *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, check=False
    ).returncode


def faults(baseline: Path, parts: list[str]) -> None:
    """Plant each fault and ask each part of the check."""
    caught = dict.fromkeys(parts, 0)
    for name, fault in FAULTS.items():
        for part in parts:
            with pytest.MonkeyPatch.context() as patch:
                in_process(patch)
                fault.apply(patch)
                since = time.perf_counter()
                chosen = ("--only", part, "--experiments", fault.experiment)
                code, told = check("--against", str(baseline), *chosen)
            lines = (line for line in told.splitlines() if line.startswith(f"{fault.experiment}: "))
            first = next(lines, "")
            caught[part] += code == 3
            print(
                f"{name:<16}{part:<13}exit {code} in {time.perf_counter() - since:4.1f} s  {first}",
                flush=True,
            )
    for part in parts:
        print(f"{part}: {caught[part]} of {len(FAULTS)} faults", flush=True)


def imported(folder: Path, seed: int | None) -> None:
    """The rows of a table in another order, under the same name."""
    file = folder / "rows.csv"
    rows = pl.read_csv(table(file))
    (rows if seed is None else rows.sample(fraction=1.0, shuffle=True, seed=seed)).write_csv(file)
    import_table(rows_request(file, "rows"))


def reruns(count: int, folder: Path, baseline: Path, experiments: str, statistical: bool) -> None:
    """Repeat what changed in nothing that matters."""
    (folder / "rows.yaml").write_text(ROWS)
    files = ("--golden", str(folder / "rows.yaml"), "--against", str(folder / "rows.json"))
    of_rows = ("--only", "golden", *files)
    imported(folder, None)
    with pytest.MonkeyPatch.context() as patch:
        in_process(patch)
        assert check(*of_rows, "--update", "rows in order")[0] == 0
    alarms = 0
    for number in range(count):
        threads, inherited = 1 + number % 2, 1 + number // 2 % 2
        part = [] if statistical and number % 5 == 0 else ["--only", "golden"]
        own = {"OMP_NUM_THREADS": str(inherited), "MKL_NUM_THREADS": str(inherited)}
        chosen = ("--experiments", experiments, f"hardware.threads={threads}")
        code = check_apart(own, "--against", str(baseline), *part, *chosen)
        imported(folder, number)
        with pytest.MonkeyPatch.context() as patch:
            in_process(patch)
            shuffled, told = check(*of_rows)
        alarms += bool(code or shuffled)
        kind = "golden" if part else "golden and statistical"
        print(
            f"re-run {number + 1}: {threads} threads, {inherited} inherited, {kind}: exit "
            f"{code}; rows shuffled: exit {shuffled}",
            flush=True,
        )
        if shuffled:
            print(told)
    print(f"{alarms} of {count} honest re-runs raised an alarm")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--reruns", type=int, default=20)
    parser.add_argument("--no-faults", action="store_true")
    parser.add_argument("--no-statistical", action="store_true")
    parser.add_argument("--experiments", default="cnn,lstm,cnn_lstm,hybrid,autoencoder")
    args = parser.parse_args()
    parts = ["golden", *([] if args.no_statistical else ["statistical"])]
    only = ["--only", "golden"] if args.no_statistical else []
    with tempfile.TemporaryDirectory() as name:
        folder, baseline = Path(name), Path(name) / "baseline.json"
        os.environ.setdefault("ANOMALYNET_DATA", str(folder / "data"))
        with pytest.MonkeyPatch.context() as patch:
            in_process(patch)
            since = time.perf_counter()
            chosen = ("--experiments", args.experiments, *only, "--update", "benchmark")
            assert check("--against", str(baseline), *chosen)[0] == 0
            print(f"baseline in {time.perf_counter() - since:.0f} s, one run at a time", flush=True)
        if not args.no_faults:
            faults(baseline, parts)
        reruns(args.reruns, folder, baseline, args.experiments, not args.no_statistical)


if __name__ == "__main__":
    main()
