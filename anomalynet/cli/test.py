"""`anomalynet test`."""

from __future__ import annotations

import argparse

from anomalynet.cli.arguments import add_json, add_overrides, add_run, add_runs
from anomalynet.cli.output import print_alarms, print_json, print_table, rounded, warn

SUMMARY = "evaluate a finished run on other data, with its own threshold"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_run(parser)
    add_overrides(parser)
    add_runs(parser)
    add_json(parser)
    parser.epilog = (
        "data.name, data.root, data.subset, data.world, data.worlds and data.scenario choose the "
        "data. With data.name the run's own root, subset and scenario are dropped: name them anew. "
        "Without them the run's own test part is scored again."
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate a finished run, and store scores and metrics in its folder."""
    from anomalynet.runs.audits import slug
    from anomalynet.runs.collect import find_run
    from anomalynet.runs.files import write_json, write_parquet

    find_run(args.run_id, args.runs)  # raises before torch is imported, which takes seconds

    from anomalynet.training.finished import evaluate_on, open_run

    finished = open_run(args.run_id, args.runs)
    tested, result = evaluate_on(finished, args.overrides), finished.result
    folder = finished.folder.path / "tests" / f"{slug(tested.data)}-{tested.fingerprint[:10]}"
    write_parquet(folder / "scores.parquet", tested.scores)
    record = {"run": result.id, "data": tested.data, "threshold": result.threshold}
    record |= {"metrics": tested.metrics}
    write_json(folder / "result.json", record)
    warn(tested.warnings)
    if args.json:
        print_json({"folder": str(folder), **record})
        return 0
    title = f"{result.experiment} {result.id} on {tested.data}, threshold {result.threshold:.4g}"
    if tested.scores["label"].null_count() == tested.scores.height:
        print_alarms(title, folder / "scores.parquet")
        return 0
    metrics = tested.metrics.items()
    print_table([{"metric": name, "value": rounded(value)} for name, value in metrics], title=title)
    print(folder)
    return 0
