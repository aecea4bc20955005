"""The typed configuration: every key with its default, unit and effect."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from anomalynet.config.model import ModelConfig

SCHEMA_VERSION = 1

NON_SEMANTIC = ("hardware", "data.root", "tracking")
"""Keys that set where and how a run is computed, not what. They are not part of the run's
identity."""

SplitPolicy = Literal[
    "auto",
    "group",
    "blocked",
    "group_blocked",
    "held_out_types",
    "beginning",
    "given",
    "random",
]


@dataclass(kw_only=True, slots=True, frozen=True)
class SplitConfig:
    """How recordings are divided into training, validation and test parts. No window contains steps
    of two parts."""

    policy: SplitPolicy = "auto"
    """`group`: hold out whole series, k-fold. `blocked`: cut each series into time blocks with a
    purge gap. `group_blocked`: test unseen series in a later block. `held_out_types`: test types of
    incidents that are not in the training part. `beginning`: train on the first steps of every
    series, validate on those of some held-out groups, and test all later steps. `given`: use the
    data's own `split` column. `random`: leaks; it warns and is marked in every table. `auto`:
    `given` if the data has a split; `group_blocked` for simulated networks, whose nodes share time
    and incidents; else `group` if there are at least as many groups as folds; else `blocked`.
    Without labels `blocked`, with so few folds, at least 3, that a part lasts a day; of less than
    three days also `group`, from three series per fold on."""
    folds: int = 5
    """Number of folds; at most the number of simulated worlds, if there are several. Each labelled
    step is tested in exactly one of them (`group`, `blocked`)."""
    test_worlds: str | None = None
    """Worlds of data.worlds that are always the test part (`100-103`); then there is one fold."""
    validation_worlds: str | None = None
    """The same for the validation part, with test_worlds. Empty: a share of the rest."""
    fold: int = 0
    """Which fold is the test part, 0 to folds-1. With `blocked`, fold 0 tests the last block."""
    assignment: int = 0
    """Seed of the assignment of groups to folds. The experiments set it to the run's seed, so that
    the reported spread includes both."""
    validation_fraction: float = 0.25
    """Share of the groups outside the test part that become the validation part, which chooses
    checkpoint and threshold."""
    interleave: int = 1
    """Blocks per fold (`blocked`). 1: contiguous in time. More blocks interleave the parts, which
    is an easier task; tables report it."""
    beginning: int = 400
    """Length of a series' beginning in steps, with those of the calibration (`beginning`)."""
    purge: int | None = None
    """Steps dropped between blocks of different parts. Empty: data.window or data.max_gap,
    whichever is longer."""


@dataclass(kw_only=True, slots=True, frozen=True)
class QualityConfig:
    """Cleaning of readings before windows are cut (§3.1.4). Every step is causal: it uses only past
    readings, as a gateway could."""

    checksum: bool = True
    """Drop the readings of a frame whose CRC-32 is wrong. Simulated data only, as the next two."""
    deduplicate: bool = True
    """Drop a frame if one with the same node and sequence number arrived shortly before: its
    acknowledgement was lost and the node repeated it."""
    reorder: bool = True
    """Sort the frames that arrive in one slot by sequence number, and use the last; otherwise use
    the last one that arrived."""
    range_check: bool = True
    """Treat values outside the sensor's range as missing, if the data declares the range."""
    outliers: Literal["keep", "hampel"] = "keep"
    """`hampel`: a value far from the median of the sensor's last readings becomes missing. It
    removes short attacks, too."""
    hampel_window: int = 15
    """Number of readings for the median."""
    hampel_threshold: float = 6.0
    """Distance from the median, in robust standard deviations (1.4826 × median absolute deviation),
    above which a value is missing."""
    impute: Literal["hold", "zero"] = "hold"
    """Replacement of a missing value. `hold`: the sensor's last value for at most max_gap steps,
    then its calibrated zero. `zero`: always its zero."""


