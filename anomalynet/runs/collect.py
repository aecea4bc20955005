"""Reads finished runs as records and as tables, and finds a run by the start of its id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from anomalynet.config.identity import flatten_tree
from anomalynet.documents import YAML_BYTES, read_text, yaml_value
from anomalynet.errors import RunError, UsageError
from anomalynet.runs.code import code_hash
from anomalynet.runs.files import read_json
from anomalynet.runs.folder import RunFolder
from anomalynet.runs.schema import Result

if TYPE_CHECKING:
    import polars as pl

MOVE_AWAY = "move this run's folder away and give the same command again"
"""Hint for every message about a damaged run."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A finished run: result, folder, durations, and the hash of the code that made it."""

    result: Result
    folder: Path
    timings: dict[str, float]
    code: str
    config: dict[str, Any]


Runs: TypeAlias = "str | Path | pl.DataFrame | Sequence[str | Path | RunRecord]"
"""A folder of runs, a table of `list_runs`, or single runs: records, folders, starts of ids."""


def read_runs(runs: Runs) -> list[RunRecord]:
    """The records of finished runs. Raises UsageError: there is no such run; RunError: it is not
    finished, or a file of it is damaged."""
    if isinstance(runs, str | Path):
        return load_results(Path(runs))
    if not isinstance(runs, Sequence):
        runs = runs["folder"].to_list()
    return [one if isinstance(one, RunRecord) else _read_run(one, "runs") for one in runs]


def _read_run(run: str | Path, folder: str | Path) -> RunRecord:
    return load_record(find_run(str(run), Path(folder)))


def list_runs(folder: str | Path = "runs") -> pl.DataFrame:
    """The finished runs below a folder, one row per run, sorted by experiment, fold and seed.

        list_runs("runs").sort("test/auroc").select("experiment", "seed", "test/auroc")

    Columns: id, experiment, data, seed, fold, world (null: the data is not simulated), status
    (`done`, or `stale`: made by other code), folder; and, if there are runs, each metric, such as
    `test/f1_attack` (Float64; null if it is undefined). Raises RunError: a run is damaged."""
    import polars as pl

    records = load_results(Path(folder))
    texts = dict.fromkeys(("id", "experiment", "data"), pl.String)
    numbers = dict.fromkeys(("seed", "fold", "world"), pl.Int64)
    names = dict.fromkeys(name for one in records for name in one.result.metrics)
    schema = {**texts, **numbers, "status": pl.String, "folder": pl.String}
    rows = [
        {name: getattr(one.result, name) for name in (*texts, *numbers)}
        | {"status": "done" if one.code in ("", code_hash()) else "stale"}
        | {"folder": str(one.folder), **one.result.metrics}
        for one in records
    ]
    return pl.DataFrame(rows, schema={**schema, **dict.fromkeys(names, pl.Float64)})


def compare_runs(
    a: str | Path | RunRecord, b: str | Path | RunRecord, folder: str | Path = "runs"
) -> pl.DataFrame:
    """Compare two finished runs: the settings in which they differ, all of their metrics, and
    their scores of the same test steps.

        compare_runs("3f2a", "90c1").filter(kind="metric", name="test/auroc")

    Args:
        a, b: a run's folder, the start of its id, or its record.
        folder: where ids are looked for.
    Returns:
        One row per setting that differs, per metric and per fact of the scores; columns kind
        (`run`, `setting`, `metric` or `scores`), name, a, b (text, a number in full precision; null
        if the run has no value, and in b for a fact of both), difference (Float64, b - a of a
        metric or a fact; null if one of them is null).
    Raises:
        UsageError: there is no such run, or there are several. RunError: it is not finished.
    """
    import polars as pl

    from anomalynet.runs.scores import compare_scores

    both = [one if isinstance(one, RunRecord) else _read_run(one, folder) for one in (a, b)]
    scores = compare_scores(*both)
    facts = ("experiment", "data", "fingerprint", "split")
    tables: dict[str, list[dict[str, Any]]] = {
        "run": [{name: getattr(one.result, name) for name in facts} for one in both],
        "setting": [flatten_tree(one.config) | {"code": one.code} for one in both],
        "metric": [one.result.metrics for one in both],
        "scores": [{name: pair[n] for name, pair in scores.items()} for n in (0, 1)],
    }
    rows: list[tuple[object, ...]] = []
    for kind, (of_a, of_b) in tables.items():
        for name in dict.fromkeys([*of_a, *of_b]):
            x: Any = of_a.get(name)
            y: Any = of_b.get(name)
            measured = kind in ("metric", "scores")
            if measured or x != y:
                texts = [None if value is None else str(value) for value in (x, y)]
                numbers = measured and None not in texts
                rows.append((kind, name, *texts, y - x if numbers else None))
    columns = dict.fromkeys(("kind", "name", "a", "b"), pl.String)
    return pl.DataFrame(rows, schema={**columns, "difference": pl.Float64}, orient="row")


def load_results(runs: Path) -> list[RunRecord]:
    """Finished runs below `runs`, sorted by experiment, fold and seed; unfinished ones are skipped.
    Raises RunError: a file of a run is damaged."""
    written = sorted(runs.glob("*/*/result.json"))
    damaged = [path for path in written if not read_json(path)]
    if damaged:
        raise RunError(f"{damaged[0]}: cannot be read", MOVE_AWAY)
    folders = (RunFolder(path.parent) for path in written)
    records = [load_record(one) for one in folders if one.finished or one.damage()]
    order = attrgetter("result.experiment", "result.fold", "result.seed", "result.id")
    return sorted(records, key=order)


def load_record(folder: RunFolder) -> RunRecord:
    """One finished run. Raises RunError: its result or its configuration cannot be read."""
    result, stored = folder.read_result(), read_json(folder.timings).items()
    timings = {name: value for name, value in stored if isinstance(value, int | float)}
    code = str(read_json(folder.environment).get("code", ""))
    return RunRecord(result, folder.path, timings, code, read_config(folder.config))


def read_config(path: Path) -> dict[str, Any]:
    """The configuration of a run. Raises RunError: it cannot be read."""
    try:
        config = yaml_value(read_text(path, YAML_BYTES))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise RunError(f"{path}: cannot be read: {reason}", MOVE_AWAY) from None
    if not isinstance(config, dict):
        raise RunError(f"{path}: not a configuration", MOVE_AWAY)
    return config


def find_run(run: str, runs: Path) -> RunFolder:
    """A run by its folder, by the start of its id, or by its experiment if that has one run.
    Raises UsageError: none or several match."""
    if (Path(run) / "config.yaml").is_file():
        return RunFolder(Path(run))
    folders = sorted(runs.glob("*/*/"))
    named = [path for path in folders if path.name.startswith(run) or path.parent.name == run]
    matches = [path for path in named if (path / "config.yaml").is_file()]
    if len(matches) == 1:
        return RunFolder(matches[0])
    if matches:
        listed = ", ".join(f"{path.parent.name}/{path.name}" for path in matches[:5])
        raise UsageError(
            f"{run!r} is ambiguous: it matches {listed}", "give more of its id, or its folder"
        )
    hint = "`anomalynet ls runs` lists them; give another folder with --runs"
    raise UsageError(f"unknown run {run!r} in {runs}", hint)
