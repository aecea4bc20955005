"""10,000 devices at one reading a second behind 100 gateways, through mosquitto, to a detector on
the same machine.

    python -m tests.benchmarks.fleet_load [--experiment hybrid] [--kill-broker | --kill-detector]
    [--devices N] [--seconds N] [--folder DIR]

First as many readings as commission the devices and fill their windows, as fast as they are taken;
then the fleet lives. A lag counts from the moment at which a gateway was to publish to the moment
at which a step stands in the file of scores; a publisher that is late counts against the detector.
At the end every reading is looked for in that file, and the alarms are compared with those of the
same messages through a pipe, which nothing disturbs. `--kill-broker`: kill -9 after 20 s, started
again 10 s later. `--kill-detector`: kill -9 after 30 s, started again at once. Exit code 1:
something is missing or doubled, or the alarms are not the same.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import numpy as np
import onnx

from anomalynet.detection.contract import DIGEST, KEY, Contract, sealed
from anomalynet.detection.engine.engine import Engine
from anomalynet.detection.model import Model
from anomalynet.detection.service.messages import Parser
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.metrics.events import AlarmRule
from tests.benchmarks.measure import LeftOutError, Measured, Report, value
from tests.benchmarks.models import exported
from tests.benchmarks.process import Detector, cpu_seconds
from tests.benchmarks.scores_file import Arrivals, account
from tests.benchmarks.traffic import Fleet, publish
from tests.detection.broker import Broker

BROKER_KILLED, BROKER_AWAY, DETECTOR_KILLED = 20, 10, 30
"""Seconds."""

REJECTED = "anomalynet_rejected_total"


def one_second(model: Path, folder: Path) -> Path:
    """The model with a period of one second; the world that it learned from has another."""
    path = folder / f"{model.stem}-1s.onnx"
    graph = onnx.load(model)
    (entry,) = (entry for entry in graph.metadata_props if entry.key == KEY)
    entry.value = replace(Model(model).contract, period=1.0).to_json()
    (old,) = (entry for entry in graph.metadata_props if entry.key == DIGEST)
    graph.metadata_props.remove(old)
    path.write_bytes(sealed(graph.SerializeToString()))
    return path


def threshold(model: Path) -> float:
    """A score that one step in a hundred of such a fleet reaches, so that there are alarms."""
    engine = Engine(Model(model), AlarmRule())
    fleet = Fleet(engine.contract, 50, 1, seed=99)
    parser = Parser([sensor.name for sensor in engine.contract.sensors], ProblemLog())
    scores = []
    for step in range(warm_up(engine.contract) + 200):
        found = [
            parser.parse(gateway, payload)
            for gateway, payload in fleet.messages(fleet.step(), 1_000_000 * step, step)
        ]
        scores.append(engine.process([message for message in found if message]).steps.score)
    return float(np.nanquantile(np.concatenate(scores), 0.99))


def warm_up(contract: Contract) -> int:
    """Readings of a device before its first score."""
    return contract.calibration_rows + contract.window


def disturb(args: argparse.Namespace, began: float, broker: Broker, detector: Detector) -> None:
    """Kill what is to be killed when its time has come."""

    def at(second: float) -> None:
        time.sleep(max(began + second - time.time(), 0))

    if args.kill_broker:
        at(BROKER_KILLED)
        broker.kill()
        at(BROKER_KILLED + BROKER_AWAY)
        broker.start()
    if args.kill_detector:
        at(DETECTOR_KILLED)
        detector.kill()
        detector.start()


def alarm_ids(path: Path) -> list[str]:
    """Of the alarms in a file, as often as they stand there."""
    events = (json.loads(line) for line in path.read_text().splitlines())
    return [event["id"] for event in events if event["kind"] == "alarm"]


def undisturbed(model: Path, sent: Path, folder: Path, limit: float) -> set[str]:
    """Alarms of the same messages through a pipe."""
    alarms = folder / "undisturbed.jsonl"
    command = [sys.executable, "-m", "anomalynet", "detect", "--follow", "-", "--patience", "0"]
    command += ["--model", str(model), "--threshold", str(limit)]
    command += ["--alarms", str(alarms), "--state", str(folder / "other")]
    with sent.open("rb") as messages:
        subprocess.run(command, stdin=messages, check=True)
    return set(alarm_ids(alarms))


class Loaded(NamedTuple):
    """What came of it."""

    good: bool  # nothing is missing, nothing doubled, and the alarms are the same
    p99: float  # seconds
    core: float  # share of a core that the detector took


def load(args: argparse.Namespace, folder: Path) -> Loaded:
    """Run it all and print what came of it."""
    model = one_second(args.model or exported(args.experiment, args.folder or folder), folder)
    contract, limit = Model(model).contract, threshold(model)
    warm = warm_up(contract)
    total = warm + args.seconds
    scores, alarms, sent = folder / "scores.csv", folder / "alarms.jsonl", folder / "sent.jsonl"
    broker = Broker(folder, **dict(setting.split("=", 1) for setting in args.broker))
    options = ["--mqtt", broker.url("fleet"), "--model", str(model), "--threshold", str(limit)]
    options += ["--state", str(folder / "state"), "--snapshot-every", "10"]
    options += ["--scores", str(scores), "--alarms", str(alarms)]
    detector = Detector(options, folder / "detector.log")
    arrivals = Arrivals(scores)
    processes = multiprocessing.get_context("spawn")
    began = processes.Value("d", 0.0)
    fleet = Fleet(contract, args.devices, args.gateways)
    publisher = processes.Process(
        target=publish, args=(fleet, broker.url("fleet"), warm, args.seconds, began, sent)
    )
    time.sleep(3)  # the detector's subscription
    started = time.time()
    publisher.start()
    arrivals.wait_for(warm * args.devices)
    speed = warm * args.devices / (time.time() - started)
    began.value = time.time() + 1
    cpu, broker_cpu = detector.seconds(), cpu_seconds(broker.pid)
    disturber = Thread(target=disturb, args=(args, began.value, broker, detector))
    disturber.start()
    publisher.join()
    disturber.join()
    late = time.time() - began.value - args.seconds
    arrivals.wait_for(total * args.devices)
    lasted = time.time() - began.value
    cpu = detector.seconds() - cpu
    broker_cpu = cpu_seconds(broker.pid) - (0 if args.kill_broker else broker_cpu)
    counts = detector.metrics().items()
    rejected = {name: count for name, count in counts if name.startswith(REJECTED)}
    memory, code = detector.memory(), detector.stop()
    broker.kill()
    arrivals.stop()
    lags = arrivals.lags(began.value, warm, args.devices, args.gateways)
    p50, p99, worst = (f"{1000 * lag:.0f} ms" for lag in lags)
    print(
        f"{contract.experiment} ({contract.form}), {args.devices:,} devices, {args.gateways} "
        f"gateways, {args.seconds} s\n"
        f"warm-up: {speed:,.0f} readings/s through publisher, broker, journal, detector and file "
        "of scores\n"
        f"lag: p50 {p50}, p99 {p99}, worst {worst}; the publisher ended {late:.1f} s late\n"
        f"detector: {100 * cpu / lasted:.0f} % of a core, {memory / 1e6:.0f} MB, exit code {code}\n"
        f"broker: {100 * broker_cpu / lasted:.0f} % of a core"
    )
    readings = account(scores, args.devices, total)
    print(f"readings: {readings}; {arrivals.agreement()}; refused: {rejected or 'none'}")
    found, expected = alarm_ids(alarms), undisturbed(model, sent, folder, limit)
    same = (
        "the same as undisturbed"
        if set(found) == expected
        else f"NOT the same: {len(set(found) ^ expected)} differ"
    )
    doubled = len(found) - len(set(found))
    print(f"alarms: {len(found):,}, {doubled} of them doubled; {same} ({len(expected):,})")
    if log := (folder / "detector.log").read_text().strip():
        print(f"log of the detector:\n{log}")
    wrong = code or readings.missing or readings.doubled or doubled
    return Loaded(not wrong and set(found) == expected, lags[1], cpu / lasted)


def broker(folder: Path, rounds: int, report: Report) -> list[Measured]:
    """The usual load, as a row of `python -m tests.benchmarks`."""
    if shutil.which("mosquitto") is None:
        raise LeftOutError("mosquitto is not installed")
    args = parsed(["--experiment", "hybrid_causal"])
    args.model = exported("hybrid_causal", folder)
    args.broker = ["autosave_on_changes=false"]
    with tempfile.TemporaryDirectory() as scratch, redirect_stdout(io.StringIO()) as said:
        found = [load(args, Path(scratch)) for _ in range(rounds)]
    report.texts["A fleet through a broker"] = f"```\n{said.getvalue()}```"
    note = "nothing lost" if all(one.good for one in found) else "READINGS OR ALARMS DIFFER"
    note += "; publisher, broker and detector share the machine's cores, and steps are written to "
    note += "the journal and the file of scores before they count"
    title = f"{args.devices:,} devices at a reading a second"
    p99, core = ([1000 * one.p99 for one in found], [100 * one.core for one in found])
    each = 1e4 * float(np.median(core)) / args.devices
    why = f"{each:.1f} µs per reading, from JSON to the file of scores; the network is a part of it"
    cost = value(f"{title}: detector", core, "% of a core", 20.0, why)
    return [value(f"{title}: p99", p99, "ms", 200.0, note), cost]


def parsed(words: list[str] | None = None) -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="hybrid")
    parser.add_argument("--model", type=Path, help="instead of a quick one of the experiment")
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--gateways", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--kill-broker", action="store_true")
    parser.add_argument("--kill-detector", action="store_true")
    told = "a setting of mosquitto.conf, such as autosave_on_changes=false; may be repeated"
    parser.add_argument("--broker", action="append", default=[], metavar="NAME=VALUE", help=told)
    parser.add_argument("--folder", type=Path, help="keeps the quick models between calls")
    return parser.parse_args(words)


def main() -> None:
    """Run it."""
    args = parsed()
    with tempfile.TemporaryDirectory() as folder:
        found = load(args, Path(folder))
    sys.exit(0 if found.good else 1)


if __name__ == "__main__":
    main()
