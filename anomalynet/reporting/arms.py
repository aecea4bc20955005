"""Sorts the runs of one data set into arms. An arm is one experiment with one configuration, and
any number of repetitions and folds."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from anomalynet.config.identity import flatten_tree
from anomalynet.config.schema import NON_SEMANTIC
from anomalynet.errors import UsageError
from anomalynet.reporting.paper import published
from anomalynet.runs.collect import RunRecord

# (experiment, seed, fold, world); the world is None for data that is not simulated
ExpectedRun = tuple[str, int, int, int | None]

RepetitionKey = tuple[int, int, int | None]  # (seed, assignment, world)

# The runs that a sweep wants, so that a report can list missing ones
ExpectedRuns = Collection[ExpectedRun]

Variant = tuple[tuple[str, str], ...]  # sorted (key, value) pairs that distinguish arms

# Keys that differ between the runs of one arm
REPEATED = ("seed", "data.split.fold", "data.split.assignment", "data.world", *NON_SEMANTIC)


@dataclass(frozen=True, slots=True)
class Repetition:
    """The folds of one (seed, assignment, world); each step is in the test part of one fold."""

    seed: int
    assignment: int
    world: int | None  # seed of the simulated world; None for other data
    records: tuple[RunRecord, ...]
    missing: tuple[int, ...]  # folds that have not been run

    @property
    def key(self) -> RepetitionKey:
        """Its key within the arm."""
        return self.seed, self.assignment, self.world

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds that have been run."""
        return tuple(record.result.fold for record in self.records)

    @property
    def label(self) -> str:
        """The seed, with the number of the assignment of groups to folds if that differs."""
        same = self.seed == self.assignment
        return f"{self.seed}" + ("" if same else f" (assignment {self.assignment})")


@dataclass(frozen=True, slots=True)
class Arm:
    """The runs behind one row of a table."""

    name: str  # unique in a report: the experiment and the difference
    experiment: str
    difference: str  # settings that differ from other arms of the same experiment
    repetitions: tuple[Repetition, ...]
    # Ids of runs left out because another run has their seed, assignment and fold
    duplicates: tuple[str, ...] = field(default=())
    heading: str = ""  # its name in tables and figures, if not made from the experiment

    @property
    def title(self) -> str:
        """Its name in tables and figures."""
        if self.heading:
            return self.heading
        title = title_of(self.experiment)
        return f"{title} ({self.difference})" if self.difference else title

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """Its finished runs, by repetition and fold."""
        return tuple(record for repetition in self.repetitions for record in repetition.records)

    @property
    def complete(self) -> bool:
        """Whether no repetition lacks a fold."""
        return not any(repetition.missing for repetition in self.repetitions)

    @property
    def counted(self) -> tuple[Repetition, ...]:
        """The repetitions that are averaged: the complete ones, or without any, all with runs."""
        run = tuple(repetition for repetition in self.repetitions if repetition.records)
        return tuple(repetition for repetition in run if not repetition.missing) or run

    @property
    def worlds(self) -> tuple[int, ...]:
        """The simulated worlds of its runs, ascending; empty for other data."""
        worlds = {one.world for one in self.repetitions if one.records}
        return tuple(sorted(world for world in worlds if world is not None))

    @property
    def status(self) -> str:
        """`complete`, or the number of finished runs and what is missing."""
        if self.complete:
            return "complete"
        total, gaps = len(self.records), []
        for one in (one for one in self.repetitions if one.missing):
            total += len(one.missing)
            world = "" if one.world is None else f", world {one.world},"
            folds = f"fold{'s' if len(one.missing) > 1 else ''} {', '.join(map(str, one.missing))}"
            gaps.append(f"seed {one.label}{world} lacks {folds}")
        return f"incomplete: {len(self.records)} of {total} runs ({'; '.join(gaps)})"

    @property
    def kind(self) -> str:
        """`paper`: a row of the paper's tables; `deep`: another network that classifies; `other`: a
        classical or unsupervised model."""
        as_published = (_as_published(record.config) for record in self.records)
        if self.experiment in published.TITLES and all(as_published):
            return "paper"
        results = [record.result for record in self.records]
        networks = any(one.epochs is not None and one.probability for one in results)
        return "deep" if networks else "other"


def title_of(experiment: str) -> str:
    """The name of an experiment's model in tables and figures, the paper's if it has one."""
    return published.TITLES.get(experiment, experiment.replace("_", " ").capitalize())


def _as_published(config: Mapping[str, object]) -> bool:
    """Whether every part of the hybrid is on: widths may differ, switches may not."""
    model = config.get("model")
    if not isinstance(model, Mapping):
        return True
    switches = [model.get(part) for part in ("cnn", "lstm", "attention")]
    return model.get("autoencoder_depth") != 0 and not any(one is False for one in switches)


def settings(config: Mapping[str, object]) -> dict[str, str]:
    """A run's configuration as dotted key → value as text."""
    pairs = flatten_tree(config).items()
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in pairs}


def _variant(record: RunRecord) -> Variant:
    """The settings that all runs of an arm share; without epochs, not those of training."""
    unread = ("training",) if record.result.epochs is None else ()
    ignored = tuple(f"{key}." for key in (*REPEATED, *unread))
    every = settings(record.config).items()
    return tuple(sorted(pair for pair in every if not f"{pair[0]}.".startswith(ignored)))


