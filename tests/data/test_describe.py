"""What a data set says of its recordings, and of what they have in common."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from anomalynet.config.schema import DataConfig
from anomalynet.data.describe import common_warnings, describe, not_in_order
from anomalynet.data.importing.import_table import import_table
from anomalynet.data.importing.request import ImportRequest
from tests.data.build import Facts, Recording, telemetry


def test_each_recording_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALYNET_DATA", str(tmp_path / "data"))
    file = tmp_path / "rooms.csv"
    rows = [("a", 60 * at, str(int(at == 3))) for at in (0, 1, 2, 3, 7)]
    rows += [("b", 300 * at, "") for at in range(3)]
    lines = [f"{room},{time},{time / 7},{label}" for room, time, label in rows]
    file.write_text("room,t,x,label\n" + "\n".join(lines))
    asked = {"time": "t", "series": "room", "label": "label", "period": 60.0}
    import_table(ImportRequest(file=file, name="rooms", **asked))  # type: ignore[arg-type]
    found = describe(DataConfig(name="rooms"))
    assert [list(row.values()) for row in found["recordings"]] == [
        ["a", 5, 420.0, 60.0, 1, 240.0, 5, pytest.approx(0.2)],
        ["b", 3, 600.0, 300.0, 0, 300.0, 0, None],
    ]
    assert any("b 300 s" in warning for warning in found["warnings"])


def _series(number: int, attacked: list[int], shift: float = 0.0) -> Recording:
    labels = [int(row // 10 in attacked) for row in range(400)]
    seconds = [60.0 * row + shift for row in range(400)]
    return Recording(f"s{number}", seconds, [[1.0] * 400], labels)


def test_series_whose_incidents_coincide_are_reported() -> None:
    facts = Facts(period=60.0, imported=True)
    slots = [3, 9, 17, 30]
    together = [_series(number, slots, shift=7.0 * number) for number in range(4)]
    (warning,) = common_warnings(telemetry(together, facts), {})
    assert "data.split.policy=blocked" in warning
    # attacks at other times, and many attacks that meet by chance
    apart = [_series(number, [number, 10 + 2 * number]) for number in range(4)]
    random = np.random.default_rng(0)
    often = [_series(number, random.permutation(40)[:16].tolist()) for number in range(6)]
    for recordings in (apart, often, together[:1]):
        assert common_warnings(telemetry(recordings, facts), {}) == []
    assert common_warnings(telemetry(together, Facts(period=60.0)), {}) == []


def test_rows_in_no_order_of_time_are_reported() -> None:
    random = np.random.default_rng(0)
    level = np.sin(np.arange(600) / 20)
    labels = (np.arange(600) % 100 >= 80).astype(int)
    columns = {"a": level + labels, "b": random.normal(size=600), "constant": np.ones(600)}
    frame = pl.DataFrame({"series": ["s"] * 600, "label": labels, **columns})
    assert not_in_order(frame.lazy(), list(columns)) is None
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=1)
    assert "no time series" in (not_in_order(shuffled.lazy(), list(columns)) or "")
    # labels in runs over noise, no labels, and too few rows are no evidence
    assert not_in_order(frame.lazy(), ["b"]) is None
    bare = shuffled.with_columns(label=pl.lit(None, pl.Int8))
    assert not_in_order(bare.lazy(), list(columns)) is None
    assert not_in_order(shuffled[:99].lazy(), list(columns)) is None
