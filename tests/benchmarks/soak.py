"""A detector that is fed for hours, bad input included: whether its memory grows.

    python -m tests.benchmarks.soak [--minutes 30] [--rate 2000] [--experiment hybrid_causal]
    [--folder DIR]

A pipe brings the readings of 1,000 devices as fast as `--rate` says, and in between, by a seeded
draw: malformed JSON, NaN, 10 MB messages, unknown devices, times that go back, wrong numbers of
channels, and device ids that never come again, a million in half an hour. Memory is looked at every
two seconds; the slope is a straight line through what comes after the first third. Exit code 1 if
it is more than `MOST`, or the detector did not end well.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from anomalynet.detection.contract import Contract
from anomalynet.detection.model import Model
from anomalynet.detection.records import iso
from tests.benchmarks.models import exported
from tests.benchmarks.process import Detector
from tests.benchmarks.traffic import Fleet

DEVICES, GATEWAYS = 1000, 20
STRANGERS = 600
"""Device ids that never come again, in each second."""

START = 1_767_225_600_000_000
"""2026 in µs."""

MOST = 20.0
"""Megabytes an hour."""

HUGE_EVERY = 10
"""Seconds between messages of 10 MB."""


class Mischief:
    """Bad lines, one kind after another in a random order."""

    def __init__(self, contract: Contract, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._sensors = [sensor.name for sensor in contract.sensors]
        self._strangers = 0
        self._kinds: list[Callable[[int], str]] = [
            lambda time: '{"device": "device-000001", "time": ',
            lambda time: "[1, 2, 3]",
            lambda time: "\x00\udcff not JSON \u2028",  # one byte that is no UTF-8
            lambda time: self._reading(
                "device-000002", time, "[" + ", ".join(["NaN"] * len(self._sensors)) + "]"
            ),
            lambda time: self._reading(
                "device-000003", time, json.dumps(dict.fromkeys(self._sensors, "warm"))
            ),
            lambda time: self._reading(
                "device-000004", time - 3_600_000_000, json.dumps([1.0] * len(self._sensors))
            ),
            lambda time: self._reading("device-000005", time, "[1.0, 2.0]"),
            lambda time: self._reading("device-000006", time, '{"no such channel": 1}'),
            lambda time: json.dumps({"device": "device-000007", "time": "yesterday", "values": []}),
            lambda time: json.dumps({"time": iso(time), "values": []}),
            lambda time: json.dumps({"device": "x" * 5000, "time": iso(time), "values": None}),
        ]

    def line(self, time: int) -> bytes:
        """One bad line."""
        return (self._kinds[self._random.integers(len(self._kinds))](time) + "\n").encode(
            errors="surrogateescape"
        )

    def strangers(self, time: int, count: int) -> bytes:
        """Readings of devices that nobody knows and that never come again."""
        lines = [
            self._reading(f"stranger-{self._strangers + number}", time, "null")
            for number in range(count)
        ]
        self._strangers += count
        return "".join(line + "\n" for line in lines).encode()

    @staticmethod
    def huge() -> bytes:
        """A message of 10 MB."""
        return b'{"device": "' + b"y" * (10 << 20) + b'"}\n'

    @staticmethod
    def _reading(device: str, time: int, values: str) -> str:
        return f'{{"device": "{device}", "time": "{iso(time)}", "values": {values}}}'


def feed(
    detector: Detector, fleet: Fleet, mischief: Mischief, seconds: float, rate: int
) -> list[tuple[float, int]]:
    """Write for so long, and return (second, bytes in memory) on the way."""
    began, memory, step, looked, told = time.monotonic(), [], 0, 0.0, 0.0
    each = DEVICES / rate  # seconds of wall clock a step of the fleet
    while (now := time.monotonic() - began) < seconds:
        event = START + 1_000_000 * step
        lines = [payload + b"\n" for _, payload in fleet.messages(fleet.step(), event, step)]
        lines += [mischief.line(event) for _ in range(len(lines))]
        lines.append(mischief.strangers(event, round(STRANGERS * each)))
        if int(step * each) // HUGE_EVERY != int((step + 1) * each) // HUGE_EVERY:
            lines.append(mischief.huge())
        detector.stdin.write(b"".join(lines))
        detector.stdin.flush()
        step += 1
        if now - looked >= 2:
            looked = now
            memory.append((now, detector.memory()))
        if now - told >= 60:
            told = now
            print(
                f"{now / 60:.0f} min: {detector.memory() / 1e6:.1f} MB, {step * DEVICES:,} "
                "readings",
                flush=True,
            )
        time.sleep(max(began + step * each - time.monotonic(), 0))
    return memory


def soak(args: argparse.Namespace, folder: Path) -> None:
    """Feed, then say what came of it."""
    model = args.model or exported(args.experiment, args.folder or folder)
    contract = Model(model).contract
    arguments = [
        "--follow",
        "-",
        "--model",
        str(model),
        "--state",
        str(folder / "state"),
        "--alarms",
        str(folder / "alarms.jsonl"),
    ]
    detector = Detector(arguments, folder / "detector.log", stdin=subprocess.PIPE)
    memory = np.array(
        feed(
            detector,
            Fleet(contract, DEVICES, GATEWAYS),
            Mischief(contract, 1),
            60 * args.minutes,
            args.rate,
        )
    )
    time.sleep(2)
    metrics = detector.metrics()
    cpu = detector.seconds() / (60 * args.minutes)
    detector.stdin.close()
    code = detector.process.wait(60)
    late = memory[len(memory) // 3 :]
    slope = np.polyfit(late[:, 0] / 3600, late[:, 1] / 1e6, 1)[0]
    print(
        f"\n{contract.experiment}, {args.minutes:g} min at {args.rate:,} readings/s: "
        f"{100 * cpu:.0f} % of a core, exit code {code}"
    )
    print(
        f"memory: {late[0, 1] / 1e6:.1f} MB after a third, {late[-1, 1] / 1e6:.1f} MB at the "
        f"end, slope {slope:+.1f} MB an hour"
    )
    for name, value in metrics.items():
        if name.startswith(
            (
                "anomalynet_readings",
                "anomalynet_scores",
                "anomalynet_alarms",
                "anomalynet_rejected",
                "anomalynet_devices",
            )
        ):
            print(f"{name} {value:,.0f}")
    print((folder / "detector.log").read_text()[-3000:])
    if code != 0 or slope > MOST:
        raise SystemExit(1)


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=int, default=2000, help="good readings a second")
    parser.add_argument("--experiment", default="hybrid_causal")
    parser.add_argument(
        "--model", type=Path, help="an exported model instead of a quick one of the experiment"
    )
    parser.add_argument("--folder", type=Path, help="keeps the quick models between calls")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak(args, Path(folder))


if __name__ == "__main__":
    main()
