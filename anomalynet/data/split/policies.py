"""The split policies. Each one assigns the rows of segments to three parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from anomalynet.config.schema import DataConfig, SplitPolicy
from anomalynet.data.prepared import PARTS, Int8, Int64, Prepared, Segment
from anomalynet.data.sources import simulated
from anomalynet.data.split.ranges import (
    NONE,
    TEST,
    TRAIN,
    VALIDATION,
    Ranges,
    by_segment,
    ranges_of,
    runs_of,
    with_purge,
)
from anomalynet.errors import DataError


@dataclass(frozen=True, slots=True)
class Cut:
    """The result of a policy; see `parts.Split`."""

    policy: str
    label: str
    parts: Mapping[str, Ranges]
    assigned_rows: Mapping[str, Ranges]
    warnings: tuple[str, ...] = ()


def choose(prepared: Prepared, config: DataConfig) -> SplitPolicy:
    """The configured policy, or the one that `auto` selects."""
    if config.split.policy != "auto":
        return config.split.policy
    if prepared.has_split:
        return "given"
    if prepared.policy is not None:
        return prepared.policy
    return "group" if len(_groups(prepared)) >= config.split.folds else "blocked"


def _groups(prepared: Prepared) -> list[str]:
    """Groups that can be tested, in order of their first series."""
    return list(dict.fromkeys(one.group for one in prepared.segments if not one.train_only))


def _assign_groups(prepared: Prepared, config: DataConfig) -> dict[str, int]:
    """Group → part, k-fold. Raises DataError: fewer groups than folds, or fewer than three."""
    groups, chosen = _groups(prepared), config.split
    if chosen.test_worlds is not None:
        return _named_worlds(groups, config)
    folds = chosen.folds
    if simulated.several_worlds(config):
        folds = min(folds, len(groups))
    if chosen.fold >= folds:
        what = f"data.split.fold={chosen.fold}: {len(groups)} worlds have {folds} folds"
        raise DataError(what, f"choose 0 … {folds - 1}")
    if len(groups) < max(folds, 3):
        policy = (prepared.policy or "group") if chosen.policy == "auto" else chosen.policy
        if simulated.several_worlds(config):
            what = f"data.worlds={config.worlds}: {len(groups)} worlds are too few for three parts"
            raise DataError(what, "use at least three: data.worlds=3; or one: data.worlds=null")
        raise DataError(
            f"data.split.policy={policy}: {len(groups)} groups of series are too "
            f"few for {folds} folds and three parts",
            "use fewer data.split.folds (at least 3 groups), or data.split.policy=blocked",
        )
    parts = test_parts(len(groups), folds, chosen.assignment)
    # Validation groups follow the test fold, so that they change with it.
    rest = np.concatenate([*parts[chosen.fold + 1 :], *parts[: chosen.fold]]).tolist()
    count = min(max(1, round(chosen.validation_fraction * len(rest))), len(rest) - 1)
    test = parts[chosen.fold].tolist()
    assigned = {TRAIN: rest[count:], VALIDATION: rest[:count], TEST: test}
    return {groups[number]: part for part, numbers in assigned.items() for number in numbers}


def test_parts(groups: int, folds: int, assignment: int) -> list[Int64]:
    """The numbers of the groups that each fold tests. One permutation for all folds: they are
    disjoint test parts of the same assignment."""
    return np.array_split(np.random.default_rng(assignment).permutation(groups), folds)


def _named_worlds(groups: list[str], config: DataConfig) -> dict[str, int]:
    """World → part, where the configuration names the test worlds, and may name those for
    validation. Raises DataError: one of them is not in the data, or none is left for a part."""
    chosen = config.split
    named: dict[str, int] = {}
    texts = {"validation_worlds": chosen.validation_worlds, "test_worlds": chosen.test_worlds}
    for (key, text), part in zip(texts.items(), (VALIDATION, TEST), strict=True):
        seeds = simulated.seeds_of(text, f"data.split.{key}") if text is not None else ()
        named |= {simulated.group_of(seed): part for seed in seeds}
    rest = [name for name in groups if name not in named]
    if VALIDATION not in named.values() and len(rest) > 1:
        order = np.random.default_rng(chosen.assignment).permutation(len(rest)).tolist()
        count = min(max(1, round(chosen.validation_fraction * len(rest))), len(rest) - 1)
        named |= {rest[number]: VALIDATION for number in order[:count]}
    absent = sorted({*named} - {*groups})
    found = {name: named.get(name, TRAIN) for name in groups}
    if absent or len({*found.values()}) < len(PARTS):
        missing = f"{', '.join(absent)} not in the data" if absent else "a part without a world"
        raise DataError(
            f"data.split.test_worlds={chosen.test_worlds}: {missing}",
            "data.worlds must have the worlds of all three parts: data.worlds='0-5 100-103'",
        )
    return found


def _part_of(segment: Segment, parts: Mapping[str, int]) -> int:
    """Part of a segment's group. A train-only series of a held-out group is not used, because it
    may overlap the group in time."""
    part = parts.get(segment.group, TRAIN)
    return NONE if segment.train_only and part != TRAIN else part


def group(prepared: Prepared, config: DataConfig) -> Cut:
    """Hold out whole series; all series of a group are in the same part."""
    parts = _assign_groups(prepared, config)
    ranges = ranges_of(prepared, by_segment(prepared, lambda one: _part_of(one, parts)))
    label = "group"
    if config.split.test_worlds is not None:
        label = f"worlds {config.split.test_worlds} tested, {config.worlds} in all"
    elif simulated.several_worlds(config):
        label = f"whole worlds, of {len(_groups(prepared))}"
    return Cut("group", label, ranges, ranges)


def _purge(config: DataConfig) -> int:
    least = max(config.window, config.max_gap)  # a value is held for max_gap steps
    purge = least if config.split.purge is None else config.split.purge
    if purge < least:
        raise DataError(
            f"data.split.purge={purge} is less than data.window={config.window} or "
            f"data.max_gap={config.max_gap}",
            f"remove data.split.purge, or set it to at least {least}",
        )
    return purge


def blocked(prepared: Prepared, config: DataConfig) -> Cut:
    """Cut each series into blocks of equal time, assigned to folds in turn from the last block,
    with a purge gap at every border. Blocks have equal numbers of steps for events without a
    period, which come in bursts, and if gaps would leave blocks without a window."""
    chosen, purge = config.split, _purge(config)
    if chosen.folds < 3:
        raise DataError(
            f"data.split.policy=blocked needs data.split.folds of at least 3, got {chosen.folds}: "
            "for test, validation and training blocks"
        )
    if chosen.interleave < 1:
        raise DataError(f"data.split.interleave must be at least 1, got {chosen.interleave}")
    count = chosen.folds * chosen.interleave
    from_latest = (count - 1 - np.arange(count)) % chosen.folds
    parts = np.full(count, TRAIN, np.int8)
    parts[from_latest == (chosen.fold + 1) % chosen.folds] = VALIDATION
    parts[from_latest == chosen.fold] = TEST
    gaps: list[int] = []  # the longest of each series whose blocks are not of equal time

    def cuts(start: int, stop: int) -> Int64:
        inner, size = np.arange(1, count), (stop - start) // count
        if prepared.period is not None:
            times = prepared.times[start:stop]
            edges = times[0] + (times[-1] + 1 - times[0]) * inner // count
            found: Int64 = start + np.searchsorted(times, edges)
            if np.diff(found, prepend=start, append=stop).min() >= min(config.window, size):
                return found
            gaps.append(int(np.diff(times).max()))
        return start + (stop - start) * inner // count

    series: dict[str, list[Segment]] = {}
    for segment in prepared.segments:
        series.setdefault(segment.series, []).append(segment)
    blocks = np.full(len(prepared.times), TRAIN, np.int8)
    for first, *_, last in ([*own, own[-1]] for own in series.values()):
        lengths = np.diff(cuts(first.start, last.stop), prepend=first.start, append=last.stop)
        if not first.train_only:
            blocks[first.start : last.stop] = np.repeat(parts, lengths)
    assigned = by_segment(prepared, lambda one: blocks[one.start : one.stop])
    label = "blocked" if chosen.interleave == 1 else f"blocked (interleaved ×{chosen.interleave})"
    warning = (
        f"gaps in {len(gaps)} series, the longest of {max(gaps, default=0) / 86.4e9:.3g} days, "
        "leave blocks of equal time without a window: these have equal numbers of steps"
    )
    kept = ranges_of(prepared, with_purge(prepared, assigned, purge))
    return Cut("blocked", label, kept, ranges_of(prepared, assigned), (warning,) if gaps else ())


def group_blocked(prepared: Prepared, config: DataConfig) -> Cut:
    """Test unseen groups in a later block: training groups before 60 % of the time, validation
    groups from 60 % to 80 %, test groups after 80 %."""
    groups, purge = _assign_groups(prepared, config), _purge(config)
    first = min(int(prepared.times[segment.start]) for segment in prepared.segments)
    last = max(int(prepared.times[segment.stop - 1]) for segment in prepared.segments) + 1
    # Times, not rows: nodes share incidents, so a border by row would let them leak.
    edges = np.array([first + (last - first) * fifths // 5 for fifths in (3, 4)], np.int64)

    def parts(segment: Segment) -> Int8:
        block = np.searchsorted(edges, prepared.times[segment.start : segment.stop], side="right")
        return np.where(block == _part_of(segment, groups), block, NONE).astype(np.int8)

    assigned = by_segment(prepared, parts)
    # The border is a time, between different series: the earlier part loses the purge gap.
    ranges, kept = ranges_of(prepared, assigned), assigned.copy()
    for name, edge in zip(("train", "validation"), edges, strict=True):
        starts, stops = ranges[name].starts, ranges[name].stops
        inside = stops < prepared.series_starts[prepared.series_of(starts) + 1]
        after = prepared.times[np.minimum(stops, len(prepared.times) - 1)]
        near = inside & (after >= edge)
        kept[Ranges(np.maximum(starts, stops - purge)[near], stops[near]).rows()] = NONE
    return Cut("group_blocked", "group_blocked", ranges_of(prepared, kept), ranges)


def held_out_types(prepared: Prepared, config: DataConfig) -> Cut:
    """Hold out kinds of incidents: only the test part has them, and no other kinds."""
    chosen = config.split
    kinds = np.unique(prepared.kinds[(prepared.kinds >= 0) & (prepared.labels == 1)])
    if len(kinds) < max(chosen.folds, 2):
        fewer = f"use data.split.folds={len(kinds)}"
        raise DataError(
            f"data.split.policy=held_out_types: {len(kinds)} kinds of incidents are too "
            f"few for {chosen.folds} folds",
            fewer if len(kinds) > 1 else "the data needs at least two kinds of incidents",
        )
    order = np.random.default_rng(chosen.assignment).permutation(kinds)
    held = np.array_split(order, chosen.folds)[chosen.fold]
    by_group = len(_groups(prepared)) >= max(chosen.folds, 3)
    cut = group(prepared, config) if by_group else blocked(prepared, config)
    is_held, is_other = (np.isin(prepared.kinds, one) for one in (held, np.setdiff1d(kinds, held)))

    def keep(ranges: Mapping[str, Ranges]) -> dict[str, Ranges]:
        codes = np.full(len(prepared.kinds), NONE, np.int8)
        for code, name in enumerate(PARTS):
            codes[ranges[name].mask(len(codes))] = code
        codes[np.where(codes == TEST, is_other, is_held)] = NONE
        return ranges_of(prepared, codes)

    names = ", ".join(prepared.kind_names[kind] for kind in held)
    label = f"held_out_types ({'by group' if by_group else cut.label})"
    warning = f"held-out kinds of incidents in fold {chosen.fold}: {names}"
    return Cut("held_out_types", label, keep(cut.parts), keep(cut.assigned_rows), (warning,))


def beginning(prepared: Prepared, config: DataConfig) -> Cut:
    """Train on the first steps of each series, validate on those of held-out groups, and test all
    later steps: the protocol of SKAB's leaderboard, for models that read no label."""
    groups, chosen = _groups(prepared), config.split
    if chosen.fold:
        what = f"data.split.fold={chosen.fold}: data.split.policy=beginning has one fold"
        raise DataError(
            what, "use data.split.fold=0; another data.split.assignment validates others"
        )
    if len(groups) < 2:
        what = "data.split.policy=beginning: validation needs a second group of series"
        raise DataError(what, "choose data.split.policy=blocked")
    order = np.random.default_rng(chosen.assignment).permutation(len(groups)).tolist()
    count = min(max(1, round(chosen.validation_fraction * len(groups))), len(groups) - 1)
    held = {groups[number] for number in order[:count]}
    starts = prepared.series_starts

    def parts(segment: Segment) -> Int8:
        rows = np.arange(segment.start, segment.stop)
        first = starts[prepared.series_of(rows[:1])[0]]
        later = NONE if segment.train_only else TEST
        own = VALIDATION if segment.group in held else TRAIN
        return np.where(rows - first < chosen.beginning, own, later).astype(np.int8)

    ranges = ranges_of(prepared, by_segment(prepared, parts))
    label = f"beginning ({chosen.beginning} steps of each series train or validate)"
    return Cut("beginning", label, ranges, ranges)