def _split_by_data(variants: Mapping[Variant, list[RunRecord]]) -> dict[Variant, list[RunRecord]]:
    """Split variants whose data has changed: worlds have different contents, but each world must
    have only one.

    If a world has several contents, it is unknown which of them belongs with which content of
    another world, so every content becomes a variant."""
    found: dict[Variant, list[RunRecord]] = {}
    for variant, records in variants.items():
        contents = defaultdict(list)
        for record in records:
            contents[record.result.world, record.result.fingerprint[:10]].append(record)
        if len(contents) == len({world for world, _ in contents}):
            found[variant] = records
            continue
        for (world, content), own in sorted(contents.items(), key=lambda item: str(item[0])):
            pairs = {**dict(variant), "data fingerprint": content}
            pairs |= {} if world is None else {"data.world": str(world)}
            found[tuple(sorted(pairs.items()))] = own
    return found


def _difference(variant: Mapping[str, str], others: Sequence[Mapping[str, str]]) -> str:
    """The settings by which a variant differs from the others: of more than two as few as tell all
    apart, and `…`."""
    values: dict[str, set[str | None]] = {}
    for key in sorted({key for other in (variant, *others) for key in other}):
        values[key] = {other.get(key) for other in others}
    differing = [key for key in values if len(values[key]) > 1]
    chosen = differing if len(differing) <= 2 else []
    for key in sorted(differing, key=lambda key: -len(values[key])):
        if len({tuple(other.get(one) for one in chosen) for other in others}) < len(others):
            chosen = [*chosen, key]
    shown = [f"{key}={variant.get(key, '–')}" for key in sorted(chosen)]
    return ", ".join(shown + ["…"] * (len(chosen) < len(differing)))


def repetitions_of(
    experiment: str, records: Sequence[RunRecord], expected: ExpectedRuns
) -> tuple[tuple[Repetition, ...], tuple[str, ...]]:
    """Group an arm's runs by repetition, with the missing folds; also the ids of duplicate runs,
    which have the seed, assignment, fold and world of another run."""
    wanted: dict[tuple[int, int | None], set[int]] = defaultdict(set)
    for name, seed, fold, world in expected:
        if name == experiment:
            wanted[seed, world].add(fold)
    found: dict[RepetitionKey, dict[int, RunRecord]] = defaultdict(dict)
    duplicates = []
    codes = Counter(record.code for record in records)
    for record in sorted(records, key=lambda one: (-codes[one.code], one.code, one.result.id)):
        folds = found[record.result.seed, record.result.assignment, record.result.world]
        if record.result.fold in folds:
            duplicates.append(record.result.id)
        else:
            folds[record.result.fold] = record
    for seed, world in wanted.keys() - {(seed, world) for seed, _, world in found}:
        found[seed, seed, world] = {}
    repetitions = []
    for seed, assignment, world in sorted(found, key=_in_order):
        folds = found[seed, assignment, world]
        count = max((record.result.folds for record in folds.values()), default=0)
        missing = (wanted.get((seed, world)) or set(range(count))) - set(folds)
        runs = tuple(folds[fold] for fold in sorted(folds))
        repetitions.append(Repetition(seed, assignment, world, runs, tuple(sorted(missing))))
    return tuple(repetitions), tuple(duplicates)


def _in_order(key: RepetitionKey) -> tuple[int, int, int]:
    seed, assignment, world = key
    return -1 if world is None else world, seed, assignment


def arms(records: Sequence[RunRecord], expected: ExpectedRuns | None = None) -> tuple[Arm, ...]:
    """Sort the runs of one data set into arms: first the paper's four in its order, even without
    runs, then by name.

    Two configurations of one experiment are two arms, named by their difference, so that runs with
    other epochs, another split or changed data are never averaged; worlds of one scenario are
    repetitions of one arm. Of duplicate runs the one made by the most common code counts, then the
    one with the lowest id, so the order of `records` does not matter.

    Raises: UsageError: the runs are of several data sets.
    """
    data = sorted({record.result.data for record in records})
    if len(data) > 1:
        what = f"a report is about one data set, but these runs are on {', '.join(data)}"
        raise UsageError(what, "anomalynet report --data NAME")
    wanted = expected or ()
    names = {*published.TITLES, *(name for name, *_ in wanted)}
    variants: dict[str, dict[Variant, list[RunRecord]]] = defaultdict(lambda: defaultdict(list))
    variants |= {name: defaultdict(list) for name in names}
    for record in records:
        variants[record.result.experiment][_variant(record)].append(record)
    found = []
    for experiment, differing in variants.items():
        groups = _split_by_data(differing)
        for variant, group in groups.items() or [((), [])]:
            difference = _difference(dict(variant), [dict(other) for other in groups])
            repetitions, duplicates = repetitions_of(experiment, group, wanted)
            name = f"{experiment} [{difference}]" if difference else experiment
            found.append(Arm(name, experiment, difference, repetitions, duplicates))
    order = {name: index for index, name in enumerate(published.TITLES)}
    found.sort(key=lambda arm: (order.get(arm.experiment, len(order)), arm.name))
    return tuple(found)


def odd_code(arms_: Sequence[Arm]) -> tuple[str, frozenset[str]]:
    """The hash of the code of most runs, and the names of arms with runs of other code."""
    counts = Counter(record.code for arm in arms_ for record in arm.records)
    if len(counts) < 2:
        return next(iter(counts), ""), frozenset()
    usual = min(counts, key=lambda code: (-counts[code], code))
    others = (arm for arm in arms_ if any(record.code != usual for record in arm.records))
    return usual, frozenset(arm.name for arm in others)
