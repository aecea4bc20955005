"""Runs and arms of an ablation of known numbers: 100 attack steps a series, recall as told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anomalynet.reporting.ablation.arms import Ablation, AblationArm
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import record

ATTACK, NORMAL = 100, 20
METRIC = "test/recall_attack"


def run(
    runs: Path,
    arm: str,
    recalls: Mapping[str, float],
    incidents: Mapping[str, int] | None = None,
    world: int | None = None,
    **known: Any,
) -> RunRecord:
    """A finished run with a recall for each series, in hundredths; a series named in `incidents`
    has that incident."""
    labels, scores, series, numbers = [], [], [], []
    for name, recall in recalls.items():
        found = round(recall * ATTACK)
        labels += [1] * ATTACK + [0] * NORMAL
        scores += [0.9] * found + [0.1] * (ATTACK - found) + [0.2] * NORMAL
        series += [name] * (ATTACK + NORMAL)
        numbers += [(incidents or {}).get(name)] * (ATTACK + NORMAL)
    metrics = {"auroc": 0.8, "f1_attack": 0.5, "average_precision": 0.6}
    metrics["recall_attack"] = sum(recalls.values()) / len(recalls)
    usual = {"folds": 1, "metrics": {f"test/{name}": value for name, value in metrics.items()}}
    known = {"series": series, "incidents": numbers, "world": world, **usual, **known}
    return record(runs, arm, labels=labels, scores=scores, **known)


def arm(
    name: str, levels: dict[str, object], records: Sequence[RunRecord], **known: Any
) -> AblationArm:
    """An arm of the axes, complete."""
    usual = {"on_axes": True, "reference": False, "expected": len(records)}
    return AblationArm(name, levels, **{**usual, **known}, records=tuple(records))


def recalls(base: float, gain: float = 0.0, series: int = 8) -> dict[str, float]:
    """Series s00, s01, … around a base, each raised by the gain, every other by a hundredth."""
    return {f"s{place:02d}": base + gain + 0.01 * (place % 2) for place in range(series)}


def one_at_a_time(
    runs: Path, gains: Mapping[bool, float], series: int = 8, seeds: Sequence[int] = (0, 1)
) -> Ablation:
    """model.attention true (the reference) and false; `gains` say what each level adds to a recall
    of 0.50."""
    arms = []
    for level, gain in gains.items():
        name = "reference" if level else "model.attention=false"
        records = [run(runs, name, recalls(0.5, gain, series), seed=seed) for seed in seeds]
        arms.append(arm(name, {"model.attention": level}, records, reference=level))
    question = "Does attention help?"
    axes: dict[str, list[object]] = {"model.attention": [True, False]}
    return Ablation("attention", question, "one_at_a_time", axes, METRIC, tuple(arms))


def factorial(
    runs: Path,
    axes: dict[str, list[object]],
    cells: Mapping[tuple[object, ...], float],
    series: int = 8,
) -> Ablation:
    """One run an arm; `cells` has the recall of each crossing that exists, the first is the
    reference."""
    arms = []
    for place, (values, base) in enumerate(cells.items()):
        levels = dict(zip(axes, values, strict=True))
        name = ", ".join(f"{axis}={level}" for axis, level in levels.items())
        name = name if place else "reference"
        records = [run(runs, name, recalls(base, series=series))]
        arms.append(arm(name, levels, records, reference=place == 0))
    return Ablation("parts", "Which part counts?", "factorial", axes, METRIC, tuple(arms))
