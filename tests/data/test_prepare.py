"""The prepared cache: built once, shared, rebuilt when torn or when the data is another."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomalynet.config.schema import DataConfig, QualityConfig, SplitConfig
from anomalynet.data import prepare as module
from anomalynet.data import sources
from anomalynet.data.prepare import prepare
from anomalynet.data.telemetry import Telemetry
from tests.data.build import steady, telemetry

CONFIG = DataConfig(name="mine", calibration_rows=2)


class Source:
    """Stands for `data.sources`; counts how often the data was read."""

    def __init__(self) -> None:
        self.content = "one"
        self.rows = 20
        self.reads = 0

    def fingerprint(self, config: DataConfig, reread: bool = False) -> str:
        return self.content

    def load(self, config: DataConfig) -> Telemetry:
        self.reads += 1
        return telemetry([steady("s", self.rows, [0] * self.rows)])


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Source:
    found = Source()
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path))
    monkeypatch.setattr(sources, "fingerprint", found.fingerprint)
    monkeypatch.setattr(sources, "load", found.load)
    return found


def test_built_once_and_read_again(source: Source) -> None:
    first, second = prepare(CONFIG), prepare(replace(CONFIG, window=7, split=SplitConfig(fold=3)))
    assert source.reads == 1
    assert isinstance(second.values, np.memmap) and np.array_equal(first.values, second.values)
    assert second.segments == first.segments and second.channels == first.channels
    assert np.array_equal(first.calibration_mean, [[0.5, 0.5]])


def test_writing_to_it_never_reaches_the_file(source: Source) -> None:
    first = prepare(CONFIG)
    first.values[:] = 70
    assert not (prepare(CONFIG).values == 70).any()


def test_other_content_or_other_preparation_is_another_cache(source: Source) -> None:
    prepare(CONFIG)
    source.content, source.rows = "two", 30
    assert len(prepare(CONFIG).values) == 30
    others: list[dict[str, Any]] = [
        {"mask_channel": False},
        {"label": "any"},
        {"view": "cell"},
        {"neighbours": 2},
        {"link_channels": False},
        {"quality": QualityConfig(impute="zero")},
    ]
    for number, keys in enumerate(others):
        found = prepare(replace(CONFIG, **keys))
        assert found.values.shape == (30, 3 - ("mask_channel" in keys))
        assert source.reads == 3 + number


@pytest.mark.parametrize("missing", ["labels.npy", "prepared.json"])
def test_a_cache_without_all_its_files_is_built_again(
    source: Source, tmp_path: Path, missing: str
) -> None:
    whole = np.array(prepare(CONFIG).values)
    next((tmp_path / "prepared").glob(f"*/{missing}")).unlink()
    assert np.array_equal(prepare(CONFIG).values, whole)
    assert source.reads == 2


def test_a_failure_leaves_nothing_behind(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "calibrate", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        prepare(CONFIG)
    assert not [path for path in (tmp_path / "prepared").iterdir() if path.is_dir()]


def test_two_processes_prepare_it_once(tmp_path: Path) -> None:
    script = """
import sys, time
from anomalynet.config.schema import DataConfig
from anomalynet.data import sources
from anomalynet.data.prepare import prepare
from tests.data.build import steady, telemetry

def load(config):
    with open(sys.argv[1], "a") as log:
        log.write("read\\n")
    time.sleep(0.5)
    return telemetry([steady("s", 20, [0] * 20)])

sources.fingerprint, sources.load = (lambda config, **_: "one"), load
print(float(prepare(DataConfig(name="mine", calibration_rows=0)).values.sum()))
"""
    log, root = tmp_path / "log", str(Path(__file__).parents[2])
    environment = {"ANOMALYNET_DATA": str(tmp_path), "PATH": "", "PYTHONPATH": root}
    options: dict[str, Any] = {"env": environment, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", script, str(log)]
    both = [subprocess.Popen(command, **options) for _ in range(2)]
    printed = {process.communicate(timeout=60)[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(printed) == 1 and log.read_text() == "read\n"
