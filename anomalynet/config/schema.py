"""The typed configuration: every key, its default, its unit and its consequence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from anomalynet.config.model import ModelConfig

SCHEMA_VERSION = 1

NON_SEMANTIC = ("hardware", "data.root", "tracking")
"""Keys that say where and how a run is computed, never what: they do not enter the run's
identity."""

SplitPolicy = Literal[
    "auto", "group", "blocked", "group_blocked", "held_out_types", "given", "random"
]


@dataclass(kw_only=True, slots=True, frozen=True)
class SplitConfig:
    """How recordings become training, validation and test parts. A split never cuts through a
    window."""

    policy: SplitPolicy = "auto"
    """`group` holds whole series out, k-fold; `blocked` cuts each series into time blocks with a
    purge gap; `group_blocked` tests unseen series in a later block; `held_out_types` tests kinds of
    incident never trained on; `given` reads the data's own `split` column; `random` leaks, warns,
    and marks every table it touches; `auto` is `given` where the data brings a split,
    `group_blocked` for simulated networks, whose nodes share time and incidents, else `group` where
    there are as many groups as folds, else `blocked`."""
    folds: int = 5
    """Number of folds. Each labelled step is tested in exactly one of them (`group`, `blocked`)."""
    fold: int = 0
    """Which fold is the test part, 0 … folds-1. With `blocked`, fold 0 tests the latest block."""
    assignment: int = 0
    """Seed of the assignment of groups to folds. The experiments set it to the run's seed: spread
    covers both."""
    validation_fraction: float = 0.25
    """Share of the groups outside the test part that choose checkpoint and threshold."""
    interleave: int = 1
    """Blocks per fold (`blocked`). 1 is contiguous in time; more interleave the parts, which is
    easier, and said in the tables."""
    purge: int | None = None
    """Steps dropped between blocks of different parts. Empty: one window, or data.max_gap if that
    is longer."""


@dataclass(kw_only=True, slots=True, frozen=True)
class QualityConfig:
    """What happens to readings before they become windows (§3.1.4). Everything looks at the past
    only, as a gateway could."""

    checksum: bool = True
    """Drops the reading of a frame whose own CRC-32 does not fit. Simulated data only, like the two
    below."""
    deduplicate: bool = True
    """Drops a frame that came a short while ago with the same node and sequence number: its
    acknowledgement was lost."""
    reorder: bool = True
    """Puts the frames that arrive in one slot back in the order of their sequence numbers; else the
    last to arrive counts."""
    range_check: bool = True
    """Values that the sensor cannot measure become missing, where the data says what it can."""
    outliers: Literal["keep", "hampel"] = "keep"
    """`hampel`: a value far from the median of the sensor's last readings becomes missing. It
    removes short attacks, too."""
    hampel_window: int = 15
    """Readings that the median is taken of."""
    hampel_threshold: float = 6.0
    """Distance from the median, in robust standard deviations (1.4826 × median absolute deviation),
    beyond which a value is dropped."""
    impute: Literal["hold", "zero"] = "hold"
    """What stands for a missing value. `hold`: the sensor's last value for at most max_gap steps,
    then its zero. `zero`: its zero."""


@dataclass(kw_only=True, slots=True, frozen=True)
class DataConfig:
    """Which recordings, and how they become windows."""

    name: str = "smart_city"
    """A data set (`anomalynet data ls`), a name given to `anomalynet data import`, the YAML file of
    a scenario, or `simulated`, a world in `root`."""
    root: str | None = None
    """Folder that holds the files. Empty: the data folder (./data, or ANOMALYNET_DATA). Not part of
    the run's identity."""
    scenario: str | None = None
    """Changes to a simulated scenario, `key=value` separated by spaces: `duration=6h
    deployment.nodes=8`."""
    subset: str | None = None
    """One part of a collection: the device of TON_IoT, the network of LWSNDR."""
    world: int = 0
    """Seed of a simulated scenario: another world is another deployment, weather and course of
    incidents. Other data has one world."""
    label: Literal["attack", "any", "fault", "environment"] = "attack"
    """Which incidents are the positive class: those of one cause, or of any. Labels without a known
    cause count as attacks."""
    view: Literal["node", "neighbours", "cell"] = "node"
    """What a window shows. `node`: its own sensors; `neighbours`: those of the nearest nodes, too;
    `cell`: of the whole radio cell."""
    neighbours: int = 3
    """How many nearest nodes the view `neighbours` adds."""
    link_channels: bool = True
    """Adds what the gateway knows of a simulated node's link: rssi, snr, gaps in the sequence
    numbers, time between frames, retries."""
    quality: QualityConfig = field(default_factory=QualityConfig)
    window: int = 32
    """Steps a window, T."""
    stride: int = 1
    """Steps between the starts of training windows. Evaluation always scores every step."""
    label_step: Literal["last", "any", "majority"] = "last"
    """Which step of a training window carries its label. `last` is causal; evaluation is always per
    time step."""
    calibration_rows: int = 100
    """First readings of each series, assumed normal, that calibrate it; consumed, never trained on
    or scored. 0: no calibration; the training part's statistics alone normalise."""
    calibration: Literal["offset", "deviation"] = "offset"
    """What those readings give. `offset`: their mean is the sensor's zero; the training part gives
    the scale. `deviation`: their deviation is the scale too, which blows up the later noise of a
    sensor that was quiet while it was commissioned."""
    clip: float = 20.0
    """Bound on readings that were divided by their own deviation; keeps a constant channel
    finite."""
    mask_channel: bool = True
    """Adds a channel with the share of missing sensors at each step (0 all heard … 1 silence)."""
    max_gap: int = 10
    """Longest silence, in steps, that is laid on the grid as masked steps; a longer one ends the
    segment: no window crosses it. A sensor that is silent alone holds its last value as long, then
    reads its zero. Simulated data has a row for every step, heard or not: its silences end no
    segment."""
    one_class: Literal["refuse", "allow"] = "refuse"
    """What to do with a validation or test part in which every labelled step has one class."""
    split: SplitConfig = field(default_factory=SplitConfig)

    @property
    def title(self) -> str:
        """The data set with its subset: `skab`, `ton_iot/fridge`."""
        name = Path(self.name).stem if self.name.endswith(".yaml") else self.name
        return f"{name}/{self.subset}" if self.subset else name


