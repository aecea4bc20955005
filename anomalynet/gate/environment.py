"""Which environment a run was computed in, and with which record of the baseline it can be
compared.

Source: not in the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from anomalynet.gate.baseline import Golden, Repeated

R = TypeVar("R", Golden, Repeated)


def key_of(environment: Mapping[str, Any]) -> str:
    """`torch 2.13, scikit-learn 1.9, AVX512`: minor versions of what trains, and the CPU capability
    whose kernels torch took.

    Args:
        environment: a run's `environment.json`.
    """
    packages = [
        f"{name} {'.'.join(str(environment['packages'][name]).split('.')[:2])}"
        for name in ("torch", "scikit-learn")
    ]
    return ", ".join([*packages, str(environment["cpu"])])


@dataclass(frozen=True, slots=True)
class Match(Generic[R]):
    """A record of the baseline, the environment it is from, and whether that is the one asked
    for."""

    record: R
    key: str
    exact: bool


def match(records: Mapping[str, R], key: str) -> Match[R] | None:
    """The record to compare with: that of the same environment, unless a later update elsewhere had
    other code, configuration or data.

    Else the nearest of those like the latest: the same torch, then scikit-learn, then capability,
    then the last updated. None without records. An older record of other code or another
    configuration proves nothing of what the repository holds now.

    Args:
        records: of one experiment, by environment.
        key: the environment now.
    """
    if not records:
        return None
    latest = max(records.values(), key=lambda record: record.update)
    fit = {
        name: record
        for name, record in records.items()
        if (record.code, record.run) == (latest.code, latest.run)
    }

    def nearness(name: str) -> tuple[list[bool], int, str]:
        return [own in name.split(", ") for own in key.split(", ")], fit[name].update, name

    chosen = max(fit, key=nearness)
    return Match(fit[chosen], chosen, chosen == key)