@dataclass(kw_only=True, slots=True, frozen=True)
class DataConfig:
    """Which recordings are used, and how windows are cut from them."""

    name: str = "smart_city"
    """A data set (`anomalynet data ls`), the name of imported data (`anomalynet data import`), the
    YAML file of a scenario, or `simulated` for a world in `root`."""
    root: str | None = None
    """Folder of the files. Empty: the data folder (./data, or ANOMALYNET_DATA). Not in the run
    id."""
    scenario: str | None = None
    """Changes to a simulated scenario, `key=value` separated by spaces: `duration=18h
    deployment.nodes=24`."""
    subset: str | None = None
    """One part of a collection: the device of TON_IoT, the network of LWSNDR."""
    world: int = 0
    """Seed of a simulated scenario: each world has other positions, weather and incidents. Other
    data has one world."""
    worlds: str | None = None
    """Several simulated worlds: how many, from data.world on (`6`), or their seeds (`0-5 100`). The
    split holds out whole worlds. Empty: only data.world."""
    label: Literal["attack", "any", "fault", "environment"] = "attack"
    """Which incidents are the positive class: those of one cause, or any. Labels without a cause
    count as attacks."""
    view: Literal["node", "neighbours", "cell"] = "node"
    """Sensors in a window. `node`: those of one node; `neighbours`: also those of the nearest
    nodes; `cell`: those of the whole radio cell."""
    neighbours: int = 3
    """Number of nearest nodes in the view `neighbours`."""
    link_channels: bool = True
    """Add the gateway's measurements of a simulated node's link: rssi, snr, gaps in the sequence
    numbers, time between frames, retries."""
    evidence_channels: bool = True
    """Add what the gateway knows of all frames of a simulated node's slot: their number, wrong
    checksums, repetitions, ranges, transit times, silence of the cell, and differences from the
    nearest nodes."""
    without: str | None = None
    """Channels that are left out, separated by spaces: `rssi cell_silent`."""
    quality: QualityConfig = field(default_factory=QualityConfig)
    window: int = 32
    """Steps per window, T."""
    stride: int = 1
    """Steps between the starts of training windows; base.yaml has 3. Every step is scored."""
    label_step: Literal["last", "any", "majority"] = "last"
    """Which steps of a training window determine its label. `last` is causal. Evaluation is per
    step."""
    calibration_rows: int | None = None
    """Number of first readings of each series, assumed normal, that calibrate it; they are neither
    trained on nor scored. 0: no calibration; only the training part's statistics normalise. Empty:
    100, or without labels a day's, but at most a third of the median series and 10,000."""
    calibration: Literal["offset", "deviation"] = "offset"
    """What those readings determine. `offset`: their mean is the sensor's zero; the training part
    gives the scale. `deviation`: their standard deviation is also the scale, which amplifies the
    noise of a sensor that hardly changed during calibration; see calibration_floor."""
    calibration_floor: float = 0.0
    """Smallest scale that `deviation` gives a sensor, as a share of this sensor's deviation in the
    first readings of all series together. 0: only what keeps a constant sensor finite."""
    clip: float = 20.0
    """Bound on normalised readings; keeps a constant channel finite."""
    mask_channel: bool = True
    """Add a channel with the share of missing sensors at each step: 0 (none missing) to 1 (all)."""
    max_gap: int = 10
    """Longest gap in steps that is filled with masked steps. A longer gap ends the segment, and no
    window crosses it. A single silent sensor holds its last value for max_gap steps, then its zero.
    Simulated data has a row for every step, so its gaps do not end segments."""
    one_class: Literal["refuse", "allow"] = "refuse"
    """What to do if all labelled steps of the validation or test part have the same class."""
    split: SplitConfig = field(default_factory=SplitConfig)

    @property
    def title(self) -> str:
        """The data set with its subset: `skab`, `ton_iot/fridge`."""
        name = Path(self.name).stem if self.name.endswith(".yaml") else self.name
        return f"{name}/{self.subset}" if self.subset else name

    @property
    def first_rows(self) -> int:
        """`calibration_rows`; 100 if these are empty."""
        return 100 if self.calibration_rows is None else self.calibration_rows

    @property
    def bound(self) -> float | None:
        """Largest magnitude of a reading that is divided by its sensor's own deviation; None: it is
        not divided."""
        return self.clip if self.first_rows > 0 and self.calibration == "deviation" else None


@dataclass(kw_only=True, slots=True, frozen=True)
class InjectionConfig:
    """Incidents that are injected into normal windows (training.incidents). They begin at a random
    step and go on to the window's end, on one channel or more. `anomalynet show --injected DATA`
    draws them."""

    share: float = 0.5
    """Share of the normal windows that get an incident."""
    kinds: str | None = None
    """Kinds of incidents, separated by spaces: `bias ramp stuck`. Empty: all."""
    smallest: float = 0.7
    """Smallest magnitude, in the typical deviation of the channel within a training window, or in
    that of the training part without calibration by deviation."""
    largest: float = 8.0
    """Largest magnitude. Magnitudes are drawn log-uniformly."""
    trim: float = 0.0
    """With training.incidents=injected: share of the windows taken as normal that each batch leaves
    out of the loss, those with the largest one. Some may hold incidents that nobody labelled, and
    a network that learned them as normal would miss their kind. 0 for data known to be normal."""


