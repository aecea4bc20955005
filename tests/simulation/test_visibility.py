"""How visible an incident is: a cell beside its twin without incidents, by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from anomalynet.simulation.visibility import MISSING, visibility


def cell(values: list[float | None], counts: list[float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "series": ["a"] * len(values),
            "time": range(len(values)),
            "value": pl.Series(values, dtype=pl.Float32),
            "count": pl.Series(counts, dtype=pl.Float32),
        }
    )


def test_deviations_of_the_noise_from_slot_to_slot() -> None:
    twin = cell([10.0, 12.0, 11.0, 13.0, 12.0], [1.0] * 5)
    happened = cell([10.0, 12.0, 17.0, 13.0, 11.0], [1.0, 1.0, 1.0, 3.0, 1.0])
    found = visibility(happened, twin)
    noise = 1.4826 * np.median([2, 1, 2, 1]) / np.sqrt(2)
    assert found["deviation"].to_list() == pytest.approx([0, 0, 6 / noise, 2, 1 / noise])
    assert found["channel"].to_list() == [None, None, "value", "count", "value"]


def test_silence_weighs_by_how_rare_it_is() -> None:
    twin = cell([10.0, None, 11.0, 13.0, 12.0, 11.0, 12.0, 10.0, 12.0, 11.0], [1.0] * 10)
    happened = twin.with_columns(
        value=pl.Series(
            [10.0, None, None, 13.0, 12.0, 11.0, 12.0, 10.0, 12.0, 11.0], dtype=pl.Float32
        )
    )
    found = visibility(happened, twin)
    assert found["deviation"].to_list() == pytest.approx([0, 0, 1 / 0.3, *[0] * 7])
    assert found["channel"][2] == MISSING


def test_equal_worlds_show_nothing() -> None:
    twin = cell([10.0, None, 11.0], [1.0, None, 2.0])
    assert visibility(twin, twin)["deviation"].to_list() == [0, 0, 0]
    assert visibility(twin, twin)["channel"].null_count() == 3
