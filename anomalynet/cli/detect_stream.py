"""`anomalynet detect --follow` and `--mqtt`: until the stream ends or somebody stops it."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from anomalynet.cli.detect import make_engine
from anomalynet.cli.output import print_json
from anomalynet.detection.service.drift import Drift, described
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.service.monitor import Monitor
from anomalynet.detection.service.mqtt import address
from anomalynet.detection.service.problem_log import ProblemLog, to_stderr
from anomalynet.detection.service.service import Service
from anomalynet.detection.service.silence import SilenceWatch
from anomalynet.detection.service.snapshots import State
from anomalynet.detection.service.status import Status, Watch, line
from anomalynet.detection.sinks.files import ScoresFile
from anomalynet.detection.sinks.targets import sinks
from anomalynet.detection.sources import Source
from anomalynet.detection.sources.follow import Followed, FollowedTable, Stdin
from anomalynet.errors import UsageError

if TYPE_CHECKING:
    from anomalynet.detection.engine.engine import Engine


def detect_stream(args: argparse.Namespace) -> int:
    """Detect until the end, and leave everything in good order."""
    with _requests_to_stop() as caught:
        return _detect(args, caught)


@contextmanager
def _requests_to_stop() -> Iterator[list[int]]:
    """The signals that ask for an end, as they come."""
    caught: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        caught.append(number)

    before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _detect(args: argparse.Namespace, caught: list[int]) -> int:
    service = _service(args)
    status = service.status
    watch = Watch(status, service.threshold) if args.watch else None
    try:
        service.resume()
        with watch or nullcontext():
            while not caught and not service.source.ended:
                service.turn()
                if watch:
                    watch.refresh()
    except BaseException:
        service.abandon()
        raise
    service.close()
    if args.json:
        print_json(status.to_json())
    else:
        to_stderr(line(status, status.readings / (time.time() - status.started)))
    return 130 if caught[-1:] == [signal.SIGINT] else 0


def _service(args: argparse.Namespace) -> Service:
    engine = make_engine(args)
    problems = ProblemLog()
    status = Status()
    contract = engine.contract
    sensors = [sensor.name for sensor in contract.sensors]
    parser = Parser(sensors, problems, args.max_message, contract.table)
    client_id = args.client_id or f"anomalynet-{contract.run}"
    scores = ScoresFile(args.scores) if args.scores is not None else None
    state = None
    if args.state is not None:
        model = f"{contract.run} {engine.model.fingerprint}"
        state = State(args.state, model, problems, args.fsync)
    broker = address(args.mqtt) if args.mqtt else None
    return Service(
        engine=engine,
        source=_source(args, client_id, parser),
        parser=parser,
        sinks=sinks(args.alarms or ([] if args.json else ["-"]), problems, broker),
        scores=scores,
        state=state,
        silence=_silence_watch(args.patience, engine),
        drift=Drift(contract) if args.metrics or args.watch or args.drift_every else None,
        drift_every=args.drift_every or 60.0,
        report_drift=lambda measures: to_stderr(described(measures)) if args.drift_every else None,
        monitor=Monitor(status, args.metrics) if args.metrics else None,
        status=status,
        threshold=contract.threshold if args.threshold is None else args.threshold,
        redelivers=args.mqtt is not None,
        snapshot_every=args.snapshot_every,
    )


def _silence_watch(seconds: float, engine: Engine) -> SilenceWatch | None:
    """None where silence means nothing: readings are events."""
    contract = engine.contract
    if not seconds or not contract.period:
        return None
    if contract.breaks:  # a longer silence ends the segment: nothing more is scored then
        longest = (contract.max_gap + 3) * contract.period
        return SilenceWatch(seconds, contract.period, engine.clocks, longest)
    return SilenceWatch(seconds, contract.period, engine.clocks)


def _source(args: argparse.Namespace, client_id: str, parser: Parser) -> Source:
    if args.follow == "-":
        return Stdin(args.max_message)
    if args.follow is not None:
        path = Path(args.follow)
        if path.suffix == ".parquet":
            hint = "for a file that is complete: anomalynet detect FILE"
            raise UsageError(f"--follow {path}: what is followed is CSV or JSON lines", hint)
        if path.suffix in (".csv", ".tsv"):
            return FollowedTable(path, parser)
        return Followed(path, parser.max_bytes, parser.problems)
    from anomalynet.detection.sources.mqtt import MqttSource

    return MqttSource(
        address(args.mqtt),
        client_id,
        session_expiry=args.session_expiry,
        status_topic=args.status_topic or f"anomalynet/{client_id}/status",
        max_bytes=args.max_message,
        problems=parser.problems,
    )
