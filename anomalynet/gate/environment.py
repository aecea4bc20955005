"""Which environment a run was computed in, and with which record of the baseline it can be compared.

Source: not in the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from anomalynet.gate.baseline import Golden, Repeated

R = TypeVar("R", Golden, Repeated)


def key_of(environment: Mapping[str, Any]) -> str:
    """`torch 2.13, AVX512`: torch's minor version and the CPU capability whose kernels it took, from a run's `environment.json`."""
    version = str(environment["packages"]["torch"]).partition("+")[0]
    return f"torch {'.'.join(version.split('.')[:2])}, {environment['cpu']}"


@dataclass(frozen=True, slots=True)
class Match(Generic[R]):
    """A record of the baseline, the environment it is from, and whether that is the one asked for."""

    record: R
    key: str
    exact: bool


def match(records: Mapping[str, R], key: str) -> Match[R] | None:
    """The record to compare with: that of the same environment, unless later updates elsewhere were made by other code.

    Else the nearest of those by the latest code: the same torch, then the same capability, then the last updated. None without records.

    Args:
        records: of one experiment, by environment.
        key: the environment now.
    """
    if not records:
        return None
    latest = max(records.values(), key=lambda record: record.update)
    fit = {name: record for name, record in records.items() if record.code == latest.code}
    torch, _, capability = key.partition(", ")

    def nearness(name: str) -> tuple[bool, bool, bool, int, str]:
        return name == key, name.startswith(f"{torch},"), name.endswith(f", {capability}"), fit[name].update, name

    chosen = max(fit, key=nearness)
    return Match(fit[chosen], chosen, chosen == key)
