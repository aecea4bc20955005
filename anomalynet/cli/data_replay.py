"""`anomalynet data rows` and `data replay`: a data set as a detector's table, and as messages by
event time."""

from __future__ import annotations

import argparse
import functools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.arguments import add_data, data_config, flag, names, option
from anomalynet.cli.output import warn
from anomalynet.errors import UsageError

if TYPE_CHECKING:
    from anomalynet.detection.replay.rows import Sent

ROWS = "write a data set's rows as a table that `anomalynet detect FILE` reads"
REPLAY = (
    "send a data set's readings by event time, as its gateways would have, to an MQTT broker "
    "or stdout"
)


def add_rows(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `data rows`."""
    _add_series(parser)
    text = ".csv, .jsonl or .parquet"
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=text)
    text = "order of the rows (default: device)"
    parser.add_argument("--by", choices=("device", "time"), default="device", help=text)
    flag(parser, "--replace", "overwrite the file")


def add_replay(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `data replay`."""
    _add_series(parser)
    goal = parser.add_mutually_exclusive_group(required=True)
    text = "mqtt://host[:port]/topic, or mqtts://; credentials: ANOMALYNET_MQTT_USERNAME, …"
    option(goal, "--mqtt", "URL", text)
    goal.add_argument("--out", choices=("-",), help="- for one JSON line per message on stdout")
    text = "event seconds per second; 0: as fast as possible (default: 1)"
    option(parser, "--speed", "N", text, _speed, 1.0)
    text = "skip earlier readings: ISO 8601, or seconds since 1970"
    parser.add_argument("--from", dest="first", type=_moment, metavar="TIME", help=text)
    text = "skip later readings"
    parser.add_argument("--to", dest="last", type=_moment, metavar="TIME", help=text)
    flag(parser, "--shift", "move times so that the replay starts now")


def _add_series(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    option(parser, "--series", "A,B", "these series only", names, ())


def rows(args: argparse.Namespace) -> int:
    """Write the table."""
    from anomalynet.data import sources
    from anomalynet.detection.replay.rows import detector_rows, write_rows

    if args.out.exists() and not args.replace:
        raise UsageError(f"{args.out}: exists already", "add --replace, or choose another name")
    telemetry = sources.load(data_config(args))
    with tempfile.TemporaryDirectory(prefix="anomalynet-") as scratch:
        write_rows(detector_rows(telemetry, args.series), args.out, args.by, Path(scratch))
    warn(telemetry.warnings)
    print(args.out)
    return 0


def replay(args: argparse.Namespace) -> int:
    """Send the messages, and say how many there were."""
    from anomalynet.data import sources
    from anomalynet.detection.replay.publish import Publisher
    from anomalynet.detection.replay.rows import detector_rows, gateways, messages

    with ExitStack() as stack:
        send: Callable[[str], None] = functools.partial(print, flush=True)
        if args.mqtt:
            send = stack.enter_context(Publisher(args.mqtt))
        config = data_config(args)
        telemetry = sources.load(config)
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="anomalynet-")))
        table = detector_rows(telemetry, args.series)
        warn(telemetry.warnings)
        sequence = Counter[str]()
        readings = shift = 0
        began = 0.0
        first: int | None = None
        for one in messages(
            table,
            telemetry.period,
            gateways(telemetry),
            config.title,
            scratch,
            first=args.first,
            last=args.last,
        ):
            if first is None:
                began, first = time.monotonic(), one.time
                shift = round(time.time() * 1e6) - first if args.shift else 0
            if args.speed:  # lateness is made up for
                due = began + (one.time - first) / 1e6 / args.speed
                time.sleep(max(due - time.monotonic(), 0))
            send(_document(one, sequence[one.gateway], shift))
            sequence[one.gateway] += 1
            readings += len(one.readings)
    count = f"{sequence.total():,} messages of {len(sequence):,} gateways"
    print(f"{count}, {readings:,} readings", file=sys.stderr)
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


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return speed


def _moment(text: str) -> int:
    from anomalynet.data.importing.cells import read_time

    found = read_time(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-04-13T06:00:00Z")
    return found
