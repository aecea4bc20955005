"""Whether finished runs, told of their own data as it came, score what their files score in batches
and what they stored.

    python -m tests.benchmarks.equality RUN… [--data-root FOLDER] [--seed N]

Each run is exported. Its readings go through the whole engine by time, in chunks of 1 … 2000, with
one restart from a snapshot at a random place; another engine does without the restart and has to
make the same bytes. Prints a row a run, and exits 1 beyond the limits. Each difference is the
largest, relative to scores above 1.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from anomalynet.data import sources
from anomalynet.detection.engine.engine import Engine
from anomalynet.detection.export.export_run import export
from anomalynet.detection.export.paths import checked
from anomalynet.detection.export.verify import Session, difference
from anomalynet.detection.model import Model
from anomalynet.detection.records import Message, Reading, Steps, concatenate
from anomalynet.metrics.events import AlarmRule
from anomalynet.training.finished import FinishedRun, open_run

BATCH_LIMIT, STORED_LIMIT = 1e-6, 1e-5
LONGEST_CHUNK = 2000


class Equality(NamedTuple):
    """Of one run."""

    run: FinishedRun
    steps: int  # scored ones that were compared
    batch: float  # largest difference to the same file in batches
    stored: float  # largest difference to `scores.parquet`
    same: bool  # whether the restart changed no byte

    @property
    def passed(self) -> bool:
        """Whether it keeps the limits; a difference that is no number does not."""
        equal = self.batch <= BATCH_LIMIT and self.stored <= STORED_LIMIT
        return self.steps > 0 and equal and self.same


def told(run: FinishedRun, *, breaks: bool) -> list[Message]:
    """A message a reading, by time, and at last a clock beyond them. Where silence is scored,
    silent slots are not told of, but for the first of a device, which announces it."""
    telemetry = sources.load(run.config.data)
    names = [channel.name for channel in telemetry.channels]
    frame = telemetry.frame.collect().with_columns(
        pl.col("time").cast(pl.Int64), first=pl.int_range(pl.len()).over("series") == 0
    )
    if not breaks:
        frame = frame.filter(pl.col("first") | pl.any_horizontal(pl.col(names).is_not_null()))
    frame = frame.sort("time", maintain_order=True)
    values = frame.select(pl.col(names).cast(pl.Float64).fill_null(np.nan)).rows()
    names, times = frame["series"].to_list(), frame["time"].to_list()
    found = [Reading(*row) for row in zip(names, times, values, strict=True)]
    # Recordings of other days have clocks of their own; nodes of a network share their gateway's.
    messages = [Message(one.device if breaks else "gateway", (one,)) for one in found]
    if not breaks:
        period = round((telemetry.period or 1) * 1e6)
        messages.append(Message("gateway", (), found[-1].time + period))
    return messages


def chunks(messages: list[Message], random: np.random.Generator) -> Iterator[list[Message]]:
    """Cut at random: many small pieces and some long ones."""
    first = 0
    while first < len(messages):
        last = first + int(np.exp(random.uniform(0, np.log(LONGEST_CHUNK))))
        yield messages[first:last]
        first = last


def streamed(
    model: Model, messages: list[Message], seed: int, *, restart: bool
) -> tuple[list[str], Steps]:
    """Names of the devices and all steps, the same chunks for the same seed."""
    random = np.random.default_rng(seed)
    pieces = list(chunks(messages, random))
    at = int(random.integers(len(pieces)))
    engine, made = Engine(model, AlarmRule()), []
    for number, piece in enumerate(pieces):
        if restart and number == at:
            file = io.BytesIO()
            np.savez(file, **engine.snapshot())  # type: ignore[arg-type]
            file.seek(0)
            engine = Engine(model, AlarmRule())
            engine.restore(np.load(file, allow_pickle=False))
        made.append(engine.process(piece).steps)
    return engine.names, concatenate(made, len(engine.contract.channels))


def compare(run: FinishedRun, folder: Path, seed: int) -> Equality:
    """Export a run to a folder and stream its data."""
    file = export(run, checked(folder / f"{run.result.id}.onnx", (), replace=True)).files["float32"]
    model = Model(file)
    messages = told(run, breaks=model.contract.breaks)
    names, steps = streamed(model, messages, seed, restart=True)
    _, whole = streamed(model, messages, seed, restart=False)
    same = all(
        getattr(steps, name).tobytes() == getattr(whole, name).tobytes()
        for name in ("row", "time", "values", "score")
    )
    owners = [names[row] for row in steps.row.tolist()]
    keys = zip(owners, steps.time.tolist(), strict=True)
    scores = dict(zip(keys, steps.score.tolist(), strict=True))

    stored = run.scores.filter(pl.col("score").is_not_null())
    keys = zip(stored["series"].to_list(), stored["time"].cast(pl.Int64).to_list(), strict=True)
    found = np.array([scores.get(key, np.nan) for key in keys])
    against_run = difference(found, stored["score"].to_numpy())

    session, of_part = Session(file.read_bytes()), []
    for part in ("validation", "test"):
        windows = run.data.windows(part)
        ends, prepared = windows.ends(), windows.prepared
        owners = [prepared.series[number] for number in prepared.series_of(ends).tolist()]
        keys = zip(owners, prepared.times[ends].tolist(), strict=True)
        found = np.array([scores.get(key, np.nan) for key in keys])
        of_part.append(difference(found, session.scores(windows)))
    return Equality(run, len(stored), float(np.max(of_part)), against_run, same)


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--data-root", type=Path, help="in place of ANOMALYNET_DATA")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.data_root is not None:
        os.environ["ANOMALYNET_DATA"] = str(args.data_root)
    heads = "model | data | steps compared | to the file in batches | to scores.parquet | restart"
    print(f"| {heads} | |")
    print("|---|---|---:|---:|---:|---|---|")
    passed = True
    for name in args.runs:
        with tempfile.TemporaryDirectory() as folder:
            found = compare(open_run(name), Path(folder), args.seed)
        result = found.run.result
        restart = "same bytes" if found.same else "other bytes"
        verdict = "equal" if found.passed else "**differs**"
        differences = f"{found.batch:.1e} | {found.stored:.1e} | {restart}"
        row = f"{result.model} | {result.data} | {found.steps:,} | {differences} | {verdict}"
        print(f"| {row} |", flush=True)
        passed &= found.passed
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
