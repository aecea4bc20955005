"""Readings of a made-up fleet: slow walks of each device, with gaps and bursts, the same for a seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isnan

import numpy as np
import numpy.typing as npt

from anomalynet.detection.contract import Contract
from anomalynet.detection.times import iso

BURST = 5
"""Steps in which a device reads far off."""


class Fleet:
    """Devices that belong to gateways in equal shares.

    Args:
        contract: names the sensors, and the ranges in which they stay.
        bursts: of a device in a thousand steps, on average.
        missing: share of single values that are not heard.
    """

    def __init__(self, contract: Contract, devices: int, gateways: int, seed: int = 0, bursts: float = 2.0, missing: float = 0.02) -> None:
        self.names = [f"device-{number:06}" for number in range(devices)]
        self.gateways = [f"gateway-{number:03}" for number in range(gateways)]
        self._sensors = [sensor.name for sensor in contract.sensors]
        low = np.array([0.0 if sensor.minimum is None else sensor.minimum for sensor in contract.sensors])
        high = np.array([1.0 if sensor.maximum is None else sensor.maximum for sensor in contract.sensors])
        self._middle, self._width = (low + high) / 2, (high - low) / 100
        self._random = np.random.default_rng(seed)
        self._walk = self._random.normal(size=(devices, len(low)))
        self._left = np.zeros(devices, np.int64)
        self._bursts, self._missing = bursts / 1000, missing

    def step(self) -> npt.NDArray[np.float64]:
        """The next reading of every device (device, sensor), NaN where a value is missing."""
        random, shape = self._random, self._walk.shape
        self._walk = 0.98 * self._walk + 0.2 * random.normal(size=shape)
        self._left = np.where(random.random(shape[0]) < self._bursts, BURST, np.maximum(self._left - 1, 0))
        off = np.where(self._left > 0, 20.0, 0.0)[:, None]
        values = self._middle + self._width * (self._walk + off)
        values[random.random(shape) < self._missing] = np.nan
        return values.round(4)

    def messages(self, values: npt.NDArray[np.float64], time: int, sequence: int) -> Iterator[tuple[str, bytes]]:
        """Gateway and JSON of each gateway's message; `time` in µs is that of all readings."""
        stamp, count = iso(time), len(self.gateways)
        for number, gateway in enumerate(self.gateways):
            readings = [
                {"device": name, "time": stamp, "values": [None if isnan(value) else value for value in row]}
                for name, row in zip(self.names[number::count], values[number::count].tolist(), strict=True)
            ]
            document = {"gateway": gateway, "time": stamp, "sequence": sequence, "readings": readings}
            yield gateway, json.dumps(document, separators=(",", ":")).encode()
