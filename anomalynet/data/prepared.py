"""Prepared recordings: memory-mapped arrays, one row a step, and what is known of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import numpy.typing as npt

from anomalynet.config.schema import SplitPolicy
from anomalynet.data.telemetry import CELL_SILENT, MASK, Channel, Incident
from anomalynet.documents import read_json_value
from anomalynet.errors import UsageError
from anomalynet.runs import checksums, codec

# Version of the folder's layout: it enters the cache key, so another layout never reads this one
FORMAT = 5

COLUMNS: Mapping[str, str] = {
    "values": "<f4",
    "labels": "|i1",
    "times": "<i8",
    "incidents": "<i4",
    "kinds": "<i2",
    "splits": "|i1",
    "observed": "|b1",
    "visible": "<f4",
}
HEADER = 128  # bytes before the rows
CHUNK = 1 << 16  # rows in memory at a time
PARTS = ("train", "validation", "test")
Int8 = npt.NDArray[np.int8]
Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows `start` … `stop`-1 of one series without a long gap and without calibration rows: no
    window leaves them."""

    series: str
    group: str
    train_only: bool
    start: int
    stop: int


@dataclass(frozen=True)
class Prepared:
    """Recordings on their grid, calibrated and ready for windows; every array is a memory map
    shared by all processes."""

    values: Float32  # float32 (step, channel); the mask channel, if any, is last
    labels: Int8  # int8 (step,): 1 attack, 0 normal, -1 unlabelled
    times: Int64  # int64 (step,), microseconds since 1970-01-01 UTC
    incidents: Int32  # int32 (step,): key of `incident_table`, -1 none
    kinds: Int16  # int16 (step,): index in `kind_names`, -1 none
    splits: Int8  # int8 (step,): index in `PARTS`, -1 none; the split that the source brought
    observed: Bool  # bool (step,): False where the step was added in a gap
    visible: Float32  # float32 (step,): `visible` of `data/telemetry.py`, NaN if unknown
    segments: tuple[Segment, ...]
    series: tuple[str, ...]  # names, in row order, as `segments`
    series_starts: Int64  # int64 (series+1,); series `i` has the rows from `[i]` to `[i+1]` - 1
    # float64 (series, sensor), of each series' commissioning rows; empty without calibration
    calibration_mean: Float64
    # likewise, the deviation; infinite where a sensor was never heard there
    calibration_scale: Float64
    # per sensor, the smallest scale by `data.calibration_floor`; empty without one
    calibration_floor: tuple[float, ...]
    channels: tuple[Channel, ...]
    kind_names: tuple[str, ...]
    incident_table: Mapping[int, Incident]
    period: float | None  # expected seconds between steps; None for events
    periods: Mapping[str, float]  # series → its own period, where that is another
    # the split that `auto` stands for; None where the number of groups decides
    policy: SplitPolicy | None
    fingerprint: str
    has_split: bool
    counts: Mapping[str, int]
    warnings: tuple[str, ...]

    @cached_property
    def segment_starts(self) -> Int64:
        """First row of each segment, int64 (segment,)."""
        return np.array([segment.start for segment in self.segments], np.int64)

    @property
    def mask(self) -> int | None:
        """Position of the mask channel, None where there is none."""
        return len(self.channels) - 1 if self.channels and self.channels[-1].name == MASK else None

    def unheard(self, rows: Int64) -> Bool:
        """At which of some rows nothing was received of their device, bool (row,); at none without
        a mask channel."""
        if self.mask is None:
            return np.zeros(len(rows), np.bool_)
        sensors = len(self.channels) - 1
        nothing = sensors - sum(one.name == CELL_SILENT for one in self.channels)
        found: Bool = np.rint(self.values[rows, self.mask] * sensors) >= nothing
        return found

    def series_of(self, rows: Int64) -> Int64:
        """Positions in `series` of the given rows, int64 like `rows`."""
        return np.searchsorted(self.series_starts, rows, side="right").astype(np.int64) - 1


SMALL = {"series_starts": "<i8", "calibration_mean": "<f8", "calibration_scale": "<f8"}
DESCRIPTION = "prepared.json"
FILES = (DESCRIPTION, *(f"{name}.npy" for name in (*COLUMNS, *SMALL)))
LONG = {"series", "segments", "incident_table"}  # facts that are too many to be read one by one
BLOCK = 1 << 22  # bytes that have a checksum of their own


def block_checksums(path: Path) -> list[int]:
    """CRC-32 of each block of a file; of all standard checksums it is the quickest, and several
    threads share the blocks."""

    def crc(start: int) -> int:
        with path.open("rb") as file:
            file.seek(start)
            return zlib.crc32(file.read(BLOCK))

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(crc, range(0, path.stat().st_size, BLOCK)))


