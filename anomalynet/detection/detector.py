"""One device, by hand: its readings in, scored steps out.

    from pathlib import Path
    from anomalynet.detection.detector import DeviceDetector

    detector = DeviceDetector(Path("model.onnx"))
    for time, values in readings:  # datetime, {"temperature": 21.5, "humidity": None}
        for step in detector.push(time, values):
            print(step.time, step.score)
        for event in detector.events:  # alarms raised or cleared by this reading
            print(event.to_json())

A reading after a silence comes back with the steps that the silence was, scored like all others.
`tick` tells the detector that time goes on although nothing comes. For many devices use
`engine.Engine`: it scores them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from anomalynet.detection.engine.engine import Engine
from anomalynet.detection.model import Model
from anomalynet.detection.records import EPOCH, Event, Message, Outcome, Reading, since_epoch
from anomalynet.errors import UsageError
from anomalynet.metrics.events import AlarmRule

NAME = "device"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the device."""

    time: datetime  # UTC
    observed: bool  # False where a reading was expected and none came
    score: float | None  # None while the device is being calibrated or its window is not full


class DeviceDetector:
    """A model and one device's state.

    Args:
        model: the file that `anomalynet export` wrote.
        rule: when scores become an alarm; the default raises one at each step at or above the
            model's threshold.

    Raises:
        UsageError: the file cannot be used.
    """

    def __init__(self, model: Path, rule: AlarmRule | None = None) -> None:
        # its `counts` tell which readings were refused, `snapshot` and `restore` keep its state
        self.engine = Engine(Model(model), rule or AlarmRule(), max_devices=1)
        self.events: list[Event] = []  # alarms that the last call raised or cleared
        self._sensors = tuple(sensor.name for sensor in self.engine.contract.sensors)

    def push(
        self, time: datetime, values: Mapping[str, float | None] | Sequence[float | None]
    ) -> list[Step]:
        """Take a reading; nothing comes back where it was refused, as one whose time is not after
        the last one's is.

        Args:
            time: UTC where it names no zone.
            values: by sensor, those that are absent are missing; or in the order of the contract.
                None and NaN are missing.

        Raises:
            UsageError: a sensor is unknown, or the number of values is not that of the sensors.
        """
        if isinstance(values, Mapping):
            sensors = ", ".join(self._sensors)
            if unknown := [name for name in values if name not in self._sensors]:
                raise UsageError(f"the model has no sensor {unknown[0]!r}", f"it has {sensors}")
            values = [values.get(name) for name in self._sensors]
        if len(values) != len(self._sensors):
            what = f"{len(values)} values for {len(self._sensors)} sensors"
            raise UsageError(what, f"in this order: {', '.join(self._sensors)}")
        numbers = tuple(np.nan if value is None else float(value) for value in values)
        reading = Reading(NAME, since_epoch(time), numbers)
        return self._steps(self.engine.process([Message(NAME, (reading,))]))

    def tick(self, time: datetime) -> list[Step]:
        """Say that no reading before `time` (UTC where it names no zone) comes any more. Returns
        the steps that were missed for certain."""
        return self._steps(self.engine.process([Message(NAME, (), since_epoch(time))]))

    def _steps(self, outcome: Outcome) -> list[Step]:
        self.events = outcome.events
        steps = outcome.steps
        facts = zip(steps.time.tolist(), steps.observed.tolist(), steps.score.tolist(), strict=True)
        return [
            Step(EPOCH + timedelta(microseconds=time), seen, None if np.isnan(score) else score)
            for time, seen, score in facts
        ]
