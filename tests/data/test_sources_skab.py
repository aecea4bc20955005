"""SKAB: separators, missing labels, overlapping runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.errors import DataError

SENSORS = (
    "Accelerometer1RMS;Accelerometer2RMS;Current;Pressure;Temperature;Thermocouple;Voltage;Volume "
    "Flow RateRMS"
)


def write_run(root: Path, name: str, first: int, labels: list[int] | None) -> None:
    """Write a run of one reading a second from second `first`, in SKAB's own form."""
    head = f"datetime;{SENSORS}" + (";anomaly;changepoint" if labels is not None else "")
    count = len(labels) if labels is not None else 3
    lines = [head]
    for step in range(count):
        end = f";{labels[step]}.0;0.0" if labels is not None else ""
        lines.append(f"2020-03-09 10:00:{first + step:02};" + ";".join(["0.5"] * 8) + end)
    path = root / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode())


@pytest.fixture
def small(tmp_path: Path) -> Path:
    runs: list[tuple[str, int, list[int] | None]] = [
        ("valve1/0", 0, [0, 0, 1, 1, 0]),
        ("other/2", 4, [0, 1, 1]),
        ("other/10", 6, [0, 1, 1]),
        ("other/11", 8, [0, 0, 0]),
        ("anomaly-free/anomaly-free", 30, None),
    ]
    for name, first, labels in runs:
        write_run(tmp_path, name, first, labels)
    return tmp_path


def test_overlapping_runs_are_one_group_and_what_a_run_becomes(small: Path) -> None:
    telemetry = sources.load(DataConfig(name="skab", root=str(small)))
    # 0 and 2 share second 4, 2 and 10 second 6, 10 and 11 second 8
    assert set(telemetry.groups.values()) == {"other/10"}
    assert set(telemetry.groups) == {"valve1/0", "other/2", "other/10", "other/11"}
    assert telemetry.counts["time stamps in two runs"] == 3
    assert telemetry.counts["contradicting labels"] == 2  # seconds 6 (1, 0) and 8 (1, 0)
    assert telemetry.train_only == {"anomaly-free/anomaly-free"}
    for told in ("5 of 35 runs", "2 with contradictory labels"):
        assert any(told in warning for warning in telemetry.warnings)
    frame = telemetry.frame.collect()
    assert "changepoint" not in frame.columns and len(telemetry.channels) == 8
    valve = frame.filter(pl.col("series") == "valve1/0")
    assert valve["label"].to_list() == [0, 0, 1, 1, 0]
    assert valve["incident"].drop_nulls().n_unique() == 1
    assert valve["kind"].to_list() == [None, None, "inlet valve closed", "inlet valve closed", None]
    assert len(telemetry.incidents) == 3
    free = frame.filter(pl.col("series").str.starts_with("anomaly-free"))
    assert free["label"].to_list() == [0, 0, 0]


@pytest.mark.parametrize("layout", ["itself", "data", "skab", "skab/data"])
def test_root_may_be_the_folder_or_its_parents(tmp_path: Path, layout: str) -> None:
    write_run(tmp_path if layout == "itself" else tmp_path / layout, "valve2/0", 0, [0, 1])
    telemetry = sources.load(DataConfig(name="skab", root=str(tmp_path)))
    assert telemetry.frame.collect()["series"].unique().to_list() == ["valve2/0"]


def test_a_comma_separated_copy_and_a_broken_number_are_named_with_their_line(
    tmp_path: Path,
) -> None:
    write_run(tmp_path, "valve1/0", 0, [0, 1, 1])
    path = tmp_path / "valve1/0.csv"
    text = path.read_text()
    first, second, third, *rest = text.splitlines()
    half = "\n".join([first, second, third.replace("0.5", "half", 1), *rest])
    for content, told in (
        (text.replace(";", ","), r"0\.csv:1: column 'datetime,"),
        (half, r"0\.csv:3: sensor 'Accelerometer1RMS' is 'half'"),
    ):
        path.write_text(content)
        with pytest.raises(DataError, match=told):
            sources.load(DataConfig(name="skab", root=str(tmp_path)))


def test_missing_files_name_the_folder_and_the_way_out(tmp_path: Path) -> None:
    told = r"no files of skab in .*\n.*data fetch skab.*data\.root=FOLDER"
    with pytest.raises(DataError, match=told):
        sources.load(DataConfig(name="skab", root=str(tmp_path / "nowhere")))


def test_the_fingerprint_follows_the_bytes_not_the_place(small: Path) -> None:
    before = sources.fingerprint(DataConfig(name="skab", root=str(small)))
    copy = DataConfig(name="skab", root=str(shutil.copytree(small, small / "copy/skab")))
    assert sources.fingerprint(copy) == before
    file = small / "copy/skab/valve1/0.csv"
    file.write_bytes(file.read_bytes().replace(b"0.5", b"0.6"))
    assert sources.fingerprint(copy) != before


def test_the_real_files(real_data: Path) -> None:
    telemetry = sources.load(DataConfig(name="skab", root=str(real_data)))
    frame = telemetry.frame.collect()
    assert frame["series"].n_unique() == 35 and len(telemetry.channels) == 8
    labelled = frame.filter(pl.col("label") == 1)["series"].n_unique()
    assert labelled == 34 and len(telemetry.incidents) == 34
    groups: dict[str, set[str]] = {}
    for series, group in telemetry.groups.items():
        groups.setdefault(group, set()).add(series)
    assert sorted(map(sorted, groups.values())) == [
        ["anomaly-free/anomaly-free", "other/5"],
        ["other/10", "other/11"],
        ["other/12", "other/13"],
        ["other/2", "other/3", "other/4"],
    ]
    assert telemetry.counts["time stamps in two runs"] == 1_290
    assert telemetry.counts["contradicting labels"] == 178 + 57
    assert frame.height == 46_806 and frame["label"].sum() == 13_067
