"""Recordings laid on their expected grid: silence becomes masked steps, and a long silence ends a
segment."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from anomalynet.config.schema import QualityConfig
from anomalynet.data.prepared import CHUNK, COLUMNS, PARTS, ArrayFile, Bool, Int64
from anomalynet.data.telemetry import Telemetry
from anomalynet.errors import DataError
from anomalynet.preprocessing.quality import Cleaner


@dataclass
class Layout:
    """What laying recordings on their grid found out."""

    rows: int = 0
    observed: int = 0
    names: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)
    """Rows at which a segment starts because a long silence precedes them."""
    laid: int = 0  # steps laid into gaps
    commissioning: list[Int64] = field(default_factory=list)
    """Rows of the first `calibration_rows` readings of every series, in order."""
    commissioned: dict[int, int] = field(default_factory=dict)
    """Series → row after its last commissioning row; absent where the series is too short."""
    commissioning_attacks: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    """Values that the quality stage dropped, by reason."""

    @property
    def edges(self) -> Int64:
        """Series starts and the end, int64 (series+1,)."""
        return np.array([*self.starts, self.rows], np.int64)


class Grid:
    """Lays chunks of a sorted telemetry frame on the grid and appends them to files.

    Within a series, a time step longer than 1.5 periods means round(step / period) - 1 missing
    readings. Up to `max_gap` of them become steps without any value (NaN here), with interpolated
    time and everything else held from the reading before."""

    def __init__(
        self, telemetry: Telemetry, max_gap: int, calibration_rows: int, quality: QualityConfig
    ) -> None:
        self.layout = Layout()
        self.cleaner = Cleaner(telemetry.channels, quality)
        self._channels = [channel.name for channel in telemetry.channels]
        self._period = None if telemetry.period is None else telemetry.period * 1e6
        self._max_gap = max_gap
        self._calibration_rows = calibration_rows
        types = {number: incident.type for number, incident in telemetry.incidents.items()}
        self._types = {number: kind for number, kind in types.items() if kind is not None}
        self._seen: set[str] = set()
        self._name: str | None = None
        self._rank = 0
        self._last = {"times": 0, "labels": -1, "incidents": -1, "kinds": -1, "splits": -1}

    def lay(self, frame: pl.DataFrame) -> dict[str, npt.NDArray[Any]]:
        """Lay one chunk of rows.

        Returns: the columns of `prepared.COLUMNS`; `values` is float32 (step, sensor) with NaN
            where nothing was heard.
        Raises: DataError if a series comes back later, or time runs backwards in it.
        """
        layout, rows = self.layout, len(frame)
        columns = self._columns(frame)
        new = self._series_starts(frame["series"])
        times = columns["times"]
        before = {
            name: np.concatenate([[self._last[name]], column[:-1]]).astype(column.dtype)
            for name, column in columns.items()
        }
        step = np.where(new, 0, times - before["times"])
        if (step < 0).any():
            row = int(np.flatnonzero(step < 0)[0])
            what = f"time runs backwards in series {frame['series'][row]!r}"
            raise DataError(what, "sort the rows of each series by time")
        missing = np.zeros(rows, np.int64)
        if self._period is not None:
            late = step > 1.5 * self._period
            missing[late] = np.rint(step[late] / self._period).astype(np.int64) - 1
        broken = missing > self._max_gap
        missing[broken] = 0
        place = np.cumsum(missing + 1) - 1  # of each reading among the steps of this chunk
        steps = int(place[-1]) + 1
        observed = np.zeros(steps, np.bool_)
        observed[place] = True
        source = np.repeat(np.arange(rows), missing + 1)
        laid: dict[str, npt.NDArray[Any]] = {
            name: np.where(observed, column[source], before[name][source])
            for name, column in columns.items()
        }
        if steps > rows:
            nth = np.arange(steps) - (place - missing)[source] + 1
            share = nth / (missing + 1)[source]
            between = before["times"][source] + np.rint(share * step[source]).astype(np.int64)
            laid["times"] = np.where(observed, laid["times"], between)
        laid["observed"] = observed
        values = np.empty((rows, len(self._channels)), np.float32)
        for position, name in enumerate(self._channels):
            values[:, position] = frame[name].cast(pl.Float32).to_numpy()
        values = self.cleaner.clean(values, np.flatnonzero(new))
        laid["values"] = np.full((steps, values.shape[1]), np.nan, np.float32)
        laid["values"][place] = values

        starts = np.flatnonzero(new)
        layout.starts += (layout.rows + place[starts]).tolist()
        layout.breaks += (layout.rows + place[broken]).tolist()
        self._commission(starts, rows, place, columns["labels"])
        layout.rows += steps
        layout.observed += rows
        layout.laid += steps - rows
        self._last = {name: int(column[-1]) for name, column in columns.items()}
        return laid

    def _columns(self, frame: pl.DataFrame) -> dict[str, npt.NDArray[Any]]:
        found: dict[str, npt.NDArray[Any]] = {
            "times": frame["time"].cast(pl.Datetime("us")).to_physical().to_numpy(),
            "labels": frame["label"].cast(pl.Int8).fill_null(-1).to_numpy(),
            "incidents": _column(frame, "incident", pl.Int32).fill_null(-1).to_numpy(),
        }
        kinds = _column(frame, "kind", pl.String)
        if self._types and kinds.null_count():
            types = _column(frame, "incident", pl.Int32).replace_strict(
                self._types, default=None, return_dtype=pl.String
            )
            kinds = kinds.zip_with(kinds.is_not_null(), types)
        table = self.layout.kinds
        for name in sorted(kinds.drop_nulls().unique().to_list()):
            table.setdefault(name, len(table))
        parts = {part: code for code, part in enumerate(PARTS)}
        found["kinds"] = _codes(kinds, table, pl.Int16)
        found["splits"] = _codes(_column(frame, "split", pl.String), parts, pl.Int8)
        return found

    def _series_starts(self, names: pl.Series) -> Bool:
        new = (names != names.shift(1)).fill_null(True).to_numpy().copy()
        new[0] = names[0] != self._name
        for name in names.filter(pl.Series(new)).to_list():
            if name in self._seen:
                what = f"the rows of series {name!r} do not stand together"
                raise DataError(what, "sort the rows by series, then by time")
            self._seen.add(name)
            self.layout.names.append(name)
        self._name = names[-1]
        return new

    def _commission(
        self, starts: Int64, rows: int, place: Int64, labels: npt.NDArray[np.int8]
    ) -> None:
        """Note which rows are the first readings of their series."""
        rank = np.arange(rows) + self._rank
        for_each = np.repeat(starts, np.diff(np.append(starts, rows)))
        rank[rows - len(for_each) :] = np.arange(rows - len(for_each), rows) - for_each
        self._rank = int(rank[-1]) + 1
        layout, count = self.layout, self._calibration_rows
        if count == 0:
            return
        first = rank < count
        layout.commissioning.append(layout.rows + place[first])
        layout.commissioning_attacks += int((labels[first] == 1).sum())
        done = np.flatnonzero(rank == count - 1)
        number = len(layout.names) - len(starts) - 1 + np.searchsorted(starts, done, side="right")
        layout.commissioned.update(
            zip(number.tolist(), (layout.rows + place[done] + 1).tolist(), strict=True)
        )


def _column(frame: pl.DataFrame, name: str, dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
    if name in frame.columns:
        return frame[name].cast(dtype)
    return pl.repeat(None, len(frame), dtype=dtype, eager=True)


def _codes(names: pl.Series, table: dict[str, int], dtype: type[pl.DataType]) -> npt.NDArray[Any]:
    if names.null_count() == len(names):
        return np.full(len(names), -1, np.int16 if dtype is pl.Int16 else np.int8)
    return names.replace_strict(table, default=-1, return_dtype=dtype).fill_null(-1).to_numpy()


def lay(
    telemetry: Telemetry, folder: Path, max_gap: int, calibration_rows: int, quality: QualityConfig
) -> Layout:
    """Clean recordings and lay them on their grid, in bounded memory, into one `.npy` file a
    column.

    Args:
        folder: receives `raw.npy` (values with NaN where nothing was heard) and every other file of
            `prepared.COLUMNS`.
        max_gap: longest silence, in steps, that becomes masked steps.
        calibration_rows: first readings of each series to note.
    Raises: DataError if the frame is empty, unsorted, or a series comes back later.
    """
    grid = Grid(telemetry, max_gap, calibration_rows, quality)
    with ExitStack() as stack:
        files = {}
        for name, dtype in COLUMNS.items():
            file = folder / ("raw.npy" if name == "values" else f"{name}.npy")
            width = len(telemetry.channels) if name == "values" else None
            files[name] = stack.enter_context(ArrayFile(file, dtype, width))
        for frame in telemetry.frame.collect_batches(chunk_size=CHUNK, maintain_order=True):
            for part in frame.iter_slices(CHUNK):
                if len(part):
                    for name, column in grid.lay(part).items():
                        files[name].append(column)
    if grid.layout.rows == 0:
        raise DataError("the data has no rows")
    grid.layout.dropped = grid.cleaner.counts
    return grid.layout
