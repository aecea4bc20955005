"""Writes `report.md`, `tables/*.csv` and `figures/*`. The same runs give the same bytes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from anomalynet.config import locate
from anomalynet.data import sources
from anomalynet.errors import NothingToCompareError, UsageError, meant
from anomalynet.reporting import prose
from anomalynet.reporting.ablation.arms import by_series
from anomalynet.reporting.ablation.document import ablation_reports, ablations_section
from anomalynet.reporting.aggregate import aggregate
from anomalynet.reporting.arms import ExpectedRuns, arms
from anomalynet.reporting.captions import ReportContext, Section, bullets
from anomalynet.reporting.comparison import COMPARISON, comparable, write_comparison
from anomalynet.reporting.formats.files import read_forms, refuse_other_report, wanted, write_files
from anomalynet.reporting.leaderboard import Leaderboard, doubts, leaderboard_section, verdict
from anomalynet.reporting.paper import audit_section
from anomalynet.reporting.paper.claims.judge import JUDGED, claims_section
from anomalynet.reporting.sections import leakage as audits
from anomalynet.reporting.sections.calibration import calibration_of, calibration_section
from anomalynet.reporting.sections.explanations import explanations_section
from anomalynet.reporting.sections.incidents import count_chance, count_kinds, incident_section
from anomalynet.reporting.sections.model_tables import cost_section, paper_section
from anomalynet.reporting.sections.over_time import judge, judge_trivial, over_time_section
from anomalynet.reporting.sections.visibility import seen, visibility_section
from anomalynet.reporting.tables import runs_file
from anomalynet.runs.audits import read_audit, slug
from anomalynet.runs.collect import RunRecord, Runs, load_results, read_runs
from anomalynet.runs.sweeps import read_sweeps

MEASURED = (judge, by_series(JUDGED), count_kinds, calibration_of, seen)
"""What the sections measure of each repetition, in the one pass over its scores."""


def write_report(
    runs: Runs,
    out: str | Path,
    expected: ExpectedRuns | None = None,
    audit: Mapping[str, Any] | None = None,
    title: str | None = None,
    command: str | None = None,
    formats: Sequence[str] = (),
    replace: bool = False,
) -> Path:
    """Write the report of one data set's runs into the folder `out`, and return the path of its
    `report.md`, or of the first of the `formats`.

    Everything is computed before the first file is replaced, and `report.md` is replaced last;
    other files in `out` are kept.

        write_report("runs", "reports/mine", formats=["html"])
        write_report(list_runs("runs").filter(experiment="hybrid"), "reports/hybrid")

    Args:
        runs: finished runs, all of one data set, in any order: a folder of runs, a table of
            `list_runs`, or records, folders or (starts of) ids of single runs.
        out: folder of the report.
        expected: the (experiment, seed, fold, world) that a sweep wants; without it, every fold of
            every seed that has a run.
        audit: the leakage audit of this data set; by default the one beside the runs, if any.
        title: heading; by default the name of the data set, and that of the folder if it differs.
        command: the command that makes the report again, if known.
        formats: `md`, `html`, `latex`, `csv` or `all`; Markdown is always written.
        replace: also replace a report of more or other runs.

    Raises:
        NothingToCompareError: there is no run.
        UsageError: the runs are of several data sets, one cannot be found, or `out` has a report of
            more or other runs.
        RunError: the scores or the incidents of a run, or the audit, cannot be read.
    """
    records = read_runs(runs)
    out = Path(out)
    if not records:
        raise NothingToCompareError(
            "a report needs at least one finished run", "anomalynet train EXPERIMENT"
        )
    if not replace:
        refuse_other_report(out, _ids(records), hint="another `out`, or replace=True")
    folder, data = records[0].folder.parents[1], records[0].result.data
    audit = read_audit(folder, data) if audit is None else audit
    scope = wanted(read_forms(formats), out) if formats else nullcontext(out / "report.md")
    with scope as path:
        measures = [*MEASURED, *([audits.pairs] if audits.position_leaks(audit) else [])]
        of_base = (judge_trivial, count_chance)
        context = ReportContext.of(aggregate(arms(records, expected), measures, of_base))
        sections = [
            _first_screen(context, audit, title or _title(context.data, out), command),
            paper_section(context),
            audit_section.SECTION,
            claims_section(context),
            ablations_section(ablation_reports(folder, out, data)),
            over_time_section(context),
            incident_section(context),
            visibility_section(context),
            explanations_section(context),
            calibration_section(context),
            cost_section(context),
            audits.audit_section(audit, context),
        ]
        files = {path: content for section in sections for path, content in section.files.items()}
        text = "\n\n".join(part for section in sections for part in section.parts)
        write_files(out, files | {"report.md": f"{text}\n".encode()})
    return path


def _title(data: str, out: Path) -> str:
    """The data set, and the report's folder if that has another name."""
    own = out.resolve().name
    return f"Report on {data}" + f": {own}" * (own != data.replace("/", "-"))


