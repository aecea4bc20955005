"""Finding data sets by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.folder import data_folder
from anomalynet.errors import DataError


def test_names_are_the_presets_and_the_modules_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path))
    assert sources.names() == [
        "healthcare",
        "industrial",
        "smart_city",
        "lwsndr",
        "skab",
        "ton_iot",
    ]
    assert data_folder() == tmp_path
    monkeypatch.delenv("ANOMALYNET_DATA")
    assert data_folder() == Path("data")


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(DataError, match=r"no data set named 'scab'\n.*did you mean data.name=skab"):
        sources.info("scab")


def test_a_subset_of_a_set_without_any_is_refused() -> None:
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
