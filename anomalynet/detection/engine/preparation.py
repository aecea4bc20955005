"""From values that a device reports to what the network reads, step by step: `preprocessing` with
the state of each device in the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from anomalynet.config.schema import QualityConfig
from anomalynet.detection.contract import QUALITY, Calibration, Contract
from anomalynet.detection.engine.devices import Array, Table
from anomalynet.preprocessing import calibration
from anomalynet.preprocessing.quality import Cleaner


class Preparation:
    """Cleans, holds and calibrates; what it keeps of a device outlives its segments."""

    def __init__(self, contract: Contract, table: Table) -> None:
        sensors = len(contract.sensors)
        rules = QualityConfig(**{name: getattr(contract, name) for name in QUALITY})
        self._cleaner = Cleaner(contract.sensors, rules)
        self.sensors, self._hold, self._mask = sensors, contract.hold, contract.mask
        divide = contract.calibration == "deviation"
        self._commissioning = calibration.Commissioning(
            contract.calibration_rows, divide=divide, floor=contract.calibration_floor
        )
        self.wanted = contract.calibration_rows
        self._rows_without_reading = not contract.breaks
        self._bound = np.inf if contract.clip is None else contract.clip
        self._table = table
        table.add("history", np.float64, (self._cleaner.width, sensors), fill=np.nan)
        table.add("value", np.float64, (sensors,), fill=np.nan)
        table.add("age", np.int64, (sensors,), fill=calibration.LONG_AGO)
        table.add("offset", np.float64, (sensors,))
        table.add("scale", np.float64, (sensors,), fill=1)
        table.add("calibrated", np.int64)

    def know(self, names: Sequence[str], first: int, known: Mapping[str, Calibration]) -> None:
        """Calibrate those of the devices, from number `first` on, that are known."""
        for row, name in enumerate(names[first:], first):
            if (own := known.get(name)) is not None:
                self._table["offset"][row] = own.mean
                self._table["scale"][row] = [np.inf if one is None else one for one in own.scale]
                self._table["calibrated"][row] = self.wanted

    def advance(self, rows: Array, values: Array | None) -> tuple[Array, Array | None]:
        """The next step of distinct devices. `values`: float64 (n, sensors) with NaN, changed in
        place; None: a step at which nothing came. Returns float32 (n, channels), as `prepare`
        stores them, NaN while the device is being calibrated; and bool (n,), whether the step
        belongs to a segment, None: all do."""
        table, each = self._table, np.ones(len(rows), np.int64)
        is_row = values is not None or self._rows_without_reading
        if values is None:
            values = np.full((len(rows), self.sensors), np.nan)
        if is_row:
            history = self._cleaner.clean(values, each, table.take("history", rows))
            table.put("history", rows, history)
        ready = self._commission(rows, values if is_row else None)
        last = calibration.Held(table.take("value", rows), table.take("age", rows))
        held, last = calibration.hold(values, each, last, self._hold)
        table.put("value", rows, last.value)
        table.put("age", rows, last.age)
        offset, scale = table.take("offset", rows), table.take("scale", rows)
        found = calibration.calibrate(held, offset, scale, self._bound)
        if self._mask:
            found = np.concatenate([found, calibration.missing_share(values)[:, None]], axis=1)
        if ready is not None:
            found[~ready] = np.nan
        return found, ready

    def calibrating(self) -> Array:
        """Bool (devices,): whose calibration is not complete."""
        return np.asarray(self._table["calibrated"][: self._table.rows] < self.wanted)

    def forget_silence(self, rows: Array, steps: Array) -> None:
        """The last `steps` steps of these devices were none: the silence became too long to be
        steps, and values are held across it."""
        self._table["age"][rows] -= steps[:, None]

    def commissioning(self) -> Array:
        """Float64 (device, reading, sensor): first readings of `calibrating` devices, else 0."""
        found = np.zeros((int(self.calibrating().sum()), self.wanted, self.sensors))
        for at, row in enumerate(np.flatnonzero(self.calibrating()).tolist()):
            found[at] = self._commissioning.readings.get(row, 0.0)
        return found

    def resume(self, commissioning: Array) -> None:
        """Take over what `commissioning` gave, after the table was restored."""
        rows = np.flatnonzero(self.calibrating()).tolist()
        self._commissioning.readings = dict(zip(rows, commissioning.copy(), strict=True))

    def _commission(self, rows: Array, values: Array | None) -> Array | None:
        """Which steps come after their device's calibration; None: all do."""
        table = self._table
        count = table["calibrated"][rows]
        ready = count >= self.wanted
        if np.count_nonzero(ready) == len(ready):
            return None
        if values is None:
            return np.asarray(ready)
        table["calibrated"][rows[~ready]] += 1
        made = self._commissioning.add(rows, count, np.ones(len(rows), np.int64), values)
        if made is not None:
            table["offset"][rows[made.which]] = made.mean
            table["scale"][rows[made.which]] = made.scale
        return np.asarray(ready)
