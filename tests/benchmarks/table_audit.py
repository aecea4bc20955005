"""How `anomalynet audit-table` does on tables that are true, and on tables with one false cell.

    python -m tests.benchmarks.table_audit [--honest 10000] [--false 1000] [--seed 0]

True tables are made from random confusion matrices of all magnitudes up to a million, any columns,
0 to 3 decimals, every rounding, in percent and as fractions; an alarm on one is an error. False
tables are made from matrices of 100 to 10,000 a count, two decimals in percent; one cell is moved
by 2 to 10 points (MCC by 0.02 to 0.1), and the share of proven ones is printed by column, for full
tables and for partial ones (about half of the columns, at least four). A partial table may stay
possible with the false cell: then nothing can be proven.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Sequence

from anomalynet.reporting.table_audit.cells import METRICS
from tests.reporting.table_audit import honest

PAPER = (
    "precision_normal",
    "precision_attack",
    "recall_normal",
    "recall_attack",
    "f1_normal",
    "f1_attack",
    "accuracy",
)
"""The columns that most papers print."""


def quantiles(seconds: list[float]) -> str:
    """Milliseconds of processor time."""
    ordered = [1e3 * one for one in sorted(seconds)]
    return (
        f"ms a row: median {ordered[len(ordered) // 2]:.1f}, p99 "
        f"{ordered[len(ordered) * 99 // 100]:.1f}, most {ordered[-1]:.1f}"
    )


def alarms(rng: random.Random, count: int) -> None:
    """Print how many true tables raise an alarm, and how many implied ranges miss the true
    value."""
    seconds, wrong, missed, ranges = [], 0, 0, 0
    for _ in range(count):
        matrix, mode = honest.matrix(rng), rng.choice(list(honest.MODES))
        columns, percent = (
            [name for name in METRICS if rng.random() < rng.choice((0.3, 0.6, 1.0))],
            rng.random() < 0.7,
        )
        printed = honest.cells(
            matrix,
            columns,
            rng.choice((0, 1, 2, 2, 2, 3)),
            percent,
            mode,
            rng.choice(("–", "0", "1")),
        )
        begin = time.process_time()
        audit = honest.audited(printed, "truncate" if mode == "truncate" else "half")
        seconds.append(time.process_time() - begin)
        wrong += not audit.possible
        if audit.unit == ("percent" if percent else "fraction"):
            true = honest.values(matrix)
            known = [
                (true[name], bounds)
                for name, bounds in audit.rows[0].implied.items()
                if not math.isnan(true[name])
            ]
            ranges += len(known)
            missed += sum(not low - 1e-9 <= value <= high + 1e-9 for value, (low, high) in known)
    print(
        f"{count} true tables: {wrong} alarms; {ranges} implied ranges, {missed} without the "
        f"true value; {quantiles(seconds)}"
    )


def changed(rng: random.Random, text: str, column: str) -> str:
    """A cell moved by 2 to 10 points within its range."""
    scale, most, least = (0.01, 1, -1) if column == "mcc" else (1, 100, 0)
    while True:
        value = float(text) + rng.choice((-1, 1)) * rng.uniform(2, 10) * scale
        if least <= value <= most:
            return f"{value:.{4 if column == 'mcc' else 2}f}"


def detection(
    rng: random.Random, count: int, name: str, columns: Sequence[str], kept: float
) -> None:
    """Print the share of tables with one false cell that are proven false, by column."""
    seconds: list[float] = []
    found: dict[str, list[bool]] = {column: [] for column in columns}
    for _ in range(count):
        matrix = [rng.randint(100, 10_000) for _ in range(4)]
        chosen = [column for column in columns if rng.random() < kept]
        while len(chosen) < 4:
            chosen = [column for column in columns if rng.random() < kept]
        printed, column = honest.cells(matrix, chosen, 2), rng.choice(chosen)
        printed[column] = changed(rng, printed[column], column)
        begin = time.process_time()
        found[column].append(not honest.audited(printed).possible)
        seconds.append(time.process_time() - begin)
    total = [one for each in found.values() for one in each]
    by = ", ".join(
        f"{column} {100 * sum(each) / len(each):.1f}" for column, each in found.items() if each
    )
    print(
        f"{name}: {100 * sum(total) / len(total):.1f} % of {count} proven false ({by}); "
        f"{quantiles(seconds)}"
    )


def main() -> None:
    """Print one line for true tables, and one for each kind of false ones."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--honest", type=int, default=10_000)
    parser.add_argument("--false", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    alarms(random.Random(args.seed), args.honest)
    detection(random.Random(args.seed), args.false, "full, 10 columns", METRICS, 1.0)
    detection(
        random.Random(args.seed),
        args.false,
        "full, without MCC, balanced accuracy and prevalence",
        PAPER,
        1.0,
    )
    detection(random.Random(args.seed), args.false, "partial, half of 10 columns", METRICS, 0.5)
    detection(random.Random(args.seed), args.false, "partial, half of 7 columns", PAPER, 0.6)


if __name__ == "__main__":
    main()
