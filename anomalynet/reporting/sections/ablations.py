"""The section on ablations of the same data: verdicts, quoted from their reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalynet.errors import RunError
from anomalynet.reporting.ablation.document import FINDINGS
from anomalynet.reporting.sections.base import Section
from anomalynet.runs.files import read_json
from anomalynet.runs.sweeps import SweepRecord, read_sweeps

__all__ = ["FINDINGS", "AblationReport", "ablation_reports", "ablations_section"]

TITLE = "Ablations"
PAPER = "paper_models"  # the sweep that this report is about

NOTE = (
    "Sweeps on the same data, each with its own repetitions and preset, so that their numbers "
    "differ from those above."
)


@dataclass(frozen=True, slots=True)
class AblationReport:
    """A sweep that was started on some data."""

    label: str
    sweep: str  # name or path of its file
    folder: Path | None  # of its report; None if there is none
    link: str  # from the report that quotes it; empty if its folder is not next to that report's


def ablation_reports(runs: Path, out: Path, data: str) -> tuple[AblationReport, ...]:
    """The ablations on a data set that have a finished run, by name.

    A report is first looked for next to `out`, then in the folder that the sweep recorded; only one
    next to `out` gets a link."""
    found = []
    for record in read_sweeps(runs):
        if record.trials is not None or record.sweep == PAPER or data not in _data(record, runs):
            continue
        neighbour, recorded = out.parent / record.label, Path(record.report)
        folder = next((path for path in (neighbour, recorded) if (path / FINDINGS).is_file()), None)
        link = f"../{record.label}/report.md" if folder == neighbour else ""
        found.append(AblationReport(record.label, record.sweep, folder, link))
    return tuple(sorted(found, key=lambda one: one.label))


def _data(record: SweepRecord, runs: Path) -> set[str]:
    """The data sets of a sweep's finished runs."""
    return {
        str(read_json(run.folder(runs).path / "result.json").get("data", "")) for run in record.runs
    }


def ablations_section(reports: Sequence[AblationReport]) -> Section:
    """The verdict of each ablation, with a link; empty if none was started."""
    if not reports:
        return Section()
    lines = "\n".join(f"- **{one.label}**: {_findings(one)}" for one in reports)
    return Section([f"## {TITLE}", NOTE, lines])


def _findings(one: AblationReport) -> str:
    if one.folder is None:
        return f"no report that can be quoted; `anomalynet report {one.sweep}` writes it."
    path = one.folder / FINDINGS
    try:
        text = " ".join(path.read_text(encoding="utf-8").split())
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path}: cannot be read: {error}",
            f"delete {one.folder} and give `anomalynet report` with the sweep's name",
        ) from None
    return f"{text} [Its report]({one.link})." if one.link else text
