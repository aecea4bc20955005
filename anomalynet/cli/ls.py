"""`anomalynet ls`."""

from __future__ import annotations

import argparse
from typing import Any

from anomalynet.cli.arguments import add_json, add_runs
from anomalynet.cli.output import print_json, print_table

SUMMARY = "list experiments, sweeps, models or runs"
KINDS = ("experiments", "sweeps", "models", "runs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("kind", nargs="?", choices=KINDS, help="what to list (default: everything)")
    add_runs(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the files or runs of one kind, or of every kind."""
    kinds = [args.kind] if args.kind else list(KINDS)
    found = {kind: _runs(args) if kind == "runs" else _names(kind) for kind in kinds}
    if args.json:
        print_json(found[args.kind] if args.kind else found)
        return 0
    for kind, rows in found.items():
        print_table(rows, title=kind)
    return 0


def _names(kind: str) -> list[dict[str, object]]:
    from anomalynet.config import locate
    from anomalynet.config.model import model_class, model_names

    if kind == "models":
        texts = {name: model_class(name).__doc__ or "" for name in model_names()}
        return [{"name": name, "what": text.split("\n")[0]} for name, text in texts.items()]
    files = locate.files("experiments" if kind == "experiments" else "sweeps")
    found = {name: path for name, path in files.items() if name != "base"}
    return [{"name": name, "what": locate.summary(path)} for name, path in found.items()]


def _runs(args: argparse.Namespace) -> list[dict[str, object]]:
    from dataclasses import asdict

    from anomalynet.errors import RunError
    from anomalynet.runs.folder import RunFolder

    rows: list[dict[str, object]] = []
    for config in sorted(args.runs.glob("*/*/config.yaml")):
        folder, path = RunFolder(config.parent), config.parent
        result: dict[str, Any] = {}
        state = "failed" if folder.failed.is_file() else f"epoch {len(folder.read_progress())}"
        if folder.result.is_file():
            try:
                result, state = asdict(folder.read_result()), "done"
            except RunError:
                state = "damaged" if folder.finished or folder.damage() else state
        row = {"experiment": path.parent.name, "id": path.name}
        row |= {name: result.get(name) for name in ("data", "seed", "fold")}
        row["state"] = state
        for name in ("test/f1_attack", "test/auroc"):
            value = result.get("metrics", {}).get(name)
            row[name] = None if value is None else round(value, 4)
        rows.append(row)
    return rows
