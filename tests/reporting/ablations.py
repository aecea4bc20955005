"""Runs and arms of an ablation whose numbers are known: each series has 100 attack steps, and its
recall is what the test asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anomalynet.reporting.ablation.document import Ablation, AblationArm
from anomalynet.runs.collect import RunRecord
from tests.reporting.synthetic import record

ATTACK, NORMAL = 100, 20


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
    known.setdefault("folds", 1)
    mean = sum(recalls.values()) / len(recalls)
    known.setdefault(
        "metrics",
        {
            "test/recall_attack": mean,
            "test/auroc": 0.8,
            "test/f1_attack": 0.5,
            "test/average_precision": 0.6,
        },
    )
    return record(
        runs,
        arm,
        labels=labels,
        scores=scores,
        series=series,
        incidents=numbers,
        world=world,
        **known,
    )


def arm(
    name: str, levels: dict[str, object], records: Sequence[RunRecord], **known: Any
) -> AblationArm:
    """An arm of the axes, complete."""
    return AblationArm(
        name,
        levels,
        **{"on_axes": True, "reference": False, "expected": len(records), **known},
        records=tuple(records),
    )


def recalls(base: float, gain: float = 0.0, series: int = 8) -> dict[str, float]:
    """Series s00, s01, … around a base, each raised by the gain; a hundredth more for every other
    one."""
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
    return Ablation(
        "attention",
        "Does attention help?",
        "one_at_a_time",
        {"model.attention": [True, False]},
        "test/recall_attack",
        tuple(arms),
    )


def factorial(
    runs: Path,
    axes: dict[str, list[object]],
    cells: Mapping[tuple[object, ...], float],
    series: int = 8,
) -> Ablation:
    """One run an arm; `cells` has the recall of each crossing that exists, the first is the
    reference."""
    arms = []
    for place, (levels, base) in enumerate(cells.items()):
        name = (
            "reference"
            if place == 0
            else ", ".join(f"{axis}={level}" for axis, level in zip(axes, levels, strict=True))
        )
        records = [run(runs, name, recalls(base, series=series))]
        arms.append(arm(name, dict(zip(axes, levels, strict=True)), records, reference=place == 0))
    return Ablation(
        "parts", "Which part counts?", "factorial", axes, "test/recall_attack", tuple(arms)
    )
