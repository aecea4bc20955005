"""Range check, Hampel's rule and imputation, by hand and on every source alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from anomalynet.config.schema import DataConfig, QualityConfig
from anomalynet.data import resample
from anomalynet.data.telemetry import Channel
from anomalynet.preprocessing import Float64
from anomalynet.preprocessing.quality import OUTLYING, OUTSIDE, Cleaner
from tests.data.build import Facts, Recording, prepared

RAW = DataConfig(calibration_rows=0, max_gap=2)
UNLIMITED = Channel("a")
nan = np.nan


def column(*values: float) -> Float64:
    return np.array(values, np.float64)[:, None]


def cleaned(
    values: Float64, quality: QualityConfig, channel: Channel = UNLIMITED, starts: Any = (0,)
) -> tuple[Any, int]:
    cleaner, found = Cleaner([channel], quality), values.copy()
    cleaner.clean(found, np.diff(starts, append=len(values)), cleaner.new(len(starts)))
    return found[:, 0].tolist(), sum(cleaner.counts.values())


def test_the_range_includes_its_ends() -> None:
    values = column(-40, 85, -40.01, 85.01, nan, 20)
    limited = Channel("temperature", "°C", -40.0, 85.0)
    found, count = cleaned(values, QualityConfig(), limited)
    assert np.array_equal(found, np.array([-40, 85, nan, nan, nan, 20]), equal_nan=True)
    assert count == 2
    assert cleaned(values, QualityConfig(range_check=False), limited)[1] == 0
    assert cleaned(values, QualityConfig(), Channel("temperature"))[1] == 0
    assert cleaned(values, QualityConfig(), Channel("temperature", minimum=0.0))[1] == 2


HAMPEL = QualityConfig(outliers="hampel", hampel_window=5, hampel_threshold=3.0)


def test_hampel_by_hand() -> None:
    # Median of 1 2 3 4 5 is 3, of the distances 2 1 0 1 2 it is 1: 3 robust deviations are 4.4478.
    for value, dropped in ((7.44, 0), (7.45, 1), (-1.44, 0), (-1.45, 1)):
        found, count = cleaned(column(1, 2, 3, 4, 5, value), HAMPEL)
        assert count == dropped and np.isnan(found[-1]) == bool(dropped)
    # With the 4 lost: the median of 1 2 3 5 is 2.5, of the distances 1.5 0.5 0.5 2.5 it is 1.
    assert cleaned(column(1, 2, 3, nan, 5, 6.94), HAMPEL)[1] == 0
    assert cleaned(column(1, 2, 3, nan, 5, 6.95), HAMPEL)[1] == 1
    # Two readings of five say too little, and so does a sensor that stands still.
    assert cleaned(column(1, 2, nan, nan, nan, 100), HAMPEL)[1] == 0
    assert cleaned(column(4, 4, 4, 4, 4, 100), HAMPEL)[1] == 0
    assert cleaned(column(1, 2, 3, 4, 5, 100), QualityConfig())[1] == 0


def test_hampel_looks_at_the_past_only_and_believes_a_new_level() -> None:
    before = column(1, 2, 3, 4, 5, 3, 2)
    alone, _ = cleaned(before, HAMPEL)
    after, count = cleaned(np.concatenate([before, column(100, 101, 102, 100, 101, 102)]), HAMPEL)
    assert after[:7] == alone
    # The fourth is compared with 3 2 100 101 102.
    assert np.isnan(after[7:13]).tolist() == [True] * 3 + [False] * 3 and count == 3
    # Another series has no past: 100 begins it.
    assert cleaned(column(1, 2, 3, 4, 5, 100), HAMPEL, starts=(0, 5))[1] == 0


def test_cleaning_is_the_same_whatever_the_chunk() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(200, 2))
    values[rng.random((200, 2)) < 0.05] = 30
    values[rng.random((200, 2)) < 0.2] = nan
    starts = np.array([0, 3, 90, 150])
    channels, quality = [Channel("a", maximum=29.0), Channel("b")], replace(HAMPEL, hampel_window=9)
    whole, expected = Cleaner(channels, quality), values.copy()
    history = whole.clean(expected, np.diff(starts, append=200), whole.new(len(starts)))
    assert whole.counts[OUTSIDE] > 0 and whole.counts[OUTLYING] > 0
    for size in (1, 4, 37):
        pieces, found = Cleaner(channels, quality), values.copy()
        last = pieces.new(1)
        for at in range(0, 200, size):
            part = found[at : at + size]
            begins = np.unique([0, *(starts[(starts >= at) & (starts < at + size)] - at)])
            before = pieces.new(len(begins))
            before[: at not in starts] = last
            last = pieces.clean(part, np.diff(begins, append=len(part)), before)[-1:]
        assert np.array_equal(found, expected, equal_nan=True)
        assert np.array_equal(last, history[-1:], equal_nan=True)
        assert pieces.counts == whole.counts


@pytest.mark.parametrize(
    ("impute", "calibration_rows", "expected"),
    [
        ("hold", 0, [1, 2, 2, 2, 0, 0, 7, 8]),
        ("zero", 0, [1, 2, 0, 0, 0, 0, 7, 8]),
        # A calibrated sensor's zero is the mean of its first readings, 1.5.
        ("zero", 2, [-0.5, 0.5, 0, 0, 0, 0, 5.5, 6.5]),
    ],
)
def test_imputation_by_hand(impute: Any, calibration_rows: int, expected: list[float]) -> None:
    heard = [1.0, 2.0, None, None, None, None, 7.0, 8.0]
    one = Recording("s", range(8), [heard], [int(value is None) for value in heard])
    config = replace(RAW, quality=QualityConfig(impute=impute), calibration_rows=calibration_rows)
    assert QualityConfig().impute == "hold"
    assert prepared([one], config).values[:, 0].tolist() == expected


@pytest.mark.parametrize("impute", ["hold", "zero"])
def test_a_long_silence_of_rows_that_are_there_ends_no_segment(impute: Any) -> None:
    silent = [int(50 <= row < 300) for row in range(400)]
    heard = [None if attack else float(row % 5) for row, attack in enumerate(silent)]
    one = Recording("s", range(400), [heard, heard], silent)
    found = prepared([one], replace(RAW, calibration_rows=20, quality=QualityConfig(impute=impute)))
    assert [(segment.start, segment.stop) for segment in found.segments] == [(20, 400)]
    assert np.isfinite(found.values).all()
    assert found.values[:300, 2].tolist() == silent[:300]  # the mask says silence
    assert (found.values[52:300, :2] == 0).all()  # held twice, then the sensor's zero
    assert found.values[50:52, 0].tolist() == ([2, 2] if impute == "hold" else [0, 0])
    assert int((found.labels[20:] == 1).sum()) == 250  # every attack step can be scored


def test_silence_while_a_node_is_commissioned() -> None:
    # Heard twice in its first five slots: their mean is its zero. Never heard: it reads 0, and that
    # is said.
    some = Recording("a", range(8), [[None, 4.0, None, 6.0, None, 8.0, 9.0, None]], [0] * 8)
    none = Recording("b", range(8), [[None] * 5 + [8.0, 9.0, 1.0]], [0] * 8)
    found = prepared([some, none], replace(RAW, calibration_rows=5))
    assert found.calibration_mean.tolist() == [[5], [0]]
    assert found.values[5:8].tolist() == [[3, 0], [4, 0], [4, 1]]
    assert found.values[13:16].tolist() == [[0, 0]] * 3
    assert any("1 sensors were never heard" in warning for warning in found.warnings)


def test_what_was_dropped_is_counted_and_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resample, "CHUNK", 3)
    values: list[float | None] = [1.0, 2.0, 3.0, 4.0, 5.0, 90.0, 3.0, 2.0]
    one = Recording("s", range(8), [values, [0.0] * 8], [0] * 8)
    found = prepared([one], replace(RAW, quality=HAMPEL), Facts())
    assert found.counts[OUTLYING] == 1 and OUTSIDE not in found.counts
    assert found.values[5].tolist() == [5, 0, 0.5]
    assert OUTLYING not in prepared([one], RAW).counts
