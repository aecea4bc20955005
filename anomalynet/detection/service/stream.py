"""A detector for a stream: `anomalynet detect --follow` and `--mqtt` as functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from anomalynet.detection.engine.engine import Engine
from anomalynet.detection.service.drift import Drift, described
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.service.monitor import Monitor
from anomalynet.detection.service.mqtt import address
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.service.service import Service
from anomalynet.detection.service.silence import DAY, SilenceWatch
from anomalynet.detection.service.snapshots import State
from anomalynet.detection.service.status import Status, StatusView
from anomalynet.detection.sinks.files import ScoresFile
from anomalynet.detection.sinks.targets import sinks
from anomalynet.detection.sources import Source
from anomalynet.detection.sources.follow import Followed, FollowedTable, Stdin
from anomalynet.errors import UsageError, say


def open_service(
    engine: Engine,
    *,
    follow: str | None = None,
    mqtt: str | None = None,
    alarms: Sequence[str] = (),
    scores: Path | None = None,
    state: Path | None = None,
    fsync: bool = False,
    snapshot_every: float = 30.0,
    patience: float = 60.0,
    max_message: int = 1 << 20,
    client_id: str | None = None,
    session_expiry: int = 86_400,
    status_topic: str | None = None,
    metrics: str | None = None,
    drift_every: float = 0.0,
    measure_drift: bool = False,
) -> Service:
    """A detector for a stream, not started yet; `run_service` runs it.

    Args:
        follow: a growing file of JSON lines, a growing CSV, or `-` for JSON lines of stdin.
        mqtt: `mqtt[s]://host[:port]/topic/filter`; give one of `follow` and `mqtt`.
        drift_every: seconds between logged measures of drift; 0: none is logged.
        measure_drift: whether to measure it without logging.

    `anomalynet detect --help` explains the others; times are in seconds.

    Raises UsageError: the source, a target or the state cannot be used.
    """
    contract, problems, status, rule = engine.contract, ProblemLog(), Status(), engine.rule
    threshold = contract.threshold if rule.threshold is None else rule.threshold
    settings: dict[str, float | str] = {"--threshold": threshold, "--hits": f"{rule.k}/{rule.n}"}
    settings |= {"--clear": rule.clear, "--cool-down": rule.cool_down}
    settings |= {"--lateness": engine.lateness}
    sensors = [sensor.name for sensor in contract.sensors]
    parser = Parser(sensors, problems, max_message, contract.table)
    client_id = client_id or f"anomalynet-{contract.run}"
    scores_file = ScoresFile(scores) if scores is not None else None
    model = f"{contract.run} {engine.model.fingerprint}"
    saved = None if state is None else State(state, model, problems, fsync)
    broker = None if mqtt is None else address(mqtt)
    source: Source
    if broker is None:
        source = _followed("-" if follow is None else follow, parser)
    else:
        from anomalynet.detection.sources.mqtt import MqttSource

        source = MqttSource(
            broker,
            client_id,
            session_expiry=session_expiry,
            status_topic=status_topic or f"anomalynet/{client_id}/status",
            max_bytes=max_message,
            problems=problems,
        )
    return Service(
        engine=engine,
        source=source,
        parser=parser,
        sinks=sinks(alarms, problems, broker, scores),
        scores=scores_file,
        state=saved,
        silence=_silence_watch(patience, engine),
        drift=Drift(contract) if metrics or measure_drift or drift_every else None,
        drift_every=drift_every or 60.0,
        report_drift=lambda measures: say(described(measures)) if drift_every else None,
        monitor=Monitor(status, metrics) if metrics else None,
        status=status,
        threshold=threshold,
        settings=settings,
        redelivers=broker is not None,
        snapshot_every=snapshot_every,
    )


def run_service(
    service: Service, stopped: Callable[[], object] = lambda: False, *, watch: bool = False
) -> None:
    """Detect until the stream ends or `stopped()`. `watch`: show scores and alarms live."""
    try:
        service.resume()
        with StatusView(service.status, service.threshold, enabled=watch) as shown:
            while not stopped() and not service.source.ended:
                service.turn()
                shown.refresh()
    except BaseException:  # the next start continues from the state on disk
        service.source.close()
        if service.state is not None:
            service.state.close()
        raise
    service.close()


def _silence_watch(seconds: float, engine: Engine) -> SilenceWatch | None:
    """None if silence means nothing, because readings are events."""
    contract = engine.contract
    if not seconds or not contract.period:
        return None
    longest = DAY
    if contract.breaks:  # a longer silence ends the segment: nothing more is scored then
        longest = (contract.max_gap + 3) * max(contract.period, *contract.periods.values(), 0)
    return SilenceWatch(seconds, contract.period, engine.clocks, longest)


def _followed(path: str, parser: Parser) -> Source:
    if path == "-":
        return Stdin(parser.max_bytes)
    if path.endswith((".csv", ".tsv")):
        return FollowedTable(Path(path), parser)
    if path.endswith(".parquet"):
        hint = "for a file that is complete: anomalynet detect FILE"
        raise UsageError(f"--follow {path}: what is followed is CSV or JSON lines", hint)
    return Followed(Path(path), parser.max_bytes, parser.problems)
