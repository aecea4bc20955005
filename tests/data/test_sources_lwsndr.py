"""LWSNDR: no clock, mote ids that repeat."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources

HEAD = "reading,mote_id,indoor,humidity,temperature,label\n"


def test_motes_of_two_networks_are_apart_and_readings_five_seconds(tmp_path: Path) -> None:
    (tmp_path / "single-hop.csv").write_text(
        HEAD + "1,1,1,45.93,27.97,0\n2,1,1,45.9,27.95,1\n1,2,1,40,20,0\n"
    )
    (tmp_path / "multi-hop.csv").write_text(HEAD + "1,1,0,43.82,30.21,0\n")
    telemetry = sources.load(DataConfig(name="lwsndr", root=str(tmp_path)))
    frame = telemetry.frame.collect()
    assert frame["series"].unique().sort().to_list() == [
        "multi-hop/1",
        "single-hop/1",
        "single-hop/2",
    ]
    single = frame.filter(pl.col("series") == "single-hop/1")
    assert single["time"].to_list() == [datetime(1970, 1, 1), datetime(1970, 1, 1, 0, 0, 5)]
    assert single["kind"].to_list() == [None, "introduced event"]
    assert [(channel.name, channel.unit) for channel in telemetry.channels] == [
        ("humidity", "%"),
        ("temperature", "°C"),
    ]
    one = sources.load(DataConfig(name="lwsndr", root=str(tmp_path), subset="multi-hop"))
    assert one.frame.collect()["series"].to_list() == ["multi-hop/1"]


def test_one_network_missing_is_said(tmp_path: Path) -> None:
    (tmp_path / "single-hop.csv").write_text(HEAD + "1,1,1,45.93,27.97,0\n")
    telemetry = sources.load(DataConfig(name="lwsndr", root=str(tmp_path)))
    assert "one of the two networks is missing" in telemetry.warnings


def test_the_real_files(real_data: Path) -> None:
    telemetry = sources.load(DataConfig(name="lwsndr", root=str(real_data)))
    frame = telemetry.frame.collect()
    assert frame["series"].n_unique() == 8 and frame.height == 18_914 + 18_760
    assert len(telemetry.incidents) == 4
    assert sorted(frame.drop_nulls("incident").group_by("incident").len()["len"].to_list()) == [
        32,
        58,
        100,
        117,
    ]
    assert telemetry.period == 5.0 and any(
        "smoke test" in warning for warning in telemetry.warnings
    )
