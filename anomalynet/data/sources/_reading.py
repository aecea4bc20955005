"""Shared code of sources: their description, reading of files, and incidents from labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from anomalynet.data.importing.cells import SWITCH, check_name
from anomalynet.data.importing.format import TableFormat
from anomalynet.data.importing.read import read_table
from anomalynet.data.telemetry import LEADING, Channel, Incident, Telemetry
from anomalynet.runs.files import scratch_folder


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """The description of a data set, known without reading its files."""

    name: str  # as in `data.name`
    title: str
    licence: str  # licence of the recordings, not of this program
    url: str = ""  # home page of the recordings; empty for simulated data
    period: float | None = None  # expected seconds between readings, None for events without a grid
    subsets: tuple[str, ...] = ()  # valid values of `data.subset`
    # a subset is required, because subsets have different channels
    needs_subset: bool = False
    # folders below the root that may contain the files, in order of preference
    folders: tuple[str, ...] = (".",)
    by_hand: str = ""  # how to get files that may not be redistributed
    generated: bool = False  # simulated from the seed `data.world`; there are no files
    warnings: tuple[str, ...] = ()  # for every table made from this data


def pinned(repository: str, commit: str, folder: str = "") -> Callable[[str], str]:
    """A source's `url`: file → its URL on GitHub at a fixed commit; `<name>.sha256` has hashes."""
    return lambda file: f"https://raw.githubusercontent.com/{repository}/{commit}/{folder}{file}"


def incomplete(found: int, whole: int, what: str) -> list[str]:
    """A warning if parts of a data set are missing."""
    few = f"only {found} of {whole} {what} found: results are not comparable with the whole set"
    return [few] if found < whole else []


def read(path: Path, form: TableFormat, words: Mapping[str, str] = SWITCH) -> pl.DataFrame:
    """Read a file by the rules of an import: the columns series, time, label, kind and the
    channels, sorted by (series, time). `words`: of sensors → their digit. Raises DataError:
    anything invalid, with its line."""
    with scratch_folder() as staging:
        table = read_table([path], form, staging, words=words)
        return table.frame(table.keys.drop("split")).collect()


def telemetry(
    info: SourceInfo,
    frame: pl.DataFrame,
    channels: tuple[Channel, ...],
    counts: Mapping[str, int],
    warnings: Sequence[str] = (),
    **more: Any,
) -> Telemetry:
    """Telemetry of rows as `read` gives them, in any order. `counts`, `warnings`: beside the number
    of rows, and those of `info`; `more`: further fields."""
    for name in frame["series"].unique():  # some have the names of files
        check_name(name, f"{info.name}: series")
    numbered, incidents = number_incidents(frame.sort("series", "time", maintain_order=True))
    return Telemetry(
        frame=numbered.lazy(),
        channels=channels,
        incidents=incidents,
        counts={"rows": frame.height, **counts},
        warnings=(*info.warnings, *warnings),
        **{"period": info.period, **more},
    )


def number_incidents(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[int, Incident]]:
    """Number incidents: each run of label 1 within a series is one; if it has several kinds, one
    per kind. `frame`: sorted by (series, time), with the columns series, time, label and kind.

    Returns: the frame in canonical column order with the column `incident` (Int32, null outside),
        and the table number → incident.
    """
    attack = (pl.col("label") == 1).fill_null(False)
    begins = attack & (
        ~attack.shift(1, fill_value=False) | pl.col("series").ne_missing(pl.col("series").shift(1))
    )
    marked = frame.drop("incident", strict=False).with_columns(
        stretch=pl.when(attack).then(begins.cum_sum())
    )
    found = (
        marked.filter(attack)
        .select("stretch", "kind")
        .unique(maintain_order=True)
        .with_columns(incident=pl.int_range(pl.len(), dtype=pl.Int32))
    )
    numbered = marked.join(
        found, on=["stretch", "kind"], how="left", nulls_equal=True, maintain_order="left"
    )
    incidents = {
        number: Incident(type=kind) for number, kind in found.select("incident", "kind").rows()
    }
    return numbered.select(*LEADING, pl.exclude(*LEADING, "stretch")), incidents