@dataclass(kw_only=True, slots=True, frozen=True)
class TrainingConfig:
    """Table 1 of the paper, and what it leaves open."""

    epochs: int = 100
    """Largest number of passes over the training windows."""
    batch_size: int = 32
    """Windows a step, over all devices together."""
    optimizer: Literal["adam"] = "adam"
    """The paper's optimiser."""
    learning_rate: float = 0.001
    """Step size of the optimiser."""
    loss: Literal["mse", "cross_entropy"] = "mse"
    """`mse` is the Brier score: squared error between softmax and one-hot."""
    monitor: Literal["validation/average_precision", "validation/auroc", "validation/loss"] = (
        "validation/average_precision"
    )
    """Metric that chooses the checkpoint and stops early; computed on the validation part, never on
    the test part."""
    patience: int = 10
    """Epochs without improvement after which training stops."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Numbers that training computes with. `bf16-mixed` is for recent GPUs; its results differ, so
    it is another run."""


@dataclass(kw_only=True, slots=True, frozen=True)
class EvaluationConfig:
    """How scores become decisions. Everything here is computed on the validation part."""

    threshold: Literal["f1", "balanced_accuracy", "fixed", "alarm_budget"] = "f1"
    """Rule: best attack F1, best balanced accuracy, `fixed_threshold`, or an alarm budget that
    needs no label."""
    fixed_threshold: float = 0.5
    """The threshold of the rule `fixed`."""
    alarms_per_day: float = 24.0
    """Alarms a day over all series that `alarm_budget` accepts on validation steps not labelled as
    attack. An alarm is a contiguous run of steps at or above the threshold."""


@dataclass(kw_only=True, slots=True, frozen=True)
class HardwareConfig:
    """Where a run is computed. Not part of its identity."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """`auto` takes CUDA, then MPS, then the CPU."""
    devices: int = 1
    """Devices that train one run together (DDP)."""
    threads: int = 1
    """CPU threads a process. More than one slows runs that share the cores."""
    compile: bool = False
    """Lets torch.compile fuse the network. Starting takes longer; on a CPU training was slower."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Config:
    """One run, completely described."""

    seed: int = 0
    """Seeds weights, shuffling and dropout; 0 counts."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    hardware: HardwareConfig = field(default_factory=HardwareConfig)
    tracking: Literal["disabled", "wandb"] = "disabled"
    """`wandb` shows the run in Weights & Biases, offline where there is no key or no network. Not
    part of the run's identity."""
