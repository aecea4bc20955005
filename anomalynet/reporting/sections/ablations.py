"""The ablations on the same data: what each asks and found, in the words of its own report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalynet.errors import RunError
from anomalynet.reporting.ablation.document import FINDINGS
from anomalynet.reporting.sections.base import Section
from anomalynet.runs.files import read_json
from anomalynet.runs.sweeps import SweepRecord, read_sweeps

__all__ = ["FINDINGS", "AblationReport", "ablation_reports", "ablations_section"]

TITLE = "Ablations"
PAPER = "paper_models"  # the sweep of this very report

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
    `out` gets a link."""
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
    return {
        str(read_json(run.folder(runs).path / "result.json").get("data", "")) for run in record.runs
    }


def ablations_section(reports: Sequence[AblationReport]) -> Section:
    """A heading an ablation; nothing where none was started.

    Raises: RunError: the findings of a report are damaged.
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
    path = one.folder / FINDINGS
    try:
        yield path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path}: cannot be read: {error}",
            f"delete {one.folder} and give `anomalynet report` with the sweep's name",
        ) from None
    if one.link:
        yield f"Tables and figures: [its report]({one.link})."
