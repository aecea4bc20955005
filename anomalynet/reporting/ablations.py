"""The ablations on the same data: what each asks and found, in the words of its own report."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalynet.errors import RunError
from anomalynet.reporting.ablation import findings
from anomalynet.reporting.section import Section
from anomalynet.runs.files import read_json
from anomalynet.runs.sweeps import SweepRecord, read_sweeps

TITLE = "Ablations"
PAPER = "paper_models"
"""The sweep of this very report."""

FINDINGS = Path("tables", "findings.csv")
"""Where a report keeps what it found, below its folder."""

NOTE = (
    "Sweeps on the same data that were started beside these runs, each with a question of its "
    "own. The sentences are their reports': difference from the reference, interval, and verdict "
    "of a test over recordings. They have their own repetitions and presets, so their numbers are "
    "not those of the tables above."
)


@dataclass(frozen=True, slots=True)
class AblationReport:
    """A sweep that was started on some data: its name, its report's folder, None where there is
    none, and the link to it from a report."""

    label: str
    sweep: str
    folder: Path | None
    link: str


def ablation_reports(runs: Path, out: Path, data: str) -> tuple[AblationReport, ...]:
    """The ablations on a data set that have a finished run, by name.

    A report is looked for beside `out` first, then where the sweep has put it; only one beside
    `out` gets a link.
    """
    found = []
    for record in read_sweeps(runs):
        if record.trials is not None or record.sweep == PAPER or data not in _data(record, runs):
            continue
        beside, told = out.parent / record.label, Path(record.report)
        folder = next((place for place in (beside, told) if (place / FINDINGS).is_file()), None)
        link = f"../{record.label}/report.md" if folder == beside else ""
        found.append(AblationReport(record.label, record.sweep, folder, link))
    return tuple(sorted(found, key=lambda one: one.label))


def _data(record: SweepRecord, runs: Path) -> set[str]:
    """The data sets of a sweep's finished runs."""
    results = (read_json(run.folder(runs).path / "result.json") for run in record.runs)
    return {str(result.get("data", "")) for result in results}


def ablations_section(reports: Sequence[AblationReport]) -> Section:
    """A heading an ablation; nothing where none was started.

    Raises:
        RunError: the findings of a report are damaged.
    """
    if not reports:
        return Section()
    return Section([f"## {TITLE}", NOTE, *(part for one in reports for part in _ablation(one))])


def _ablation(one: AblationReport) -> Iterator[str]:
    yield f"### {one.label}"
    if one.folder is None:
        yield (
            "Started, and without a report that this version can quote: `anomalynet report "
            f"{one.sweep}` writes it."
        )
        return
    rows = _read(one.folder / FINDINGS)
    if question := rows[0]["question"]:
        yield f"*{question}*"
    told: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        told[row["family"]].append(row["sentence"])
    yield from told.pop(findings.AGAINST, [])
    headings = {findings.MAIN: "Main effects:", findings.INTERACTION: "Interactions:"}
    for family in (findings.ARM, *headings):
        if sentences := told.pop(family, []):
            yield from [headings[family]] if family in headings else []
            yield "\n".join(f"- {sentence}" for sentence in sentences)
    yield from (f"> {sentence}" for sentence in told.pop(findings.NOTICE, []))
    facts = " ".join(told.pop(findings.FACTS, []))
    where = f" Tables and figures: [its report]({one.link})." if one.link else ""
    rest = (row["sentence"] for row in rows if row["family"] in told)
    yield "\n>\n".join(f"> {line}" for line in (f"**{one.label}.** {facts}{where}", *rest))


def _read(path: Path) -> list[Mapping[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise _damaged(path, str(error)) from None
    if not rows or any(None in row.values() for row in rows) or tuple(rows[0]) != findings.COLUMNS:
        raise _damaged(path, f"not the columns {', '.join(findings.COLUMNS)}")
    return list(rows)


def _damaged(path: Path, what: str) -> RunError:
    return RunError(
        f"{path}: cannot be read: {what}",
        f"delete {path.parent.parent} and give `anomalynet report` with the sweep's name",
    )
