"""Cleans telemetry and resamples it to its expected grid, chunk by chunk; computes the calibration
of each series on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from anomalynet.config.schema import DataConfig
from anomalynet.data.prepared import CHUNK, PARTS, Int8
from anomalynet.data.telemetry import Telemetry
from anomalynet.errors import DataError
from anomalynet.preprocessing import Bool, Float64, Int64
from anomalynet.preprocessing.calibration import Commissioning, Held, hold, missing_share
from anomalynet.preprocessing.grid import resample_to_grid
from anomalynet.preprocessing.quality import Cleaner

Columns = dict[str, npt.NDArray[Any]]
OTHER_STEP = 0.1  # a step that differs by more than this share of the period is another one


@dataclass
class Layout:
    """Rows and calibration of the series; one row per step."""

    rows: int = 0
    observed: int = 0
    names: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)  # rows that follow a long silence
    # series → row after its last commissioning row, mean and scale (sensor,); not of short series
    commissioned: dict[int, tuple[int, Float64, Float64]] = field(default_factory=dict)
    commissioning_attacks: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)  # reason → values dropped for quality

    @property
    def edges(self) -> Int64:
        """Series starts and the end, int64 (series+1,)."""
        return np.array([*self.starts, self.rows], np.int64)


class Resampler:
    """Cleans chunks of a sorted telemetry frame, resamples them to the grid and holds values.

    Within a series, silence of up to `data.max_gap` steps becomes steps without any value, with
    interpolated time and everything else held from the reading before. Silent steps of imported
    data have no label."""

    def __init__(self, telemetry: Telemetry, config: DataConfig) -> None:
        self.layout = Layout()
        self.cleaner = Cleaner(telemetry.channels, config.quality)
        divide = config.calibration == "deviation"
        self._commissioning = Commissioning(config.first_rows, divide=divide)
        self._frame = telemetry.frame
        self._sensors = [channel.name for channel in telemetry.channels]
        self._period = np.inf if telemetry.period is None else telemetry.period * 1e6
        self.periods = own_periods(telemetry)
        self._labels_silence = not telemetry.imported
        self._max_gap, self._mask = config.max_gap, config.mask_channel
        self._longest = config.max_gap if config.quality.impute == "hold" else 0
        every = telemetry.incidents.items()
        self._types = {number: one.type for number, one in every if one.type is not None}
        self._seen: set[str] = set()
        # State of the last series so far: its name, number of readings, and state of each stage.
        self._name: str | None = None
        self._readings = 0
        self._last: dict[str, float] = {"times": 0, "visible": np.nan}
        self._last |= dict.fromkeys(("labels", "incidents", "kinds", "splits"), -1)
        self._history = self.cleaner.new(1)
        self._held = Held.new(1, len(self._sensors))

    def chunks(self) -> Iterator[Columns]:
        """All columns of `prepared.COLUMNS` in chunks; `values` is float64 (step, channel), not yet
        calibrated, NaN if missing, with the mask, if any, last. Raises DataError: rows of a series
        are apart, or not in the order of time."""
        for frame in self._frame.collect_batches(chunk_size=CHUNK, maintain_order=True):
            for part in frame.iter_slices(CHUNK):
                if len(part):
                    yield self._resample(part)
        self.layout.dropped = self.cleaner.counts

    def _resample(self, frame: pl.DataFrame) -> Columns:
        layout, rows = self.layout, len(frame)
        columns = self._columns(frame)
        new = self._series_starts(frame["series"])
        extended = {
            name: np.concatenate([[self._last[name]], column]).astype(column.dtype)
            for name, column in columns.items()
        }
        times = columns["times"]
        before = np.where(new, times, extended["times"][:-1])
        if (times < before).any():
            row = int(np.flatnonzero(times < before)[0])
            what = f"time runs backwards in series {frame['series'][row]!r}"
            raise DataError(what, "sort the rows of each series by time")
        begins = np.flatnonzero(new | (np.arange(rows) == 0))  # the first may go on with a series
        goes_on, lengths = not new[0], np.diff(begins, append=rows)
        period: float | Float64 = self._period
        if self.periods:
            own = {name: 1e6 * seconds for name, seconds in self.periods.items()}
            each = [own.get(name, self._period) for name in frame["series"].gather(begins)]
            period = np.repeat(each, lengths)
        grid = resample_to_grid(before, times, period, self._max_gap)
        # A missing step has the labels of the reading before it, which `extended` puts one later.
        found = {name: column[grid.reading + grid.observed] for name, column in extended.items()}
        found["times"], found["observed"] = grid.times, grid.observed
        if not self._labels_silence:
            found["labels"][~grid.observed] = -1

        values = frame.select(pl.col(self._sensors).cast(pl.Float64))
        readings = values.to_numpy(order="c", writable=True)
        history = self.cleaner.new(len(begins))
        history[:goes_on] = self._history
        self._history = self.cleaner.clean(readings, lengths, history)[-1:]
        self._commission(begins, readings, columns["labels"], grid.position, goes_on=goes_on)

        steps = np.full((len(grid.times), readings.shape[1]), np.nan)
        steps[grid.position] = readings
        last = Held.new(len(begins), readings.shape[1])
        last.value[:goes_on], last.age[:goes_on] = self._held
        firsts = np.where(new[begins], grid.position[begins], 0)
        held, last = hold(steps, np.diff(firsts, append=len(steps)), last, self._longest)
        self._held = Held(last.value[-1:], last.age[-1:])
        mask = [missing_share(steps)] if self._mask else []
        found["values"] = np.column_stack([held, *mask])

        layout.starts += (layout.rows + grid.position[new]).tolist()
        layout.breaks += (layout.rows + grid.position[grid.breaks]).tolist()
        layout.rows += len(steps)
        layout.observed += rows
        self._last = {name: column[-1].item() for name, column in columns.items()}
        return found

    def _commission(
        self, begins: Int64, readings: Float64, labels: Int8, position: Int64, *, goes_on: bool
    ) -> None:
        """Calibrate the series whose first readings are complete."""
        layout, count = self.layout, self._commissioning.count
        lengths = np.diff(begins, append=len(readings))
        earlier = np.zeros(len(begins), np.int64)
        earlier[:goes_on] = self._readings
        self._readings = int(earlier[-1] + lengths[-1])
        rank = np.arange(len(readings)) - np.repeat(begins - earlier, lengths)
        layout.commissioning_attacks += int(((labels == 1) & (rank < count)).sum())
        # A series that ends here without being complete never will be.
        kept = earlier + lengths >= count
        kept[-1] = True
        numbers = len(layout.names) - len(begins) + np.arange(len(begins))
        own = readings[np.repeat(kept, lengths)]
        made = self._commissioning.add(numbers[kept], earlier[kept], lengths[kept], own)
        if made is None:
            return
        which = np.flatnonzero(kept)[made.which]
        ends = layout.rows + position[begins[which] + count - earlier[which] - 1] + 1
        found = zip(ends.tolist(), made.mean, made.scale, strict=True)
        layout.commissioned.update(zip(numbers[which].tolist(), found, strict=True))

    def _columns(self, frame: pl.DataFrame) -> Columns:
        found: Columns = {
            "times": frame["time"].cast(pl.Datetime("us")).to_physical().to_numpy(),
            "labels": frame["label"].cast(pl.Int8).fill_null(-1).to_numpy(),
            "incidents": _column(frame, "incident", pl.Int32).fill_null(-1).to_numpy(),
        }
        kinds = _column(frame, "kind", pl.String)
        if self._types and kinds.null_count():
            numbers = _column(frame, "incident", pl.Int32)
            types = numbers.replace_strict(self._types, default=None, return_dtype=pl.String)
            kinds = kinds.zip_with(kinds.is_not_null(), types)
        table = self.layout.kinds
        for name in sorted(kinds.drop_nulls().unique().to_list()):
            table.setdefault(name, len(table))
        visible = _column(frame, "visible", pl.Float32).fill_null(np.nan)
        found["visible"] = visible.to_numpy()
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


def own_periods(telemetry: Telemetry) -> dict[str, float]:
    """Series of imported data whose median step differs from the set's → this step in seconds. At
    most a tenth of their steps may be about as long as the set's period: a device that loses most
    of its readings is not a slow one."""
    period = telemetry.period
    if period is None or not telemetry.imported:
        return {}
    step, own = pl.col("step"), pl.col("own")
    steps = telemetry.frame.select(
        "series", step=pl.col("time").diff().dt.total_microseconds() / 1e6
    ).filter(pl.col("series") == pl.col("series").shift(1), step > 0)
    usual = (step - period).abs() <= OTHER_STEP * period
    means = steps.group_by("series").agg(usual=usual.mean()).collect(engine="streaming")
    rare = means.filter(pl.col("usual") <= OTHER_STEP)["series"]
    if not len(rare):  # a median takes all steps into memory
        return {}
    found = steps.filter(pl.col("series").is_in(rare.implode())).group_by("series")
    other = found.agg(own=step.median()).filter((own - period).abs() > OTHER_STEP * period)
    return dict(other.sort("series").collect(engine="streaming").rows())


def _column(frame: pl.DataFrame, name: str, dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
    if name in frame.columns:
        return frame[name].cast(dtype)
    return pl.repeat(None, len(frame), dtype=dtype, eager=True)


def _codes(names: pl.Series, table: dict[str, int], dtype: type[pl.DataType]) -> npt.NDArray[Any]:
    if names.null_count() == len(names):
        return np.full(len(names), -1, np.int16 if dtype is pl.Int16 else np.int8)
    return names.replace_strict(table, default=-1, return_dtype=dtype).fill_null(-1).to_numpy()
