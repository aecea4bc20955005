"""Why a network scored as it did around a few incidents: its attention and its reconstruction
error, for the report's timelines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import torch

from anomalynet.data.prepared import Int64
from anomalynet.data.telemetry import Incident
from anomalynet.data.windows import Windows
from anomalynet.models._detector import Detector
from anomalynet.runs.schema import EXPLANATION_COLUMNS

EXAMPLES = 6  # incidents a run explains
AROUND = 32  # steps before and after an incident
LONGEST = 256  # steps of one timeline

SCHEMA = dict(
    zip(
        EXPLANATION_COLUMNS,
        (pl.Int32(), pl.String(), pl.Datetime("us"), *[pl.List(pl.Float32)] * 3),
        strict=True,
    )
)


def explanations(
    model: Detector,
    windows: Windows,
    rows: Int64,
    steps: pl.DataFrame,
    known: Mapping[int, Incident],
) -> pl.DataFrame | None:
    """What a network saw around the first incident of some types, on the series that it touched
    longest.

    A network that carries its state is asked as if each window began a segment.

    Args:
        windows: of the test part, one for each step that was scored.
        rows: (step,) the row of each step, ascending.
        steps: their table, as `TelemetryDataModule.steps` returns it.
        known: what is known of the incidents; the more severe types come first, then the names
        decide. The same for every model.

    Returns:
        columns as in `runs/schema.py`; None where the network has neither attention nor
        reconstruction, or nothing was labelled 1.
    """
    tables = [
        _explained(model, windows, rows, steps, incident) for incident in _examples(steps, known)
    ]
    found = [table for table in tables if table is not None]
    return pl.concat(found) if found else None


def _examples(steps: pl.DataFrame, known: Mapping[int, Incident]) -> list[int]:
    attacks = steps.filter(
        (pl.col("label") == 1) & pl.col("incident").is_not_null() & pl.col("score").is_not_null()
    )
    first = attacks.group_by("kind").agg(pl.col("incident").min()).select("kind", "incident").rows()

    def rank(item: tuple[str | None, int]) -> tuple[int, str, int]:
        note = known.get(item[1])
        return -(note.severity or 0) if note else 0, item[0] or "", item[1]

    return [incident for _, incident in sorted(first, key=rank)[:EXAMPLES]]


def _explained(
    model: Detector, windows: Windows, rows: Int64, steps: pl.DataFrame, incident: int
) -> pl.DataFrame | None:
    own = steps.with_row_index("at").filter(pl.col("incident") == incident)
    series = (
        own.group_by("series").len().sort("len", "series", descending=[True, False])["series"][0]
    )
    at = own.filter(pl.col("series") == series)["at"]
    here = (
        steps.with_row_index("at")
        .filter((pl.col("series") == series) & pl.col("score").is_not_null())["at"]
        .to_numpy()
    )
    start = int(at[0]) - AROUND
    chosen = here[(here >= start) & (here <= int(at[-1]) + AROUND)][:LONGEST]
    x = torch.from_numpy(
        windows.gather(np.searchsorted(windows.ends(), rows[chosen]).astype(np.int64))
    ).to(model.device)
    with torch.no_grad():
        output = model(x)
    if output.attention is None and output.error is None:
        return None
    reading = model.normalise(x)[:, -1]
    parts = {"reading": reading, "error": output.error, "attention": output.attention}
    columns = {
        name: None if value is None else value.float().cpu().numpy().tolist()
        for name, value in parts.items()
    }
    return pl.DataFrame(
        {
            "incident": [incident] * len(chosen),
            "series": [series] * len(chosen),
            "time": steps["time"].gather(chosen.tolist()),
            **{
                name: [None] * len(chosen) if value is None else value
                for name, value in columns.items()
            },
        },
        schema=SCHEMA,
    )
