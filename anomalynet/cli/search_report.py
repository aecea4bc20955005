"""From the trials of a search to its report and its best configurations."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anomalynet.cli.launching import data_name, say
from anomalynet.cli.sweep_report import SOURCES, made
from anomalynet.errors import NothingToCompareError
from anomalynet.reporting.forms import wanted
from anomalynet.runs.code import code_hash
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.sweeps import SweepRecord
from anomalynet.sweep.file import read_sweep
from anomalynet.sweep.jobs import Job
from anomalynet.sweep.search import study
from anomalynet.sweep.search.best import write_best
from anomalynet.sweep.search.ledger import Ledger, open_storage
from anomalynet.sweep.search.loop import Search
from anomalynet.sweep.search.space import distributions

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from anomalynet.reporting.forms import Form


def folders_of(search: Search, trial: FrozenTrial) -> list[RunFolder]:
    """The folders of a trial's runs, there or not."""
    return [RunFolder(search.runs / name) for name in trial.user_attrs.get("runs", [])]


def source_of(
    search: Search, out: Path, known: Sequence[FrozenTrial], chosen: Sequence[int]
) -> str:
    """A digest of all that a search's report is made from: the trials, the results of the chosen
    ones and the code."""
    digest = hashlib.sha256(
        f"{code_hash(('reporting', 'cli'), SOURCES)} {code_hash()} {out} {search.total}".encode()
    )
    for trial in known:
        digest.update(
            repr(
                (trial.state.name, trial.params, trial.values, trial.user_attrs.get("reason"))
            ).encode()
        )
    for place in chosen:
        for folder in folders_of(search, known[place]):
            digest.update(made(folder) if folder.finished else b"elsewhere")
    return digest.hexdigest()


def report(
    search: Search,
    base: Sequence[Job],
    out: Path,
    known: Sequence[FrozenTrial],
    chosen: Sequence[int],
    forms: Sequence[Form],
) -> Path:
    """Write the report and the best configurations.

    Returns:
        the path of the report's first form.
    """
    from anomalynet.reporting.search import SearchOutcome, write_search_report
    from anomalynet.runs.collect import load_record

    sweep, settings, records = search.sweep, search.sweep.search, {}
    for place in chosen:
        folders = folders_of(search, known[place])
        if all(folder.finished for folder in folders):
            records[place] = [load_record(folder) for folder in folders]
        else:
            say(f"trial {place} was run on another machine: its test metrics are not in the report")
    files = write_best(
        sweep, search.overrides, {place: known[place].params for place in chosen}, out
    )
    outcome = SearchOutcome(
        name=sweep.name,
        question=sweep.question,
        settings=f"Sampler: {settings.sampler}, seed {settings.seed}; pruner: {settings.pruner}.",
        repetitions=_repetitions(base),
        objectives=settings.objectives,
        directions=settings.directions,
        wanted=search.total,
        trials=known,
        space=distributions(sweep.axes),
        best=chosen,
        records=records,
        configurations=files,
        exhausted=search.exhausted,
    )
    with wanted(forms, out) as path:
        write_search_report(outcome, out, f"{sweep.name} on {data_name(base)}")
    return path


def report_again(
    record: SweepRecord, runs: Path, out: Path, url: str | None, forms: Sequence[Form]
) -> Path:
    """Write the report of a search that was started, from its journal or database and its runs.

    Raises:
        NothingToCompareError: it has no trials there, or its file, data or program has changed so
        that they are another search's.
    """
    sweep, overrides = read_sweep(record.sweep, record.preset), list(record.overrides)
    base = study.base_jobs(sweep, overrides, runs)
    journal, lock = study.files_of(runs, record.label)
    name = study.study_name(sweep, base)
    if url is None and not journal.is_file():
        raise NothingToCompareError(
            f"{record.label}: no trials in {journal}",
            "--storage names the database that they are in",
        )
    storage = open_storage(url, journal)
    if name not in {one.study_name for one in storage.get_all_studies()}:
        what = (
            f"{record.label}: no trial of this search as its file, its data and this program "
            "are now"
        )
        raise NothingToCompareError(what, f"anomalynet sweep {record.sweep}")
    search = Search(
        sweep,
        overrides,
        runs,
        Ledger(storage, name, sweep.search, lock),
        record.trials or sweep.search.trials,
    )
    known = search.ledger.trials()
    if not known:
        raise NothingToCompareError(
            f"{record.label}: no trial yet", f"anomalynet sweep {record.sweep}"
        )
    return report(search, base, out, known, study.best(known, sweep.search.directions), forms)


def _repetitions(base: Sequence[Job]) -> str:
    """`seed 0 × folds 0, 1 × world 0`"""
    every = [job.run.expected for job in base]
    parts = []
    for name, values in (
        ("seed", [one[1] for one in every]),
        ("fold", [one[2] for one in every]),
        ("world", [one[3] for one in every]),
    ):
        known = sorted({value for value in values if value is not None})
        parts += (
            [f"{name}{'s' if len(known) > 1 else ''} {', '.join(map(str, known))}"] if known else []
        )
    return " × ".join(parts)
