"""SMD: files without a header or times, an unlabelled half and a labelled one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from anomalynet.config.load import load
from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.data.describe import describe
from anomalynet.errors import DataError

TRAIN, TEST = 40, 60
EVENT = range(30, 42)


def write(
    root: Path, machines: Sequence[str] = ("machine-1-1", "machine-2-9", "machine-3-11")
) -> Path:
    """Write machines in SMD's layout: channel 1 is high in the event, channel 38 is constant."""
    for part in ("train", "test", "test_label"):
        (root / part).mkdir(parents=True, exist_ok=True)
    for machine in machines:
        for part, rows in (("train", TRAIN), ("test", TEST)):
            lines = []
            for row in range(rows):
                first = 0.9 if part == "test" and row in EVENT else 0.01 * (row % 5)
                values = [first, *(0.001 * (row * channel % 7) for channel in range(2, 38)), 0.5]
                lines.append(",".join(f"{value:.6f}" for value in values))
            (root / part / f"{machine}.txt").write_text("\n".join(lines) + "\n")
        labels = [str(int(row in EVENT)) for row in range(TEST)]
        (root / "test_label" / f"{machine}.txt").write_text("\n".join(labels) + "\n")
    return root


def test_the_two_halves_of_a_machine(tmp_path: Path) -> None:
    write(tmp_path)
    telemetry = sources.load(DataConfig(name="smd", root=str(tmp_path), subset="machine-2-9"))
    frame = telemetry.frame.collect()
    assert frame["series"].unique(maintain_order=True).to_list() == [
        "machine-2-9/test",
        "machine-2-9/train",
    ]
    assert telemetry.train_only == {"machine-2-9/train"}
    assert set(telemetry.groups.values()) == {"machine-2-9"}
    train, test = (frame.filter(series=f"machine-2-9/{half}") for half in ("train", "test"))
    assert train["label"].null_count() == TRAIN
    assert test["label"].to_list() == [int(row in EVENT) for row in range(TEST)]
    minutes = pl.concat([train, test])["time"].dt.epoch("s") / 60
    assert minutes.to_list() == list(range(TRAIN + TEST))
    assert len(telemetry.channels) == 38 and frame["channel 38"].unique().to_list() == [0.5]
    assert test["channel 1"][30] == pytest.approx(0.9)
    assert test["channel 7"][3] == pytest.approx(0.0)  # 3 · 7 % 7


def test_machines_are_groups_and_missing_ones_are_reported(tmp_path: Path) -> None:
    write(tmp_path / "ServerMachineDataset")
    facts = describe(DataConfig(name="smd", root=str(tmp_path)))
    assert (facts["series"], facts["rows"], facts["period"]) == (6, 3 * (TRAIN + TEST), 60.0)
    assert (facts["labelled"], facts["attack"]) == (3 * TEST, 3 * 12)
    assert ["machine-3-11/test", "machine-3-11/train"] in facts["groups"]
    assert any("only 3 of 28 machines" in warning for warning in facts["warnings"])
    (tmp_path / "ServerMachineDataset/test_label/machine-3-11.txt").unlink()
    telemetry = sources.load(DataConfig(name="smd", root=str(tmp_path)))
    assert telemetry.counts["machines"] == 2


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("test", "0.500000\n", "half\n", r"test/machine-1-1\.txt:60: .*'half'"),
        ("train", ",0.500000\n", "\n", r"train/machine-1-1\.txt:40: 37 fields"),
        ("train", "0.500000\n", "0.5,1\n", r"train/machine-1-1\.txt:40: 39 fields"),
        ("test_label", "0\n", "2\n", r"machine-1-1\.txt:60: a label is 0 or 1"),
        ("test_label", "0\n", "", r"test_label/machine-1-1\.txt: 59 labels.* 60 rows"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, file: str, old: str, new: str, told: str) -> None:
    path = write(tmp_path, ["machine-1-1"]) / file / "machine-1-1.txt"
    path.write_text(new.join(path.read_text().rsplit(old, 1)))
    with pytest.raises(DataError, match=told):
        sources.load(DataConfig(name="smd", root=str(tmp_path)))


def test_a_run_is_tested_on_the_labelled_half(tmp_path: Path) -> None:
    write(tmp_path)
    keys = ["data.name=smd", f"data.root={tmp_path}", "data.window=4", "data.max_gap=2"]
    keys += ["data.calibration_rows=6", "data.split.folds=3"]
    module = TelemetryDataModule(load("random_forest", keys).config)
    module.setup()
    for part in ("validation", "test"):
        assert all(name.endswith("/test") for name in module.summary(part).series)
