"""`anomalynet data rows` and `data replay`: a data set as a detector's table, and as messages by
event time."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import add_overrides, data_set
from anomalynet.errors import UsageError

if TYPE_CHECKING:
    from anomalynet.config.schema import DataConfig
    from anomalynet.data.telemetry import Telemetry
    from anomalynet.replay.rows import Sent

ROWS = "write a data set's rows as a table that `anomalynet detect FILE` reads"
REPLAY = (
    "send a data set's readings by event time, as its gateways would have, to an MQTT broker "
    "or stdout"
)


def add_rows(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `data rows`."""
    _add_data(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help=".csv, .jsonl or .parquet"
    )
    parser.add_argument(
        "--by",
        choices=("device", "time"),
        default="device",
        help="order of the rows (default: device)",
    )
    parser.add_argument("--replace", action="store_true", help="overwrite the file")


def add_replay(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `data replay`."""
    _add_data(parser)
    goal = parser.add_mutually_exclusive_group(required=True)
    goal.add_argument(
        "--mqtt",
        metavar="URL",
        help="mqtt://host[:port]/topic, or mqtts://; credentials: ANOMALYNET_MQTT_USERNAME, …",
    )
    goal.add_argument("--out", choices=("-",), help="- for one JSON line a message on stdout")
    parser.add_argument(
        "--speed",
        type=_speed,
        default=1.0,
        metavar="N",
        help="event seconds a second; 0 = as fast as it goes (default: 1)",
    )
    parser.add_argument(
        "--from",
        dest="first",
        type=_moment,
        metavar="TIME",
        help="leave out what is before: ISO 8601, or seconds since 1970",
    )
    parser.add_argument(
        "--to", dest="last", type=_moment, metavar="TIME", help="leave out what is after"
    )
    parser.add_argument(
        "--shift", action="store_true", help="move times so that the replay starts now"
    )


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        metavar="NAME|DIR",
        help="a data set of `anomalynet data ls`, or a folder of `anomalynet simulate`",
    )
    add_overrides(parser)
    parser.add_argument(
        "--series", type=_names, default=(), metavar="A,B", help="these series only"
    )


def rows(args: argparse.Namespace) -> int:
    """Write the table.

    Raises:
        UsageError: the file is there already, or cannot be written.
    """
    from anomalynet.replay.rows import detector_rows, write_rows

    if args.out.exists() and not args.replace:
        raise UsageError(f"{args.out}: is there already", "--replace, or another name")
    _, telemetry = _load(args)
    with tempfile.TemporaryDirectory(prefix="anomalynet-") as scratch:
        write_rows(detector_rows(telemetry, args.series), args.out, args.by, Path(scratch))
    _warn(telemetry)
    print(args.out)
    return 0


def replay(args: argparse.Namespace) -> int:
    """Send the messages, and say how many there were.

    Raises:
        UsageError: the address or its broker does not do.
    """
    from anomalynet.replay.publish import Publisher
    from anomalynet.replay.rows import detector_rows, gateways, messages

    with ExitStack() as stack:
        send: Callable[[str], None] = (
            stack.enter_context(Publisher(args.mqtt)) if args.mqtt else _print
        )
        config, telemetry = _load(args)
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="anomalynet-")))
        table = detector_rows(telemetry, args.series)
        _warn(telemetry)
        pace, sequence, readings = _Pace(args.speed), Counter[str](), 0
        shift: int | None = None if args.shift else 0
        found = messages(
            table,
            telemetry.period,
            gateways(telemetry),
            config.title,
            scratch,
            first=args.first,
            last=args.last,
        )
        for one in found:
            if shift is None:
                shift = round(time.time() * 1e6) - one.time
            pace.wait(one.time)
            send(_document(one, sequence[one.gateway], shift))
            sequence[one.gateway] += 1
            readings += len(one.readings)
    print(
        f"{sequence.total():,} messages of {len(sequence):,} gateways, {readings:,} readings",
        file=sys.stderr,
    )
    return 0


def _document(one: Sent, sequence: int, shift: int) -> str:
    """A gateway's message as JSON; `shift` in µs moves its times."""
    from anomalynet.detection.records import iso

    readings = [
        {"device": device, "time": iso(time + shift), "values": values}
        for device, time, values in one.readings
    ]
    document = {
        "gateway": one.gateway,
        "time": iso(one.time + shift),
        "sequence": sequence,
        "readings": readings,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class _Pace:
    """Waits until an event's turn has come; lateness is made up for."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._start: tuple[float, int] | None = None

    def wait(self, moment: int) -> None:
        if self._start is None:
            self._start = time.monotonic(), moment
        if self._speed:
            began, first = self._start
            time.sleep(max(began + (moment - first) / 1e6 / self._speed - time.monotonic(), 0))


def _print(line: str) -> None:
    print(line, flush=True)


def _load(args: argparse.Namespace) -> tuple[DataConfig, Telemetry]:
    from anomalynet.config.load import load_data_config
    from anomalynet.data import sources

    name, place = data_set(args.name)
    config = load_data_config(name, [*place, *args.overrides])
    return config, sources.load(config)


def _warn(telemetry: Telemetry) -> None:
    for warning in telemetry.warnings:
        print(f"warning: {warning}", file=sys.stderr)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return speed


def _moment(text: str) -> int:
    from anomalynet.detection.records import microseconds

    found = microseconds(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-04-13T06:00:00Z")
    return found
