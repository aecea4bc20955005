"""Finding data sets by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.folder import data_folder
from anomalynet.errors import DataError


def test_names_are_the_presets_and_the_modules_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path))
    presets = ["healthcare", "industrial", "smart_city", "smart_city_stressed"]
    assert sources.names() == [*presets, "lwsndr", "nab", "skab", "smd", "ton_iot"]
    assert data_folder() == tmp_path
    monkeypatch.delenv("ANOMALYNET_DATA")
    assert data_folder() == Path("data")


def test_an_unknown_name_gets_the_nearest_and_a_subset_of_a_set_without_any_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"unknown data set 'scab', also in .*\n.*did you mean skab"
    ):
        sources.info("scab")
    with pytest.raises(DataError, match="smart_city has no subsets"):
        sources.load(DataConfig(subset="fridge"))


def test_hashes_are_kept_and_noticed_when_a_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "home"))
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "single-hop.csv").write_text("a")
    config = DataConfig(name="lwsndr", root=str(folder))
    first = sources.fingerprint(config)
    assert (tmp_path / "home/.fingerprints.json").is_file()
    (tmp_path / "home/.fingerprints.json").write_text("not json")
    assert sources.fingerprint(config) == first
    (folder / "single-hop.csv").write_text("ab")
    assert sources.fingerprint(config) != first


HEAD = "reading,mote_id,indoor,humidity,temperature,label\n"


def test_motes_of_two_networks_are_apart_and_readings_five_seconds(tmp_path: Path) -> None:
    single = HEAD + "1,1,1,45.93,27.97,0\n2,1,1,45.9,27.95,1\n1,2,1,40,20,0\n"
    (tmp_path / "single-hop.csv").write_text(single)
    config = DataConfig(name="lwsndr", root=str(tmp_path))
    assert any("only 1 of 2 networks" in warning for warning in sources.load(config).warnings)
    (tmp_path / "multi-hop.csv").write_text(HEAD + "1,1,0,43.82,30.21,0\n")
    telemetry = sources.load(config)
    frame = telemetry.frame.collect()
    assert set(frame["series"]) == {"multi-hop/1", "single-hop/1", "single-hop/2"}
    first = frame.filter(pl.col("series") == "single-hop/1")
    assert first["time"].to_list() == [datetime(1970, 1, 1), datetime(1970, 1, 1, 0, 0, 5)]
    assert first["kind"].to_list() == [None, "introduced event"]
    units = {channel.name: channel.unit for channel in telemetry.channels}
    assert units == {"humidity": "%", "temperature": "°C"}
    one = sources.load(replace(config, subset="multi-hop"))
    assert one.frame.collect()["series"].to_list() == ["multi-hop/1"]


def test_the_real_files(real_data: Path) -> None:
    telemetry = sources.load(DataConfig(name="lwsndr", root=str(real_data)))
    frame = telemetry.frame.collect()
    assert frame["series"].n_unique() == 8 and frame.height == 18_914 + 18_760
    assert len(telemetry.incidents) == 4
    lengths = frame.drop_nulls("incident")["incident"].value_counts()["count"]
    assert sorted(lengths) == [32, 58, 100, 117]
    assert telemetry.period == 5.0
    assert any("smoke test" in warning for warning in telemetry.warnings)