def given(prepared: Prepared, config: DataConfig) -> Cut:
    """Use the split column of the data, which makes one fold."""
    if config.split.fold:
        raise DataError(
            f"data.split.fold={config.split.fold}: a split that {config.name} brings is one fold",
            "use data.split.fold=0, or choose another data.split.policy",
        )
    present = np.unique(
        np.concatenate(
            [np.unique(prepared.splits[one.start : one.stop]) for one in prepared.segments]
        )
    )
    absent = [name for code, name in enumerate(PARTS) if code not in present]
    if absent:
        raise DataError(
            f"data.split.policy=given: the split column of {config.name} has no "
            f"{' and no '.join(absent)} rows",
            f"its values must be {', '.join(PARTS)}; or choose another data.split.policy",
        )

    def parts(segment: Segment) -> Int8:
        codes = np.array(prepared.splits[segment.start : segment.stop])
        return np.where((codes != NONE) & segment.train_only, np.int8(TRAIN), codes)

    ranges = ranges_of(prepared, by_segment(prepared, parts))
    return Cut("given", "given", ranges, ranges)


def random(prepared: Prepared, config: DataConfig) -> Cut:
    """Assign windows randomly, so that overlapping windows are in different parts, to show how much
    this leaks."""
    chosen = config.split

    def rows_of(train_only: bool) -> Int64:
        segments = [one for one in prepared.segments if one.train_only == train_only]
        return Ranges.of((segment.start, segment.stop) for segment in segments).rows()

    scored = rows_of(train_only=False)
    dealt = np.random.default_rng(chosen.assignment).permutation(len(scored))
    fold = np.empty(len(scored), np.int64)
    fold[dealt] = np.arange(len(scored)) % chosen.folds
    draws = np.random.default_rng([chosen.assignment, chosen.fold]).random(len(scored))
    part = np.where(draws < chosen.validation_fraction, VALIDATION, TRAIN)
    part[fold == chosen.fold] = TEST
    rows: list[Int64] = [scored[part == code] for code in (TRAIN, VALIDATION, TEST)]
    rows[TRAIN] = np.sort(np.concatenate([rows[TRAIN], rows_of(train_only=True)]))
    first = prepared.segment_starts

    def windows(ends: Int64, stride: int) -> Ranges:
        starts = ends - config.window + 1
        whole = starts >= first[np.searchsorted(first, ends, side="right") - 1]
        return Ranges(starts[whole][::stride], ends[whole][::stride] + 1)

    parts = {
        name: windows(rows[code], config.stride if code == TRAIN else 1)
        for code, name in enumerate(PARTS)
    }
    assigned_rows = {name: runs_of(rows[code]) for code, name in enumerate(PARTS)}
    warning = "random split: overlapping windows are in different parts; results are meaningless"
    return Cut("random", "random (LEAKS)", parts, assigned_rows, (warning,))
