"""Silence becomes masked steps, a long silence ends a segment, and no reading is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalynet.config.schema import DataConfig
from anomalynet.data import resample
from anomalynet.data.steps import metrics, step_table
from anomalynet.data.telemetry import Incident
from anomalynet.errors import DataError
from tests.data.build import Facts, Recording, Value, prepared

RAW = DataConfig(calibration_rows=0, max_gap=3)
Step = tuple[float, int, bool, list[float], float]


def naive(recording: Recording, period: float | None, max_gap: int) -> tuple[list[Step], list[int]]:
    """(time, label, observed, values, missing share) of every step, and the steps at which a
    segment starts; one row at a time."""
    steps: list[Step] = []
    starts = [0]
    held, age = [0.0] * len(recording.values), [max_gap] * len(recording.values)

    def step(second: float, label: int, observed: bool, values: list[Value]) -> None:
        for channel, value in enumerate(values):
            age[channel] = 0 if value is not None else age[channel] + 1
            if value is not None or age[channel] > max_gap:
                held[channel] = value or 0.0
        steps.append((second, label, observed, list(held), values.count(None) / len(values)))

    for row, second in enumerate(recording.seconds):
        before = recording.seconds[row - 1]
        if row and period is not None and second - before > 1.5 * period:
            gap = second - before
            missing = round(gap / period) - 1
            if missing > max_gap:
                starts.append(len(steps))
            else:
                for k in range(1, missing + 1):
                    step(before + k * gap / (missing + 1), steps[-1][1], False, [None] * len(held))
        label = recording.labels[row]
        heard = [column[row] for column in recording.values]
        step(second, -1 if label is None else label, True, heard)
    return steps, starts


STEPS = [0.0, 0.4, 1.0, 1.0, 1.0, 1.2, 1.75, 2.0, 3.2, 4.0, 6.0, 9.0]


@st.composite
def recordings(draw: st.DrawFn) -> list[Recording]:
    found = []
    for number in range(draw(st.integers(1, 4))):
        steps = draw(st.lists(st.sampled_from(STEPS), max_size=12))
        seconds = np.cumsum([5.0, *steps]).tolist()
        rows: dict[str, Any] = {"min_size": len(seconds), "max_size": len(seconds)}
        column = st.lists(st.none() | st.integers(-9, 9).map(float), **rows)
        labels = draw(st.lists(st.sampled_from([None, 0, 1]), **rows))
        found.append(Recording(f"s{number}", seconds, [draw(column), draw(column)], labels))
    return found


@settings(max_examples=25, deadline=None)
@given(recordings(), st.integers(1, 7), st.sampled_from([1.0, None]))
def test_grid_equals_a_row_by_row_reference_whatever_the_chunk(
    found: list[Recording], chunk: int, period: float | None
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resample, "CHUNK", chunk)
        result = prepared(found, RAW, Facts(period=period))
    expected: list[Step] = []
    starts: list[int] = []
    for one in found:
        steps, firsts = naive(one, period, RAW.max_gap)
        starts += [len(expected) + first for first in firsts]
        expected += steps
    seconds, labels, observed, values, missing = zip(*expected, strict=True)
    assert [segment.start for segment in result.segments] == starts
    assert np.abs(result.times - np.array(seconds) * 1e6).max() <= 1
    assert result.labels.tolist() == list(labels) and result.observed.tolist() == list(observed)
    assert np.array_equal(result.values[:, :2], np.array(values, np.float32))
    assert np.array_equal(result.values[:, 2], np.array(missing, np.float32))
    readings = sum(len(one.seconds) for one in found)
    assert result.counts["readings"] == readings == sum(observed)


def test_a_gap_by_hand() -> None:
    kinds, incidents = [None, "dos", None, None], [None, 4, None, None]
    values = [[1.0, 2.0, 7.0, None]]
    one = Recording("s", [0, 1, 4.1, 5], values, [0, 1, 0, 0], kinds, incidents=incidents)
    found = prepared([one], RAW)
    assert found.values.tolist() == [[1, 0], [2, 0], [2, 1], [2, 1], [7, 0], [7, 1]]
    assert found.labels.tolist() == [0, 1, 1, 1, 0, 0]
    assert found.incidents.tolist() == [-1, 4, 4, 4, -1, -1]
    assert found.kind_names == ("dos",) and found.kinds.tolist() == [-1, 0, 0, 0, -1, -1]
    assert found.times.tolist() == [0, 1_000_000, 2_033_333, 3_066_667, 4_100_000, 5_000_000]
    assert found.counts["steps added in gaps"] == 2


def test_kinds_come_from_incidents_where_the_rows_name_none() -> None:
    one = Recording("s", [0, 1, 2], [[1.0, 2.0, 3.0]], [0, 1, 0], incidents=[None, 7, None])
    found = prepared([one], RAW, Facts(incidents={7: Incident(type="jamming")}))
    assert found.kind_names == ("jamming",) and found.kinds.tolist() == [-1, 0, -1]


def test_without_mask_channel_laid_steps_are_still_known() -> None:
    one = Recording("s", [0, 2], [[1.0, 2.0]], [0, 0])
    found = prepared([one], DataConfig(calibration_rows=0, mask_channel=False))
    assert found.values.tolist() == [[1], [1], [2]]
    assert found.observed.tolist() == [True, False, True]
    assert found.mask is None


def test_series_that_come_back_or_run_backwards_are_refused() -> None:
    a, b = Recording("a", [0, 1], [[1.0, 1.0]]), Recording("b", [0, 1], [[1.0, 1.0]])
    with pytest.raises(DataError, match=r"series 'a' do not stand together"):
        prepared([a, b, a], RAW)
    with pytest.raises(DataError, match=r"time runs backwards in series 'c'"):
        prepared([a, Recording("c", [3, 2], [[1.0, 1.0]])], RAW)


def test_an_imported_series_has_the_grid_of_its_own_step() -> None:
    # A minute is 60 s in two series, 300 s in another; one loses two of three readings.
    lossy = [0, 60, 180, 360, 420, 660, 780, 960, 1140, 1200]
    minutes, slow = list(range(0, 1200, 60)), [0, 300, 600, 1200, 1500]
    seconds = {"a": minutes, "b": minutes, "lossy": lossy, "slow": slow}
    found = [Recording(name, at, [[1.0] * len(at)], [0] * len(at)) for name, at in seconds.items()]
    config = replace(RAW, max_gap=10)
    one = prepared(found, config, Facts(period=60.0, imported=True))
    assert one.periods == {"slow": 300.0}
    lengths = np.diff(one.series_starts).tolist()
    assert lengths == [20, 20, 21, 6]  # 900 s is the one silent step of slow
    assert one.times[-6:].tolist() == [300_000_000 * step for step in range(6)]
    assert int((one.labels == 0).sum()) == sum(len(at) for at in seconds.values())
    assert any("slow 300 s" in warning for warning in one.warnings)
    same = prepared(found, config, Facts(period=60.0))  # a source that is not imported
    assert same.periods == {} and np.diff(same.series_starts).tolist() == [20, 20, 21, 26]


def test_a_silent_step_of_imported_data_has_no_label() -> None:
    one = Recording("s", [0, 1, 4, 5], [[1.0] * 4], [0, 1, 1, 0], incidents=[None, 7, 7, None])
    for imported, labels in ((True, [0, 1, -1, -1, 1, 0]), (False, [0, 1, 1, 1, 1, 0])):
        found = prepared([one], RAW, Facts(imported=imported))
        assert found.labels.tolist() == labels
        assert found.incidents.tolist() == [-1, 7, 7, 7, 7, -1]


def test_an_alarm_in_a_silent_step_of_an_incident_is_not_false() -> None:
    # Steps 0-5 of one series: incident 7 has the silent steps 2 and 3 between its readings.
    one = Recording("s", [0, 1, 4, 5], [[1.0] * 4], [0, 1, 1, 0], incidents=[None, 7, 7, None])
    rows = prepared([one], RAW, Facts(imported=True))
    table = step_table(rows, np.arange(6)).with_columns(score=pl.Series([0.0, 0, 1, 1, 1, 0]))
    found = metrics(table, 0.5, probability=True)
    assert found["false_alarms_per_device_day"] == 0.0
    assert (found["event_recall"], found["detection_delay"]) == (1.0, 1.0)
    assert found["recall_attack"] == 0.5, "steps count where they were read"


def test_an_alarm_in_a_silent_step_between_normal_readings_is_false() -> None:
    # One series of an alarm in the silent step 1, between labelled readings or not.
    for labels, false in (([0, 0, 0], 1.0), ([0, None, 0], 0.0), ([None, 0, 0], 0.0)):
        one = Recording("s", [0, 2, 3], [[1.0] * 3], labels)
        rows = prepared([one], RAW, Facts(imported=True))
        table = step_table(rows, np.arange(4)).with_columns(score=pl.Series([0.0, 1, 0, 0]))
        found = metrics(table, 0.5, probability=True)
        assert found["false_alarms_per_device_day"] == pytest.approx(false / (4 / 86_400))
