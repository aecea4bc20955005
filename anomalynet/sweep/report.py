"""Writes a sweep's report from its finished runs unless it is current, and logs it in W&B."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.errors import NothingToCompareError, RunError, UsageError, say
from anomalynet.reporting.formats.files import FILE_OF_FORM, present, refuse_other_report, wanted
from anomalynet.runs.code import code_hash
from anomalynet.runs.files import sha256, sync
from anomalynet.runs.sweeps import SweepRecord, read_sweeps, write_sweep
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.jobs import Job, PlannedSweep, jobs_of
from anomalynet.sweep.plan import plan
from anomalynet.sweep.progress import audit_progress, say_nothing
from anomalynet.sweep.search import study

if TYPE_CHECKING:
    from anomalynet.reporting.formats.files import Form
    from anomalynet.runs.collect import RunRecord
    from anomalynet.runs.folder import RunFolder


def write_sweep_report(
    planned: PlannedSweep, forms: Sequence[Form], *, audits: bool = True, progress: bool = False
) -> Path:
    """Write the report of a sweep that has at least one finished run: its ablation if the sweep has
    axes or arms, else the paper's tables. Returns the path of the report's first form. With
    `audits`, a missing leakage audit of the data is made first, which takes minutes."""
    from anomalynet.runs.collect import load_record

    done = [job for job in planned.jobs if job.state == "done"]
    records = {job.folder.path: load_record(job.folder) for job in done}
    if planned.sweep.axes or planned.sweep.extras:
        with wanted(forms, planned.out) as path:
            _write_ablation(planned, records)
        return path

    from anomalynet.reporting.render import write_report

    if audits:
        _make_audit(planned, done[0], progress)
    return write_report(
        list(records.values()),
        planned.out,
        expected=[job.run.expected for job in planned.jobs],
        command=planned.command,
        formats=forms,
        replace=True,  # `renew_report` and `anomalynet report` have asked
    )


def _write_ablation(planned: PlannedSweep, records: Mapping[Path, RunRecord]) -> None:
    from anomalynet.reporting.ablation.arms import Ablation, AblationArm
    from anomalynet.reporting.ablation.document import write_ablation
    from anomalynet.sweep.axes import levels

    sweep = planned.sweep
    arms = []
    for arm in {job.run.arm.name: job.run.arm for job in planned.jobs}.values():
        own = [job for job in planned.jobs if job.run.arm.name == arm.name]
        arms.append(
            AblationArm(
                name=arm.name,
                levels=arm.levels,
                on_axes=arm.on_axes,
                reference=arm.reference,
                records=tuple(records[job.folder.path] for job in own if job.state == "done"),
                expected=len(own),
                failed=sum(job.state == "failed" for job in own),
            )
        )
    axes = {key: levels(axis) for key, axis in sweep.axes.items()}
    if len(sweep.experiments) > 1:
        axes = {"experiment": list(sweep.experiments), **axes}
    same = {one: getattr(sweep, one) for one in ("name", "question", "design", "metric", "preset")}
    ablation = Ablation(**same, axes=axes, arms=tuple(arms), command=planned.command)
    write_ablation(ablation, planned.out, f"{sweep.name} on {planned.data}")


def _make_audit(planned: PlannedSweep, job: Job, progress: bool) -> None:
    """Make the leakage audit of the data and split that a finished run was trained on, unless it
    exists; data without labels has no audit."""
    from anomalynet.data.audit import audit, identity
    from anomalynet.runs.audits import read_audit, write_audit

    config, result = job.run.loaded.config.data, job.folder.read_result()
    if result.parts["test"].labelled == 0:
        return
    try:
        stored = read_audit(planned.runs, result.data)
    except RunError:
        stored = None  # a damaged audit is made again
    if stored is None or stored.get("identity") != identity(config, 0, result.fingerprint):
        shown = audit_progress(config.title) if progress else say_nothing
        write_audit(planned.runs, audit(config, progress=shown).to_dict())
        shown("")


def started_sweeps(name: str | None, runs: Path) -> list[SweepRecord]:
    """The started sweeps with this name, file name or label; empty if the name means something
    else. Raises NothingToCompareError: it names a sweep that was not started in `runs`."""
    from anomalynet.config import locate

    records = read_sweeps(runs, say)
    found = [own for own in records if name in (own.sweep, Path(own.sweep).stem, own.label)]
    if name and not found and (name in locate.files("sweeps") or name.endswith((".yaml", ".yml"))):
        what = f"the sweep {name} was not started in {runs}"
        raise NothingToCompareError(what, f"anomalynet sweep {name}")
    return found


def report_again(
    records: Sequence[SweepRecord],
    runs: Path,
    out: Path,
    forms: Sequence[Form],
    storage: str | None = None,
) -> list[dict[str, object]]:
    """Write the reports of sweeps that were started, each into the folder of its label below `out`;
    nothing is trained. Returns a row per report: sweep, runs, report. `storage`: the database of a
    search, if it has one. Raises NothingToCompareError: the only sweep has no finished run."""
    rows: list[dict[str, object]] = []
    for record in records:
        sweep, overrides = read_sweep(record.sweep, record.preset), record.overrides
        if record.trials is None:
            jobs = jobs_of(plan(sweep, overrides), runs)
        else:
            jobs = study.base_jobs(sweep, overrides, runs)
        planned = PlannedSweep(
            source=record.sweep,
            overrides=overrides,
            sweep=sweep,
            runs=runs,
            out=out / record.label,
            jobs=jobs,
            label=record.label,
        )
        if record.trials is not None:
            from anomalynet.sweep.search.runner import report_search_again

            count = len(record.runs)
            path = report_search_again(planned, record.trials, forms, storage)
        elif count := sum(job.state == "done" for job in jobs):
            path = write_sweep_report(planned, forms, audits=False)
        elif len(records) == 1:
            hint = f"anomalynet sweep {record.sweep}"
            raise NothingToCompareError(f"{record.label}: no finished run", hint)
        else:
            continue
        rows.append({"sweep": record.label, "runs": count, "report": str(path)})
    return rows


def renew_report(
    planned: PlannedSweep,
    record: SweepRecord,
    forms: Sequence[Form],
    facts: str,
    folders: Sequence[RunFolder],
    write: Callable[[], object],
    trials: int = 0,
) -> Path:
    """Write a report unless its folder has one with all of these forms that was made from the same
    `facts` and finished runs: another command may have written it. Returns the path of the first
    form. Raises UsageError as `refuse_other`."""
    is_current = {"md", *forms} <= present(planned.out)
    if not is_current or record.reported != _digest(planned, facts, folders):
        refuse_other(planned, folders, trials)
        write()
        if planned.out.parent == Path("reports"):
            from anomalynet.reporting.formats.overview import write_overview

            write_overview(planned.out.parent)
        sync(*planned.out.rglob("*"), planned.out)  # the record vouches for all of them
        digest = _digest(planned, facts, folders)  # again: writing may have made the audit
        write_sweep(planned.runs, replace(record, reported=digest))
    return planned.out / FILE_OF_FORM[forms[0]]


def beside_others(
    planned: PlannedSweep, folders: Sequence[RunFolder], notify: Callable[[str], None]
) -> PlannedSweep:
    """The sweep with the first of the folders `<label>`, `<label>-2`, … that `refuse_other` lets it
    write its report to."""
    number = 1
    while True:
        try:
            refuse_other(planned, folders)
            return planned
        except UsageError as error:
            number += 1
            free = planned.out.with_name(f"{planned.label}-{number}")
            notify(f"{error.message}: this report goes to {free}")
            planned = replace(planned, out=free)


def refuse_other(planned: PlannedSweep, folders: Iterable[RunFolder], trials: int = 0) -> None:
    """Raise UsageError: the folder has a report of more or other results than these runs, or
    `trials` of a search, and it is not the last one that a command of this sweep has written."""
    made_of = ["/".join(folder.path.parts[-2:]) for folder in folders]
    made_of += [f"trial {number}" for number in range(trials)]
    text, sweep = planned.out / FILE_OF_FORM["md"], planned.sweep
    if not (text.is_file() and planned.reported.endswith(sha256(text))):
        compares = bool(sweep.axes or sweep.extras or sweep.design == "search")
        hint = f"--out {planned.out.parent / '{name}'}; or move the report away"
        search = f"{sweep.name} on {planned.data}" if sweep.design == "search" else ""
        refuse_other_report(planned.out, made_of, sweep=compares, search=search, hint=hint)


def _digest(planned: PlannedSweep, facts: str, folders: Sequence[RunFolder]) -> str:
    """A digest of a report's text and of everything that it is made from: the question, the facts,
    the results, the code, and if it quotes them, the audit and the findings of ablations. It ends
    with the SHA-256 of the text."""
    from anomalynet.reporting.ablation.document import FINDINGS, ablation_reports
    from anomalynet.runs.audits import audit_path

    runs, out, sweep = planned.runs, planned.out, planned.sweep
    paths = [out / "report.md", *(folder.path / "result.json" for folder in folders)]
    paths += [folder.environment for folder in folders]  # it names the code
    if not sweep.axes and not sweep.extras:
        for data in sorted({folder.read_result().data for folder in folders}):
            ablations = ablation_reports(runs, out, data)
            paths += [audit_path(runs, data)]
            paths += [ablation.folder / FINDINGS for ablation in ablations if ablation.folder]
            facts += str(ablations)
    code = code_hash(("reporting", "sweep"), (".py", ".html", ".css", ".js", ".yaml"))
    digest = hashlib.sha256(f"{code} {code_hash()} {out} {sweep} {facts}".encode())
    for path in paths:
        digest.update(f"{path} ".encode() + (path.read_bytes() if path.is_file() else b""))
    text = sha256(paths[0]) if paths[0].is_file() else ""
    return f"{digest.hexdigest()} {text}"


def track(
    planned: PlannedSweep,
    folders: Iterable[RunFolder],
    notify: Callable[[str], None],
    trials: Sequence[Mapping[str, object]] = (),
) -> None:
    """Log a sweep in W&B if its runs are tracked: runs that were finished before, unless they are
    there, its report, and a search's `trials`; notify of what W&B lacks of `folders`."""
    if planned.jobs[0].run.loaded.config.tracking != "wandb":
        return
    from anomalynet.reporting.formats.html import html
    from anomalynet.tracking.record import notes
    from anomalynet.tracking.run import catch_up, track_sweep

    for job in planned.jobs:
        if job.was_done:
            with job.folder.locked(wait=True):
                catch_up(job.run.loaded, job.folder, planned.label)
    figures = planned.out.glob("figures/*")
    files = {f"figures/{path.name}": path.read_bytes() for path in figures}
    page = html((planned.out / FILE_OF_FORM["md"]).read_text(encoding="utf-8"), files)
    own = track_sweep(planned.label, page, planned.runs, trials)
    for note in notes([*(folder.path for folder in folders), *([own] if own else [])]):
        notify(f"{note}; `anomalynet sync` uploads later")
