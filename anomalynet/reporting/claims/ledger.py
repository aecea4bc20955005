"""Reads the claims of the paper and the rules that judge them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of `claims.yaml`: either pairs or a value.

    Attributes:
        claim: in words.
        source: where the paper says so.
        metrics: it is judged once for each.
        beats: (better, worse) experiments; the claim holds if it holds for every pair.
        model: the experiment that must reach `value`, empty where there are pairs.
        value: a share, fraction.
    """

    claim: str
    source: str
    metrics: tuple[str, ...]
    beats: tuple[tuple[str, str], ...] = ()
    model: str = ""
    value: float = 0.0


@cache
def claims() -> tuple[Claim, ...]:
    """The rows shipped with the package."""
    rows: list[dict[str, Any]] = yaml.safe_load(
        files("anomalynet.reporting.claims").joinpath("claims.yaml").read_text(encoding="utf-8")
    )
    return tuple(_claim(row) for row in rows)


def _claim(row: dict[str, Any]) -> Claim:
    common = {"claim": row["claim"], "source": row["source"], "metrics": tuple(row["metrics"])}
    if "beats" in row:
        return Claim(**common, beats=tuple((better, worse) for better, worse in row["beats"]))
    return Claim(**common, model=row["at_least"]["model"], value=row["at_least"]["value"] / 100)
