"""`anomalynet detect FILE`: a recording from its first row to its last."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from anomalynet.cli.detect import make_engine
from anomalynet.cli.output import print_json
from anomalynet.detection.evaluation import Evaluation, Watch
from anomalynet.detection.records import Message
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.service.status import Status
from anomalynet.detection.sinks import check_delivered
from anomalynet.detection.sinks.files import ScoresFile
from anomalynet.detection.sinks.targets import sinks
from anomalynet.detection.sources.file import Recording
from anomalynet.errors import StoppedError

BATCH = 65_536
"""Readings that are scored together: many, so that a file sorted by device has steps of several
devices for one call of the network."""
EVENTS = 1000
"""Events that wait for a sink at once: a recording is in no hurry, and none is to be dropped."""


def detect_file(args: argparse.Namespace) -> int:
    """Score the file, write what was asked for, and summarise."""
    began = time.monotonic()
    engine = make_engine(args)
    problems = ProblemLog()
    status = Status()
    contract = engine.contract
    sensors = [sensor.name for sensor in contract.sensors]
    parser = Parser(sensors, problems, args.max_message, contract.table)
    recording = Recording(args.file, parser, contract.period)
    scores = ScoresFile(args.scores, replace=True) if args.scores is not None else None
    targets = sinks(args.alarms or ([] if args.json else ["-"]), problems)
    for target in targets:
        target.start()
    watch = Watch(contract.period)
    done = False

    def take(outcome: Any, messages: list[Message]) -> None:
        status.add(messages, outcome, engine.names)
        watch.add(outcome)
        if scores is not None:
            scores.put(engine.names, outcome.steps)
        for target in targets:
            for first in range(0, len(outcome.events), EVENTS):
                target.put(outcome.events[first : first + EVENTS])
                target.drain()

    try:
        for messages in _batches(recording.messages()):
            take(engine.process(messages), messages)
        take(engine.finish(), [])
        done = True
    except KeyboardInterrupt:
        what = "interrupted: the scores were not written, alarms up to here were"
        raise StoppedError(what, "the same command starts from the beginning") from None
    finally:
        if scores is not None:
            scores.close(done)
        for target in targets:
            target.close()
    evaluation = None
    if recording.labels is not None:
        evaluation = recording.labels.evaluate(watch.alarms, *watch.days)
    summary = {
        "run": contract.run,
        "model": contract.model,
        "devices": len(engine.names),
        "readings": status.readings,
        "steps": status.steps,
        "scored": status.scores,
        "alarms": status.alarms,
        "cleared": status.cleared,
        "rejected": dict(problems.snapshot() + Counter(engine.counts)),
        "evaluation": evaluation.to_json() if evaluation is not None else None,
    }
    if args.json:
        print_json(summary)
    else:
        _tell(summary, time.monotonic() - began, evaluation)
    check_delivered(targets)
    return 0


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


def _tell(summary: dict[str, Any], seconds: float, evaluation: Evaluation | None) -> None:
    counts = "{devices} devices, {readings} readings, {scored} of {steps} steps scored, {alarms}"
    lines = [f"{counts.format(**summary)} alarms in {seconds:.1f} s"]
    if summary["readings"] and not summary["scored"]:
        short = "the recording is shorter than the model's calibration and window"
        lines.append(f"nothing was scored: {short}")
    lines += [f"  {count} {kind}" for kind, count in sorted(summary["rejected"].items())]
    if evaluation is not None:
        found = evaluation.to_json()
        for name, kind in found["kinds"].items():
            delay = kind["median_delay"]
            late = "" if delay is None else f", median delay {delay:g} s"
            count = f"{kind['detected']} of {kind['incidents']}"
            lines.append(f"  {name}: {count} incidents detected{late}")
        each, all_ = (found[f"false_alarms_per_{of}_day"] for of in ("device", "fleet"))
        daily = "" if each is None else f", {each:,.1f} per device-day, {all_:,.1f} per fleet-day"
        lines.append(f"  {found['false_alarms']} false alarms{daily}")
        if found["unjudged"]:
            lines.append(f"  {found['unjudged']} alarms unjudged: no label there")
    print("\n".join(lines), file=sys.stderr)
