"""The table of a detector: every value, in either order, whatever fits into memory."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomalynet.data.telemetry import Channel, Incident
from anomalynet.detection.replay import publish as rows
from anomalynet.detection.replay.publish import detector_rows, ordered, write_rows
from anomalynet.errors import DataError, UsageError
from tests.data.build import Facts, Recording, telemetry

TWO = telemetry(
    [
        Recording(
            "m",
            [0, 60.5],
            [[1.5, None], [float("nan"), 0.1]],
            [0, 1],
            [None, "leak"],
            incidents=[None, 4],
        ),
        Recording(
            "n", [30, 90], [[2.0, float("inf")], [None, None]], [None, 1], incidents=[None, 7]
        ),
    ],
    Facts(incidents={7: Incident("crash")}),
)


def test_csv_by_device_holds_every_column_and_leaves_missing_empty(tmp_path: Path) -> None:
    write_rows(detector_rows(TWO), tmp_path / "x.csv", "device", tmp_path)
    assert (tmp_path / "x.csv").read_text() == (
        "device,time,a,b,label,incident,kind\n"
        "m,1970-01-01T00:00:00.000000Z,1.5,,0,,\n"
        "m,1970-01-01T00:01:00.500000Z,,0.1,1,4,leak\n"
        "n,1970-01-01T00:00:30.000000Z,2.0,,,,\n"
        "n,1970-01-01T00:01:30.000000Z,,,1,7,crash\n"
    )


def test_json_lines_by_time(tmp_path: Path) -> None:
    write_rows(detector_rows(TWO), tmp_path / "x.jsonl", "time", tmp_path)
    found = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    order = [(row["device"], row["time"][14:19]) for row in found]
    assert order == [("m", "00:00"), ("n", "00:30"), ("m", "01:00"), ("n", "01:30")]
    values = {"a": None, "b": 0.1, "label": 1, "incident": 4, "kind": "leak"}
    assert found[2] == {"device": "m", "time": "1970-01-01T00:01:00.500000Z"} | values


def test_parquet_has_times_in_utc(tmp_path: Path) -> None:
    write_rows(detector_rows(TWO, ["n"]), tmp_path / "x.parquet", "device", tmp_path)
    found = pl.read_parquet(tmp_path / "x.parquet")
    assert found.schema["time"] == pl.Datetime("us", "UTC") and found["device"].to_list() == [
        "n",
        "n",
    ]
    assert found["time"].to_physical().to_list() == [30_000_000, 90_000_000]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 40), st.sampled_from("xyz")), max_size=60),
    limit=st.integers(1, 20),
)
def test_order_is_that_of_a_sort_in_memory(
    pairs: list[tuple[int, str]], limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "IN_MEMORY", limit)
    frame = pl.DataFrame(
        {"time": [t for t, _ in pairs], "device": [d for _, d in pairs], "n": range(len(pairs))},
        schema={"time": pl.Int64, "device": pl.String, "n": pl.Int64},
    )
    found = ordered(frame.lazy(), ["time", "device"], tmp_path).collect()
    assert found.rows() == sorted(frame.rows(), key=lambda row: row[:2])


def test_an_unknown_series_is_told_with_the_nearest() -> None:
    with pytest.raises(DataError, match="unknown series 'node-1'"):
        detector_rows(telemetry([Recording("node-01", [0], [[1.0]])]), ["node-1"])


@pytest.mark.parametrize("name", ["device", "gateway"])
def test_a_channel_that_would_hide_a_column_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=f"{name!r} is reserved"):
        detector_rows(replace(TWO, channels=(Channel(name),)))


@pytest.mark.parametrize("order", ["device", "time"])
def test_a_failure_leaves_the_file_that_was_there(
    order: Literal["device", "time"], tmp_path: Path
) -> None:
    def broken() -> pl.DataFrame:
        raise DataError("damaged")

    place = tmp_path / "x.csv"
    place.write_text("old")
    frame = pl.defer(broken, schema=detector_rows(TWO).collect_schema())
    with pytest.raises(Exception, match="damaged"):
        write_rows(frame, place, order, tmp_path)
    assert place.read_text() == "old" and not list(tmp_path.glob(".*"))


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.txt: unknown suffix"):
        write_rows(detector_rows(TWO), tmp_path / "x.txt", "device", tmp_path)
    assert not list(tmp_path.iterdir())
