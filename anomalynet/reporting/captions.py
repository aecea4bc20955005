"""What stands under every table and figure, so that none can be read without its split, its
prevalence and its gaps."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from anomalynet.reporting.aggregate import ArmMetrics, in_world
from anomalynet.reporting.arms import Arm, odd_code
from anomalynet.reporting.measures import MEASURES
from anomalynet.runs.code import code_hash

INCOMPLETE, OTHER_CODE = "†", "‡"


def data_text(arm: Arm) -> str:
    """The data set of its runs."""
    return "; ".join(sorted({record.result.data for record in arm.records}))


def split_text(arm: Arm) -> str:
    """The split as it was carried out."""
    return "; ".join(sorted({record.result.split for record in arm.records}))


def folds_text(arm: Arm) -> str:
    """How many folds were tested, or which of how many."""
    folds = max((record.result.folds for record in arm.records), default=0)
    run = sorted({record.result.fold for record in arm.records})
    if run == list(range(folds)):
        return str(folds)
    return f"fold{'s' if len(run) > 1 else ''} {', '.join(map(str, run))} of {folds}"


def _folds(arm: Arm) -> str:
    text = folds_text(arm)
    return text if " of " in text else f"{text} fold{'s' if text != '1' else ''}"


def seeds_text(arm: Arm) -> str:
    """The seeds of the repetitions that are averaged."""
    return ", ".join(dict.fromkeys(repetition.label for repetition in arm.counted))


def worlds_text(arm: Arm) -> str:
    """The simulated worlds of the repetitions that are averaged; nothing for data of which there is
    one."""
    worlds = {one.world for one in arm.counted if one.world is not None}
    return ", ".join(map(str, sorted(worlds)))


def _places(arm: Arm) -> str:
    """Seeds, and the worlds they were run in."""
    worlds = worlds_text(arm)
    if "," in worlds and all(one.seed == one.world for one in arm.counted):
        return f"{seeds_text(arm)}, each in the world of its number"
    return seeds_text(arm) + (f"; world{'s' if ',' in worlds else ''} {worlds}" if worlds else "")


def prevalence(metrics: ArmMetrics) -> float:
    """Share of attack among the scored test steps, percent; NaN without runs."""
    return 100 * metrics.summary("prevalence").mean


def prevalence_text(metrics: ArmMetrics) -> str:
    """The same in words: from the lowest to the highest world's where they differ."""
    worlds = [100 * in_world(metrics, world, "prevalence").mean for world in metrics.arm.worlds]
    shares = sorted({f"{share:.2f}" for share in worlds if not math.isnan(share)}, key=float)
    if len(shares) < 2:
        return f"{prevalence(metrics):.2f} % attack"
    return f"{shares[0]} to {shares[-1]} % attack in {len(worlds)} worlds"


SEVERAL = 3  # most endings that one warning is shown with


def warnings(arms: Iterable[Arm]) -> tuple[str, ...]:
    """What the runs warn of, each warning once: those that differ in numbers alone are one, with
    the range of each number."""
    alike: dict[str, set[str]] = defaultdict(set)
    for record in (record for arm in arms for record in arm.records):
        for text in record.result.warnings:
            alike[_NUMBER.sub("#", text)].add(text)
    endings: dict[tuple[str, str], list[str]] = defaultdict(list)
    for texts in alike.values():
        head, colon, _ = _in_one(texts).partition(": ")
        endings[_NUMBER.sub("#", head), colon].append(_in_one(texts))
    found = []
    for (_, colon), told in endings.items():
        if colon and len(told) > SEVERAL:
            head = _in_one({text.partition(": ")[0] for text in told})
            found.append(f"{head}: {len(told)} different ones, each in its run's result.json")
        else:
            found += told
    return tuple(sorted(found))


# A whole number that stands alone: no part of a name, of a decimal number or of 1,234
_NUMBER = re.compile(r"(?<![\w.,])\d+(?!\w|[.,]\d)")


def _in_one(texts: Iterable[str]) -> str:
    """Texts that are alike but for their whole numbers, as one: `2 to 5 incidents`."""
    known = sorted(texts)
    numbers = ([int(number) for number in _NUMBER.findall(text)] for text in known)
    columns = iter(zip(*numbers, strict=True))

    def span(_: re.Match[str]) -> str:
        column = next(columns)
        low, high = min(column), max(column)
        return str(low) if low == high else f"{low} to {high}"

    return _NUMBER.sub(span, known[0])


