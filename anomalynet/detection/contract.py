"""Everything that a detector needs beside the network, stored in the ONNX file's metadata, and the
digest that tells whether either was changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from math import inf, isfinite
from typing import Literal
from zoneinfo import ZoneInfo

from anomalynet.data.importing.cells import TIME_FORMATS, is_name, label_words
from anomalynet.data.importing.format import TableFormat
from anomalynet.errors import UsageError, first_line
from anomalynet.runs import codec

FORMAT = 1  # version of this schema: a detector refuses files of another one
KEY = "anomalynet"  # of the metadata entry that holds the contract as JSON
DIGEST = "anomalynet digest"  # of the entry with the SHA-256 of the file before it
MASK = "missing"  # the channel that the detector adds: the share of sensors missing at a step
QUALITY = ("range_check", "outliers", "hampel_window", "hampel_threshold")  # as in `QualityConfig`


@dataclass(kw_only=True, slots=True, frozen=True)
class Sensor:
    """One channel that a device reports; a value outside its range counts as missing."""

    name: str
    unit: str = ""
    minimum: float | None = None  # in the range; None = unbounded
    maximum: float | None = None


@dataclass(kw_only=True, slots=True, frozen=True)
class Reference:
    """What is ordinary. Drift is measured against distributions of 101 quantiles (0 %, 1 % …
    100 %)."""

    scores: tuple[float, ...] = ()  # of the validation part
    # sensor or mask → quantiles of its calibrated readings over the training windows' steps
    channels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    # ordinary windows of the training part, calibrated, each step by step
    windows: tuple[tuple[float, ...], ...] = ()


@dataclass(kw_only=True, slots=True, frozen=True)
class Calibration:
    """How a device's readings become (reading − mean) / scale, per sensor."""

    mean: tuple[float, ...]
    scale: tuple[float | None, ...]  # None: the sensor was not heard, and reads 0

    def suits(self, sensors: int) -> bool:
        """Whether it can be of a device with so many sensors."""
        scales = [one for one in self.scale if one is not None]
        counts = len(self.mean) == len(self.scale) == sensors
        return counts and all(map(isfinite, [*self.mean, *scales])) and min(scales, default=1) > 0


