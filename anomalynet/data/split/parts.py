"""Splits recordings into training, validation and test parts without common rows, and checks the
result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from anomalynet.config.schema import DataConfig
from anomalynet.data.prepared import PARTS, Int64, Prepared
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


class OneClassError(DataError):
    """The validation or test part has only one class; `chronological`: because its blocks are
    contiguous in time."""

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
    name = policies.choose(prepared, config) if chosen.policy == "auto" else chosen.policy
    cut = POLICIES[name](prepared, config)
    warnings = (*prepared.warnings, *cut.warnings)
    found = Split(prepared, config.window, cut.label, cut.parts, cut.assigned_rows, warnings)
    return replace(found, warnings=(*warnings, *_usable(found, cut, config)))


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
            raise DataError(
                f"split {cut.label}: no window of {config.window} steps fits the {part} part of "
                f"fold {config.split.fold}",
                "shorten data.window, use fewer data.split.folds or less data.split.interleave, "
                "or lower data.calibration_rows",
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
            advice = ONE_CLASS_EVERYWHERE if everywhere else _advice(cut.policy, config, found)
            error = OneClassError(message, advice)
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


ONE_CLASS_EVERYWHERE = (
    "the whole data set has one class: data.one_class=allow scores it with a model that needs no "
    "attacks (autoencoder, isolation_forest), without metrics"
)


def _advice(policy: str, config: DataConfig, found: Split) -> str:
    allow = "or allow it with data.one_class=allow"
    groups = len({segment.group for segment in found.prepared.segments if not segment.train_only})
    if policy == "blocked" and groups >= 3:
        allow = (
            "or hold out whole series with data.split.policy=group "
            f"data.split.folds={min(groups, config.split.folds)}, {allow}"
        )
    if policy == "blocked" and config.split.interleave == 1:
        return (
            "a chronological split is impossible: the classes occur at different times; interleave "
            f"the blocks with data.split.interleave=20 (easier; tables report it), {allow}"
        )
    if policy == "blocked":
        return f"raise data.split.interleave, {allow}"
    if policy == "group_blocked":
        longer = "" if config.name == "simulated" else " (simulated: data.scenario='duration=96h')"
        return (
            "the test part is the last fifth of the time of one fold of the series: use fewer "
            f"data.split.folds, another data.split.assignment, longer data{longer}, {allow}"
        )
    return (
        "use another data.split.policy, fold or data.split.assignment, fewer "
        f"data.split.folds, {allow}"
    )


def _short(prepared: Prepared, window: int) -> int:
    longest: dict[str, int] = {}
    for segment in prepared.segments:
        length = segment.stop - segment.start
        longest[segment.series] = max(longest.get(segment.series, 0), length)
    return sum(length < window for length in longest.values())
