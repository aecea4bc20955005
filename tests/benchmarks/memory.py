"""Peak memory of preparing, opening and windowing 10 M rows × 8 channels, each in a process of its
own.

    python tests/benchmarks/memory.py [--rows N] [--series N]

Prints each stage's peak above that of a process that imported the same modules, in multiples of the
prepared array (rows × 9 × 4 bytes: eight sensors and the mask channel). Pages of a map that were
read count as the process's own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

CHANNELS = 8
PREPARE = (
    "from pathlib import Path; import polars as pl; from anomalynet.data.prepare import build; "
    "from anomalynet.config.schema import DataConfig; from anomalynet.data.telemetry import "
    "Channel, Telemetry"
)
OPEN = (
    "import numpy as np; from pathlib import Path; from anomalynet.data.prepared import "
    "open_prepared"
)
WINDOW = (
    OPEN
    + "; from anomalynet.data.windows import Windows; from anomalynet.data.ranges import Ranges"
)
TOUCH = (
    "p = open_prepared(Path('{folder}')); total = sum(float(p.values[i : i + 65536].sum()) "
    "for i in range(0, len(p.values), 65536))"
)
STAGES = {
    "prepare from Parquet": (
        PREPARE,
        "frame = pl.scan_parquet('{parquet}'); "
        "telemetry = Telemetry(frame, tuple(Channel(f'c{{i}}') for i in range(8)), 1.0); "
        "build(telemetry, DataConfig(name='bench'), 'fingerprint', Path('{folder}'))",
    ),
    "open and read every row": (OPEN, TOUCH),
    "the same with all windows, and targets": (
        WINDOW,
        TOUCH + "; w = Windows(p, Ranges.of((s.start, s.stop) for s in p.segments), 32); t = "
        "w.select((0, 1)); x = t.gather(np.arange(1024))",
    ),
    "the same with an epoch's shuffled order": (
        WINDOW + "; import torch; from anomalynet.data.batches import TrainBatches",
        TOUCH
        + "; w = Windows(p, Ranges.of((s.start, s.stop) for s in p.segments), 32).select((0, 1)); "
        "order = sum(len(part) for part in TrainBatches(w, 32, 0, lambda: 0)._order()); assert "
        "order == len(w)",
    ),
}


def generate(path: Path, rows: int, series: int) -> None:
    """Write sorted telemetry, one row group a million rows."""
    random = np.random.default_rng(0)
    each = rows // series
    row = np.arange(rows)
    frame = pl.DataFrame(
        {
            "series": pl.Series(row // each).cast(pl.String).str.zfill(8),
            "time": pl.Series(row % each * 1_000_000).cast(pl.Datetime("us")),
            "label": pl.Series((row % 1000 > 900).astype(np.int8)),
            **{
                f"c{channel}": random.normal(size=rows).astype(np.float32)
                for channel in range(CHANNELS)
            },
        }
    )
    frame.write_parquet(path, row_group_size=1 << 17)


def peak(code: str) -> tuple[int, float]:
    """Bytes at the peak of a new process, and its seconds."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {code}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), time.perf_counter() - start


def main() -> None:
    """Measure every stage."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--series", type=int, default=100)
    args = parser.parse_args()
    array = args.rows * (CHANNELS + 1) * 4
    with tempfile.TemporaryDirectory() as folder:
        parquet, prepared = Path(folder) / "telemetry.parquet", Path(folder) / "prepared"
        prepared.mkdir()
        # In a process of its own: a child's peak starts at its parent's size.
        arguments = f"Path({str(parquet)!r}), {args.rows}, {args.series}"
        peak(
            "from pathlib import Path; from tests.benchmarks.memory import generate; "
            f"generate({arguments})"
        )
        print(
            f"{args.rows:,} rows × {CHANNELS} channels and the mask in {args.series:,} series: "
            f"{array / 1e6:.0f} MB"
        )
        for name, (imports, code) in STAGES.items():
            base, start = peak(imports)
            top, seconds = peak(f"{imports}; {code.format(parquet=parquet, folder=prepared)}")
            print(
                f"{name:42} {(top - base) / array:5.2f} × the array, {seconds - start:5.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
