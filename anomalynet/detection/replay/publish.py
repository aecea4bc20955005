"""Converts canonical telemetry to a table or to messages in event time, with bounded memory, and
publishes these as a stream."""

from __future__ import annotations

import difflib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import polars as pl

from anomalynet.data.prepared import CHUNK
from anomalynet.data.telemetry import Telemetry
from anomalynet.detection.records import iso
from anomalynet.detection.service import mqtt
from anomalynet.errors import DataError, UsageError, first_line, say
from anomalynet.runs.files import replacing, scratch_folder

SUFFIXES = (".csv", ".jsonl", ".parquet")
IN_MEMORY = 1 << 20  # largest number of rows that are sorted in memory


def detector_rows(telemetry: Telemetry, series: Sequence[str] = ()) -> pl.LazyFrame:
    """The table with the columns device, time (UTC), one per channel (Float64, null = missing),
    label, incident, kind, in the order of the telemetry. `series`: names of the wanted series;
    empty: all. Raises DataError: unknown series, or a channel has the name of another column."""
    names = [channel.name for channel in telemetry.channels]
    for name in {"device", "gateway"} & set(names):
        what = f"channel name {name!r} is reserved in a detector's table"
        raise DataError(what, "import the data with another channel name")
    frame = telemetry.frame
    if series:
        every = frame.select("series").unique().collect(engine="streaming")["series"].to_list()
        for name in sorted({*series} - {*every}):
            near = difflib.get_close_matches(name, every, n=1) or sorted(every)[:3]
            how = f"such as {', '.join(near)}; there are {len(every)}"
            raise DataError(f"unknown series {name!r}", how)
        frame = frame.filter(pl.col("series").is_in(list(series)))
    known = frame.collect_schema().names()
    incidents = telemetry.incidents.items()
    types = {number: one.type for number, one in incidents if one.type is not None}
    incident = pl.col("incident") if "incident" in known else pl.lit(None, pl.Int32)
    kinds = [pl.col("kind")] if "kind" in known else []
    kinds += [incident.replace_strict(types, default=None, return_dtype=pl.String)] if types else []
    return frame.select(
        pl.col("series").alias("device"),
        pl.col("time").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        *(
            pl.when(pl.col(name).is_finite()).then(pl.col(name).cast(pl.Float64)).alias(name)
            for name in names
        ),
        pl.col("label").cast(pl.Int8),
        incident.alias("incident"),
        (pl.coalesce(kinds) if kinds else pl.lit(None, pl.String)).alias("kind"),
    )


def ordered(frame: pl.LazyFrame, keys: Sequence[str], scratch: Path) -> pl.LazyFrame:
    """The rows sorted by keys, piece by piece while the result is read. `keys`: the first one is an
    integer or a time; `scratch`: folder for a copy of the rows, until the result is read."""
    copy = scratch / "rows.parquet"
    frame.sink_parquet(copy, row_group_size=1 << 16)
    rows = pl.scan_parquet(copy, glob=False)
    key = pl.col(keys[0]).to_physical().cast(pl.Int64)
    first, last = rows.select(key.min().alias("first"), key.max().alias("last")).collect().row(0)
    if first is None:
        return rows
    schema, spans = rows.collect_schema(), _spans(rows.select(key), keys[0], first, last)
    return pl.concat(pl.defer(partial(_sorted, copy, keys, span), schema=schema) for span in spans)


