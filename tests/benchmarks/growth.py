"""How seconds and memory grow with rows: each stage in a process of its own, whose peak resident
memory the kernel reports.

    python -m tests.benchmarks.growth [--largest 10000000] [--limit MB]

`--limit` runs every stage in a cgroup that may hold so much memory, file cache included; then the
largest set is to be several times that.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import polars.selectors as cs

from tests.benchmarks.data import readings
from tests.benchmarks.measure import LeftOutError, Measured, Report, compared, value

CHANNELS, SERIES = 8, 10
SMALLEST, LARGEST = 10_000, 1_000_000
MOST, FIRST = 10_000_000, ("import", "prepare")  # rows that only these stages see
WIDE, LONG, LIMIT = 128, 2_400_000, 600
"""Channels and rows of the set that is larger than memory, and MB that memory may hold then: a
process that trains takes most of them, however small the set."""

KEYS: tuple[str, ...] = (
    "data.stride=3",
    "data.window=32",
    "training.batch_size=1024",
    "training.epochs=1",
)
KEYS += ("training.windows_per_epoch=100000000", "model.channels=8", "model.head=8")

CODE = {
    "start": "import lightning, polars, anomalynet.training.run",
    "import": """
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
columns = {"time": "time", "series": "device", "label": "label"}
(table,) = FOLDER.glob("table.*")
import_table(ImportRequest(file=table, name="growing", replace=True, **columns))
""",
    "prepare": """
from anomalynet.config.load import load
from anomalynet.data.prepare import prepare
prepare(load("cnn", KEYS).config.data)
""",
    "epoch": """
from anomalynet.training.run import train
outcome = train("cnn", FOLDER / "runs", overrides=KEYS)
import json
timings = json.loads((outcome.folder.path / "timings.json").read_text())
PARTS = {"epoch": timings["train_seconds"], "scoring": timings["score_seconds"]}
""",
    "report": """
