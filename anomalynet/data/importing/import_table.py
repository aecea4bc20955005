"""Imports tables into the canonical form. `import_table` checks everything first, then writes all
files or none."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from anomalynet.data.describe import not_in_order
from anomalynet.data.folder import data_folder
from anomalynet.data.importing import checks, ordering
from anomalynet.data.importing.cells import is_name, quote
from anomalynet.data.importing.intervals import mark, read_intervals
from anomalynet.data.importing.read import Table, canonical, once, read_table
from anomalynet.data.importing.request import ImportReport, ImportRequest
from anomalynet.data.sources import built_in, imported, simulated
from anomalynet.data.sources._reading import number_incidents
from anomalynet.data.telemetry import Incident
from anomalynet.errors import DataError, first_line
from anomalynet.runs import checksums
from anomalynet.runs.files import sha256

JUDGED = 100_000  # rows from which the order of rows is judged
ROW_GROUP = 1 << 19  # values; whoever reads the set has several row groups in memory


def import_table(request: ImportRequest) -> ImportReport:
    """Import CSV, Parquet or NumPy files of any size into the data folder as `data.name=<name>`.

        import_table(ImportRequest(file=Path("plant.csv"), name="plant", time="time"))

    Memory holds only keys (series, time, label), and all readings only if rows must be reordered.

    Raises DataError: anything invalid, with file and line; nothing is written then.
    """
    folder = _target(request.name, request.replace)
    for path in request.files:
        if not is_name(path.name):
            what = f"the name of the file {quote(path)} has characters that cannot be printed"
            raise DataError(what, "rename it")
    with _staging(folder) as temporary:
        _target(request.name, request.replace)  # again: another import may have ended meanwhile
        about = dict(request.units), request.name, request.labels
        table = read_table(request.files, request.form, temporary, *about)
        if table.local is False and request.timezone and not (request.incidents or request.labels):
            where = f"{table.rows.path}: times have a UTC offset or are in seconds"
            raise DataError(where, "remove --timezone")
        counts, warnings = table.counts, table.warnings
        keys, incidents = _incidents(table, request, temporary)
        warnings += checks.find_warnings(table, keys) + ordering.long_steps(table.rows, keys)
        frame = canonical(table, keys)
        if request.duplicates == "mean":
            keys = once(keys)
        found = ordering.period(keys) if request.time else None
        period = request.period or (found if request.time else 1.0)
        if found and period and abs(period - found) > ordering.REGULAR_WIDTH * found:
            what = f"readings are {found:g} s apart, not --period {period:g}"
            warnings.append(f"{what}: windows follow the readings; leave out --period")
        labelled = keys["label"].count()
        counts = {"rows": keys.height, **counts}
        if labelled and keys["label"].drop_nulls().n_unique() == 1:
            only = "attack" if keys["label"].drop_nulls()[0] else "normal"
            warnings.append(f"every labelled row is {only}: metrics need both classes")
        elif labelled and 2 * (attacks := (keys["label"] == 1).sum()) > labelled:
            warnings.append(
                f"{attacks / labelled:.0%} of the labelled rows are attacks: if they are not, say "
                "which words mean what with --attack and --normal"
            )
        if labelled < keys.height:
            counts["unlabelled rows"] = keys.height - labelled
        channels = table.roles.channels.values()
        if shuffled := not_in_order(frame.head(JUDGED), list(table.form.channels)):
            warnings.append(shuffled)
        # No absolute path and no current time: equal imports give equal sets.
        files = [(path.name, sha256(path)) for path in request.files]
        description = {
            "version": imported.VERSION,
            "name": request.name,
            "file": ", ".join(name for name, _ in files),
            "sha256": files[0][1] if len(files) == 1 else dict(files),
            "format": asdict(table.form),
            "period": period,
            "channels": [{"name": channel.name, "unit": channel.unit} for channel in channels],
            "incidents": {str(number): asdict(one) for number, one in incidents.items()},
            "counts": counts,
            "warnings": warnings,
        }
        _write(folder, temporary, frame, description)
    prevalence = keys["label"].mean()
    bounds = keys.select(begins=pl.col("time").min(), ends=pl.col("time").max()).row(0)
    begins, ends = [f"{time.isoformat()}Z" if request.time else None for time in bounds]
    return ImportReport(
        name=request.name,
        folder=folder,
        series=keys["series"].n_unique(),
        rows=counts["rows"],
        channels=table.form.channels,
        begins=begins,
        ends=ends,
        time_format=table.form.time_format,
        timezone=(request.timezone or "UTC") if table.local else None,
        period=period,
        prevalence=prevalence if isinstance(prevalence, float) else None,
        incidents=len(incidents),
        counts=counts,
        warnings=tuple(warnings),
    )


def _incidents(
    table: Table, request: ImportRequest, temporary: Path
) -> tuple[pl.DataFrame, dict[int, Incident]]:
    """Keys with numbered incidents: first those of the incidents file, then each run of label 1
    outside them."""
    given: dict[int, Incident] = {}
    keys = table.keys.with_columns(incident=pl.lit(None, pl.Int32))
    if request.incidents:
        inner = temporary / "incidents"
        inner.mkdir()
        series = keys["series"].unique().to_list()
        clock = table.local, table.form.time_format
        intervals, given, unknown = read_intervals(
            request.incidents, series, request.timezone, inner, request.files, clock
        )
        if unknown:
            table.counts["incidents of other series"] = unknown
        keys = mark(keys, intervals)
        inside = pl.col("incident").is_not_null()
        denied = keys.filter(inside & (pl.col("label") == 0)).height
        if denied:
            table.counts["rows labelled normal inside an incident"] = denied
        known = request.label or request.kind or request.labels
        outside = pl.col("label") if known else pl.lit(0, pl.Int8)
        keys = keys.with_columns(label=pl.when(inside).then(pl.lit(1, pl.Int8)).otherwise(outside))
        empty = set(given) - set(keys["incident"].drop_nulls().unique())
        if empty:
            table.warnings.append(f"{len(empty)} of {len(given)} incidents contain no reading")
    keys = keys.with_columns(kind=pl.when(pl.col("label") == 1).then("kind"))
    free = keys.with_columns(label=pl.when(pl.col("incident").is_null()).then("label"))
    numbered, found = number_incidents(free)
    shift = len(given)  # numbers of the file come first and stay as they are
    keys = keys.with_columns(incident=pl.coalesce("incident", numbered["incident"] + shift))
    return keys, given | {number + shift: incident for number, incident in found.items()}


def _target(name: str, replace: bool) -> Path:
    """The folder of a new set. Raises DataError: the name is invalid or taken, or the folder has
    other content."""
    # A name that begins with "-" could not be typed as an argument; 200 fit every file system.
    if not re.fullmatch(r"[a-z0-9_][a-z0-9_-]{,199}", name):
        what = f"invalid data set name {name!r}"
        raise DataError(what, "use lower-case letters, digits, _ and -: --name my-building")
    if name in built_in() or simulated.knows(name) or name == "prepared":
        raise DataError(f"data set name {name!r} is reserved", "choose another --name")
    folder = data_folder() / name
    if folder.exists():
        if not (folder / imported.DESCRIPTION).is_file():
            raise DataError(f"{folder}: exists and is not an imported set", "choose another --name")
        if not replace:
            what = f"a data set {name!r} exists in {folder}"
            raise DataError(what, "add --replace to overwrite it, or choose another --name")
    return folder


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder` that no other import has, and delete it afterwards, as
    what a killed import left; a new data folder that stays empty is also deleted. Raises DataError:
    another import of this name runs, or the disk is full."""
    parent, temporary = folder.parent, imported.staging_of(folder)
    existed = parent.exists()
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with imported.only_import(folder):
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            try:
                yield temporary
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except (OSError, pl.exceptions.ComputeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        what = f"{parent}: cannot be written: {why}"
        raise DataError(what, "free some space, or set another ANOMALYNET_DATA") from error
    finally:
        if not existed and parent.exists() and not any(parent.iterdir()):
            parent.rmdir()


def _write(folder: Path, temporary: Path, frame: pl.LazyFrame, description: dict[str, Any]) -> None:
    """Write table and description below `temporary`, then their checksums when they are on the
    disk, and put them in the place of `folder` in one step."""
    fresh = temporary / "set"
    fresh.mkdir()
    rows = max(8192, ROW_GROUP // len(description["channels"]))
    frame.sink_parquet(fresh / imported.TELEMETRY, row_group_size=rows, maintain_order=True)
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    (fresh / imported.DESCRIPTION).write_text(text, encoding="utf-8")
    checksums.write(fresh, (imported.DESCRIPTION, imported.TELEMETRY))
    imported.put(fresh, folder)
