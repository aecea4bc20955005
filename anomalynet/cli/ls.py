"""`anomalynet ls`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalynet.cli.arguments import add_json, add_runs, count, flag, option
from anomalynet.cli.output import print_json, print_table, print_text
from anomalynet.errors import AnomalynetError, RunError, UsageError

if TYPE_CHECKING:
    from anomalynet.runs.folder import RunFolder

SUMMARY = "list experiments, sweeps, models or runs"
KINDS = ("experiments", "sweeps", "models", "runs")
NARROW = ("reason", "sweep", "date", "AUROC", "data", "changed", "F1", "AP", "fold", "seed")
"""Columns of runs that a narrow terminal does without, the first ones first."""

METRICS = {"F1": "test/f1_attack", "AUROC": "test/auroc", "AP": "test/average_precision"}
COLUMNS = (
    *("experiment", "id", "state", "data", "seed", "fold", "date", "sweep", "changed"),
    *(*METRICS, "reason"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    text = "what to list (default: everything)"
    parser.add_argument("kind", nargs="?", choices=KINDS, help=text)
    option(parser, "--sweep", "NAME", "only the runs of a sweep, by the start of its name")
    option(parser, "--data", "NAME", "only the runs on a data set")
    flag(parser, "--failed", "only runs that failed or were interrupted")
    option(parser, "--sort", "COLUMN", "sort runs by a column, the largest last (default: date)")
    option(parser, "-n", "N", "only the last N runs", count)
    add_runs(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the files or runs of one kind, or of every kind."""
    chosen = any((args.sweep, args.data, args.failed, args.sort, args.n))
    if chosen and args.kind not in (None, "runs"):
        raise UsageError(
            "--sweep, --data, --failed, --sort and -n choose runs", "anomalynet ls runs"
        )
    kinds = ["runs"] if chosen else [args.kind] if args.kind else list(KINDS)
    found = {kind: _chosen_runs(args) if kind == "runs" else _names(kind) for kind in kinds}
    if args.json:
        print_json(found[kinds[0]] if len(kinds) == 1 else found)
        return 0
    for kind, rows in found.items():
        shared = _changes_as_text(rows) if kind == "runs" else []
        print_table(rows, title=kind, drop=NARROW if kind == "runs" else ())
        for line in shared:
            print_text(line)
        if not rows:
            none = f"no runs in {args.runs}; `anomalynet train hybrid` trains one"
            print(f"no run in {args.runs} matches" if chosen else none)
    return 0


def _names(kind: str) -> list[dict[str, object]]:
    from anomalynet.config import locate
    from anomalynet.config.model import model_class, model_names

    if kind == "models":
        whole = {name: " ".join(str(model_class(name).__doc__).split()) for name in model_names()}
        texts = {name: re.split(r"(?<=\.) (?=[A-Z])", text)[0] for name, text in whole.items()}
        return [{"name": name, "what": text} for name, text in texts.items()]
    files = locate.files("experiments" if kind == "experiments" else "sweeps")
    found = {name: path for name, path in files.items() if name != "base"}
    return [{"name": name, "what": locate.summary(path)} for name, path in found.items()]


def _chosen_runs(args: argparse.Namespace) -> list[dict[str, object]]:
    by = args.sort or "date"
    if by not in COLUMNS:
        what = f"--sort {by}: runs have no such column"
        raise UsageError(what, f"there are {', '.join(COLUMNS)}")
    rows = _runs(args.runs)
    if args.sweep:
        rows = [row for row in rows if str(row["sweep"] or "").startswith(args.sweep)]
    if args.data:
        rows = [row for row in rows if row["data"] == args.data]
    if args.failed:
        rows = [row for row in rows if row["state"] not in ("done", "stale", "running")]
    rows.sort(key=lambda row: _order(row[by]))
    return rows[-args.n :] if args.n else rows


def _order(value: object) -> tuple[bool, float, str]:
    """What runs are sorted by: first those without a value, then numbers, then texts."""
    number = float(value) if isinstance(value, int | float) else 0.0
    return value is not None, number, "" if isinstance(value, int | float) else str(value)


