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
from anomalynet.replay.publish import Publisher

CONNECTIONS = 4
"""Of a publishing process; a gateway keeps to one, so that its messages stay in order."""

BURST = 5
"""Steps in which a device reads far off."""


class Fleet:
    """Devices that belong to gateways in equal shares.

    Args:
        contract: names the sensors, and the ranges in which they stay.
        bursts: of a device in a thousand steps, on average.
        missing: share of single values that are not heard.
    """

    def __init__(
        self,
        contract: Contract,
        devices: int,
        gateways: int,
        seed: int = 0,
        bursts: float = 2.0,
        missing: float = 0.02,
    ) -> None:
        self.names = [f"device-{number:06}" for number in range(devices)]
        self.gateways = [f"gateway-{number:03}" for number in range(gateways)]
        self._sensors = [sensor.name for sensor in contract.sensors]
        low = np.array(
            [0.0 if sensor.minimum is None else sensor.minimum for sensor in contract.sensors]
        )
        high = np.array(
            [1.0 if sensor.maximum is None else sensor.maximum for sensor in contract.sensors]
        )
        self._middle, self._width = (low + high) / 2, (high - low) / 100
        self._random = np.random.default_rng(seed)
        self._walk = self._random.normal(size=(devices, len(low)))
        self._left = np.zeros(devices, np.int64)
        self._bursts, self._missing = bursts / 1000, missing

    def step(self) -> npt.NDArray[np.float64]:
        """The next reading of every device (device, sensor), NaN where a value is missing."""
        random, shape = self._random, self._walk.shape
        self._walk = 0.98 * self._walk + 0.2 * random.normal(size=shape)
        self._left = np.where(
            random.random(shape[0]) < self._bursts, BURST, np.maximum(self._left - 1, 0)
        )
        off = np.where(self._left > 0, 20.0, 0.0)[:, None]
        values: npt.NDArray[np.float64] = self._middle + self._width * (self._walk + off)
        values[random.random(shape) < self._missing] = np.nan
        return values.round(4)

    def messages(
        self, values: npt.NDArray[np.float64], time: int, sequence: int
    ) -> Iterator[tuple[str, bytes]]:
        """Gateway and JSON of each gateway's message; `time` in µs is that of all readings."""
        stamp, count = iso(time), len(self.gateways)
        for number, gateway in enumerate(self.gateways):
            readings = [
                {
                    "device": name,
                    "time": stamp,
                    "values": [None if isnan(value) else value for value in row],
                }
                for name, row in zip(
                    self.names[number::count], values[number::count].tolist(), strict=True
                )
            ]
            document = {
                "gateway": gateway,
                "time": stamp,
                "sequence": sequence,
                "readings": readings,
            }
            yield gateway, json.dumps(document, separators=(",", ":")).encode()


def publish(
    fleet: tuple[Contract, int, int],
    url: str,
    warm: int,
    seconds: int,
    began: Synchronized[float],
    sent: Path,
) -> None:
    """Publish `warm` steps at once, wait until `began` is known, then one step a second, the
    gateways spread over it.

    Args:
        fleet: contract, devices, gateways.
        began: wall-clock time at which living begins; 0 until then.
        sent: receives the messages, one a line.
    """
    made = Fleet(*fleet)
    with ExitStack() as stack:
        file = stack.enter_context(sent.open("wb"))
        connections = [stack.enter_context(Publisher(url)) for _ in range(CONNECTIONS)]
        for step in range(warm + seconds):
            messages = list(made.messages(made.step(), 1_000_000 * step, step))
            while step >= warm and not began.value:
                time.sleep(0.01)
            for number, (_, payload) in enumerate(messages):
                if step >= warm:
                    time.sleep(
                        max(began.value + step - warm + number / len(messages) - time.time(), 0)
                    )
                connections[number % CONNECTIONS](payload.decode())
                file.write(payload + b"\n")
