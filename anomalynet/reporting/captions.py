"""The facts about the models of a report, computed once from its runs; a report's sections; and
captions of tables and figures: the signs † and ‡ mark what is missing, and the conditions that all
share stand once."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anomalynet.reporting.aggregate import ArmMetrics, base, in_world
from anomalynet.reporting.arms import Arm, odd_code
from anomalynet.runs.code import code_hash
from anomalynet.runs.schema import NOTE


@dataclass(frozen=True, slots=True)
class Section:
    """Markdown in paragraphs, and the files it links to: path next to `report.md` → content."""

    parts: Sequence[str] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


INCOMPLETE, OTHER_CODE = "†", "‡"


@dataclass(frozen=True, slots=True)
class ArmFacts:
    """Facts about an arm that readers of its numbers need; all except `prevalence` are text."""

    data: str  # name of the data set
    split: str  # as it was applied
    prevalence: float  # percent of attack among the scored test steps; NaN without runs
    seeds: str  # of the repetitions that are averaged
    folds: str  # number of tested folds, or which of how many; "" without runs
    fold_words: str  # the same with its noun
    status: str  # `complete`, or what is missing
    worlds: str  # of the repetitions that are averaged; "" for data that is not simulated
    seeds_and_worlds: str
    tested: str  # the prevalence, from the lowest to the highest world if they differ
    missed: str  # labelled steps that could not be scored
    sign: str  # after its name: incomplete, or with runs of other code
    other_code: int  # number of runs made by another version of the code than most

    def cells(self, **more: Any) -> dict[str, Any]:
        """The columns that are added to every number of an arm in CSV, `more` before the status."""
        facts = {
            "split": self.split,
            "prevalence": None if math.isnan(self.prevalence) else self.prevalence,
            "seeds": self.seeds,
            "folds": self.folds,
        }
        return facts | more | {"status": self.status, "worlds": self.worlds}


@dataclass(frozen=True, slots=True)
class ReportContext:
    """The models of a report and the facts about each; made once and passed to every section."""

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
        """Compute the facts of every arm once. `status`: arm → its status, if a sweep knows better
        than the arms; `among`: the arms that decide which code is usual, by default all."""
        usual, other = odd_code(among or [one.arm for one in models])
        code, given = usual if other else "", status or {}
        facts = {one.arm.name: _facts(one, given.get(one.arm.name), code) for one in models}
        return cls(tuple(models), facts, usual)

    @property
    def data(self) -> str:
        """The data set; "" without runs."""
        return next((facts.data for facts in self.by_arm.values() if facts.data), "")

    @property
    def run(self) -> tuple[ArmMetrics, ...]:
        """The models that have runs."""
        return tuple(one for one in self.models if one.values)

    @property
    def base(self) -> ArmMetrics:
        """The model of the arm that `aggregate.base` names; there must be a run."""
        chosen = base([one.arm for one in self.run])
        return next(one for one in self.run if one.arm is chosen)

    def __getitem__(self, one: ArmMetrics) -> ArmFacts:
        """The facts about an arm."""
        return self.by_arm[one.arm.name]

    @property
    def signs(self) -> dict[str, str]:
        """Name of an arm → the sign after its name."""
        return {name: facts.sign for name, facts in self.by_arm.items()}

    def code_notes(self) -> tuple[str, ...]:
        """Sentences on arms with runs of other code, and on whether this program is other code."""
        usual, now = self.usual_code, code_hash()
        codes = [
            f"{OTHER_CODE} {one.arm.title}: {count} of {len(one.arm.records)} runs were made by "
            f"another version of the code than most ({usual[:10] or 'unknown'}): move their "
            "folders away and run them again before comparing."
            for one in self.models
            if (count := self[one].other_code)
        ]
        stale = f"The runs were made by code {usual[:10]}, this program has code {now}"
        return (*codes, *([] if usual in ("", now) else [f"{stale}: its results may differ."]))

    def warnings(self) -> tuple[str, ...]:
        """The warnings of all runs."""
        return warnings(one.arm for one in self.models)

    def notes(self) -> tuple[str, ...]:
        """Explanations of the signs of all arms."""
        incomplete = (one for one in self.models if INCOMPLETE in self[one].sign)
        texts = (f"{INCOMPLETE} {one.arm.title} is {self[one].status}." for one in incomplete)
        return (*texts, *self.code_notes())

    def facts(self) -> str:
        """Data, split, folds, repetitions, prevalence and missed steps of all arms."""
        if not self.run:
            return "None of these models has been run yet."
        absent = ", ".join(one.arm.title for one in self.models if not one.values)
        names = ("data", "split", "fold_words", "seeds_and_worlds", "tested", "missed")
        own = {name: self._distinct(name) for name in names}
        return (
            f"Data: {own['data']}. Split: {own['split']}; {own['fold_words']}; seeds of the "
            f"repetitions: {own['seeds_and_worlds']}. Test part: {own['tested']}. Labelled steps "
            f"without a score: {own['missed']}.{f' Not run: {absent}.' if absent else ''}"
        )

    def _distinct(self, name: str) -> str:
        """The value that most arms have, then the exceptions by name."""
        holders: dict[str, list[str]] = defaultdict(list)
        for one in self.run:
            holders[getattr(self[one], name)].append(one.arm.title)
        usual = max(holders, key=lambda value: len(holders[value]))
        exceptions = [
            f"{named_or_counted(names, 'model')}: {value}"
            for value, names in holders.items()
            if value != usual
        ]
        return f"{usual} [{'; '.join(exceptions)}]" if exceptions else usual

    def caption(self, title: str, note: str = "", csv: str = "") -> str:
        """The caption of a table or figure: what it shows, and only the conditions of its own. The
        others are those of the report, stated once. `csv`: names of its tables."""
        links = ", ".join(f"[{name}](tables/{name})" for name in csv.split())
        return " ".join(filter(None, (f"> **{title}.**", note, links and f"{links}.")))

    def figure(self, name: str, title: str, note: str = "", csv: str = "") -> str:
        """An image `figures/<name>.svg` with its alternative text and caption."""
        return f"![{title}](figures/{name}.svg)\n\n{self.caption(title, note, csv)}"


def _facts(one: ArmMetrics, status: str | None, usual: str) -> ArmFacts:
    """The facts about an arm. `usual`: the code that made most runs, "" if all have the same."""
    arm, counted = one.arm, one.arm.counted
    results = [record.result for record in arm.records]
    folds = max((result.folds for result in results), default=0)
    tested = sorted({result.fold for result in results})
    which = f"fold{'s' if len(tested) > 1 else ''} {', '.join(map(str, tested))} of {folds}"
    all_tested = tested == list(range(folds))
    seeds = ", ".join(dict.fromkeys(repetition.label for repetition in counted))
    worlds = ", ".join(map(str, sorted({each.world for each in counted if each.world is not None})))
    seeds_and_worlds = seeds + (f"; world{'s' if ',' in worlds else ''} {worlds}" if worlds else "")
    if "," in worlds and all(each.seed == each.world for each in counted):
        seeds_and_worlds = f"{seeds}, each in the world with the same number"
    missed, attack = (one.summary(name).mean for name in ("missed", "missed_attack"))
    others = sum(record.code != usual for record in arm.records) if usual else 0
    complete = arm.complete if status is None else status == "complete"
    usual_status = arm.status if arm.repetitions else "not run"
    return ArmFacts(
        data="; ".join(sorted({result.data for result in results})),
        split="; ".join(sorted({result.split for result in results})),
        prevalence=100 * one.summary("prevalence").mean,
        seeds=seeds,
        folds=str(folds or "") if all_tested else which,
        fold_words=f"{folds} fold{'s' if folds != 1 else ''}" if all_tested else which,
        status=usual_status if status is None else status,
        worlds=worlds,
        seeds_and_worlds=seeds_and_worlds,
        tested=_tested(one),
        missed=f"{missed:.0f} per repetition, {attack:.0f} of them attack",
        sign=("" if complete else INCOMPLETE) + (OTHER_CODE if others else ""),
        other_code=others,
    )


def _tested(one: ArmMetrics) -> str:
    worlds = [100 * in_world(one, world, "prevalence").mean for world in one.arm.worlds]
    shares = sorted({f"{share:.2f}" for share in worlds if not math.isnan(share)}, key=float)
    if len(shares) < 2:
        return f"{100 * one.summary('prevalence').mean:.2f} % attack"
    return f"{shares[0]} to {shares[-1]} % attack in {len(worlds)} worlds"


NAMED = 4  # most arms that a sentence names


def named_or_counted(names: Sequence[str], noun: str) -> str:
    """The names, or their number if they are more than a sentence should list."""
    return ", ".join(names) if len(names) <= NAMED else f"{len(names)} {noun}s"


def deviation(repetitions: Sequence[int]) -> str:
    """What cells of a table are, by the repetitions of its rows."""
    if max(repetitions, default=1) > 1:
        return "Mean ± standard deviation over n repetitions."
    return "One repetition, so without a deviation."


def bullets(texts: Iterable[str]) -> str:
    """Warnings and notes as a list, each with a capital letter."""
    signs = ((text, "" if NOTE in text else "⚠ ") for text in texts)
    return "\n".join(f"- {sign}{text[:1].upper()}{text[1:]}" for text, sign in signs)


MAX_ENDINGS = 3  # most texts after the colon for which one warning is shown in full


def warnings(arms: Iterable[Arm]) -> tuple[str, ...]:
    """The warnings of the runs, each once; if only numbers differ, with the range of each."""
    alike: dict[str, set[str]] = defaultdict(set)
    for record in (record for arm in arms for record in arm.records):
        for text in record.result.warnings:
            alike[_NUMBER.sub("#", text)].add(text)
    endings: dict[tuple[str, str], list[str]] = defaultdict(list)
    for texts in alike.values():
        head, colon, _ = _join(texts).partition(": ")
        endings[_NUMBER.sub("#", head), colon].append(_join(texts))
    found = []
    for (_, colon), own in endings.items():
        if colon and len(own) > MAX_ENDINGS:
            head = _join({text.partition(": ")[0] for text in own})
            found.append(f"{head}: {len(own)} different ones, each in its run's result.json")
        else:
            found += own
    return tuple(sorted(found))


# A whole number that is not part of a name, of a decimal number or of 1,234
_NUMBER = re.compile(r"(?<![\w.,])\d{1,99}(?!\w|[.,]\d)")


def _join(texts: Iterable[str]) -> str:
    """Texts that differ only in their whole numbers, as one text: `2 to 5 incidents`."""
    ordered = sorted(texts)
    numbers = ([int(number) for number in _NUMBER.findall(text)] for text in ordered)
    columns = iter(zip(*numbers, strict=True))

    def span(_: re.Match[str]) -> str:
        column = next(columns)
        low, high = min(column), max(column)
        return str(low) if low == high else f"{low} to {high}"

    return _NUMBER.sub(span, ordered[0])
