"""`anomalynet ls`."""

from __future__ import annotations

import argparse

from anomalynet.cli.arguments import add_json, add_runs
from anomalynet.cli.output import print_json, print_table

SUMMARY = "list experiments, sweeps, models or runs"

KINDS = ("experiments", "sweeps", "models", "runs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "kind", nargs="?", choices=KINDS, help="what to list; everything without it"
    )
    add_runs(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List."""
    kinds = [args.kind] if args.kind else list(KINDS)
    found = {kind: _runs(args) if kind == "runs" else _named(kind) for kind in kinds}
    if args.json:
        print_json(found[args.kind] if args.kind else found)
        return 0
    for kind, rows in found.items():
        print_table(rows, title=kind)
    return 0


def _named(kind: str) -> list[dict[str, object]]:
    from anomalynet.config import locate
    from anomalynet.config.model import model_class, model_names

    if kind == "models":
        return [
            {"name": name, "what": (model_class(name).__doc__ or "").split("\n")[0]}
            for name in model_names()
        ]
    files = locate.files("experiments" if kind == "experiments" else "sweeps")
    return [
        {"name": name, "what": locate.summary(path)}
        for name, path in files.items()
        if name != "base"
    ]


def _runs(args: argparse.Namespace) -> list[dict[str, object]]:
    from anomalynet.runs.files import read_json
    from anomalynet.runs.folder import RunFolder

    rows: list[dict[str, object]] = []
    for path in sorted(args.runs.glob("*/*/config.yaml")):
        folder = RunFolder(path.parent)
        result = read_json(path.parent / "result.json")
        metrics = result.get("metrics", {})
        rows.append(
            {
                "experiment": path.parent.parent.name,
                "id": path.parent.name,
                "data": result.get("data"),
                "seed": result.get("seed"),
                "fold": result.get("fold"),
                "state": "done"
                if folder.finished
                else "failed"
                if folder.failed.is_file()
                else f"epoch {len(folder.read_progress())}",
                "test/f1_attack": _rounded(metrics.get("test/f1_attack")),
                "test/auroc": _rounded(metrics.get("test/auroc")),
            }
        )
    return rows


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