def marks(arms: Sequence[Arm]) -> dict[str, str]:
    """Signs behind the name of an arm that is incomplete, or holds runs of other code."""
    _, other = odd_code(arms)
    found = {}
    for arm in arms:
        found[arm.name] = "" if arm.complete else INCOMPLETE
        found[arm.name] += OTHER_CODE if arm.name in other else ""
    return found


def notes(arms: Sequence[Arm], all_arms: Sequence[Arm]) -> tuple[str, ...]:
    """What the signs mean, for those arms of a table that have one."""
    usual, other = odd_code(all_arms)
    incomplete = [f"{INCOMPLETE} {arm.title} is {arm.status}." for arm in arms if not arm.complete]
    codes = [
        f"{OTHER_CODE} {arm.title}: {sum(record.code != usual for record in arm.records)} of "
        f"{len(arm.records)} runs were made by another "
        f"version of the code than most ({usual[:10] or 'unknown'}): move their folders away and "
        "run them again before comparing."
        for arm in arms
        if arm.name in other
    ]
    now = code_hash()
    stale = f"The runs were made by code {usual[:10]}, this program is {now}"
    told = [] if usual in ("", now) else [f"{stale}: its numbers may be others."]
    return (*incomplete, *codes, *told)


def _distinct(metrics: Sequence[ArmMetrics], text: Callable[[ArmMetrics], str]) -> str:
    """What holds for most arms, then the exceptions by name."""
    holders: dict[str, list[str]] = defaultdict(list)
    for one in metrics:
        holders[text(one)].append(one.arm.title)
    usual = max(holders, key=lambda value: len(holders[value]))
    exceptions = [
        f"{', '.join(names)}: {value}" for value, names in holders.items() if value != usual
    ]
    return f"{usual} [{'; '.join(exceptions)}]" if exceptions else usual


def _missed(metrics: ArmMetrics) -> str:
    all_, attack = metrics.summary("missed").mean, metrics.summary("missed_attack").mean
    return f"{all_:.0f} a repetition, {attack:.0f} of them attack"


def facts(metrics: Sequence[ArmMetrics]) -> str:
    """Data, split, folds, repetitions, prevalence and missed steps of a table's arms, in one
    line."""
    run = [one for one in metrics if one.values]
    if not run:
        return "None of these models has been run yet."
    absent = ", ".join(one.arm.title for one in metrics if not one.values)
    return (
        f"Data: {_distinct(run, lambda one: data_text(one.arm))}. Split: "
        f"{_distinct(run, lambda one: split_text(one.arm))}; "
        f"{_distinct(run, lambda one: _folds(one.arm))}; seeds of the repetitions: "
        f"{_distinct(run, lambda one: _places(one.arm))}. Test part: "
        f"{_distinct(run, prevalence_text)}. Labelled steps that could not be scored: "
        f"{_distinct(run, _missed)}.{f' Not run: {absent}.' if absent else ''}"
    )


def short_facts(metrics: Sequence[ArmMetrics]) -> str:
    """The same for the foot of a figure."""
    run = [one for one in metrics if one.values]
    if not run:
        return "no runs yet"
    parts = [
        " / ".join(sorted({data_text(one.arm) for one in run})),
        "split " + " / ".join(sorted({split_text(one.arm) for one in run})),
        " / ".join(sorted({_folds(one.arm) for one in run})),
        "seeds " + " / ".join(sorted({_places(one.arm) for one in run})),
        " / ".join(sorted({prevalence_text(one) for one in run})),
    ]
    if any(not one.arm.complete for one in metrics):
        parts.append(f"{INCOMPLETE} incomplete")
    if warnings(one.arm for one in run):
        parts.append("read the report's warnings")
    return " · ".join(parts)


def summary_text(metric: str, mean: float | None, spread: float | None) -> str:
    """`mean ± spread` in the metric's format."""
    measure = MEASURES[metric]
    if mean is None:
        return "–"
    return measure.text(mean) + (f" ± {measure.text(spread)}" if spread is not None else "")
