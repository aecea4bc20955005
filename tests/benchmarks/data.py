"""Rows of data: the leakage audit, files to prepared windows, many runs read for a report."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from anomalynet.config.load import load_data_config
from anomalynet.config.schema import DataConfig
from anomalynet.data.folder import data_folder
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.data.prepare import prepare
from anomalynet.data.split.ranges import Ranges
from anomalynet.data.windows import Windows
from tests.benchmarks.measure import (
    LeftOutError,
    Measured,
    Report,
    compared,
    take_turns,
    timed,
    value,
)
from tests.reporting.synthetic import measured, record

STARTED = datetime(2026, 1, 1)
WINDOW, STRIDE, CALIBRATION = 32, 4, 100
EXPERIMENTS = ("cnn", "lstm", "cnn_lstm", "hybrid", "autoencoder", "logistic", "random_forest")


def readings(rows: int, channels: int, series: int, period: int = 1) -> pl.DataFrame:
    """A table of made-up recordings: random walks with a step in a 25th of the time."""
    random, each = np.random.default_rng(0), rows // series
    label = (np.arange(each) % 500 >= 480).astype(np.int8)
    ends = STARTED + timedelta(seconds=period * (each - 1))
    times = pl.datetime_range(STARTED, ends, f"{period}s", eager=True)
    tables = []
    for number in range(series):
        walk = np.cumsum(random.normal(size=(each, channels)), axis=0) + 20 * label[:, None]
        columns = {f"sensor{at}": walk[:, at].round(3) for at in range(channels)}
        own = {"device": [f"device-{number:05}"] * each, "time": times, **columns, "label": label}
        tables.append(pl.DataFrame(own))
    return pl.concat(tables)


def imported(path: Path, name: str) -> None:
    """Import a table of `readings` from a file, in place of an earlier one."""
    asked = ImportRequest(
        file=path, name=name, time="time", series="device", label="label", replace=True
    )
    import_table(asked)


def configured(name: str) -> DataConfig:
    """An imported table, with what `plain_windows` does as well."""
    keys = [f"data.window={WINDOW}", f"data.stride={STRIDE}"]
    return load_data_config(name, [*keys, f"data.calibration_rows={CALIBRATION}"])


def audit_seconds(folder: Path, rounds: int, report: Report) -> list[Measured]:
    """The audit of one sensor, as long as a recording of the Numenta benchmark."""
    from anomalynet.data.audit import audit

    readings(22_683, 1, 1, 300).write_csv(folder / "one.csv")
    imported(folder / "one.csv", "one")
    config = load_data_config("one")
    prepare(config)
    found = [timed(lambda: audit(config)) for _ in range(rounds)]
    return [value("audit, 22,683 × 1", found, "s", 5.0)]


def our_windows(path: Path, stages: list[tuple[float, float]] | None = None) -> int:
    """Import and prepare a file, and gather its windows. Returns their number; adds the seconds of
    import and preparation to `stages`."""
    started = time.perf_counter()
    imported(path, "compared")
    between = time.perf_counter()
    prepared = prepare(configured("compared"))
    if stages is not None:
        stages.append((between - started, time.perf_counter() - between))
    starts = np.array([one.start for one in prepared.segments], np.int64)
    stops = np.array([one.stop for one in prepared.segments], np.int64)
    windows = Windows(prepared, Ranges(starts, stops), WINDOW, STRIDE)
    for chunk in windows.chunks():
        windows.gather(chunk)
    shutil.rmtree(data_folder() / "prepared")  # so that the next round prepares again
    return len(windows)


def plain_windows(path: Path) -> int:
    """The same with pandas and a loop over series, as it is often written."""
    import pandas as pd  # type: ignore[import-untyped]

    if path.suffix == ".csv":
        table = pd.read_csv(path, parse_dates=["time"])
    else:
        table = pd.read_parquet(path)
    windows, targets = [], []
    for _, recording in table.groupby("device", sort=False):
        own = recording.set_index("time").drop(columns="device").resample("1s").first()
        label = own.pop("label").fillna(0).to_numpy()
        values = own.ffill().to_numpy()
        first = values[:CALIBRATION]
        scaled = ((values - first.mean(axis=0)) / (first.std(axis=0) + 1e-6)).astype(np.float32)
        for start in range(CALIBRATION, len(scaled) - WINDOW + 1, STRIDE):
            windows.append(scaled[start : start + WINDOW])
            targets.append(label[start + WINDOW - 1])
    np.stack(windows)
    return len(windows)


def _seconds(call: Callable[..., int], *arguments: Any) -> float:
    return timed(partial(call, *arguments))


def prepared_windows(folder: Path, rounds: int, report: Report) -> list[Measured]:
    """CSV and Parquet to windows, beside pandas; and how the seconds grow with columns."""
    try:
        import pandas  # noqa: F401
        import pyarrow  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        raise LeftOutError("pandas or pyarrow is not installed") from None
    rows, table = [], readings(200_000, 8, 20)
    table.write_csv(folder / "plain.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    table.write_parquet(folder / "plain.parquet")
    for path in (folder / "plain.csv", folder / "plain.parquet"):
        assert our_windows(path) == plain_windows(path)
        stages: list[tuple[float, float]] = []
        arms = {
            "ours": partial(_seconds, our_windows, path, stages),
            "pandas": partial(_seconds, plain_windows, path),
        }
        found = take_turns(arms, rounds)
        title = f"{path.suffix[1:]} of 200,000 × 8 to windows"
        first, second = np.median(stages, axis=0)
        note = f"the import, which checks every value and keeps the set, takes {first:.2f} s, the "
        note += f"cleaned and calibrated cache on disk {second:.2f} s; the loop keeps nothing"
        rows.append(compared(title, found, "pandas and a loop", "faster", 10.0, note=note))
    return rows


def report(folder: Path, rounds: int, page: Report) -> list[Measured]:
    """The scores of 2,000 runs to the numbers of a report."""
    runs, count, steps = folder / "synthetic", 2000, 2000
    shutil.rmtree(runs, ignore_errors=True)
    random = np.random.default_rng(0)
    labels = (np.arange(steps) % 200 < 10).astype(int)
    records = []
    for number in range(count):
        experiment = EXPERIMENTS[number % len(EXPERIMENTS)]
        place = number // len(EXPERIMENTS)
        scores = 1 / (1 + np.exp(-random.normal(size=steps) - 2 * labels))
        steps_of = {"labels": labels.tolist(), "scores": scores.tolist()}
        seed, fold = divmod(place, 5)
        records.append(record(runs, experiment, seed=seed, fold=fold, folds=5, **steps_of))
    found = [timed(lambda: measured(*records)) for _ in range(rounds)]
    print(f"  first {found[0]:.1f} s", file=sys.stderr)
    return [value(f"reading {count:,} runs of {steps:,} steps for a report", found, "s", 20.0)]
