"""What stands under every table and figure, so that none can be read without its split, its
prevalence and its gaps: facts of a report, computed once from its runs."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from anomalynet.reporting.aggregate import ArmMetrics, in_world
from anomalynet.reporting.arms import Arm, odd_code
from anomalynet.reporting.measures import MEASURES
from anomalynet.runs.code import code_hash

INCOMPLETE, OTHER_CODE = "†", "‡"

FACTS = ("split", "prevalence", "seeds", "folds", "status", "worlds")
"""Columns that stand beside every number of an arm."""


@dataclass(frozen=True, slots=True)
class ArmFacts:
    """What must be known of an arm to read its numbers, in words but for `prevalence`."""

    data: str  # name of the data set
    split: str  # as it was carried out
    prevalence: float  # percent of attack among the scored test steps; NaN without runs
    seeds: str  # of the repetitions that are averaged
    folds: str  # how many were tested, or which of how many; "" without runs
    fold_words: str  # the same with its noun
    status: str  # `complete`, or what is missing
    worlds: str  # of the repetitions that are averaged; "" for data of which there is one
    places: str  # seeds, and the worlds they were run in
    tested: str  # the prevalence, from the lowest to the highest world's where they differ
    missed: str  # labelled steps that could not be scored
    sign: str  # behind its name: incomplete, or with runs of other code
    other_code: int  # runs made by another version of the code than most

    @property
    def cells(self) -> dict[str, object]:
        """The values of `FACTS` as CSV has them."""
        prevalence = None if math.isnan(self.prevalence) else self.prevalence
        return {name: getattr(self, name) for name in FACTS} | {"prevalence": prevalence}


@dataclass(frozen=True, slots=True)
class ReportContext:
    """The models of a report and the facts of each; made once and passed to every section."""

    models: tuple[ArmMetrics, ...]  # in the order of the tables
    by_arm: Mapping[str, ArmFacts]  # name of an arm → its facts
    usual_code: str  # hash of the code that made most runs

    @classmethod
    def of(
        cls,
        models: Sequence[ArmMetrics],
        status: Mapping[str, str] | None = None,
        among: Sequence[Arm] = (),
    ) -> ReportContext:
        """Ask every arm once. `status`: of each arm, where a sweep knows better than the arms;
        `among`: arms whose usual code is the report's, by default those of `models`."""
        usual, other = odd_code(among or [one.arm for one in models])
        code, known = usual if other else "", status or {}
        facts = {one.arm.name: _facts(one, known.get(one.arm.name), code) for one in models}
        return cls(tuple(models), facts, usual)

    @property
    def data(self) -> str:
        """The data set; "" without runs."""
        return next((facts.data for facts in self.by_arm.values() if facts.data), "")

    @property
    def run(self) -> tuple[ArmMetrics, ...]:
        """The models that have runs."""
        return tuple(one for one in self.models if one.values)

    def __getitem__(self, one: ArmMetrics) -> ArmFacts:
        """The facts of an arm."""
        return self.by_arm[one.arm.name]

    @property
    def signs(self) -> dict[str, str]:
        """Name of an arm → what stands behind its name."""
        return {name: facts.sign for name, facts in self.by_arm.items()}

    def incomplete(self, models: Sequence[ArmMetrics]) -> tuple[str, ...]:
        """Which arms lack runs, and which."""
        lacking = (one for one in models if INCOMPLETE in self[one].sign)
        return tuple(f"{INCOMPLETE} {one.arm.title} is {self[one].status}." for one in lacking)

    def code_notes(self, models: Sequence[ArmMetrics]) -> tuple[str, ...]:
        """Which arms hold runs of other code, and whether this program is other code."""
        usual, now = self.usual_code, code_hash()
        codes = [
            f"{OTHER_CODE} {one.arm.title}: {count} of {len(one.arm.records)} runs were made by "
            f"another version of the code than most ({usual[:10] or 'unknown'}): move their "
            "folders away and run them again before comparing."
            for one in models
            if (count := self[one].other_code)
        ]
        stale = f"The runs were made by code {usual[:10]}, this program is {now}"
        return (*codes, *([] if usual in ("", now) else [f"{stale}: its numbers may be others."]))

    def warnings(self, models: Sequence[ArmMetrics] | None = None) -> tuple[str, ...]:
        """What the runs of a table's arms warn of; by default of all."""
        return warnings(one.arm for one in (self.models if models is None else models))

    def notes(self, models: Sequence[ArmMetrics]) -> tuple[str, ...]:
        """What the signs mean, for those arms of a table that have one."""
        return (*self.incomplete(models), *self.code_notes(models))

    def facts(self, models: Sequence[ArmMetrics] | None = None) -> str:
        """Data, split, folds, repetitions, prevalence and missed steps of a table's arms, in one
        line; by default of all."""
        shown = self.models if models is None else models
        run = [one for one in shown if one.values]
        if not run:
            return "None of these models has been run yet."
        absent = ", ".join(one.arm.title for one in shown if not one.values)
        names = ("data", "split", "fold_words", "places", "tested", "missed")
        told = {name: self._distinct(run, name) for name in names}
        return (
            f"Data: {told['data']}. Split: {told['split']}; {told['fold_words']}; seeds of the "
            f"repetitions: {told['places']}. Test part: {told['tested']}. Labelled steps that "
            f"could not be scored: {told['missed']}.{f' Not run: {absent}.' if absent else ''}"
        )

    def _distinct(self, models: Sequence[ArmMetrics], name: str) -> str:
        """What holds for most arms, then the exceptions by name."""
        holders: dict[str, list[str]] = defaultdict(list)
        for one in models:
            holders[getattr(self[one], name)].append(one.arm.title)
        usual = max(holders, key=lambda value: len(holders[value]))
        exceptions = [
            f"{', '.join(names)}: {value}" for value, names in holders.items() if value != usual
        ]
        return f"{usual} [{'; '.join(exceptions)}]" if exceptions else usual

    def short_facts(self, models: Sequence[ArmMetrics] | None = None) -> str:
        """The same for the foot of a figure."""
        shown = self.models if models is None else models
        run = [one for one in shown if one.values]
        if not run:
            return "no runs yet"
        words = {"data": "", "split": "split ", "fold_words": "", "places": "seeds ", "tested": ""}
        parts = [
            word + " / ".join(sorted({getattr(self[one], name) for one in run}))
            for name, word in words.items()
        ]
        if self.incomplete(shown):
            parts.append(f"{INCOMPLETE} incomplete")
        if self.warnings(run):
            parts.append("read the report's warnings")
        return " · ".join(parts)

    def caption(
        self,
        title: str,
        models: Sequence[ArmMetrics] | None = None,
        csv: str | None = None,
        note: str = "",
    ) -> str:
        """What must be known to read a table or figure: a note of its own, facts, gaps, other code,
        and every warning that touches it."""
        shown = self.models if models is None else models
        source = f" Numbers: [{csv}](tables/{csv})." if csv else ""
        lines = [" ".join(filter(None, (f"**{title}.**", note, f"{self.facts(shown)}{source}")))]
        lines += self.notes(shown)
        told = self.warnings(shown)
        lines += [" ".join(f"⚠ {warning}" for warning in told)] if told else []
        return "\n>\n".join(f"> {line}" for line in lines)

    def figure(
        self, name: str, title: str, models: Sequence[ArmMetrics] | None = None, note: str = ""
    ) -> str:
        """An image `figures/<name>.svg` with its alternative text and caption."""
        image = f"![{title}, {self.short_facts(models)}](figures/{name}.svg)"
        return f"{image}\n\n{self.caption(title, models, note=note)}"