def _spans(keys: pl.LazyFrame, name: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Ranges of a key, both ends included, of at most `IN_MEMORY` rows or a single value."""
    rows = keys.filter(pl.col(name).is_between(first, last)).select(pl.len()).collect().item()
    middle = (first + last) // 2
    if rows > IN_MEMORY and first < last:
        yield from _spans(keys, name, first, middle)
        yield from _spans(keys, name, middle + 1, last)
    elif rows:
        yield first, last


def _sorted(copy: Path, keys: Sequence[str], span: tuple[int, int]) -> pl.DataFrame:
    rows = pl.scan_parquet(copy, glob=False)
    kind = rows.collect_schema()[keys[0]]
    first, last = (pl.lit(end).cast(kind) for end in span)
    inside = pl.col(keys[0]).is_between(first, last)
    return rows.filter(inside).sort(keys, maintain_order=True).collect()


def write_rows(
    frame: pl.LazyFrame, path: Path, order: Literal["device", "time"], scratch: Path
) -> None:
    """Write a detector's table as `.csv` (missing = empty), `.jsonl` (missing = null) or
    `.parquet`, atomically. `frame`: of `detector_rows`, sorted by device; `scratch`: see `ordered`.
    Names stay as they are, even those that a spreadsheet would compute: `detect` reads the file.
    Raises UsageError: unknown suffix, or the folder cannot be written to."""
    if path.suffix not in SUFFIXES:
        what = f"{path}: unknown suffix; known are {', '.join(SUFFIXES)}"
        raise UsageError(what, f"--out {path.stem or 'rows'}.csv")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if order == "time":
            frame = ordered(frame, ["time", "device"], scratch)
        if path.suffix != ".parquet":
            frame = frame.with_columns(pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
        sinks = (frame.sink_csv, frame.sink_ndjson, frame.sink_parquet)
        # Polars gets an open file: by name, a thread of it may make it anew after a failure.
        with replacing(path) as temporary, temporary.open("wb") as file:
            dict(zip(SUFFIXES, sinks, strict=True))[path.suffix](file)  # type: ignore[operator]
    except (OSError, pl.exceptions.ComputeError) as error:  # Polars says either of a full disk
        why = getattr(error, "strerror", None) or first_line(error)
        what = f"{path}: cannot be written: {why}"
        raise UsageError(what, "use a file in a writable folder with free space") from None


@dataclass(frozen=True, slots=True)
class Sent:
    """One message of a gateway."""

    time: int  # µs since 1970 UTC, of its newest row, with or without a reading
    gateway: str
    # (device, time in µs, channel → value without the missing ones)
    readings: tuple[tuple[str, int, Mapping[str, float]], ...]


def gateways(telemetry: Telemetry) -> dict[str, str]:
    """Series → the gateway of its radio cell, where cells are known; cells are numbered in the
    order of the series."""
    numbers: dict[frozenset[str], int] = {}
    cells = {name: frozenset((name, *others)) for name, others in telemetry.neighbours.items()}
    return {name: f"cell-{numbers.setdefault(cell, len(numbers))}" for name, cell in cells.items()}


def messages(
    rows: pl.LazyFrame,
    period: float | None,
    cells: Mapping[str, str],
    default: str,
    scratch: Path,
    *,
    first: int | None = None,
    last: int | None = None,
) -> Iterator[Sent]:
    """One message per gateway and period, or per timestamp without a period. Rows without any value
    are not sent, except the first one of a device, which announces it. `rows`: of `detector_rows`;
    `cells`: device → gateway, others belong to `default`; `first`, `last`: µs since 1970 UTC."""
    time = pl.col("time").to_physical()
    rows = rows if first is None else rows.filter(time >= first)
    rows = rows if last is None else rows.filter(time <= last)
    others = ("device", "time", "label", "incident", "kind")
    channels = [name for name in rows.collect_schema().names() if name not in others]
    gateway = pl.col("device").replace_strict(dict(cells), default=default, return_dtype=pl.String)
    table = rows.select(
        (time if period is None else time // round(period * 1e6)).alias("step"),
        gateway.alias("gateway"),
        time.alias("time"),
        "device",
        *channels,
    )
    seen: set[str] = set()
    table = ordered(table, ["step", "gateway", "time", "device"], scratch)
    batches = table.collect_batches(chunk_size=CHUNK, maintain_order=True)
    in_time = chain.from_iterable(batch.iter_rows() for batch in batches)
    for (_, gateway), group in groupby(in_time, itemgetter(0, 1)):
        readings, newest = [], 0
        for _, _, newest, device, *values in group:
            pairs = zip(channels, values, strict=True)
            heard = {name: value for name, value in pairs if value is not None}
            if heard or device not in seen:
                seen.add(device)
                readings.append((device, newest, heard))
        yield Sent(newest, gateway, tuple(readings))


MAX_UNACKNOWLEDGED = 1000  # messages; publishing waits when there are more


class Replayed(NamedTuple):
    """Number of each that were sent."""

    messages: int
    gateways: int
    readings: int


def replay(
    telemetry: Telemetry,
    gateway: str,
    send: Callable[[str], None],
    *,
    series: Sequence[str] = (),
    speed: float = 1.0,
    first: int | None = None,
    last: int | None = None,
    shift: bool = False,
) -> Replayed:
    """Send a data set's readings as JSON messages, each when it is due.

    Args:
        gateway: sender of devices whose radio cell is unknown.
        series: names of the wanted series; empty: all.
        speed: event seconds per second; 0: as fast as possible.
        first, last: µs since 1970 UTC, both included; other readings are skipped.
        shift: moves times so that the replay starts now.

    Raises DataError: unknown series, or a channel has a reserved name."""
    sequence = Counter[str]()
    readings = offset = 0
    began, start = 0.0, None
    with scratch_folder() as scratch:
        rows, cells = detector_rows(telemetry, series), gateways(telemetry)
        span = {"first": first, "last": last}
        for one in messages(rows, telemetry.period, cells, gateway, scratch, **span):
            if start is None:
                began, start = time.monotonic(), one.time
                offset = round(time.time() * 1e6) - start if shift else 0
            if speed:  # a message that is late does not delay the next
                due = began + (one.time - start) / 1e6 / speed
                time.sleep(max(due - time.monotonic(), 0))
            send(_document(one, sequence[one.gateway], offset))
            sequence[one.gateway] += 1
            readings += len(one.readings)
    return Replayed(sequence.total(), len(sequence), readings)


def _document(one: Sent, sequence: int, shift: int) -> str:
    """A gateway's message as JSON; `shift` in µs moves its times."""
    document: dict[str, object] = {
        "gateway": one.gateway,
        "time": iso(one.time + shift),
        "sequence": sequence,
        "readings": [
            {"device": device, "time": iso(time + shift), "values": values}
            for device, time, values in one.readings
        ],
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Publisher(mqtt.Connection):
    """Publishes with QoS 1 inside a `with` block, whose end waits for all acknowledgements. `url`:
    `mqtt[s]://host[:port]/topic`. Every method raises UsageError: invalid address, or the broker
    refuses this client permanently."""

    def __init__(self, url: str) -> None:
        super().__init__(mqtt.one_topic(url), "", lambda _, why: say(f"MQTT broker {why}"))
        self.client.on_publish = self._on_publish
        self._waiting = 0
        self._again = False

    def __enter__(self) -> Self:
        self.open()
        try:
            self.wait(lambda: self.connected)
        except BaseException:
            self.close()
            raise
        return self

    def __call__(self, payload: str) -> None:
        """Publish one message. Waits while too many are unacknowledged, and after a lost connection
        until all have arrived: paho sends those again, and a new message would overtake them."""
        most = MAX_UNACKNOWLEDGED
        self.wait(lambda: self.connected and self._waiting < (1 if self._again else most))
        with self.change:
            self._waiting, self._again = self._waiting + 1, not self.connected
        self.client.publish(self.where.topic, payload, qos=1)

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            if kind is None:
                self.wait(lambda: self._waiting == 0)
        finally:
            self.close()

    def on_lost(self, reason: Any) -> None:
        """Messages may be on their way twice now."""
        self._again = True
        super().on_lost(reason)

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason: Any, more: Any) -> None:
        if reason.is_failure:
            self.update(failure=f"the broker refuses a message: {reason}")
        with self.change:
            self.update(_waiting=self._waiting - 1)