@dataclass(kw_only=True, slots=True, frozen=True)
class TrainingConfig:
    """Training settings: Table 1 of the paper, and what it does not specify."""

    epochs: int = 100
    """Largest number of passes over the training windows, or of draws of windows_per_epoch."""
    windows_per_epoch: int = 20_000
    """Training windows of an epoch. If there are more, so many are drawn anew for each epoch, in
    equal shares of the worlds, so that the cost of a run does not grow with its data."""
    validation_windows: int = 20_000
    """Validation windows that are scored after each epoch. If there are more, so many at equal
    distances. The threshold uses all."""
    classical_windows: int = 20_000
    """Training windows that a classical model is fitted on. If there are more, so many are drawn,
    in equal shares of the worlds."""
    batch_size: int = 32
    """Windows per optimiser step, summed over all devices."""
    optimizer: Literal["adam", "adamw"] = "adam"
    """`adam`: the optimiser of the paper; `adamw`: with decoupled weight decay."""
    weight_decay: float = 0.01
    """Share of each weight that `adamw` takes away per step, times the learning rate."""
    schedule: Literal["constant", "one_cycle"] = "constant"
    """Of the learning rate. `one_cycle`: it rises to learning_rate over the first 30 % of all
    steps of `epochs`, and falls to almost nothing until the last."""
    learning_rate: float = 0.001
    """Step size of the optimiser."""
    loss: Literal["mse", "cross_entropy"] = "mse"
    """`mse`: the Brier score, squared error between softmax and one-hot label."""
    label_smoothing: float = 0.0
    """Share of the target that `cross_entropy` spreads over both classes. Above 0, scores of clear
    incidents stay apart from each other instead of all being 1."""
    monitor: Literal["validation/average_precision", "validation/auroc", "validation/loss"] = (
        "validation/average_precision"
    )
    """Metric for checkpoint selection and early stopping; computed on the validation part, never on
    the test part."""
    incidents: Literal["labels", "injected", "both", "pretrained"] = "labels"
    """What a model learns as incidents. `labels`: windows labelled so. `injected`: incidents that
    are injected into training windows, all of which are taken as normal; validation judges on
    incidents injected into its own windows, and no label is read. `both`: labels, and incidents
    injected into windows labelled normal. `pretrained`: `both` in the first half of the epochs, the
    labels alone in the second."""
    injection: InjectionConfig = field(default_factory=InjectionConfig)
    other_incidents: Literal["normal", "leave_out"] = "normal"
    """Training windows that end in an incident of another cause than data.label: `normal` learns
    them as normal, `leave_out` does not learn from them."""
    patience: int = 10
    """Epochs without improvement after which training stops."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Floating-point precision of training. `bf16-mixed` is for recent GPUs; its results differ, so
    it is part of the run's identity."""


@dataclass(kw_only=True, slots=True, frozen=True)
class EvaluationConfig:
    """How scores become alarms. Thresholds are computed on the validation part."""

    threshold: Literal["f1", "balanced_accuracy", "fixed", "alarm_budget"] = "f1"
    """Rule for the threshold: best attack F1, best balanced accuracy, `fixed_threshold`, or an
    alarm budget, which needs no labels."""
    other_incidents: Literal["leave_out", "normal"] = "leave_out"
    """Steps in an incident of another cause than data.label, such as a fault. `leave_out`: metrics
    and threshold compare attack with normal steps, and only the metrics `…_all` count these as
    normal. `normal`: every metric does."""
    fixed_threshold: float = 0.5
    """Threshold for the rule `fixed`."""
    alarms_per_day: float | None = None
    """Alarms per day, of all devices of the data set together, that the rule `alarm_budget` accepts
    on validation steps not labelled as attack; it alarms at most 5 % of these steps. An alarm is a
    contiguous run of steps at or above the threshold. Empty: one per device. Without labels fewer
    on validation, so that the budget holds on other days."""

    def alarms_of_all(self, devices: int) -> float:
        """`alarms_per_day`; one per device if it is empty."""
        return float(devices) if self.alarms_per_day is None else self.alarms_per_day


@dataclass(kw_only=True, slots=True, frozen=True)
class HardwareConfig:
    """Where a run is computed; not part of its identity."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto`: CUDA if available, else MPS, else the CPU."""
    devices: int = 1
    """Number of devices that train one run together (DDP)."""
    threads: int = 1
    """CPU threads per process. More than one slows down runs that share the cores."""
    compile: bool = False
    """Use torch.compile. The start takes longer; on a CPU, training was slower."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Config:
    """The complete configuration of one run."""

    seed: int = 0
    """Seed of a run's weights, shuffling and dropout, and in the shipped experiments of what is
    held out, too, unless data.split.assignment is set. 0 is a seed like any other."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    hardware: HardwareConfig = field(default_factory=HardwareConfig)
    tracking: Literal["disabled", "wandb"] = "disabled"
    """`wandb`: log the run to Weights & Biases, offline if there is no key or no network. Not part
    of the run's identity."""
