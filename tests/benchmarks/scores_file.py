"""The file of scores that a detector writes, watched from outside: when each step came, and whether
all came."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import numpy as np
import polars as pl

LOOK = 0.005
"""Seconds between looks at the file."""

HEARD = b"Z,1,"
"""In every line of a step that was heard, once: its time ends, it was observed."""

PATIENCE = 40.0
"""Seconds without a step after which no further one is expected."""


class Arrivals:
    """Follows the file from now on, also when a restarted detector shortens it to write steps
    again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._chunks: list[tuple[float, bytes]] = []
        self._size = self._lines = 0
        self._newest = time.time()
        self._stopped = Event()
        self._thread = Thread(target=self._follow, daemon=True)
        self._thread.start()

    def wait_for(self, steps: int) -> None:
        """Wait until so many steps that were heard stand in the file, or nothing comes any more."""
        while self._lines < steps and time.time() - self._newest < PATIENCE:
            time.sleep(LOOK)

    def stop(self) -> None:
        """The file is whole."""
        self._stopped.set()
        self._thread.join()

    def agreement(self) -> str:
        """Whether what came is what stands in the file."""
        same = b"".join(chunk for _, chunk in self._chunks) == self._path.read_bytes()
        return "the file holds what was seen of it" if same else "the file was written anew"

    def lags(self, began: float, warm: int, devices: int, gateways: int) -> list[float]:
        """Seconds from when a step's message was to be sent until it came: median, 99th percentile
        and the longest; NaN without any.

        Step n of gateway g was to be sent at `began` + n - `warm` + g / `gateways`.
        """
        content = b"".join(chunk for _, chunk in self._chunks)
        sizes = np.cumsum([len(chunk) for _, chunk in self._chunks])
        ends = np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n"))
        came = np.array([moment for moment, _ in self._chunks])[
            np.searchsorted(sizes, ends, side="right")
        ][1:]
        table = read(io.BytesIO(content))
        step = table["time"].to_numpy() // 1_000_000
        device = table["device"].str.slice(-6).cast(pl.Int64).to_numpy()
        lag = (came - began - (step - warm) - device % gateways / gateways)[
            (step >= warm) & table["observed"].to_numpy()
        ]
        return [float(np.quantile(lag, one)) if len(lag) else np.nan for one in (0.5, 0.99, 1.0)]

    def _follow(self) -> None:
        while not self._stopped.is_set():
            last = self._stopped.wait(LOOK)
            if not self._path.exists():
                continue
            with self._path.open("rb") as file:
                size = file.seek(0, io.SEEK_END)
                if size < self._size:
                    self._cut(size)
                file.seek(self._size)
                chunk = file.read()
            if chunk:
                self._newest = time.time()
                edge = self._chunks[-1][1][1 - len(HEARD) :] if self._chunks else b""
                self._lines += (edge + chunk).count(HEARD)
                self._chunks.append((self._newest, chunk))
                self._size += len(chunk)
            if last:
                return

    def _cut(self, size: int) -> None:
        while self._size > size:
            moment, chunk = self._chunks.pop()
            self._size -= len(chunk)
            if self._size < size:
                self._chunks.append((moment, chunk[: size - self._size]))
                self._size = size
                break
        self._lines = b"".join(chunk for _, chunk in self._chunks).count(HEARD)


def read(content: Path | io.BytesIO) -> pl.DataFrame:
    """Device, time in µs since 1970, observed and score of each line."""
    table = pl.read_csv(
        content, schema_overrides={"device": pl.String, "time": pl.String, "score": pl.Float64}
    )
    return table.with_columns(
        pl.col("time").str.to_datetime(time_unit="us", time_zone="UTC").to_physical(),
        pl.col("observed") == 1,
    )


@dataclass(frozen=True, slots=True)
class Account:
    """Readings that were sent, and those of them that do not stand in the file, or more than once;
    steps of silence in it."""

    sent: int
    missing: int
    doubled: int
    silent: int

    def __str__(self) -> str:
        return (
            f"{self.sent:,} sent, {self.missing} missing, {self.doubled} doubled, "
            f"{self.silent} steps of silence"
        )


def account(path: Path, devices: int, steps: int) -> Account:
    """Which of the readings of every device at the seconds 0 … `steps` - 1 stand in the file, and
    how often."""
    table = read(path)
    heard = table.filter("observed").with_columns(pl.col("time") // 1_000_000)
    once = heard.unique(["device", "time"])
    found = once.filter(pl.col("time").is_between(0, steps - 1)).height
    return Account(
        devices * steps,
        devices * steps - found,
        heard.height - once.height,
        table.height - heard.height,
    )