@dataclass(kw_only=True, slots=True, frozen=True)
class Contract:
    """How readings become the network's input, as in training, and the meaning of its score.

    Forms of the network; all tensors are float32, the batch is free:

    - `window`: input `readings` (batch, window, channels), calibrated by
      `preprocessing.calibration.calibrate`: a missing sensor reads 0.
    - `step`: inputs `reading` (batch, channels) likewise, and the state: each tensor of `carried`
      under its name, `states` (batch, window, width) and `slot` (batch, window), 1 at the index of
      `states` that this step takes and 0 elsewhere. Further outputs: `<name>_next` for each of
      `carried`; the caller writes `hidden_next` into the slot.
    - `statistics`: input `features` (batch, 12 × channels), `data.statistics.statistics` of the
      calibrated window.

    Outputs: `score` (batch,), and if the network has them `error` (batch, channels), squared error
    of the reconstruction in squared deviations, and `attention` (batch, parts): parts are steps
    after pooling, of `states` for the form `step`, or features."""

    run: str
    experiment: str
    model: str
    data: str
    fingerprint: str
    code: str
    seed: int
    split: str
    licence: str  # of the exported file, an SPDX name
    form: Literal["window", "step", "statistics"]
    sensors: tuple[Sensor, ...]
    mask: bool
    window: int
    period: float | None  # expected seconds between readings; None: events without a grid
    max_gap: int  # longest silence, in steps, that becomes steps without a reading
    breaks: bool  # whether a longer silence ends the segment; else every expected step is scored
    hold: int  # steps that a missing sensor keeps its last value; then it reads its zero
    calibration_rows: int  # first readings of a device that calibrate it; 0 = none
    calibration: Literal["offset", "deviation"]
    clip: float | None  # bound on readings divided by their own deviation; None = unbounded
    range_check: bool
    outliers: Literal["keep", "hampel"]
    hampel_window: int
    hampel_threshold: float
    threshold: float
    threshold_rule: str
    probability: bool
    outputs: tuple[str, ...]
    attention_axis: Literal["time", "channel"] | None = None  # of the parts of `attention`
    # form `step`: name → shape of one device's state tensor, zeros at the start of a segment
    carried: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    width: int = 0  # form `step`: width of one of the last `window` states
    metrics: Mapping[str, float | None] = field(default_factory=dict)  # `validation/…`, `test/…`
    warnings: tuple[str, ...] = ()
    reference: Reference = field(default_factory=Reference)
    variant: Literal["float32", "float16", "int8"] = "float32"
    # device → its own period, where the run's data had it and it is not `period`
    periods: Mapping[str, float] = field(default_factory=dict)
    # how the imported table was read; None for other data, and in files of earlier versions
    table: TableFormat | None = None
    # per sensor, the smallest deviation that its readings are divided by; empty: none
    calibration_floor: tuple[float, ...] = ()
    # device of an imported table → its calibration there, which goes on; any other device is
    # calibrated by its own first readings
    known: Mapping[str, Calibration] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that the network reads: the sensors in order, then the mask if any."""
        names = tuple(sensor.name for sensor in self.sensors)
        return (*names, MASK) if self.mask else names

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the network's inputs, in order and without the batch."""
        channels = len(self.channels)
        if self.form == "window":
            return {"readings": (self.window, channels)}
        if self.form == "statistics":
            return {"features": (12 * channels,)}
        state = {"states": (self.window, self.width), "slot": (self.window,)}
        return {"reading": (channels,), **self.carried, **state}

    def to_json(self) -> str:
        """One line of JSON that `read` takes; the same contract gives the same bytes."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False, sort_keys=True)


def sealed(content: bytes) -> bytes:
    """A file with its digest, as the last entry of its metadata: a field of a protobuf message may
    be appended to its bytes."""
    return content + _entry(content)


def _entry(content: bytes) -> bytes:
    key, value = DIGEST.encode(), hashlib.sha256(content).hexdigest().encode()
    inner = b"\x0a%c%b\x12%c%b" % (len(key), key, len(value), value)
    return b"\x72%c%b" % (len(inner), inner)


_DAMAGE = (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError)


def read(metadata: Mapping[str, str], where: str, content: bytes | None = None) -> Contract:
    """The contract in the custom metadata of an ONNX file. `where`: the file, for messages;
    `content`: its bytes, to check the digest; files of earlier versions have none. Raises
    UsageError: the file has no contract, one that this version cannot read, or a field that cannot
    be; or it is not as it was exported."""
    if KEY not in metadata:
        what = f"{where}: not a model that `anomalynet export` wrote"
        raise UsageError(what, "anomalynet export RUN --out model.onnx")
    has_digest = DIGEST in metadata
    try:
        if content and has_digest and sealed(content[: -len(_entry(b""))]) != content:
            what = "damaged, or changed since it was exported: its digest is another"
            raise UsageError(f"{where}: {what}")
        written = codec.parse(metadata[KEY], where)
        if content and not has_digest and "calibration_floor" in written:
            raise UsageError(f"{where}: changed since it was exported: it has lost its digest")
        later: dict[str, object] = {
            "periods": {},
            "table": None,
            "calibration_floor": [],
            "known": {},
        }
        raw = {**later, **written}  # which earlier versions did not write
        if raw["format"] != FORMAT:
            what = f"format {raw['format']} of an export, this version reads {FORMAT}"
            raise UsageError(f"{where}: {what}")
        if lacking := {field.name for field in fields(Contract)} - raw.keys():
            raise KeyError(min(lacking))
        found = codec.read(Contract, raw, where)
        if wrong := _violations(found):
            more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
            raise UsageError(f"{where}: {'; '.join(wrong[:SHOWN])}{more}")
    except UsageError as error:
        raise UsageError(error.message, "export the run again") from None
    except _DAMAGE as error:
        what = f"{where}: its metadata is damaged: {error!r}"
        raise UsageError(what, "export the run again") from None
    return found


INPUTS = {"reading", "states", "slot"}  # of the form `step`, beside what is carried
SHOWN = 5  # most invalid fields in a message
MOST = 1_000_000  # largest count, so that no memory is spent on one that cannot be
_AT_LEAST = {"max_gap": 0, "hold": 0, "calibration_rows": 0, "width": 0}
_AT_LEAST |= {"window": 1, "hampel_window": 3}


def _violations(of: Contract) -> list[str]:
    """What is wrong with each invalid field; bounds are those of `config/bounds.py`."""
    cells = of.window * len(of.channels)
    wrong = [
        f"known.{device} must be mean and scale of each sensor, not {own!r}"
        for device, own in of.known.items()
        if not own.suits(len(of.sensors))
    ] + [
        f"reference.windows[{number}] must be {cells} finite numbers"
        for number, window in enumerate(of.reference.windows)
        if len(window) != cells or not all(map(isfinite, window))
    ]

    def must(name: str, value: object, holds: bool, what: str) -> None:
        if not holds:
            wrong.append(f"{name} must be {what}, not {value!r}")

    for name, least in _AT_LEAST.items():
        value = getattr(of, name)
        must(name, value, least <= value <= MOST, f"from {least} to {MOST}")
    must("seed", of.seed, 0 <= of.seed < 2**32, "from 0, below 2^32")
    must("threshold", of.threshold, isfinite(of.threshold), "finite")
    must("clip", of.clip, of.clip is None or 0 < of.clip < inf, "positive and finite")
    floor = of.calibration_floor
    holds = len(floor) in (0, len(of.sensors)) and all(0 <= one < inf for one in floor)
    must("calibration_floor", floor, holds, "a deviation of each sensor")
    must("hampel_threshold", of.hampel_threshold, 0 < of.hampel_threshold < inf, "positive, finite")
    periods = {f"periods.{device}": period for device, period in of.periods.items()}
    given = {"period": of.period, "table.period": of.table.period if of.table else None}
    for name, period in {**given, **periods}.items():
        must(name, period, period is None or 1e-6 <= period < 1e9, "from 1e-6 to 1e9 seconds")
    for name in ("run", "experiment", "model", "data", "split", "licence", "threshold_rule"):
        must(name, getattr(of, name), is_name(getattr(of, name)), "a name on one line")
    texts = {
        name: [*getattr(of, name)]
        for name in ("warnings", "carried", "periods", "known", "metrics")
    }
    for name, found in {**texts, "units": [one.unit for one in of.sensors if one.unit]}.items():
        must(name, found, all(map(is_name, found)), "texts on one line")
    axis, needed = of.attention_axis, "attention" in of.outputs
    must("attention_axis", axis, axis is not None or not needed, "there if attention is an output")
    sensors = [sensor.name for sensor in of.sensors]
    must("sensors", sensors, all(map(is_name, sensors)), "names on one line")
    must("sensors", sensors, len({*sensors, MASK}) == len(sensors) + 1, "different names")
    must("sensors × window", cells, 0 < cells <= 10 * MOST, f"from 1 to {10 * MOST}")
    for sensor in of.sensors:
        ends = [end for end in (sensor.minimum, sensor.maximum) if end is not None]
        holds = all(map(isfinite, ends)) and ends == sorted(ends)
        must(f"the range of {sensor.name}", ends, holds, "finite and rise")
    outputs = {"score", "error", "attention"}
    holds = len({*of.outputs} & outputs) == len(of.outputs) and "score" in of.outputs
    must("outputs", of.outputs, holds, "score, and error and attention if there are any")
    for name, shape in of.carried.items():
        holds = of.form == "step" and all(0 <= size <= MOST for size in shape)
        must(f"carried.{name}", shape, holds and name not in INPUTS, "a shape, in the form step")
    for name, metric in of.metrics.items():
        must(f"metrics.{name}", metric, metric is None or isfinite(metric), "finite")
    for name, marks in {"scores": of.reference.scores, **of.reference.channels}.items():
        rise = all(map(isfinite, marks)) and all(low <= high for low, high in pairwise(marks))
        holds = len(marks) in (0, 101) and rise and name in ("scores", *of.channels)
        must(f"reference.{name}", len(marks), holds, "101 quantiles of a channel or the scores")
    if (form := of.table) is not None:
        for name in ("separator", "thousands"):
            text = getattr(form, name)
            must(f"table.{name}", text, len(text or "") <= 1, "one character")
        written = form.time_format or "%"
        holds = "%" in written or written in TIME_FORMATS
        must("table.time_format", written, holds, f"a pattern or one of {', '.join(TIME_FORMATS)}")
        try:
            ZoneInfo(form.timezone or "UTC")
            label_words(form)
        except Exception as error:  # a zone may be a path that cannot be read
            must("table", first_line(error), False, "valid")
    return wrong
