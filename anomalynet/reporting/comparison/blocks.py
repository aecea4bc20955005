"""Computes the compared values per model and block: a data set, or a world of a simulated one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalynet.reporting.aggregate import ArmMetrics, aggregate, in_world
from anomalynet.reporting.arms import Arm, arms
from anomalynet.runs.collect import RunRecord

MIN_DATA, MIN_MODELS = 2, 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """Models that every data set has, with their metrics there."""

    # data set → experiment → its metrics; the same experiments, in the same order, everywhere
    models: Mapping[str, Mapping[str, ArmMetrics]]
    left_out: tuple[str, ...]  # sentences on experiments that are not compared

    @property
    def experiments(self) -> tuple[str, ...]:
        """The experiments that are compared."""
        return tuple(next(iter(self.models.values())))

    @property
    def titles(self) -> dict[str, str]:
        """Experiment → its title in tables; there is one arm per experiment, so no difference."""
        return {name: one.arm.title for name, one in next(iter(self.models.values())).items()}


@dataclass(frozen=True, slots=True)
class Blocks:
    """The values of a metric."""

    names: tuple[str, ...]
    values: NDArray[np.float64]  # (blocks, models)
    left_out: tuple[str, ...]  # blocks in which a model has no value, with these models


def comparable(records: Mapping[str, Sequence[RunRecord]]) -> bool:
    """Whether there are enough data sets, and enough experiments with one configuration in each."""
    return len(records) >= MIN_DATA and len(_chosen(_arms(records))[0]) >= MIN_MODELS


def compare_models(records: Mapping[str, Sequence[RunRecord]]) -> Comparison:
    """Compute the metrics of each data set's models; an experiment with several configurations in
    one data set is left out.

    Raises: RunError: a run's scores cannot be read.
    """
    found = _arms(records)
    kept, left_out = _chosen(found)
    models = {
        data: dict(zip(kept, aggregate([own[name][0] for name in kept]), strict=True))
        for data, own in found.items()
    }
    return Comparison(models, left_out)


def _arms(records: Mapping[str, Sequence[RunRecord]]) -> dict[str, dict[str, list[Arm]]]:
    """Data set → experiment → its arms that have runs."""
    found: dict[str, dict[str, list[Arm]]] = {}
    for data in sorted(records):
        own = found.setdefault(data, {})
        for arm in arms(records[data]):
            if arm.records:
                own.setdefault(arm.experiment, []).append(arm)
    return found


def _chosen(
    found: Mapping[str, Mapping[str, Sequence[Arm]]],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The experiments with one arm in every data set, and why others are not compared."""
    kept, left_out = [], []
    for name in dict.fromkeys(name for own in found.values() for name in own):
        absent = [data for data, own in found.items() if name not in own]
        several = [data for data, own in found.items() if len(own.get(name, ())) > 1]
        if absent:
            left_out.append(f"`{name}` has no run on {', '.join(absent)}.")
        elif several:
            left_out.append(
                f"`{name}` has runs of several configurations on {', '.join(several)}: it is "
                "unknown which of them to compare."
            )
        else:
            kept.append(name)
    return tuple(kept), tuple(left_out)


def blocks_of(comparison: Comparison, metric: str) -> Blocks:
    """A metric's mean per block; a block in which a model has no value is left out."""
    rows, left_out = {}, []
    for data, models in comparison.models.items():
        worlds = sorted({world for one in models.values() for world in one.arm.worlds})
        for world in worlds if len(worlds) > 1 else [None]:
            name = data if world is None else f"{data}, world {world}"
            row = [
                (one.summary(metric) if world is None else in_world(one, world, metric)).mean
                for one in models.values()
            ]
            pairs = zip(comparison.titles.values(), row, strict=True)
            undefined = ", ".join(title for title, value in pairs if math.isnan(value))
            if undefined:
                left_out.append(f"{name} (no value: {undefined})")
            else:
                rows[name] = row
    values = np.array(list(rows.values()), dtype=np.float64)
    shape = len(rows), len(comparison.experiments)
    return Blocks(tuple(rows), values.reshape(shape), tuple(left_out))