from anomalynet.reporting.render import write_reports
write_reports(FOLDER / "runs", FOLDER / "report", replace=True)
""",
}
"""Stage → what its process does; `PARTS` are seconds of parts of it."""

SHOWN = ("import", "prepare", "epoch", "scoring", "report")
GOAL = 1.05


class Stage(NamedTuple):
    """One stage on one size."""

    seconds: float
    peak: float  # MB


def stage(name: str, folder: Path, keys: Sequence[str], group: Path | None) -> dict[str, Stage]:
    """Run a stage, in a cgroup if one is given. Returns what is shown of it."""
    before = f"from pathlib import Path\nFOLDER, KEYS = Path({str(folder)!r}), {list(keys)!r}\n"
    if group is not None:
        file = str(group / "cgroup.procs")
        before += f"import os\nPath({file!r}).write_text(str(os.getpid()))\n"
    # The kernel's ru_maxrss would be that of the process that started it, where that is larger
    peak_line = "next(one for one in open('/proc/self/status') if one.startswith('VmHWM'))"
    after = f"\nimport json, time\nPEAK = int({peak_line}.split()[1]) / 1024"
    after += "\nprint(json.dumps([time.perf_counter() - T, PARTS, PEAK]))"
    timing = "import time\nT, PARTS = time.perf_counter(), {}\n"
    code = before + CODE["start"] + "\n" + timing + CODE[name] + after
    environment = {**os.environ, "ANOMALYNET_DATA": str(folder / "data")}
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    said = process.stdout.read().decode()
    if status := process.wait():
        raise RuntimeError(f"{name} ended with status {status}")
    seconds, parts, peak = json.loads(said.splitlines()[-1])
    return {one: Stage(parts.get(one, seconds), peak) for one in parts or [name]}


def sizes(largest: int) -> list[int]:
    """Ten times as many rows each time."""
    found = [SMALLEST]
    while found[-1] * 10 <= largest:
        found.append(found[-1] * 10)
    return found


def measure(
    folder: Path, largest: int, group: Path | None = None, most: int = 0
) -> dict[int, dict[str, Stage]]:
    """Rows → stage → what it took. `most`: rows of one more size, for the stages of `FIRST`."""
    found: dict[int, dict[str, Stage]] = {}
    for rows in [*sizes(largest), *([most] if most else [])]:
        own = folder / f"growth-{rows}"
        own.mkdir(parents=True)
        table = readings(rows, CHANNELS, SERIES)
        table.write_csv(own / "table.csv", datetime_format="%Y-%m-%d %H:%M:%S")
        del table
        keys = ["data.name=growing", "data.worlds=null", *KEYS]
        found[rows] = {}
        for name in FIRST if rows == most else list(CODE)[1:]:
            found[rows] |= stage(name, own, keys, group)
        print(f"  {rows:,} rows: {found[rows]}", file=sys.stderr, flush=True)
        shutil.rmtree(own)
    return found


def exponent(found: dict[int, dict[str, Stage]], name: str) -> float:
    """Of the seconds over the last two sizes, where what does not grow weighs least."""
    (few, before), (many, after) = [pair for pair in found.items() if name in pair[1]][-2:]
    return float(np.log(after[name].seconds / before[name].seconds) / np.log(many / few))


def memory(found: dict[int, dict[str, Stage]], name: str) -> tuple[float, float]:
    """MB of a stage without data, and bytes per value (row × channel): a straight line through the
    peaks."""
    rows = np.array([many for many, one in found.items() if name in one], float)
    peaks = np.array([one[name].peak for one in found.values() if name in one])
    slope, start = np.polyfit(rows, peaks, 1)
    return float(start), max(float(slope) * 2**20 / CHANNELS, 0.0)


def table(found: dict[int, dict[str, Stage]]) -> str:
    """Markdown: seconds and peak memory of each size, the exponent, the formula of the memory."""
    heads = [f"{rows:,} rows" for rows in found]
    lines = [f"| stage | {' | '.join(heads)} | exponent | peak memory |"]
    lines.append("|---|" + "---:|" * (len(heads) + 1) + "---|")
    for name in SHOWN:
        stages = [one.get(name) for one in found.values()]
        cells = [f"{one.seconds:.2f} s, {one.peak:.0f} MB" if one else "–" for one in stages]
        start, slope = memory(found, name)
        formula = f"{start:.0f} MB + {slope:.1f} bytes × rows × channels"
        lines.append(f"| {name} | {' | '.join(cells)} | {exponent(found, name):.2f} | {formula} |")
    return "\n".join(lines)


def growth(folder: Path, rounds: int, report: Report) -> list[Measured]:
    """The table, and its largest exponent."""
    found = measure(folder, LARGEST, most=MOST)
    text = table(found) + "\n\nOnly " + " and ".join(FIRST) + f" were measured at {MOST:,} rows."
    report.texts[f"Growth: {SERIES} series × {CHANNELS} channels, from a CSV file"] = text
    rows = []
    for name in SHOWN:
        start, slope = memory(found, name)
        note = f"over the last factor of ten; peak {start:.0f} MB + {slope:.1f} bytes per value"
        title = f"growth of {name} with rows"
        rows.append(value(title, [exponent(found, name)], "exponent", GOAL, note))
    return rows


def beyond_memory(folder: Path, rounds: int, report: Report) -> list[Measured]:
    """An epoch and scoring on a cache of twice the memory that a limit allows, beside the same
    without limit. Import and preparation come before, without it."""
    own, keys = folder / "wide", ["data.name=growing", "data.worlds=null", *KEYS]
    keys += [
        "data.window=16",
        "data.stride=97",
        "training.windows_per_epoch=2000",
        "training.batch_size=256",
    ]
    try:
        group = limited(LIMIT)
    except OSError as error:
        raise LeftOutError(f"no cgroup with a limit of memory can be made here: {error}") from None
    try:
        own.mkdir(parents=True)
        table = readings(LONG, WIDE, SERIES)
        table.with_columns(cs.starts_with("sensor").cast(pl.Float32)).write_parquet(
            own / "table.parquet"
        )
        del table
        for name in FIRST:
            stage(name, own, keys, None)
        size = sum(one.stat().st_size for one in (own / "data" / "prepared").rglob("*.npy")) >> 20
        arms: dict[str, Path | None] = {"limited": group, "free": None}
        found: dict[str, dict[str, Stage]] = {}
        for name, where in arms.items():
            _forget(own / "data")  # or pages of the file cache would be charged to nobody
            try:
                found[name] = stage("epoch", own, keys, where)
            except RuntimeError as error:
                what = (
                    f"with {LIMIT} MB of memory, on a cache of {size:,} MB ({LONG:,} rows × {WIDE})"
                )
                raise LeftOutError(f"{what}: {error}") from error
            shutil.rmtree(own / "runs")
    finally:
        shutil.rmtree(own, ignore_errors=True)
        time.sleep(1)  # until the last process has left the group
        group.rmdir()
    rows = []
    for part in ("epoch", "scoring"):
        seconds = {name: [one[part].seconds] for name, one in found.items()}
        title = f"{part} on a cache of {size:,} MB with {LIMIT} MB of memory"
        note = f"{size / LIMIT:.1f} × the limit, {LONG:,} rows × {WIDE} channels; the limit holds "
        note += "file cache as well"
        rows.append(compared(title, seconds, "the same without limit", "slower", note=note))
    return rows


def _forget(folder: Path) -> None:
    """Drop the files of a folder from the file cache."""
    for path in filter(Path.is_file, folder.rglob("*")):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def limited(megabytes: int) -> Path:
    """A cgroup of its own, of version 1 or 2. Raises OSError: it cannot be made here."""
    root = Path("/sys/fs/cgroup")
    old = (root / "memory").is_dir()
    group = (root / "memory" if old else root) / f"anomalynet-growth-{os.getpid()}"
    group.mkdir()
    limit = group / ("memory.limit_in_bytes" if old else "memory.max")
    limit.write_text(str(megabytes << 20))
    return group


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--largest", type=int, default=10_000_000)
    parser.add_argument("--limit", type=int, metavar="MB")
    args = parser.parse_args()
    group = None if args.limit is None else limited(args.limit)
    with tempfile.TemporaryDirectory() as folder:
        print(table(measure(Path(folder), args.largest, group)))
    if group is not None:
        time.sleep(1)  # until the last process has left it
        group.rmdir()


if __name__ == "__main__":
    main()
