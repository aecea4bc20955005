"""The audit finds leaks that were planted, and those that the real sets have."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anomalynet.cli.main import main
from anomalynet.config.schema import DataConfig, SplitConfig
from anomalynet.data import audit as module
from anomalynet.data import sources
from anomalynet.data.audit import audit
from anomalynet.errors import DataError
from anomalynet.runs.audits import AuditResult
from tests.data.build import Facts, Recording, telemetry

CONFIG = DataConfig(
    name="mine", window=4, max_gap=4, calibration_rows=0, split=SplitConfig(folds=3)
)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Makes recordings the data."""

    def make(found: list[Recording], period: float | None = 1.0) -> None:
        facts = Facts(period=period)
        monkeypatch.setattr(sources, "load", lambda config: telemetry(found, facts))

    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path))
    monkeypatch.setattr(sources, "fingerprint", lambda config, **_: "one")
    return make


def verdicts(found: AuditResult) -> set[str]:
    return {probe.probe for probe in found.probes if probe.verdict}


def auroc(found: AuditResult, name: str) -> float:
    value = next(probe.auroc for probe in found.probes if probe.probe == name)
    assert value is not None
    return value


def noise(seed: int, rows: int) -> list[float | None]:
    return list(map(float, np.random.default_rng(seed).normal(size=rows)))


def test_planted_leaks_and_nothing_else(use: Callable[..., None]) -> None:
    random = np.random.default_rng(0)
    recordings = []
    for number in range(6):
        labels = (random.random(120) < 0.5).astype(int)
        # Channel b is the label; attacks come after a longer step.
        seconds = np.cumsum(np.where(labels == 1, 1.3, 1.0)).tolist()
        values = [noise(number, 120), labels.astype(float).tolist()]
        recordings.append(Recording(f"s{number}", seconds, values, labels.tolist()))
    use(recordings)
    found = audit(CONFIG, 0)
    assert verdicts(found) == {"time step", "b"}
    assert auroc(found, "b") == auroc(found, "all channels") == 1
    assert 0.4 < auroc(found, "a") < 0.6
    assert found.steps == 6 * 117 and found.split == "group" and found.refused is None
    assert json.loads(json.dumps(found.to_dict()))["probes"][0]["probe"] == "row position"


def test_position_and_missingness(use: Callable[..., None]) -> None:
    labels: list[int | None] = [int(60 <= row < 90) for row in range(120)]
    silence = [None if label else 0.0 for label in labels]
    values = [[noise(number, 120), silence] for number in range(6)]
    use([Recording(f"s{number}", range(120), values[number], labels) for number in range(6)])
    found = audit(CONFIG, 0)
    assert {"row position", "fraction of the recording", "missingness"} <= verdicts(found)
    assert found.majority == pytest.approx(87 / 117)


def test_classes_at_different_times_are_refused_and_interleaved(use: Callable[..., None]) -> None:
    seconds = [row * 200.0 for row in range(400)] + [86_400 * 3 + row * 150.0 for row in range(500)]
    use([Recording("s", seconds, [noise(0, 900)], [0] * 400 + [1] * 500)], period=None)
    found = audit(CONFIG, 0)
    assert found.refused is not None and "one class" in found.refused
    assert found.split == "blocked (interleaved ×20)"
    assert [(day.normal, day.attack) for day in found.days] == [(400, 0), (0, 500)]
    assert auroc(found, "time step") > 0.95


def test_data_without_labels_has_nothing_to_leak(use: Callable[..., None]) -> None:
    use([Recording("s", range(50), [noise(0, 50)])])
    with pytest.raises(DataError, match="no labels"):
        audit(CONFIG, 0)
    use([Recording("s", range(50), [noise(0, 50)], [1] * 50)])
    with pytest.raises(DataError, match="both classes"):
        audit(replace(CONFIG, window=5), 0)


def test_a_short_file_of_one_channel_with_a_gap_of_days_is_audited(
    use: Callable[..., None],
) -> None:
    # Most blocks of equal time would lie in the gap.
    seconds = [*range(300), *range(3 * 86_400, 3 * 86_400 + 300)]
    labels = [row % 12 // 6 for row in range(600)]
    use([Recording("s", seconds, [[float(label) for label in labels]], labels)])
    found = audit(CONFIG, 0)
    assert found.split == "blocked" and found.refused is None
    assert auroc(found, "a") == 1 and found.steps == 600 - 4 * 3
    assert "evenly spaced" in found.rule


def test_folds_without_attacks_are_pooled(use: Callable[..., None]) -> None:
    # Two of six series have attacks: no assignment gives every part of three folds both classes.
    labels = [[int(row % 9 > 5 and number < 2) for row in range(60)] for number in range(6)]
    recordings = [
        Recording(f"s{n}", range(60), [[float(one) for one in labels[n]]], labels[n])
        for n in range(6)
    ]
    use(recordings)
    found = audit(CONFIG, 0)
    assert found.split == "group" and found.steps == 6 * 57


def test_steps_of_other_incidents_are_not_tested(use: Callable[..., None]) -> None:
    # Every tenth step on is a fault that looks like an attack; nine steps later one is.
    labels = [int(row % 20 == 19) for row in range(120)]
    incidents = [
        row // 20 if row % 20 == 19 else 90 if row % 20 == 10 else None for row in range(120)
    ]
    shown = [float(one is not None) for one in incidents]
    use([Recording(f"s{n}", range(120), [shown], labels, incidents=incidents) for n in range(6)])
    found = audit(replace(CONFIG, window=1), 0)
    assert found.steps == 6 * (120 - 6) and auroc(found, "a") == 1


@pytest.fixture
def fewer_windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The real sets, with evenly spaced windows: quick, and the same facts."""
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path))
    monkeypatch.setattr(module, "TRAINED", 2500)
    monkeypatch.setattr(module, "SCORED", 2500)


def test_skab_by_row_position(
    real_data: Path, fewer_windows: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TRAINED", 800)
    monkeypatch.setattr(module, "SCORED", 800)
    skab = DataConfig(name="skab", root=str(real_data), stride=8, split=SplitConfig(folds=3))
    found = audit(skab, 0)
    position = found.probes[0]
    assert position.probe == "row position" and position.verdict
    assert 0.91 < auroc(found, "row position") < 0.95 and 0.93 < position.accuracy < 0.96
    assert auroc(found, "fraction of the recording") == pytest.approx(0.95, abs=0.01)


def test_ton_iot_by_time_step(
    real_data: Path, fewer_windows: None, capsys: pytest.CaptureFixture[str]
) -> None:
    root = f"data.root={real_data / 'ton_iot'}"
    options = ["data.subset=fridge", root, "data.calibration_rows=0", "data.stride=5"]
    assert main(["audit", "ton_iot", *options]) == 0
    printed, told = capsys.readouterr()
    for line in (
        "a chronological split is refused",
        "days with both classes: none of 8",
        "blocked (interleaved ×20)",
    ):
        assert line in printed
    assert "fold 5/5" in told
    rows = {line.split("\t")[0]: line.split("\t") for line in printed.splitlines()}
    assert 0.98 < float(rows["time step"][2]) < 1
    assert rows["time step"][-1] == "gives the label away"
    assert float(rows["fridge_temperature"][2]) < 0.55
