"""Each series is normalised by its own first readings, which are consumed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anomalynet.config.schema import DataConfig
from anomalynet.errors import DataError
from tests.data.build import Recording, Value, prepared

THREE = DataConfig(calibration_rows=3, calibration="deviation", clip=5.0)


def test_by_hand() -> None:
    # Channel a: first readings 1, 2, 3: mean 2, deviation √(2/3). Channel b: heard twice, 4 and 6:
    # mean 5, deviation 1.
    values: list[list[Value]] = [[1.0, 2.0, 3.0, 4.0, 99.0], [None, 4.0, 6.0, None, 5.5]]
    found = prepared([Recording("s", [0, 1, 3, 4, 5], values, [0, 0, 0, 0, 1])], THREE)
    deviation = np.sqrt(2 / 3)
    first = [[-1 / deviation, 0, 0.5], [0, -1, 0], [0, -1, 1], [1 / deviation, 1, 0]]
    expected = [*first, [2 / deviation, 1, 0.5], [5, 0.5, 0]]
    assert np.allclose(found.values, expected, atol=1e-6)
    assert np.allclose(found.calibration_mean, [[2, 5]])
    assert np.allclose(found.calibration_scale, [[deviation, 1]])
    # The third reading stands in row 3, behind a step laid into a gap; what follows is usable.
    assert [(segment.start, segment.stop) for segment in found.segments] == [(4, 6)]


def test_constant_and_silent_sensors_stay_finite() -> None:
    one = Recording("s", range(5), [[200.0] * 4 + [201.0], [None] * 3 + [7.0, 8.0]], [0] * 5)
    found = prepared([one], THREE)
    assert np.allclose(found.calibration_scale[0, 0], 200e-6)
    assert np.isinf(found.calibration_scale[0, 1])
    assert found.values[3:].tolist() == [[0, 0, 0], [5, 0, 0]]
    assert any("1 sensors were never heard" in warning for warning in found.warnings)


def test_small_deviations_of_large_readings_keep_their_digits() -> None:
    def scale(mean: float) -> float:
        readings = [[mean, mean + 0.25, mean - 0.25, mean + 0.25]]
        found = prepared([Recording("s", range(4), readings, [0] * 4)], THREE)
        return float(found.calibration_scale[0, 0])

    assert np.isclose(scale(1e6), 1.0)  # the floor, 1e-6 of the mean
    assert np.isclose(scale(1e3), np.std([0, 0.25, -0.25]), rtol=1e-9)


def test_an_offset_leaves_the_units_and_is_not_clipped() -> None:
    one = Recording("s", range(4), [[1.0, 1.5, 2.0, 90.0], [None, None, None, 4.0]], [0] * 4)
    found = prepared([one], replace(THREE, calibration="offset"))
    assert found.calibration_scale[0, 0] == 1 and np.isinf(found.calibration_scale[0, 1])
    assert found.values[:, :2].tolist() == [[-0.5, 0], [0, 0], [0.5, 0], [88.5, 0]]


def test_small_changes_of_a_large_reading_keep_their_digits() -> None:
    readings: list[Value] = [1e9 + change for change in (0.125, 0.375, 0.5, 0.0, 0.25)]
    offset = DataConfig(calibration_rows=2, mask_channel=False)
    found = prepared([Recording("s", range(5), [readings])], offset)
    assert found.values[:, 0].tolist() == [-0.125, 0.125, 0.25, -0.25, 0]


def test_every_series_has_its_own_whatever_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    drawn = [random.normal(i, 1 + i, 6 + i).astype(np.float32) for i in range(5)]
    many = [
        Recording(f"s{i}", range(6 + i), [own.tolist()], [0] * (6 + i))
        for i, own in enumerate(drawn)
    ]
    whole = prepared(many, THREE)
    monkeypatch.setattr("anomalynet.data.prepared.CHUNK", 4)
    monkeypatch.setattr("anomalynet.data.resample.CHUNK", 4)
    assert np.array_equal(whole.values, prepared(many, THREE).values)
    for own, start in zip(drawn, whole.series_starts, strict=False):
        first = own[:3].astype(float)
        expected = np.clip((own - first.mean()) / first.std(), -5, 5)
        assert np.allclose(whole.values[start : start + len(own), 0], expected, atol=1e-5)


FIVE = [[1.0, 2.0, 3.0, 4.0, 5.0]]


def test_short_series_are_counted_and_a_set_of_them_is_refused() -> None:
    short = Recording("short", range(3), [[1.0, 2.0, 3.0]], [0] * 3)
    long = Recording("long", range(5), FIVE, [0] * 5)
    found = prepared([short, long, Recording("shorter", [0], [[1.0]], [0])], THREE)
    assert [segment.series for segment in found.segments] == ["long"]
    assert found.counts["series too short to calibrate"] == 1
    with pytest.raises(DataError, match=r"no series of smart_city .*data.calibration_rows=3"):
        prepared([short], THREE)


def test_an_attack_in_the_commissioning_phase_is_said() -> None:
    found = prepared([Recording("s", range(5), FIVE, [0, 1, 1, 0, 1])], THREE)
    assert found.counts["attack readings used for calibration"] == 2
    assert any("2 calibration readings are labelled" in warning for warning in found.warnings)


def test_a_floor_is_a_share_of_the_deviation_over_all_series() -> None:
    quiet = Recording("quiet", range(4), [[1.0, 1.0, 1.0, 4.0], [0.0, 3.0, 0.0, 0.0]], [0] * 4)
    loud = Recording("loud", range(4), [[0.0, 6.0, 0.0, 0.0], [None] * 4], [0] * 4)
    floored = replace(THREE, calibration_floor=0.5)
    found = prepared([quiet, loud], floored)
    deviation = np.std([0.0, 6.0, 0.0])
    floor = 0.5 * deviation / np.sqrt(2)  # root mean square of 0 and the deviation
    assert np.allclose(found.calibration_floor, [floor, 0.5 * deviation / 2], rtol=1e-6)
    assert np.allclose(found.calibration_scale[0], [floor, deviation / 2])
    assert found.calibration_scale[1].tolist() == [pytest.approx(deviation), np.inf]
    assert found.values[3, 0] == pytest.approx(3 / floor)
    assert prepared([quiet, loud], THREE).calibration_floor == ()
    assert prepared([quiet], replace(floored, calibration="offset")).calibration_floor == ()
