"""Splits recordings into training, validation and test parts without common rows, and checks the
result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import polars as pl

from anomalynet.config.schema import DataConfig, SplitConfig
from anomalynet.data import sources
from anomalynet.data.prepared import PARTS, Bool, Int64, Prepared
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
    "beginning": policies.beginning,
    "given": policies.given,
    "random": policies.random,
}

ONE_FOLD = ("given", "beginning")  # policies whose parts do not rotate

TRIED = 40  # values of a key that a search for a split that can be used tries
FEWEST_BLOCKS = 3  # folds of blocks: one for each part


class UnusableSplitError(DataError):
    """A part has no window, or has only one class."""

    chronological = False  # whether because blocks are contiguous in time


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

    def scored(self, part: str) -> Bool:
        """On which rows a window ends, with stride 1: bool (step,)."""
        long = Windows(self.prepared, self.parts[part], self.window).ranges
        ends = Ranges(long.starts + self.window - 1, long.stops)
        return ends.mask(len(self.prepared.labels))

    def missed(self, part: str) -> Int64:
        """Labelled rows of a part without a score, because no window ends on them: warm-up of the
        window, purge gaps, short ranges."""
        missed = self.assigned_rows[part].mask(len(self.prepared.labels)) & ~self.scored(part)
        return np.flatnonzero(missed & (self.prepared.labels >= 0))


def split(prepared: Prepared, config: DataConfig) -> Split:
    """Split prepared recordings by `config.split`. Raises DataError: the policy is impossible for
    this data, no window fits into a part, or (unless `one_class` is `allow`) the scored steps of
    the validation or test part have only one class."""
    chosen = config.split
    if not 0 <= chosen.fold < chosen.folds:
        what = f"data.split.fold must be in [0, {chosen.folds}), got {chosen.fold}"
        raise DataError(what, f"choose 0 … {chosen.folds - 1}")
    if chosen.folds < 2 and chosen.policy not in ("given", "group_blocked"):
        raise DataError(f"data.split.folds must be at least 2, got {chosen.folds}")
    try:
        return _split(prepared, config)
    except UnusableSplitError as error:
        if error.next_step != ONE_CLASS_EVERYWHERE and (other := workable(prepared, config)):
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
    folds = 1 if cut.policy in ONE_FOLD else fold_count(config, prepared)
    found = Split(prepared, config.window, cut.label, cut.parts, cut.assigned_rows, warnings, folds)
    return replace(found, warnings=(*warnings, *_usable(found, cut, config)))


def workable(prepared: Prepared, config: DataConfig) -> SplitConfig | None:
    """The split as configured if every fold can use it, else the first assignment of groups that
    works, else the smallest `interleave` of blocks; None if none of `TRIED` works."""
    own = replace(config.split, policy=policies.choose(prepared, config))
    candidates = [own]
    if own.policy != "blocked":
        candidates += [replace(own, assignment=number) for number in range(TRIED)]
    if own.policy in ("group", "blocked"):
        blocks = [replace(own, policy="blocked", interleave=1 + number) for number in range(TRIED)]
        candidates += [*blocks, *(replace(block, folds=FEWEST_BLOCKS) for block in blocks)]
    for candidate in candidates:
        try:
            for fold in range(candidate.folds):
                _split(prepared, replace(config, split=replace(candidate, fold=fold)))
        except DataError:
            continue
        return candidate
    return None


def tested_worlds(config: DataConfig) -> tuple[int, ...]:
    """The seeds of the simulated worlds that have steps in the test part of its fold."""
    seeds, chosen = simulated.worlds(config), config.split
    if chosen.test_worlds is not None:
        return simulated.seeds_of(chosen.test_worlds, "data.split.test_worlds")
    if _holds_out_worlds(config):
        tested = policies.test_parts(len(seeds), fold_count(config), chosen.assignment)
        return tuple(seeds[at] for at in tested[chosen.fold])
    return seeds


def _holds_out_worlds(config: DataConfig) -> bool:
    return simulated.several_worlds(config) and config.split.policy in ("auto", "group")


def fold_count(config: DataConfig, prepared: Prepared | None = None) -> int:
    """Number of folds: 1 if the data brings its split or the test worlds are named, and no more
    than there are simulated worlds to hold out. Reads only the column of the split, or nothing
    where the data is `prepared`."""
    chosen = config.split
    if chosen.policy in ONE_FOLD or chosen.test_worlds is not None:
        return 1
    if _holds_out_worlds(config):
        return min(chosen.folds, len(simulated.worlds(config)))
    if chosen.policy != "auto" or simulated.knows(config.name):
        return chosen.folds
    if prepared is not None:
        return 1 if prepared.has_split else chosen.folds
    try:
        query = sources.load(config).frame.select(pl.col("split").is_not_null().any())
        return 1 if query.collect(engine="streaming").item() else chosen.folds
    except (DataError, pl.exceptions.ColumnNotFoundError):
        return chosen.folds  # whoever needs the data says what is wrong with it


def _usable(found: Split, cut: Cut, config: DataConfig) -> list[str]:
    """The warnings about a split. Raises DataError: it cannot be used."""
    prepared, warnings = found.prepared, []
    lengths: Counter[str] = Counter()
    for segment in prepared.segments:
        length = segment.stop - segment.start
        lengths[segment.series] = max(lengths[segment.series], length)
    if short := sum(length < config.window for length in lengths.values()):
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
    classes = [label for label in (0, 1) if (prepared.labels == label).any()]
    for part in PARTS:
        labels = prepared.labels[found.scored(part)]
        if len(labels) == 0:
            raise UnusableSplitError(
                f"split {cut.label}: no window of {config.window} steps fits the {part} part of "
                f"fold {config.split.fold}",
                "give a longer recording, of four days at least; or shorten data.window, or lower "
                "data.calibration_rows or data.max_gap",
            )
        normal, attack = int((labels == 0).sum()), int((labels == 1).sum())
        if part == "train" or len(classes) == 0 or (normal and attack):
            continue
        message = (
            f"split {cut.label}: the {part} part of fold {config.split.fold} has only one class "
            f"({attack} attack and {normal} normal labelled steps)"
        )
        if config.one_class == "refuse":
            everywhere = len(classes) == 1
            error = UnusableSplitError(message, ONE_CLASS_EVERYWHERE if everywhere else NONE_FOUND)
            in_time = cut.policy == "blocked" and config.split.interleave == 1
            error.chronological = in_time and not everywhere
            raise error
        warnings.append(message)
    return warnings


def _shared_incidents(found: Split) -> list[str]:
    """A warning about incidents that are in the training part and in another one: they affect
    several series, or cross the border of a block."""
    every = found.prepared.incidents
    train, *others = (
        np.unique(every[found.parts[part].mask(len(every)) & (every >= 0)]) for part in PARTS
    )
    if not (number := len(np.intersect1d(train, np.concatenate(others)))):
        return []
    warning = f"{number} incidents are in the training part and in another part"
    return [f"{warning}: results there may be too good"]


NONE_FOUND = (
    "no assignment of the series, no smaller blocks and no fewer folds help: use longer data "
    "(simulated: data.scenario='duration=96h'), a shorter data.window, another data.split.policy, "
    "or allow it with data.one_class=allow"
)

ONE_CLASS_EVERYWHERE = (
    "the whole data set has one class: data.one_class=allow scores it with a model that needs no "
    "attacks (autoencoder, isolation_forest), without metrics"
)