def write_reports(
    runs: str | Path = "runs",
    out: str | Path = "reports",
    *,
    name: str | None = None,
    data: str | None = None,
    formats: Sequence[str] = ("md",),
    replace: bool = False,
) -> list[dict[str, object]]:
    """Write one report per data set that has finished runs, each into a folder below `out`, and a
    comparison if several data sets can be compared. `name`: the folder of the report instead of the
    data set's name; without `data`, a data set. `data`: only this data set, or the subsets of this
    collection. `formats` and `replace` as in `write_report`.

    Returns a row per report: data, runs (how many), report (path of the first form). Raises
    NothingToCompareError: no run is on the data; UsageError: the name cannot be used, or a folder
    has a report of more or other runs."""
    runs, out = Path(runs), Path(out)
    forms = read_forms(formats)
    if name is not None and slug(name) != name:
        raise UsageError(
            f"invalid report name {name!r}: use letters, digits, '.', '_' and '-' only",
            "out (--out) is its parent folder",
        )
    records: dict[str, list[RunRecord]] = {}
    for record in load_results(runs):
        records.setdefault(record.result.data, []).append(record)
    found = sorted(records)
    if name is not None and data is None:
        data, name = _data_set(name, found, runs), None
    if not records:
        hint = "`anomalynet train EXPERIMENT` makes one; runs (--runs) names the folder"
        raise NothingToCompareError(f"{runs}: no finished run", hint)
    chosen = [one for one in found if data in (None, one, _collection(one))]
    if not chosen:
        raise NothingToCompareError(
            f"{runs}: no finished run on {data!r}", f"data is one of {', '.join(found)}"
        )
    if name is not None and len(chosen) > 1:
        hint = f"anomalynet report {name} --data {chosen[0]}"
        raise UsageError(f"one name for reports on {', '.join(chosen)}", hint)
    compared = data is None and comparable(records) and COMPARISON not in map(slug, records)
    folders = {one: out / (name or slug(one)) for one in chosen}
    if not replace:  # before the first is written
        for one, folder in folders.items():
            refuse_other_report(folder, _ids(records[one]))
        if compared:
            every = [one for own in records.values() for one in own]
            refuse_other_report(out / COMPARISON, [*_ids(every), *found])
    rows: list[dict[str, object]] = []
    for one, folder in folders.items():
        command = _command(name, one, runs, out)
        path = write_report(records[one], folder, command=command, formats=forms, replace=True)
        rows.append({"data": one, "runs": len(records[one]), "report": str(path)})
    if compared:
        with wanted(forms, out / COMPARISON) as path:
            write_comparison({one: records[one] for one in found}, out / COMPARISON)
        count = sum(map(len, records.values()))
        rows.append({"data": f"{len(found)} compared", "runs": count, "report": str(path)})
    return rows


def _ids(records: Sequence[RunRecord]) -> list[str]:
    return [f"{record.result.experiment}/{record.result.id}" for record in records]


def _collection(data: str) -> str:
    return data.split("/", maxsplit=1)[0]


def _data_set(name: str, found: Sequence[str], runs: Path) -> str:
    """The data set or collection with this name. Raises UsageError: there is none."""
    by_name = {key: data for data in found for key in (data, slug(data))}
    by_name |= {one: one for one in map(_collection, found)}
    if name in by_name or name in sources.names():
        return by_name.get(name, name)
    names = dict.fromkeys([*by_name, *(record.label for record in read_sweeps(runs))])
    near = meant(name, [*names, *sources.names(), *locate.files("sweeps")])
    there = ", ".join(names) or "none yet: `anomalynet train EXPERIMENT` makes a run"
    raise UsageError(f"no sweep or data set {name!r} in {runs}{near}", f"there are {there}")


def _command(name: str | None, data: str, runs: Path, out: Path) -> str:
    """The command that writes one report again; an absolute path is shortened to its last name,
    because only this machine has it."""
    given = []
    for flag, path, usual in (("--runs", runs, Path("runs")), ("--out", out, Path("reports"))):
        if path != usual:
            given += [flag, f"…/{path.name}" if path.is_absolute() else str(path)]
    return shlex.join(["anomalynet", "report", *filter(None, [name]), "--data", data, *given])


def _first_screen(
    context: ReportContext, audit: Mapping[str, Any] | None, title: str, command: str | None
) -> Section:
    """The verdict, what to distrust, the leaderboard, the probes, data and command; then the
    conditions of the whole report."""
    board, models = Leaderboard.of(context), context.models
    table = leaderboard_section(board)
    warnings = (*context.warnings(), *audits.warnings(audit, models), *doubts(board))
    first = next(iter((*board.ranked, *context.run)), None)
    split = "" if first is None else context[first].split
    again = f" `{command}` makes this report again." if command else ""
    tested = "" if first is None else context[first].tested
    parts = [
        f"# {title}",
        verdict(board),
        bullets(warnings),
        *table.parts,
        audits.probe_line(audit, models),
        f"**Data:** {context.data}, {tested}; split: {split}.{again}",
        "## Conditions",
        *prose.conditions(context),
    ]
    files = {**table.files, **runs_file([one.arm for one in models])}
    return Section([*filter(None, parts)], files)
