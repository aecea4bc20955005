"""Scores a whole recording: `anomalynet detect FILE` as a function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from math import isnan
from pathlib import Path
from typing import Any

from anomalynet.detection.contract import Contract
from anomalynet.detection.coverage import Coverage
from anomalynet.detection.engine.devices import Array
from anomalynet.detection.engine.engine import Engine
from anomalynet.detection.engine.pipeline import top
from anomalynet.detection.engine.scoring import channel_parts
from anomalynet.detection.evaluation import Watch
from anomalynet.detection.model import Model
from anomalynet.detection.records import Message, Outcome
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.service.status import Status
from anomalynet.detection.sinks import Sink, check_delivered
from anomalynet.detection.sinks.files import ScoresFile
from anomalynet.detection.sinks.targets import sinks
from anomalynet.detection.sources.file import Recording
from anomalynet.errors import DataError, StoppedError
from anomalynet.metrics.events import AlarmRule

# Readings that are scored together: many, so that a file sorted by device has steps of several
# devices for one call of the network.
BATCH = 65_536
EVENTS = 1000  # most events that wait for a sink, so that none is dropped


def detect_file(
    file: Path,
    model: Path,
    *,
    rule: AlarmRule | None = None,
    alarms: Sequence[str] = (),
    scores: Path | None = None,
    allowed: Collection[str] | None = None,
    max_devices: int = 20_000,
    lateness: float = 0.0,
    recalibrate: bool = False,
    max_message: int = 1 << 20,
    report: Callable[[dict[str, Any]], None] = lambda summary: None,
) -> dict[str, Any]:
    """Score a recording with an exported model, and write its alarms and scores.

        summary = detect_file(Path("city.csv"), Path("model.onnx"), scores=Path("scores.csv"))
        print(summary["alarms"], summary["evaluation"])

    Args:
        file: JSON lines, or a table as `Recording` reads it.
        model: a file made by `anomalynet export`.
        rule: when scores become an alarm; default: a run of scores at or above the threshold.
        alarms: where alarms go: files of JSON lines, `-` (stdout), MQTT topics or webhooks.
        scores: a file that gets every step with its score, `.csv` or `.jsonl`.
        allowed, max_devices, lateness, recalibrate: as in `Engine`.
        max_message: bytes of the longest line or cell.
        report: gets the summary, also if alarms cannot be delivered.

    Returns the summary: run, experiment, model, data and threshold; devices, readings, steps,
        scored, alarms, alarms_no_readings and cleared (counts), window (steps that the model
        reads); device_days and fleet_days (of the scored steps; None if unknown), highest (the
        highest stretches, `Stretch.to_json`, those with readings first), rejected (kind → count),
        not_scored (`Coverage.to_json`), and evaluation (`Evaluation.to_json`; None without labels).

    Raises:
        UsageError: the model, the file or a target cannot be used.
        DataError: the file is damaged, or a column is missing; or, after the report, no reading or
            no value of a column could be read, or nothing could be scored.
        RunError: alarms were not delivered; all else is done.
        StoppedError: interrupted; the scores were not written.
    """
    engine = Engine(
        Model(model),
        rule or AlarmRule(),
        allowed=allowed,
        max_devices=max_devices,
        lateness=lateness,
        recalibrate=recalibrate,
    )
    contract, problems, status = engine.contract, ProblemLog(), Status()
    sensors = [sensor.name for sensor in contract.sensors]
    parser = Parser(sensors, problems, max_message, contract.table)
    recording = Recording(file, parser, contract.period)
    scores_file = ScoresFile(scores, replace=True) if scores is not None else None
    targets: list[Sink] = []
    usual = contract.reference.scores[50] if contract.reference.scores else 0.0
    explain = None if contract.form == "step" else partial(_named, engine.model)
    known = about(engine)
    watch = Watch(contract.period, contract.window, usual, known["threshold"], explain)
    coverage, done = Coverage(contract, calibrates=recalibrate), False

    def take(outcome: Outcome, messages: list[Message]) -> None:
        status.add(messages, outcome, engine.names)
        coverage.add(messages, outcome.steps)
        watch.add(outcome, engine.names)
        if scores_file is not None:
            scores_file.put(engine.names, outcome.steps)
        for target in targets:
            for first in range(0, len(outcome.events), EVENTS):
                target.put(outcome.events[first : first + EVENTS])
                target.drain()

    try:
        targets += sinks(alarms, problems, scores=scores)
        for target in targets:
            target.start()
        for messages in _batches(recording.messages()):
            take(engine.process(messages), messages)
        take(engine.finish(), [])
        done = True
    except KeyboardInterrupt:
        what = "interrupted: the scores were not written, alarms up to here were"
        raise StoppedError(what, "the same command starts from the beginning") from None
    finally:
        if scores_file is not None:
            scores_file.close(done)
        for target in targets:
            target.close()
    labels = recording.labels
    evaluation = labels and labels.evaluate(watch.alarms, *watch.days).to_json()
    rejected = dict(problems.snapshot() + Counter(engine.counts))
    summary = {
        **known,
        "model": contract.model,
        "devices": len(engine.names),
        "readings": status.readings,
        "steps": status.steps,
        "scored": status.scores,
        "window": contract.window,
        "alarms": status.alarms,
        "alarms_no_readings": watch.silent,
        "cleared": status.cleared,
        "device_days": None if isnan(watch.days[0]) else watch.days[0],
        "fleet_days": None if isnan(watch.days[1]) else watch.days[1],
        "highest": watch.highest(),
        "rejected": rejected,
        "not_scored": coverage.to_json(engine.names),
        "evaluation": evaluation,
    }
    report(summary)
    check_delivered(targets)
    if not engine.names:
        kinds = [f"{count} {kind}" for kind, count in sorted(rejected.items())]
        why = f"refused: {', '.join(kinds)}" if kinds else "it has none"
        what = f"{file}: no reading was taken, {why}"
        raise DataError(what, f"the model reads {', '.join(sensors)} of a device at a time")
    parser.check_read()
    if not status.scores:
        what = f"{file}: nothing was scored: no device has enough steps in a row"
        raise DataError("; ".join([what, *summary["not_scored"]["texts"]]), _needed(contract))
    return summary


def _named(model: Model, window: Array) -> tuple[str, ...]:
    """The channels that make the score of a window: the first, and others of a tenth or more."""
    parts = top(channel_parts(model, window))
    return tuple(
        model.contract.channels[place]
        for rank, (place, share) in enumerate(parts)
        if rank == 0 or share >= 0.1
    )


def _needed(contract: Contract) -> str:
    """How many readings of a device a score needs."""
    first = f", after {contract.calibration_rows} that calibrate one that it does not know"
    window = f"the model's window is {contract.window} readings of a device"
    return window + first * (contract.calibration_rows > 0)


def about(engine: Engine) -> dict[str, Any]:
    """The model that an engine runs: run, experiment, data, and the threshold of its alarms."""
    known = {name: getattr(engine.contract, name) for name in ("run", "experiment", "data")}
    given = engine.rule.threshold
    return {**known, "threshold": engine.contract.threshold if given is None else given}


def _batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    batch: list[Message] = []
    size = 0
    for message in messages:
        batch.append(message)
        size += len(message.readings)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
