"""Reads `scores.parquet` and the other Parquet files of a run, and `incidents.json` with the
incidents of its test part, for reports without the data; a damaged file is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from anomalynet.documents import read_json_value
from anomalynet.errors import RunError, UsageError
from anomalynet.runs import codec
from anomalynet.runs.collect import MOVE_AWAY, RunRecord
from anomalynet.runs.files import write_json
from anomalynet.runs.folder import RunFolder

Query = Callable[[pl.LazyFrame], pl.LazyFrame]

STEP = (
    pl.col("series").cast(pl.String),
    pl.col("time"),
    pl.col("label").cast(pl.Int8),
    pl.col("incident").cast(pl.Int64),
    pl.col("kind").cast(pl.String),
    pl.col("score").cast(pl.Float64).fill_nan(None),
    pl.col("threshold").cast(pl.Float64),
)

LATER = {
    "other": pl.lit(False),
    "visibility": pl.lit(None, pl.Float32),
    "silent": pl.lit(None, pl.Boolean),
}
"""Columns that files of earlier versions lack → their values there."""


def read(path: Path, query: Query = lambda frame: frame) -> pl.DataFrame:
    """The result of a query on a file, by default all of it. Raises RunError: the file is missing
    or damaged, or a column is missing."""
    try:
        # absolute: Polars takes `~` for the home folder
        return query(pl.scan_parquet(path.absolute(), glob=False)).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RunError(f"{path}: cannot be read: {str(error).splitlines()[0]}", MOVE_AWAY) from None


_cache: ContextVar[dict[Path, pl.DataFrame] | None] = ContextVar("cached scores", default=None)
MAX_CACHED = 10_000_000  # steps, about 70 bytes each; further steps are read from the file again


@contextmanager
def reading_once() -> Iterator[None]:
    """Within this block, or the function that it decorates, the test part of each run is read only
    once, because the sections of a report ask for the same steps in turn."""
    token = _cache.set({} if (outer := _cache.get()) is None else outer)
    try:
        yield
    finally:
        _cache.reset(token)


def read_test_steps(record: RunRecord) -> pl.DataFrame:
    """The test part in the order of the file: series, time, label (null: unlabelled), incident,
    kind, score (null: missed), threshold, other, visibility and silent. Errors: as `read`."""
    path, cache = RunFolder(record.folder).scores, _cache.get()
    if cache is not None and path in cache:
        return cache[path]

    def of_test(frame: pl.LazyFrame) -> pl.LazyFrame:
        known = frame.collect_schema()
        if not isinstance(known.get("time"), pl.Datetime):
            raise pl.exceptions.SchemaError(f"`time` is {known.get('time')}, not a time")
        later = [pl.col(name) if name in known else LATER[name].alias(name) for name in LATER]
        return frame.filter(pl.col("split") == "test").select(*STEP, *later)

    steps = read(path, of_test)
    if cache is not None and sum(map(len, cache.values())) + len(steps) <= MAX_CACHED:
        cache[path] = steps
    return steps


def compare_scores(a: RunRecord, b: RunRecord) -> dict[str, tuple[float | None, float | None]]:
    """How two runs judge the test steps that both have scored: fact → its values in a and b; None
    in b for a fact of both. Errors: as `read`."""
    one, other = (read_test_steps(run).drop_nulls("score") for run in (a, b))
    both = one.join(other, on=("series", "time"), how="inner", suffix="_b")
    alarm, alarm_b = (both[f"score{end}"] >= both[f"threshold{end}"] for end in ("", "_b"))
    rank = both.select(pl.corr("score", "score_b", method="spearman")).item() if len(both) else None
    return {
        "steps": (len(one), len(other)),
        "steps of both": (len(both), None),
        "alarms in steps of both": (int(alarm.sum()), int(alarm_b.sum())),
        "alarms of both": (int((alarm & alarm_b).sum()), None),
        "rank correlation": (rank, None),
    }


@dataclass(frozen=True, slots=True)
class IncidentNote:
    """One incident as described by annotators or the simulator; None if unknown (§3.1.6)."""

    type: str | None = None
    cause: str | None = None
    layer: str | None = None
    impact: str | None = None
    severity: Literal[1, 2, 3, 4] | None = None


def write_incidents(path: Path, incidents: Mapping[int, IncidentNote]) -> None:
    """Write incidents, by number."""
    write_json(path, {str(number): asdict(note) for number, note in sorted(incidents.items())})


def read_incidents(path: Path) -> dict[int, IncidentNote]:
    """Read incidents by number; empty without the file, as in runs of earlier versions. Raises
    RunError: the file is damaged or holds an invalid value; names it."""
    try:
        found = read_json_value(path)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(found, dict):
        raise _damaged(path, "not an object")
    for number in found:
        if not (number.isascii() and number.isdigit() and int(number[:11]) < 2**31):
            raise _damaged(path, f"{number!r} is not an incident number")
    try:
        notes = codec.build(dict[str, IncidentNote], found, "incident", strict=False)
    except UsageError as error:
        raise _damaged(path, error.message) from None
    return {int(number): note for number, note in notes.items()}


def _damaged(path: Path, what: str) -> RunError:
    return RunError(f"{path}: cannot be read: {what}", MOVE_AWAY)