def _runs(runs: Path) -> list[dict[str, object]]:
    from anomalynet.runs.code import made_by_other_code
    from anomalynet.runs.folder import RunFolder
    from anomalynet.runs.sweeps import SweepRun, read_sweeps, run_status

    sweeps = {
        (run.experiment, run.id): (record.label, run)
        for record in reversed(read_sweeps(runs))
        for run in record.runs
    }
    standard: dict[str, dict[str, object] | None] = {}
    rows: list[dict[str, object]] = []
    for config in sorted(runs.glob("*/*/config.yaml")):
        experiment, name = config.parent.parent.name, config.parent.name
        values = _read(config)
        epochs = values.get("training.epochs", 0)
        planned = SweepRun(0, experiment, name, "", "", epochs if isinstance(epochs, int) else 0)
        label, planned = sweeps.get((experiment, name), (None, planned))
        metrics: dict[str, float | None] = {}
        state, reason, data = "damaged", "", values.get("data.name")
        try:
            if result := _result(folder := RunFolder(config.parent)):
                state = "stale" if made_by_other_code(folder.environment) else "done"
                metrics, data = result["metrics"], result["data"]
            else:
                status = run_status(planned, folder)
                state, reason = status.state, status.reason
                if state in ("running", "waiting"):
                    word = {"waiting": "interrupted"}.get(state, state)
                    state = f"{word} {status.epoch}/{epochs}"
        except RunError as error:
            reason = error.message
        if experiment not in standard:
            standard[experiment] = _standard(experiment)
        date = datetime.fromtimestamp(config.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
        row: dict[str, object] = {"experiment": experiment, "id": name, "state": state}
        row |= {"data": data, "seed": values.get("seed")}
        row |= {"fold": values.get("data.split.fold"), "date": date, "sweep": label}
        row["changed"] = _changed(values, standard[experiment])
        for title, metric in METRICS.items():
            value = metrics.get(metric)
            row[title] = None if value is None else round(value, 4)
        rows.append({**row, "reason": reason or None})
    return rows


def _result(folder: RunFolder) -> dict[str, Any]:
    """The content of `result.json`; empty if the run is not finished. Raises RunError: damaged."""
    from anomalynet.runs.files import read_json
    from anomalynet.runs.schema import RESULT_VERSION

    if damage := folder.damage():
        raise RunError("; ".join(f"{one} {what}" for one, what in damage.items()))
    result = read_json(folder.result)
    if result.get("version") != RESULT_VERSION:
        return {}
    if not folder.checksums.exists():  # of an earlier version: nothing else vouches for its values
        folder.read_result(checked=True)
    return result


BY_DATA = re.compile(r"^ *(\w+): .*# the data$", re.MULTILINE)
"""A line of `config.yaml` whose value the data has set, in its section or below."""


def _read(config: Path) -> dict[str, object]:
    """The values of a run, without those that its data has set."""
    from anomalynet.config.identity import flatten_tree
    from anomalynet.runs.collect import read_config

    try:
        values = flatten_tree(read_config(config))
    except RunError:
        return {}
    names = {*BY_DATA.findall(config.read_text(encoding="utf-8"))}
    return {
        key: value
        for key, value in values.items()
        if not (key.startswith("data.") and key.rpartition(".")[2] in names)
    }


def _standard(experiment: str) -> dict[str, object] | None:
    """The values of an experiment as it is now; None if it is not found."""
    from anomalynet.config.identity import flatten
    from anomalynet.config.load import load

    try:
        return flatten(load(experiment, []).config)
    except AnomalynetError:
        return None


OWN_COLUMNS = ("seed", "data.name", "data.split.fold", "data.split.assignment")


def _changed(values: dict[str, object], standard: dict[str, object] | None) -> dict[str, object]:
    """The keys in which a run differs from its experiment, and the run's values; not those that
    change no result."""
    from anomalynet.config.schema import NON_SEMANTIC

    return {
        key: value
        for key, value in values.items()
        if key not in OWN_COLUMNS and not key.startswith(NON_SEMANTIC)
        if standard and key in standard and standard[key] != value
    }


def _changes_as_text(rows: list[dict[str, Any]]) -> list[str]:
    """Turn the column `changed` into text, without what all rows share, or those of a sweep: that
    is returned, one line each."""
    from anomalynet.config.show import argument

    def text(pairs: Iterable[tuple[str, object]]) -> str:
        return " ".join(argument(key, value) for key, value in pairs)

    lines = []
    for label in [None, *dict.fromkeys(row["sweep"] for row in rows if row["sweep"])]:
        own = [row for row in rows if label in (None, row["sweep"])]
        shared = set.intersection(*(set(row["changed"].items()) for row in own)) if own[1:] else {}
        for row in own:
            row["changed"] = dict(pair for pair in row["changed"].items() if pair not in shared)
        if shared:
            lines.append(f"changed in all of {label or 'them'}: {text(sorted(shared))}")
    for row in rows:
        row["changed"] = text(row["changed"].items())
    return lines
