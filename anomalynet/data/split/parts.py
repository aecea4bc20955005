"""Splits recordings into training, validation and test parts without common rows, and checks the
result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import polars as pl

from anomalynet.config.schema import DataConfig, SplitConfig
from anomalynet.data import sources
from anomalynet.data.prepared import PARTS, Int64, Prepared
from anomalynet.data.sources import simulated
from anomalynet.data.split import policies
from anomalynet.data.split.policies import Cut
from anomalynet.data.split.ranges import Ranges
from anomalynet.data.windows import Windows
from anomalynet.errors import DataError

POLICIES = {
    "group": policies.group,
    "blocked": policies.blocked,
    "group_blocked": policies.group_blocked,
    "held_out_types": policies.held_out_types,
    "given": policies.given,
    "random": policies.random,
}

TRIED = 40  # values of a key that a search for a split that can be used tries
FEWEST_BLOCKS = 3  # folds of blocks: one for each part


class UnusableSplitError(DataError):
    """A part has no window, or has only one class; `chronological`: because blocks are contiguous
    in time."""

    chronological = False


@dataclass(frozen=True, slots=True)
class Missed:
    """Labelled steps of a part without a score, because no window ends on them: warm-up of the
    window, purge gaps, short ranges."""

    rows: Int64
    labelled: int
    attack: int


@dataclass(frozen=True, slots=True)
class Split:
    """The result of a split."""

    prepared: Prepared
    window: int
    label: str  # the policy that was applied, never `auto`, with its details
    parts: Mapping[str, Ranges]  # part → row ranges; a window must be inside one range
    # part → all its rows, scored or not; ascending and disjoint
    assigned_rows: Mapping[str, Ranges]
    warnings: tuple[str, ...]  # for readers of any result of this split
    folds: int  # 1 where the data brings the split

    def scored(self, part: str) -> Int64:
        """Rows on which a window ends, with stride 1: int64, ascending."""
        return np.sort(Windows(self.prepared, self.parts[part], self.window).ends())

    def missed(self, part: str) -> Missed:
        """Labelled rows of a part that are not scored."""
        rows = np.setdiff1d(self.assigned_rows[part].rows(), self.scored(part), assume_unique=True)
        labels = self.prepared.labels[rows]
        labelled = labels >= 0
        return Missed(rows[labelled], int(labelled.sum()), int((labels == 1).sum()))


def split(prepared: Prepared, config: DataConfig) -> Split:
    """Split prepared recordings by `config.split`.

    Raises DataError: the policy is impossible for this data, no window fits into a part, or (unless
    `one_class` is `allow`) the scored steps of the validation or test part have only one class.
    """
    chosen = config.split
    if not 0 <= chosen.fold < chosen.folds:
        what = f"data.split.fold must be in [0, {chosen.folds}), got {chosen.fold}"
        raise DataError(what, f"choose 0 … {chosen.folds - 1}")
    if chosen.folds < 2 and chosen.policy not in ("given", "group_blocked"):
        raise DataError(f"data.split.folds must be at least 2, got {chosen.folds}")
    try:
        return _split(prepared, config)
    except UnusableSplitError as error:
        searched = error.next_step != ONE_CLASS_EVERYWHERE
        if searched and (other := workable(prepared, config)):
            own = {**asdict(chosen), "policy": policies.choose(prepared, config)}
            new = [
                f"data.split.{key}={one}" for key, one in asdict(other).items() if one != own[key]
            ]
            error.next_step = f"every fold can be used with {' '.join(new)}"
            if "one class" in error.message:
                error.next_step += ", or allow one class with data.one_class=allow"
        raise


def _split(prepared: Prepared, config: DataConfig) -> Split:
    cut = POLICIES[policies.choose(prepared, config)](prepared, config)
    warnings = (*prepared.warnings, *cut.warnings)
    folds = 1 if cut.policy == "given" else config.split.folds
    found = Split(prepared, config.window, cut.label, cut.parts, cut.assigned_rows, warnings, folds)
    return replace(found, warnings=(*warnings, *_usable(found, cut, config)))


def workable(prepared: Prepared, config: DataConfig) -> SplitConfig | None:
    """The split as configured if every fold can use it, else the first assignment of groups or the
    smallest `interleave` of blocks that can; of groups that have none, blocks. None: none of
    `TRIED` can."""
    own, numbers = replace(config.split, policy=policies.choose(prepared, config)), range(TRIED)
    candidates = [own]
    if own.policy != "blocked":
        candidates += [replace(own, assignment=number) for number in numbers]
    if own.policy in ("group", "blocked"):
        blocks = [replace(own, policy="blocked", interleave=number + 1) for number in numbers]
        candidates += [*blocks, *(replace(one, folds=FEWEST_BLOCKS) for one in blocks)]
    for one in candidates:
        try:
            for fold in range(one.folds):
                _split(prepared, replace(config, split=replace(one, fold=fold)))
        except DataError:
            continue
        return one
    return None


def has_one_fold(config: DataConfig) -> bool:
    """Whether the split is the one that the data brings; of the data, only that column is read."""
    if config.split.policy != "auto" or simulated.knows(config.name):
        return config.split.policy == "given"
    try:
        query = sources.load(config).frame.select(pl.col("split").is_not_null().any())
        return bool(query.collect(engine="streaming").item())
    except (DataError, pl.exceptions.ColumnNotFoundError):
        return False  # whoever needs the data says what is wrong with it


def _usable(found: Split, cut: Cut, config: DataConfig) -> list[str]:
    """Check a split. Returns warnings. Raises DataError: the split cannot be used."""
    warnings = []
    short = _short(found.prepared, config.window)
    if short:
        warnings.append(
            f"{short} series are shorter than one window of {config.window} steps after "
            "calibration and are not scored"
        )
    warnings += _shared_incidents(found)
    if config.view != "node" and cut.policy != "group_blocked":
        warnings.append(
            f"data.view={config.view}: windows contain other nodes, so readings of one part may be "
            "in windows of another"
        )
    any_labels = bool((found.prepared.labels >= 0).any())
    for part in PARTS:
        rows = found.scored(part)
        if len(rows) == 0:
            raise UnusableSplitError(
                f"split {cut.label}: no window of {config.window} steps fits the {part} part of "
                f"fold {config.split.fold}",
                "shorten data.window, or lower data.calibration_rows or data.max_gap",
            )
        if part == "train" or not any_labels:
            continue
        labels = found.prepared.labels[rows]
        normal, attack = int((labels == 0).sum()), int((labels == 1).sum())
        if normal and attack:
            continue
        only = f"{attack} attack and {normal} normal"
        message = (
            f"split {cut.label}: the {part} part of fold {config.split.fold} has only one class "
            f"({only} labelled steps)"
        )
        if config.one_class == "refuse":
            everywhere = len(np.unique(found.prepared.labels[found.prepared.labels >= 0])) == 1
            advice = ONE_CLASS_EVERYWHERE if everywhere else NONE_FOUND
            error = UnusableSplitError(message, advice)
            in_time = cut.policy == "blocked" and config.split.interleave == 1
            error.chronological = in_time and not everywhere
            raise error
        warnings.append(message)
    return warnings


def _shared_incidents(found: Split) -> list[str]:
    """A warning about incidents that are in the training part and in another one: they affect
    several series, or cross the border of a block."""
    numbers = [
        set(np.unique(found.prepared.incidents[found.parts[part].rows()]).tolist()) - {-1}
        for part in PARTS
    ]
    shared = len(numbers[0] & (numbers[1] | numbers[2]))
    warning = f"{shared} incidents are in the training part and in another part"
    return [f"{warning}: results there may be too good"] if shared else []


NONE_FOUND = (
    "no assignment of the series, no smaller blocks and no fewer folds help: use longer data "
    "(simulated: data.scenario='duration=96h'), a shorter data.window, another data.split.policy, "
    "or allow it with data.one_class=allow"
)

ONE_CLASS_EVERYWHERE = (
    "the whole data set has one class: data.one_class=allow scores it with a model that needs no "
    "attacks (autoencoder, isolation_forest), without metrics"
)


def _short(prepared: Prepared, window: int) -> int:
    longest: dict[str, int] = {}
    for segment in prepared.segments:
        length = segment.stop - segment.start
        longest[segment.series] = max(longest.get(segment.series, 0), length)
    return sum(length < window for length in longest.values())
