"""The memory of an epoch and of scoring grows by few bytes per row of the data."""

from __future__ import annotations

import tracemalloc
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from anomalynet.config.load import load
from anomalynet.data import datamodule
from anomalynet.data.datamodule import SCORED, TelemetryDataModule
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.data.prepare import prepare
from anomalynet.data.steps import metrics, scores_table, threshold
from anomalynet.runs.files import write_parquet

SERIES, FEW, MANY = 10, 20_000, 200_000
KEYS = ("data.window=4", "data.calibration_rows=20", "training.windows_per_epoch=500")


def peak(folder: Path, rows: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Most bytes in arrays at a time, from split to scores.parquet, on a set of so many rows."""
    monkeypatch.setenv("ANOMALYNET_DATA", str(folder / "data"))
    at = pl.int_range(rows // SERIES)
    label = pl.when(at % 50 < 5).then(1).when(at % 50 > 6).then(0).cast(pl.Int8)
    time = datetime(2026, 1, 1) + pl.duration(seconds=at)
    one = pl.select(time=time, a=(at * 7 % 101) / 10, b=(at * 11 % 97) / 10, label=label)
    names = [f"device {number}" for number in range(SERIES)]
    table = pl.concat([one.select(pl.lit(name).alias("device"), pl.all()) for name in names])
    file = folder / "table.parquet"
    table.write_parquet(file)
    import_table(
        ImportRequest(file=file, name="growing", time="time", series="device", label="label")
    )
    config = load("cnn", ["data.name=growing", "data.worlds=null", *KEYS]).config
    found = prepare(config.data)
    monkeypatch.setattr(datamodule, "prepare", lambda _: found)  # checksums of files come before
    tracemalloc.start()
    try:
        module = TelemetryDataModule(config, "labelled")
        module.setup()
        module.normalisation()
        assert sum(len(batch.x) for batch in module.train_dataloader()) == 500
        steps = {}
        for part in SCORED:
            scores = np.random.default_rng(0).random(len(module.windows(part)))
            steps[part] = module.steps(part, scores)
        limit = threshold(config.evaluation, steps["validation"], module.devices)
        for part in SCORED:
            metrics(steps[part], limit, probability=True)
        write_parquet(folder / "scores.parquet", scores_table(steps, limit))
        counts = [module.summary(part).steps for part in datamodule.PARTS]
        assert sum(counts) == rows - 20 * SERIES
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_an_epoch_and_scoring_take_few_bytes_per_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for rows in (FEW, MANY):
        (folder := tmp_path / str(rows)).mkdir()
        found.append(peak(folder, rows, monkeypatch))
    few, many = found
    assert (many - few) / (MANY - FEW) < 30
