"""Everything that a detector needs beside the network, stored in the ONNX file's metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Literal

from anomalynet.data.importing.format import TableFormat
from anomalynet.documents import json_value
from anomalynet.errors import UsageError
from anomalynet.runs import codec

FORMAT = 1  # version of this schema: a detector refuses files of another one
KEY = "anomalynet"  # of the metadata entry that holds the contract as JSON
MASK = "missing"  # the channel that the detector adds: the share of sensors missing at a step


@dataclass(kw_only=True, slots=True, frozen=True)
class Sensor:
    """One channel that a device reports; a value outside its range counts as missing."""

    name: str
    unit: str = ""
    minimum: float | None = None  # in the range; None = unbounded
    maximum: float | None = None


@dataclass(kw_only=True, slots=True, frozen=True)
class Reference:
    """Distributions that drift is measured against: 101 quantiles (0 %, 1 % … 100 %) each."""

    scores: tuple[float, ...] = ()  # of the validation part
    # sensor or mask → quantiles of its calibrated readings over the training windows' steps
    channels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


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

    Files of earlier versions have two more inputs, `offset` and `scale` float64 (batch, channels),
    to calibrate readings themselves: 0 and 1 leave calibrated readings as they are.

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
    period: (
        float | None
    )  # expected seconds between readings; None if they are events without a grid
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
    format: int = FORMAT

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that the network reads: the sensors in order, then the mask if any."""
        names = tuple(sensor.name for sensor in self.sensors)
        return (*names, MASK) if self.mask else names

    def to_json(self) -> str:
        """One line of JSON that `read` takes; the same contract gives the same bytes."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False, sort_keys=True)


def read(metadata: Mapping[str, str], where: str) -> Contract:
    """The contract in the custom metadata of an ONNX file. `where`: the file, for messages. Raises
    UsageError: the file has no contract, or one that this version cannot read."""
    if KEY not in metadata:
        what = f"{where}: not a model that `anomalynet export` wrote"
        raise UsageError(what, "anomalynet export RUN --out model.onnx")
    try:
        raw = {"periods": {}, "table": None, **json_value(metadata[KEY])}  # not in earlier files
        if raw["format"] != FORMAT:
            what = f"{where}: format {raw['format']} of an export, this version reads {FORMAT}"
            raise UsageError(what, "export the run again")
        if lacking := {field.name for field in fields(Contract)} - raw.keys():
            raise KeyError(min(lacking))
        return codec.read(Contract, raw, where)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"{where}: its metadata is damaged: {error!r}"
        raise UsageError(what, "export the run again") from None
