"""Data without labels: what calibrates and splits it, and a threshold that keeps a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from anomalynet.config.load import load
from anomalynet.config.schema import EvaluationConfig
from anomalynet.data import sources
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from anomalynet.data.split.parts import fold_count
from anomalynet.data.steps import fleet_warning, threshold
from anomalynet.runs.schema import NOTE

DAY = 120  # readings, one per 720 s


@pytest.mark.parametrize(
    ("devices", "readings", "label", "rows", "policy", "folds"),
    [
        (2, 7 * DAY, False, DAY, "blocked", 5),
        (2, 4 * DAY, False, DAY, "blocked", 3),  # a day each
        (2, 300, False, 100, "auto", 5),  # a third, and too little for blocks of windows
        (15, 4 * DAY - 9, False, DAY, "auto", 5),  # no day each, but three devices each
        (2, 4 * DAY, True, 100, "auto", 5),
    ],
)
def test_the_defaults_of_data_without_labels(
    devices: int,
    readings: int,
    label: bool,
    rows: int,
    policy: str,
    folds: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path))
    steps = np.tile(np.arange(readings), devices)
    columns = {
        "time": 1_700_000_000 + 720 * steps,
        "device": np.repeat([*"abcdefghijklmno"][:devices], readings),
    }
    columns |= {"x": np.sin(steps)} | ({"attack": (steps % 9 == 0).astype(int)} if label else {})
    pl.DataFrame(columns).write_csv(tmp_path / "mine.csv")
    where: dict[str, Any] = {"time": "time", "series": "device"}
    where["label"] = "attack" if label else None
    import_table(ImportRequest(file=tmp_path / "mine.csv", name="mine", **where))
    found = sources.completed(load("cnn", ["data.name=mine"]).config)
    split = found.data.split
    assert (found.data.calibration_rows, split.policy, split.folds) == (rows, policy, folds)
    assert fold_count(sources.completed(load("cnn", ["data.name=mine"]).config).data) == folds
    blind = sources.completed(load("hybrid_injected", ["data.name=mine"]).config)
    assert blind.data.split.policy == ("blocked" if label else policy)  # no label is read
    own = ["data.calibration_rows=7", "data.split.policy=group"]
    given = load("hybrid_injected", ["data.name=mine", *own]).config
    assert sources.completed(given) == given


def test_a_channel_that_drifts_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path))
    steps = np.tile(np.arange(5 * DAY), 2)
    noise = np.random.default_rng(0).normal(size=len(steps))
    columns = {"time": 1_700_000_000 + 720 * steps, "device": np.repeat(["a", "b"], 5 * DAY)}
    columns |= {"steady": np.sin(steps / 19) + noise, "battery": 4 - 0.001 * steps + 0.01 * noise}
    pl.DataFrame(columns).write_csv(tmp_path / "mine.csv")
    file = tmp_path / "mine.csv"
    import_table(ImportRequest(file=file, name="mine", time="time", series="device"))
    dm = TelemetryDataModule(load("hybrid_injected", ["data.name=mine"]).config)
    dm.setup()
    assert dm.drifted() == ["battery"]


def scored(*series: list[float], label: int | None = None) -> pl.DataFrame:
    """Scores of devices, a step per hour."""
    parts = [
        pl.DataFrame({"series": [str(number)] * len(own), "score": own})
        .with_row_index("hour")
        .select("series", "score", time=pl.duration(hours="hour") + pl.datetime(2026, 1, 1))
        for number, own in enumerate(series)
    ]
    unknown = pl.lit(None, pl.Int32).alias("incident"), pl.lit(label, pl.Int8).alias("label")
    return pl.concat(parts).with_columns(*unknown)


def test_a_threshold_without_labels_leaves_room_for_other_days() -> None:
    # Ten days of one device, every other step a peak of its own: 1, 2, 3, … of 240.
    peaks = [0.0 if hour % 2 else 1.0 + hour / 2 for hour in range(240)]
    config = EvaluationConfig(threshold="alarm_budget")  # one per device and day
    raised = sum(peak >= threshold(config, scored(peaks), 1) for peak in peaks)
    assert raised == 6  # 6 + 1 + √7 = 9.6 of 10, and 7 + 1 + √8 = 10.8
    assert sum(peak >= threshold(config, scored(peaks, label=0), 1) for peak in peaks) == 10
    none = EvaluationConfig(threshold="alarm_budget", alarms_per_day=0.0)
    assert threshold(none, scored(peaks), 1) > 120
    tied = [1.0 if hour in (3, 9, 15) else 0.0 for hour in range(72)]
    assert 0 < threshold(config, scored(tied), 1) <= 1  # nothing would be above


def test_train_compares_alarms_with_the_budget() -> None:
    config = EvaluationConfig(threshold="alarm_budget")
    quiet, busy = [0.0] * 24, [0.0, 1.0] * 12
    short, none = scored(quiet, quiet), scored(*[quiet * 3] * 2)
    (said, too_short, more) = fleet_warning(config, [short, scored(busy, quiet)], 0.5, 2)
    assert "0 alarms per device and day on validation, 6 on test, 1 allowed" in said
    assert [text.startswith(NOTE) for text in (said, too_short, more)] == [True, False, False]
    assert "only 2 alarms in validation, 2 days" in too_short and "detect --hits 3/5" in more
    assert len(fleet_warning(config, [none, none], 0.5, 2)) == 1
    assert fleet_warning(config, [scored(quiet, label=0), short], 0.5, 2) == []