def describe(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write `prepared.json` and, last, the checksums: a folder without them is unfinished. `facts`:
    the fields of `Prepared` that are not arrays."""
    text = json.dumps({"format": FORMAT, **facts}, default=asdict)
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")
    checksums.write(folder, FILES, checksum=block_checksums)


def open_prepared(folder: Path, fingerprint: str | None = None) -> Prepared | None:
    """Open a prepared folder; None where it is absent, unfinished, damaged, of another layout or of
    other data than those of the `fingerprint`, so that it is built again. All bytes are compared
    with their checksums, types and shapes with each other."""
    if checksums.verify(folder, FILES, checksum=block_checksums):
        return None
    try:
        if not (folder / checksums.FILE).exists():
            return None
        facts = read_json_value(folder / DESCRIPTION)
        if facts.pop("format") != FORMAT:
            return None
        # Copy-on-write: torch warns of read-only arrays, and nobody may change the file.
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="c" if name in COLUMNS else None)
            for name in (*COLUMNS, *SMALL)
        }
        hints = get_type_hints(Prepared)
        for name in facts.keys() - LONG:
            facts[name] = codec.build(hints[name], facts[name], name)
        facts["series"] = tuple(facts["series"])
        facts["segments"] = tuple(Segment(**one) for one in facts["segments"])
        incidents = facts["incident_table"].items()
        facts["incident_table"] = {int(key): Incident(**one) for key, one in incidents}
        found = Prepared(**arrays, **facts)
        same = fingerprint in (None, found.fingerprint)
        return found if same and _consistent(found) else None
    except (OSError, ValueError, TypeError, LookupError, AttributeError, UsageError):
        return None


def _consistent(found: Prepared) -> bool:
    """Whether types, shapes and ranges fit each other; no array of `COLUMNS` is read. Raises
    ValueError, TypeError or LookupError: they cannot be compared."""
    rows, series, starts = len(found.times), len(found.series), found.series_starts
    sensors = len(found.channels) - (found.mask is not None)
    calibrated = series if len(found.calibration_mean) else 0
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(SMALL, (calibrated, sensors))
    shapes |= {"values": (rows, len(found.channels)), "series_starts": (series + 1,)}
    for name, dtype in {**COLUMNS, **SMALL}.items():
        array = getattr(found, name)
        if array.shape != shapes.get(name, (rows,)) or array.dtype != dtype:
            return False
    position = {name: index for index, name in enumerate(found.series)}
    owners = np.array([position[one.series] for one in found.segments])
    edges = np.array([(one.start, one.stop) for one in found.segments])
    noted = found.incident_table.values()
    texts = {type(text) for one in noted for text in (one.type, one.cause, one.impact, one.layer)}
    return bool(
        {*map(type, found.series)} == {str}
        and len(position) == series
        and (starts[0], starts[-1]) == (0, rows)
        and (np.diff(starts) >= 0).all()
        and edges.dtype == np.int64
        and (np.diff(edges.ravel()) >= 0).all()
        and (starts[owners] <= edges[:, 0]).all()
        and (edges[:, 1] <= starts[owners + 1]).all()
        and {(type(one.group), type(one.train_only)) for one in found.segments} == {(str, bool)}
        and texts <= {str, type(None)}
        and {type(one.severity) for one in noted} <= {int, type(None)}
        and len(found.calibration_floor) in (0, sensors)
        and all(seconds > 0 for seconds in found.periods.values())
        and (found.period is None or found.period > 0)
    )


class ArrayFile:
    """Writes rows to an `.npy` file whose number of rows is known only at the end.

    NumPy pads the header for a first axis that grows, so it is rewritten in place on closing.

    Args:
        path: the file; overwritten.
        dtype: of every row.
        width: columns of each row; None for a one-dimensional array.
    """

    def __init__(self, path: Path, dtype: str, width: int | None = None) -> None:
        self._file = path.open("wb")
        self._dtype = np.dtype(dtype)
        self._width = width
        self.rows = 0
        self._header()

    def _header(self) -> None:
        shape = (self.rows,) if self._width is None else (self.rows, self._width)
        np.lib.format.write_array_header_1_0(
            self._file, {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        )

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Add rows at the end."""
        np.ascontiguousarray(rows, dtype=self._dtype).tofile(self._file)
        self.rows += len(rows)

    def __enter__(self) -> ArrayFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._file.flush()
            self._file.seek(0)
            self._header()
        self._file.close()


def read_rows(path: Path, width: int) -> Iterator[tuple[int, Float64]]:
    """Read a float64 file of `ArrayFile` in chunks, without mapping it: (first row, values (rows,
    width))."""
    with path.open("rb") as file:
        file.seek(HEADER)
        start = 0
        while len(values := np.fromfile(file, np.float64, CHUNK * width)):
            yield start, values.reshape(-1, width)
            start += len(values) // width
