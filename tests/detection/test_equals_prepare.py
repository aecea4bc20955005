"""A stream is resampled, cleaned, held and calibrated as `prepare` does it, bit for bit."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.config.schema import DataConfig, QualityConfig
from anomalynet.data.prepare import build
from anomalynet.data.prepared import Prepared, open_prepared
from anomalynet.data.telemetry import Channel
from anomalynet.detection.contract import Contract, Sensor
from anomalynet.detection.engine.engine import Engine
from anomalynet.detection.records import Message, Reading, Steps
from anomalynet.detection.records import concatenate as join
from anomalynet.metrics.events import AlarmRule
from tests.data.build import Facts, Recording, telemetry
from tests.detection.graphs import SECOND, contract, model

LIMITS = (Channel("a", "1", -5.0, 5.0), Channel("b", "1"))

QUALITY = st.builds(
    QualityConfig,
    range_check=st.booleans(),
    outliers=st.sampled_from(["keep", "hampel"]),
    hampel_window=st.integers(3, 5),
    hampel_threshold=st.sampled_from([1.0, 3.0]),
    impute=st.sampled_from(["hold", "zero"]),
)

CONFIGS = st.builds(
    DataConfig,
    calibration_rows=st.sampled_from([0, 1, 4]),
    calibration=st.sampled_from(["offset", "deviation"]),
    calibration_floor=st.sampled_from([0.0, 0.5]),
    clip=st.sampled_from([1.0, 5.0]),
    mask_channel=st.booleans(),
    max_gap=st.integers(0, 3),
    quality=QUALITY,
)

EXTREME = st.sampled_from([0.0, 1.0, 1.5, -7.0, 90.0, float("inf")])
VALUES = st.none() | EXTREME | st.floats(-6, 6, width=32)


@st.composite
def recordings(draw: st.DrawFn, steps: st.SearchStrategy[float]) -> list[Recording]:
    found = []
    for number in range(draw(st.integers(1, 3))):
        seconds = np.cumsum([5.0, *draw(st.lists(steps, min_size=5, max_size=14))]).tolist()
        column = st.lists(VALUES, min_size=len(seconds), max_size=len(seconds))
        found.append(Recording(f"s{number}", seconds, [draw(column) for _ in LIMITS]))
    return found


def offline(
    found: list[Recording], config: DataConfig, period: float | None, *, imported: bool = False
) -> Prepared:
    with tempfile.TemporaryDirectory() as folder:
        data = telemetry(found, Facts(period=period, imported=imported))
        data = replace(data, channels=LIMITS)
        build(data, config, "f", Path(folder))
        result = open_prepared(Path(folder))
        assert result is not None
        return result


def of_config(config: DataConfig, period: float | None, **changes: Any) -> Contract:
    quality = config.quality
    divided = config.first_rows > 0 and config.calibration == "deviation"
    hold = config.max_gap if quality.impute == "hold" else 0
    sensors = (Sensor(name=one.name, minimum=one.minimum, maximum=one.maximum) for one in LIMITS)
    same = {name: getattr(config, name) for name in ("max_gap", "calibration_rows", "calibration")}
    cleaning = ("range_check", "outliers", "hampel_window", "hampel_threshold")
    same |= {name: getattr(quality, name) for name in cleaning}
    same |= {"mask": config.mask_channel, "clip": config.clip if divided else None}
    return contract(sensors=tuple(sensors), period=period, hold=hold, **same, **changes)


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="anomalynet-test-"))


def engine(found: Contract) -> Engine:
    return Engine(model(_folder(), found), AlarmRule())


def messages(found: list[Recording], silent: bool = True) -> list[Message]:
    """One a reading, by time; each device is its own source. Without `silent`, rows that say
    nothing are not sent but for the first."""
    sent = []
    for one in found:
        for row, (second, *values) in enumerate(zip(one.seconds, *one.values, strict=True)):
            if silent or row == 0 or any(value is not None for value in values):
                heard = tuple(np.nan if value is None else value for value in values)
                reading = Reading(one.name, round(second * SECOND), heard)
                sent.append(Message(one.name, (reading,)))
    return sorted(sent, key=lambda message: message.readings[0].time)


def streamed(found: Engine, sent: list[Message], size: int) -> Steps:
    parts = [found.process(sent[first : first + size]).steps for first in range(0, len(sent), size)]
    return join(parts, len(found.contract.channels))


def places(expected: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """Which rows lie in a segment, and which from its second step on."""
    inside, scored = np.zeros((2, len(expected.times)), np.bool_)
    for segment in expected.segments:
        inside[segment.start : segment.stop] = True
        scored[segment.start + 1 : segment.stop] = True
    return inside, scored


def assert_equal(found: Engine, steps: Steps, expected: Prepared) -> None:
    """The same steps; the same values in segments; scores exactly from the second step of each
    segment on."""
    inside, scored = places(expected)
    for number, (start, stop) in enumerate(pairwise(expected.series_starts)):
        here = steps.row == found.names.index(expected.series[number])
        assert np.array_equal(steps.time[here], expected.times[start:stop])
        assert np.array_equal(np.isnan(steps.score[here]), ~scored[start:stop])
        values = steps.values[here][inside[start:stop]]
        assert np.array_equal(values, expected.values[start:stop][inside[start:stop]])
        assert values.dtype == expected.values.dtype


STEPS = st.sampled_from([0.4, 1.0, 1.0, 1.0, 1.2, 1.5, 1.75, 2.0, 2.5, 3.2, 4.0, 6.0, 9.0])


@settings(max_examples=50, deadline=None)
@given(recordings(STEPS), CONFIGS, st.sampled_from([1.0, None]), st.integers(1, 20))
def test_recordings(
    found: list[Recording], config: DataConfig, period: float | None, size: int
) -> None:
    expected = offline(found, config, period)
    detector = engine(of_config(config, period, calibration_floor=expected.calibration_floor))
    steps = streamed(detector, messages(found), size)
    for number, (start, stop) in enumerate(pairwise(expected.series_starts)):
        own = steps.row == detector.names.index(expected.series[number])
        assert np.array_equal(steps.observed[own], expected.observed[start:stop])
    assert_equal(detector, steps, expected)
    assert detector.counts == {}


@settings(max_examples=25, deadline=None)
@given(recordings(STEPS), CONFIGS, st.integers(1, 20))
def test_series_of_another_step_than_the_set(
    found: list[Recording], config: DataConfig, size: int
) -> None:
    first = replace(found[0], seconds=[7 * second for second in found[0].seconds])
    found = [first, *found[1:]]
    expected = offline(found, config, 1.0, imported=True)
    assert np.isclose(expected.periods["s0"], np.median(np.diff(first.seconds)))
    floor = expected.calibration_floor
    contract = of_config(config, 1.0, periods=expected.periods, calibration_floor=floor)
    sent, half = messages(found), len(found[0].seconds)
    detector, other = engine(contract), engine(contract)
    steps = [streamed(detector, sent[:half], size)]
    other.restore(detector.snapshot())
    steps.append(streamed(other, sent[half:], size))
    assert_equal(other, join(steps, len(contract.channels)), expected)


@settings(max_examples=15, deadline=None)
@given(recordings(STEPS), st.integers(1, 20))
def test_an_offset_of_a_billion_changes_nothing(found: list[Recording], size: int) -> None:
    quality = QualityConfig(range_check=False)
    config = DataConfig(calibration_rows=4, max_gap=3, quality=quality)
    assert config.calibration == "offset"
    moved = [
        replace(
            one, values=[[None if at is None else at + 1e9 for at in one.values[0]], one.values[1]]
        )
        for one in found
    ]
    near, far = (offline(some, config, 1.0) for some in (found, moved))
    np.testing.assert_allclose(far.values, near.values, rtol=1e-6, atol=1e-6)
    detector, other = (engine(of_config(config, 1.0)) for _ in range(2))
    steps, far_steps = (
        streamed(detector, messages(found), size),
        streamed(other, messages(moved), size),
    )
    assert_equal(other, far_steps, far)
    np.testing.assert_allclose(far_steps.score, steps.score, rtol=1e-6, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(recordings(st.just(1.0)), CONFIGS, st.integers(1, 20))
def test_simulated_data_whose_silent_slots_are_not_sent(
    found: list[Recording], config: DataConfig, size: int
) -> None:
    expected = offline(found, config, 1.0)
    floor = expected.calibration_floor
    detector = engine(of_config(config, 1.0, breaks=False, calibration_floor=floor))
    steps = streamed(detector, messages(found, silent=False), size)
    ends = [Message(one.name, (), round((one.seconds[-1] + 1) * SECOND)) for one in found]
    steps = join([steps, detector.process(ends).steps], len(detector.contract.channels))
    assert_equal(detector, steps, expected)


@settings(max_examples=15, deadline=None)
@given(recordings(STEPS), CONFIGS, st.integers(1, 20))
def test_steps_that_a_clock_lays_early_change_no_reading_after_them(
    found: list[Recording], config: DataConfig, size: int
) -> None:
    expected = offline(found, config, 1.0)
    detector = engine(of_config(config, 1.0, calibration_floor=expected.calibration_floor))
    sent = [replace(message, source="gateway") for message in messages(found)]
    steps = streamed(detector, sent, size)
    inside, scored = places(expected)
    for number, name in enumerate(expected.series):
        own = steps.row == detector.names.index(name)
        rows = np.arange(expected.series_starts[number], expected.series_starts[number + 1])
        early = own & ~steps.observed
        assert (np.diff(steps.time[own]) > 0).all() and not early[own][0]
        own, rows = own & steps.observed, rows[expected.observed[rows]]
        assert np.array_equal(steps.time[own], expected.times[rows])
        known = inside[rows]
        assert np.array_equal(steps.values[own][known], expected.values[rows][known])
        assert np.array_equal(~np.isnan(steps.score[own]), scored[rows])