def _facts(one: ArmMetrics, status: str | None, usual: str) -> ArmFacts:
    """`usual`: the code that made most runs, "" where all have one."""
    arm, counted = one.arm, one.arm.counted
    results = [record.result for record in arm.records]
    folds = max((result.folds for result in results), default=0)
    tested = sorted({result.fold for result in results})
    which = f"fold{'s' if len(tested) > 1 else ''} {', '.join(map(str, tested))} of {folds}"
    whole = tested == list(range(folds))
    seeds = ", ".join(dict.fromkeys(repetition.label for repetition in counted))
    worlds = ", ".join(map(str, sorted({each.world for each in counted if each.world is not None})))
    places = seeds + (f"; world{'s' if ',' in worlds else ''} {worlds}" if worlds else "")
    if "," in worlds and all(each.seed == each.world for each in counted):
        places = f"{seeds}, each in the world of its number"
    missed, attack = (one.summary(name).mean for name in ("missed", "missed_attack"))
    others = sum(record.code != usual for record in arm.records) if usual else 0
    complete = arm.complete if status is None else status == "complete"
    usual_status = arm.status if arm.repetitions else "not run"
    return ArmFacts(
        data="; ".join(sorted({result.data for result in results})),
        split="; ".join(sorted({result.split for result in results})),
        prevalence=100 * one.summary("prevalence").mean,
        seeds=seeds,
        folds=str(folds or "") if whole else which,
        fold_words=f"{folds} fold{'s' if folds != 1 else ''}" if whole else which,
        status=usual_status if status is None else status,
        worlds=worlds,
        places=places,
        tested=_tested(one),
        missed=f"{missed:.0f} a repetition, {attack:.0f} of them attack",
        sign=("" if complete else INCOMPLETE) + (OTHER_CODE if others else ""),
        other_code=others,
    )


def _tested(one: ArmMetrics) -> str:
    worlds = [100 * in_world(one, world, "prevalence").mean for world in one.arm.worlds]
    shares = sorted({f"{share:.2f}" for share in worlds if not math.isnan(share)}, key=float)
    if len(shares) < 2:
        return f"{100 * one.summary('prevalence').mean:.2f} % attack"
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


def summary_text(metric: str, mean: float | None, spread: float | None) -> str:
    """`mean ± spread` in the metric's format."""
    measure = MEASURES[metric]
    if mean is None:
        return "–"
    return measure.text(mean) + (f" ± {measure.text(spread)}" if spread is not None else "")
