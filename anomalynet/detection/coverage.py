"""What of a recording could not be scored, and why: long silences, devices that the model does not
know, and readings at another step than its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan
from statistics import median
from typing import Any

from anomalynet.detection.contract import Contract
from anomalynet.detection.records import Message, Steps, iso

JUDGED = 20_000  # readings from which their usual step is judged
UNLIKE = 1.5  # times the model's step, or a part of it


class Coverage:
    """Collects it while a recording is read. `calibrates`: devices of the model's table are
    calibrated anew, too."""

    def __init__(self, contract: Contract, *, calibrates: bool = False) -> None:
        self._contract, self._calibrates = contract, calibrates
        self._newest: dict[int, int] = {}  # row of a device → time of its last step, in µs
        self._observed: dict[int, int] = {}  # and of the last that had a reading
        self._heard: dict[str, int] = {}  # device → time of its last reading
        self._gaps: list[float] = []  # seconds between readings of a device
        self._unheard = set(range(len(contract.sensors)))  # sensors without a value so far
        self._silences = 0
        self._longest: tuple[int, int, int] | None = None  # length in µs, row, begin

    def add(self, messages: Iterable[Message], steps: Steps) -> None:
        """Add what a call of the engine took and made."""
        for message in messages if self._unheard else ():
            for reading in message.readings:
                self._unheard -= {at for at in self._unheard if not isnan(reading.values[at])}
        for message in messages if len(self._gaps) < JUDGED else ():
            for reading in message.readings:
                if (before := self._heard.get(reading.device)) is not None:
                    self._gaps.append((reading.time - before) / 1e6)
                self._heard[reading.device] = reading.time
        if (period := self._contract.period) is None:
            return
        longest = UNLIKE * max([period, *self._contract.periods.values()]) * 1e6
        columns = steps.row, steps.time, steps.observed
        for row, time, heard in zip(*(one.tolist() for one in columns), strict=True):
            if time - self._newest.get(row, time) > longest:
                silence = time - self._observed.get(row, time)
                self._silences += 1
                self._longest = max(self._longest or (0, 0, 0), (silence, row, time - silence))
            self._newest[row] = time
            if heard:
                self._observed[row] = time

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """`silences` (count of those that ended a segment), `longest_silence` (device, time, and
        seconds; None without any), `unknown_devices`, which calibrate first, `step`, the usual
        seconds between readings, where it is unlike the model's, else None; `unheard`, the sensors
        without any value; and `texts`, the same in words. `names`: the devices by row."""
        contract, texts, longest, unknown = self._contract, list[str](), None, list[str]()
        if self._longest is not None:
            length, row, begin = self._longest
            longest = {"device": names[row], "time": iso(begin), "seconds": length / 1e6}
            texts.append(
                f"silences longer than the model bridges: {self._silences}, the longest of "
                f"{names[row]} from {iso(begin)} for {length / 3.6e9:.1f} h"
            )
        if contract.calibration_rows and contract.known and not self._calibrates:
            unknown = sorted({*names} - {*contract.known})
        if unknown:
            listed = ", ".join(unknown[:3]) + " …" * (len(unknown) > 3)
            texts.append(
                f"not in the model: {listed}; their first {contract.calibration_rows} readings "
                "calibrate and are not scored"
            )
        own = [one for one in (contract.period, *contract.periods.values()) if one]
        if (step := self._unlike(own)) is not None:
            texts.append(
                f"readings come every {step:g} s, and the model learned from one every "
                f"{own[0]:g} s: its scores mean little"
            )
        unheard = [self._contract.sensors[at].name for at in sorted(self._unheard)]
        if unheard:
            texts.append(f"without any value: {', '.join(unheard)}")
        found = {"silences": self._silences, "longest_silence": longest, "unheard": unheard}
        return {**found, "unknown_devices": unknown, "step": step, "texts": texts}

    def _unlike(self, steps: Sequence[float]) -> float | None:
        """The usual seconds between readings, if no step of the model is like it."""
        gaps = [gap for gap in self._gaps if gap > 0]
        if not (steps and gaps):
            return None
        step = median(gaps)
        return None if any(one / UNLIKE <= step <= one * UNLIKE for one in steps) else step
