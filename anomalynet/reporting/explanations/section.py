"""The section on example incidents: a figure each, with what it shows in numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.explanations.examples import (
    BEST,
    MIDDLE,
    RULE,
    WORST,
    Example,
    choose,
    examples,
    read_explanations,
)
from anomalynet.reporting.explanations.figure import draw
from anomalynet.reporting.explanations.numbers import Numbers, numbers, sentence
from anomalynet.reporting.explanations.timeline import Timeline, timeline
from anomalynet.reporting.section import Section, figure
from anomalynet.reporting.tables import defined, to_csv
from anomalynet.runs.incidents import read_incidents

HEADINGS = {
    BEST: "The incident found best",
    MIDDLE: "The incident in the middle",
    WORST: "The incident found worst",
}
COLUMNS = (
    "example",
    "model",
    "data",
    "run",
    "incident",
    "type",
    "series",
    "quantity",
    "channel",
    "before",
    "during",
    "unit",
)

CAUTION = (
    "How to read them: a reading is in deviations of the training part; the error of a channel is "
    "its squared reconstruction error over the whole window, so it stays high for a window's "
    "length after an incident; attention is drawn for the window that ends at each step. An error "
    "says what was unusual to an autoencoder, attention where the network looked: neither proves "
    "a cause, and three incidents are examples, not a result."
)


def explanations_section(models: Sequence[ArmMetrics], data: str) -> Section:
    """Timelines of the hybrid, else of the first model that has any; nothing where no run explains
    an incident.

    Raises:
        RunError: a run's files are damaged.
    """
    subject = _subject(models)
    if subject is None:
        return Section()
    ranked = examples(subject)
    runs = sum(len(repetition.records) for repetition in subject.arm.counted)
    rule = RULE.format(
        count=len(ranked), model=subject.arm.title, runs=f"{runs} run{'s' if runs > 1 else ''}"
    )
    parts, files, rows = (
        ["## Example incidents", rule, CAUTION],
        dict[str, bytes](),
        list[list[object]](),
    )
    for name, example in choose(ranked).items():
        line = timeline(example, subject, models)
        found = numbers(line)
        titles = {subject.arm.title, *(course.title for course in line.others)}
        shown = [one for one in models if one.arm.title in titles]
        title = f"{HEADINGS[name]}: {_named(example)}"
        note = (
            f"Run `{example.record.result.experiment}/{example.record.result.id}`. "
            f"{sentence(line, found)}"
        )
        parts.append(figure(f"example_{name}", title, shown, models, note=note))
        files |= {
            f"figures/{file}": content
            for file, content in draw(f"example_{name}", title, line, shown).items()
        }
        rows += _rows(name, subject, data, line, found)
    files["tables/examples.csv"] = to_csv(COLUMNS, rows).encode()
    parts.append("Numbers: [examples.csv](tables/examples.csv).")
    return Section(parts, files)


def _subject(models: Sequence[ArmMetrics]) -> ArmMetrics | None:
    """The hybrid if a run of it explains incidents, else the first model with such a run."""
    explaining = [one for one in models if any(_explains(one))]
    return min(explaining, key=lambda one: one.arm.experiment != "hybrid", default=None)


def _explains(one: ArmMetrics) -> Iterator[bool]:
    for record in (record for repetition in one.arm.counted for record in repetition.records):
        table = read_explanations(record)
        yield table is not None and not table.is_empty()


def _named(example: Example) -> str:
    """Type, number, severity and series."""
    note = read_incidents(example.record.folder / "incidents.json").get(example.incident)
    kind = ((note.type if note else None) or example.kind or "incident").replace("_", " ")
    severity = f", severity {note.severity}" if note and note.severity is not None else ""
    world = "" if example.record.result.world is None else f", world {example.record.result.world}"
    return f"{kind} (number {example.incident}{severity}) on {example.series}{world}"


def _rows(
    name: str, subject: ArmMetrics, data: str, line: Timeline, found: Numbers
) -> Iterator[list[object]]:
    example = line.example
    run = f"{example.record.result.experiment}/{example.record.result.id}"
    head = [name, subject.arm.name, data, run, example.incident, example.kind, example.series]
    yield [*head, "steps alarmed", "", None, 100 * found.alarmed, "%"]
    yield [*head, "delay of the first alarm", "", None, defined(found.delay), "s"]
    for channel, (before, during) in found.error.items():
        yield [*head, "squared error", channel, defined(before), defined(during), "deviations²"]
    if found.parts:
        shares = [defined(share, 100) for share in found.attention]
        yield [
            *head,
            f"attention on the newest {found.newest} of {found.parts} parts",
            "",
            *shares,
            "%",
        ]
