"""Attention and reconstruction error around a few incidents, for the report's timelines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from anomalynet.data.prepared import Int64
from anomalynet.data.telemetry import Incident
from anomalynet.data.windows import Windows
from anomalynet.models import WindowModel
from anomalynet.runs.schema import EXPLANATION_COLUMNS

EXAMPLES = 6  # incidents a run explains
AROUND = 32  # steps before and after an incident
LONGEST = 256  # steps of one timeline
_TYPES = (pl.Int32(), pl.String(), pl.Datetime("us"), *[pl.List(pl.Float32)] * 3)
SCHEMA = dict(zip(EXPLANATION_COLUMNS, _TYPES, strict=True))


def explanations(
    model: WindowModel,
    windows: Windows,
    rows: Int64,
    steps: pl.DataFrame,
    known: Mapping[int, Incident],
) -> pl.DataFrame | None:
    """What a network saw around the first incident of some types, on the series that it touched
    longest; columns as in `runs/schema.py`. None where it has neither attention nor reconstruction,
    or nothing was labelled 1. One that carries its state is asked as if each window began a
    segment.

    `windows`: of the test part, one for each step that was scored; `rows` (step,): the row of each
    step, ascending; `steps`: their table, as `TelemetryDataModule.steps` returns it. Of the `known`
    incidents the more severe types come first, then the names decide: the same for every model."""
    examples = _examples(steps, known)
    tables = [_explained(model, windows, rows, steps, incident) for incident in examples]
    found = [table for table in tables if table is not None]
    return pl.concat(found) if found else None


def _examples(steps: pl.DataFrame, known: Mapping[int, Incident]) -> list[int]:
    known_score = pl.col("incident").is_not_null() & pl.col("score").is_not_null()
    attacks = steps.filter((pl.col("label") == 1) & known_score)
    first = attacks.group_by("kind").agg(pl.col("incident").min()).select("kind", "incident").rows()

    def rank(item: tuple[str | None, int]) -> tuple[int, str, int]:
        note = known.get(item[1])
        return -(note.severity or 0) if note else 0, item[0] or "", item[1]

    return [incident for _, incident in sorted(first, key=rank)[:EXAMPLES]]


def _explained(
    model: WindowModel, windows: Windows, rows: Int64, steps: pl.DataFrame, incident: int
) -> pl.DataFrame | None:
    numbered = steps.with_row_index("at")
    own = numbered.filter(pl.col("incident") == incident)
    counts = own.group_by("series").len().sort("len", "series", descending=[True, False])
    series = counts["series"][0]
    at = own.filter(pl.col("series") == series)["at"]
    scored = (pl.col("series") == series) & pl.col("score").is_not_null()
    here = numbered.filter(scored)["at"].to_numpy()
    inside = (here >= int(at[0]) - AROUND) & (here <= int(at[-1]) + AROUND)
    chosen = here[inside][:LONGEST]
    numbers = np.searchsorted(windows.ends(), rows[chosen]).astype(np.int64)
    found = model.output_arrays(windows.gather(numbers))
    if found.keys().isdisjoint({"error", "attention"}):
        return None
    count = len(chosen)
    columns = {
        name: found[name].tolist() if name in found else [None] * count
        for name in ("reading", "error", "attention")
    }
    times = steps["time"].gather(chosen.tolist())
    facts = {"incident": [incident] * count, "series": [series] * count, "time": times}
    return pl.DataFrame({**facts, **columns}, schema=SCHEMA)
