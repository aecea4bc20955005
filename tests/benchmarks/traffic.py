"""Readings of a made-up fleet: slow walks of each device, with gaps and bursts, the same for a
seed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from math import isnan
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import numpy as np
import numpy.typing as npt

from anomalynet.detection.contract import Contract
from anomalynet.detection.records import iso
from anomalynet.detection.replay.publish import Publisher

CONNECTIONS = 4
"""Of a publishing process; a gateway keeps to one, so that its messages stay in order."""

BURST = 5  # steps in which a device reads far off
BURSTS = 2.0 / 1000  # of a device in a step, on average
MISSING = 0.02  # share of single values that are not heard


class Fleet:
    """Devices that belong to gateways in equal shares; the contract names the sensors, and the
    ranges in which they stay."""

    def __init__(self, contract: Contract, devices: int, gateways: int, seed: int = 0) -> None:
        self.names = [f"device-{number:06}" for number in range(devices)]
        self.gateways = [f"gateway-{number:03}" for number in range(gateways)]
        self._sensors = [sensor.name for sensor in contract.sensors]
        sensors = contract.sensors
        low = np.array([0.0 if one.minimum is None else one.minimum for one in sensors])
        high = np.array([1.0 if one.maximum is None else one.maximum for one in sensors])
        self._middle, self._width = (low + high) / 2, (high - low) / 100
        self._random = np.random.default_rng(seed)
        self._walk = self._random.normal(size=(devices, len(low)))
        self._left = np.zeros(devices, np.int64)

    def step(self) -> npt.NDArray[np.float64]:
        """The next reading of every device (device, sensor), NaN where a value is missing."""
        random, shape = self._random, self._walk.shape
        self._walk = 0.98 * self._walk + 0.2 * random.normal(size=shape)
        begins = random.random(shape[0]) < BURSTS
        self._left = np.where(begins, BURST, np.maximum(self._left - 1, 0))
        off = np.where(self._left > 0, 20.0, 0.0)[:, None]
        values: npt.NDArray[np.float64] = self._middle + self._width * (self._walk + off)
        values[random.random(shape) < MISSING] = np.nan
        return values.round(4)

    def messages(
        self, values: npt.NDArray[np.float64], time: int, sequence: int
    ) -> Iterator[tuple[str, bytes]]:
        """Gateway and JSON of each gateway's message; `time` in µs is that of all readings."""
        stamp, count = iso(time), len(self.gateways)
        for number, gateway in enumerate(self.gateways):
            readings = []
            own = self.names[number::count], values[number::count].tolist()
            for name, row in zip(*own, strict=True):
                heard = [None if isnan(value) else value for value in row]
                readings.append({"device": name, "time": stamp, "values": heard})
            document: dict[str, object] = {"gateway": gateway, "time": stamp}
            document |= {"sequence": sequence, "readings": readings}
            yield gateway, json.dumps(document, separators=(",", ":")).encode()


def publish(
    made: Fleet, url: str, warm: int, seconds: int, began: Synchronized[float], sent: Path
) -> None:
    """Publish `warm` steps at once, wait until `began`, the wall-clock time at which living begins,
    is not 0, then one step a second, the gateways spread over it. `sent` receives the messages, one
    a line."""
    with ExitStack() as stack:
        file = stack.enter_context(sent.open("wb"))
        connections = [stack.enter_context(Publisher(url)) for _ in range(CONNECTIONS)]
        for step in range(warm + seconds):
            messages = list(made.messages(made.step(), 1_000_000 * step, step))
            while step >= warm and not began.value:
                time.sleep(0.01)
            for number, (_, payload) in enumerate(messages):
                if step >= warm:
                    due = began.value + step - warm + number / len(messages)
                    time.sleep(max(due - time.time(), 0))
                connections[number % CONNECTIONS](payload.decode())
                file.write(payload + b"\n")
