"""A detector that is fed for hours, bad input included: whether its memory grows.

    python -m tests.benchmarks.soak [--minutes 30] [--rate 2000] [--experiment hybrid_causal]

A pipe brings readings of 1,000 devices, and by a seeded draw malformed JSON, NaN, 10 MB messages,
times that go back, wrong numbers of channels, and a million device ids in half an hour that never
come again. Exit code 1 if the line through memory after the first third rises by more than `MOST`,
or the detector did not end well.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from anomalynet.detection.model import Model
from anomalynet.detection.records import iso
from tests.benchmarks.models import exported
from tests.benchmarks.process import Detector
from tests.benchmarks.traffic import Fleet

DEVICES, GATEWAYS = 1000, 20
STRANGERS = 600  # new device ids a second
START = 1_767_225_600_000_000  # 2026 in µs
MOST = 20.0  # megabytes an hour
HUGE = b'{"device": "' + b"y" * (10 << 20) + b'"}\n'
HUGE_EVERY = 10  # seconds


def reading(device: str, time: int, values: str) -> str:
    """One message."""
    return f'{{"device": "{device}", "time": "{iso(time)}", "values": {values}}}'


def bad_lines(time: int, sensors: list[str]) -> list[str]:
    """One of each kind."""
    warm = json.dumps(dict.fromkeys(sensors, "warm"))
    ones = json.dumps([1.0] * len(sensors))
    return [
        '{"device": "device-000001", "time": ',
        "[1, 2, 3]",
        "\x00\udcff not JSON \u2028",  # one byte that is no UTF-8
        reading("device-000002", time, json.dumps([math.nan] * len(sensors))),
        reading("device-000003", time, warm),
        reading("device-000004", time - 3_600_000_000, ones),
        reading("device-000005", time, "[1.0, 2.0]"),
        reading("device-000006", time, '{"no such channel": 1}'),
        json.dumps({"device": "device-000007", "time": "yesterday", "values": []}),
        json.dumps({"time": iso(time), "values": []}),
        json.dumps({"device": "x" * 5000, "time": iso(time), "values": None}),
    ]


def feed(
    detector: Detector, fleet: Fleet, sensors: list[str], seconds: float, rate: int
) -> list[tuple[float, int]]:
    """Write for so long, and return (second, bytes in memory) on the way."""
    random = np.random.default_rng(1)
    began, memory, step, looked, told, strangers = time.monotonic(), [], 0, 0.0, 0.0, 0
    each = DEVICES / rate  # seconds of wall clock a step of the fleet
    while (now := time.monotonic() - began) < seconds:
        event = START + 1_000_000 * step
        lines = [payload + b"\n" for _, payload in fleet.messages(fleet.step(), event, step)]
        bad = bad_lines(event, sensors)
        wrong = [bad[random.integers(len(bad))] for _ in lines]
        new = range(strangers, strangers + round(STRANGERS * each))
        wrong += [reading(f"stranger-{number}", event, "null") for number in new]
        strangers = new.stop
        lines += [(line + "\n").encode(errors="surrogateescape") for line in wrong]
        if int(step * each) // HUGE_EVERY != int((step + 1) * each) // HUGE_EVERY:
            lines.append(HUGE)
        detector.stdin.write(b"".join(lines))
        detector.stdin.flush()
        step += 1
        if now - looked >= 2:
            looked = now
            memory.append((now, detector.memory()))
        if now - told >= 60:
            told, size = now, detector.memory() / 1e6
            print(f"{now / 60:.0f} min: {size:.1f} MB, {step * DEVICES:,} readings", flush=True)
        time.sleep(max(began + step * each - time.monotonic(), 0))
    return memory


def soak(args: argparse.Namespace, folder: Path) -> None:
    """Feed, then say what came of it."""
    model = args.model or exported(args.experiment, folder)
    contract = Model(model).contract
    files = ["--state", str(folder / "state"), "--alarms", str(folder / "alarms.jsonl")]
    options = ["--follow", "-", "--model", str(model), *files]
    detector = Detector(options, folder / "detector.log", stdin=subprocess.PIPE)
    fleet = Fleet(contract, DEVICES, GATEWAYS)
    sensors = [sensor.name for sensor in contract.sensors]
    memory = np.array(feed(detector, fleet, sensors, 60 * args.minutes, args.rate))
    time.sleep(2)
    metrics = detector.metrics()
    cpu = detector.seconds() / (60 * args.minutes)
    detector.stdin.close()
    code = detector.process.wait(60)
    late = memory[len(memory) // 3 :]
    slope = np.polyfit(late[:, 0] / 3600, late[:, 1] / 1e6, 1)[0]
    print(
        f"\n{contract.experiment}, {args.minutes:g} min at {args.rate:,} readings/s: "
        f"{100 * cpu:.0f} % of a core, exit code {code}\n"
        f"memory: {late[0, 1] / 1e6:.1f} MB after a third, {late[-1, 1] / 1e6:.1f} MB at the "
        f"end, slope {slope:+.1f} MB an hour"
    )
    for name, value in metrics.items():
        if re.match("anomalynet_(readings|scores|alarms|rejected|devices)", name):
            print(f"{name} {value:,.0f}")
    print((folder / "detector.log").read_text()[-3000:])
    if code != 0 or slope > MOST:
        raise SystemExit(1)


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=int, default=2000, help="good readings a second")
    parser.add_argument("--experiment", default="hybrid_causal")
    parser.add_argument("--model", type=Path, help="instead of a quick one of the experiment")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak(args, Path(folder))


if __name__ == "__main__":
    main()
